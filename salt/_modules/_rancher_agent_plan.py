"""
What is left to do until this host is a member of its Rancher project, and what forbids it; pure.
"""

import re

from salt.exceptions import CommandExecutionError

import _rancher_agent_match

_RESET = (
    "docker rm -fv rancher-agent rancher-agent-state; docker volume rm rancher-agent-state "
    "rancher-cni; rm -rf /var/lib/rancher/state"
)
# Whoever took a host out of service in Rancher meant it.
_ON_PURPOSE = ("inactive", "deactivating")
_COMPLAINTS = (
    (
        r"Credentials are no longer valid|Please re-register this agent",
        "the server does not know this agent any more, because the host was removed there, or "
        f"the server was made anew; to register it as a new host run `{_RESET}`, then apply again",
    ),
    (
        r"DNS Checking loopback IP address",
        "the agent refuses a name server at 127.x in /etc/resolv.conf; name a real one there",
    ),
    (
        r"client version \S+ is too old",
        "Docker is too new for the agent of Rancher 1.6; set rancher:docker:version to one below 25",
    ),
)


def complaint(lines):
    """
    Find in an agent's log why it cannot work. Returns one line with the way out (str), or None.
    """
    for sign, words in _COMPLAINTS:
        if any(re.search(sign, line) for line in lines):
            return words
    return None


def other_ip(seen, want):
    """
    Tell whether Rancher shall use another address for this host than it does. Returns the address
    that it uses now (str), or None when it is the wanted one, or none is wanted, or nothing is
    registered.
    """
    agent = seen["agent"]
    if not want["ip"] or not agent or not agent["genuine"]:
        return None
    shown = agent["ip"] or (seen["row"] or {}).get("ip") or "detected"
    return shown if shown != want["ip"] else None


def plan(seen, want):
    """
    Compare what is with what is wanted. Returns changes: ``authority``, ``bootstrap``, ``agent``,
    ``ip``, ``host``, those that are left to do.
    """
    _refuse(seen, want)
    agent, changes = seen["agent"], {}
    if want["authority"] and seen["authority"] != want["authority"]:
        old = "absent" if seen["authority"] is None else "another"
        changes["authority"] = {"old": old, "new": "as in the settings"}
    if seen["leftover"]:
        changes["bootstrap"] = {"old": "left over", "new": "removed"}
    address = other_ip(seen, want)
    if agent is None or not agent["running"]:
        changes["agent"] = {"old": "stopped" if agent else "absent", "new": "running"}
    elif "authority" in changes or agent["outdated"]:
        changes["agent"] = {"old": "running", "new": "restarted"}
    if address:
        changes["ip"] = {"old": address, "new": want["ip"]}
    if seen["asked"]:
        status = _rancher_agent_match.status(seen["row"])
        if status not in ("active", *_ON_PURPOSE):
            changes["host"] = {"old": status, "new": "active"}
    return changes


def _refuse(seen, want):
    agent, row = seen["agent"], seen["row"]
    status = _rancher_agent_match.status(row)
    problem = None
    if agent and not agent["genuine"]:
        problem = (
            "the container rancher-agent is not the agent, it carries no keys of a server; the "
            "bootstrap would delete it: `docker rm -f rancher-agent` if nobody needs it"
        )
    elif row and seen["by"] == "label" and _is_taken(row, status, seen):
        problem = _clone(row, seen)
    elif seen["elsewhere"]:
        problem = (
            f"this machine belongs to {seen['elsewhere']}; it is not moved. To move it: deactivate "
            f"and remove the host there, run `{_RESET}` here, then apply again"
        )
    elif agent and agent["complaint"] and status != "active":
        problem = agent["complaint"]
    elif agent and agent["running"] and _came_to_nothing(seen, want):
        problem = (
            f"rancher-agent runs since {agent['age'] // 60:.0f} min, yet Rancher lists no host that is "
            f"this machine ({_own_marks(seen)}); it was removed there, or belongs to a project "
            f"that these keys do not see. To register it anew run `{_RESET}`, then apply again"
        )
    if problem:
        raise CommandExecutionError(problem)


def _is_taken(row, status, seen):
    return status == "active" and _rancher_agent_match.is_stranger(row, seen["me"])


def _clone(row, seen):
    return (
        f"host {row['id']}, which carries this machine's id, is {row['hostname']} ({row['ip']}) "
        f"and active, this machine is {_own_marks(seen)}: one was copied from the other with "
        "/var/lib/rancher/state, and the two take turns as one host. On the copy run "
        f"`{_RESET}`, then apply again"
    )


def _own_marks(seen):
    return ", ".join([*seen["me"]["names"], *seen["me"]["addresses"]])


def _came_to_nothing(seen, want):
    # Twice the time: the look after a run that waited all of it must not end here.
    return seen["asked"] and seen["row"] is None and seen["agent"]["age"] > 2 * want["timeout"]


def in_vain(seen, want):
    """Say what is still missing when the time is over. Returns one line (str)."""
    agent, row = seen["agent"], seen["row"]
    if agent is None or not agent["running"]:
        what = "the container rancher-agent does not keep running"
    elif row is None:
        what = f"Rancher lists no host that is this machine ({_own_marks(seen)})"
    else:
        what = f"Rancher shows host {row['id']} as {_rancher_agent_match.status(row)}"
    return (
        f"waited {want['timeout']} s in vain for this host to be active: {what}; "
        "`docker logs rancher-agent` tells more"
    )


def notes(seen, want):
    """
    Sentences for the operator about what is right but not as it could be. Returns a list of str.
    """
    row, found = seen["row"], []
    if seen["silent"]:
        found.append(f"The server does not answer as yet, the run waits for it: {seen['silent']}")
    if not seen["asked"]:
        found.append("Not checked, as that takes API keys: whether Rancher shows it as active")
    if row is None:
        return found
    found.append(f"It is host {row['id']}, {row['hostname']} ({row['ip']})")
    if row["ip"] not in seen["me"]["addresses"]:
        found.append(
            f"{row['ip']} is not an address of this machine: if it is that of a gateway or of "
            "Docker, other hosts do not reach it, and rancher:agent:ip must be set"
        )
    status = _rancher_agent_match.status(row)
    if status in _ON_PURPOSE:
        found.append(f"It is {status}: someone took it out of service in Rancher, and it stays so")
    differ = [key for key, value in want["labels"].items() if row["labels"].get(key) != value]
    if differ:
        found.append(
            f"Its labels differ from rancher:agent:labels in {', '.join(sorted(differ))}; Rancher "
            "reads those at the first registration only, change them there"
        )
    return found
