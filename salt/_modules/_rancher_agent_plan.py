"""
What is left to do until this host is a member of its Rancher project, and what forbids it; pure.
"""

import re

from salt.exceptions import CommandExecutionError

import _rancher_agent_cgroup
import _rancher_agent_match

_RESET = (
    "docker rm -fv rancher-agent rancher-agent-state; docker volume rm rancher-agent-state "
    "rancher-cni; rm -rf /var/lib/rancher/state"
)
# Whoever took a host out of service in Rancher meant it.
_ON_PURPOSE = ("inactive", "deactivating")
_FORGOTTEN = "the server does not know this agent any more"
_COMPLAINTS = (
    (r"Credentials are no longer valid|Please re-register this agent", _FORGOTTEN),
    (
        r"Failed to find container id",
        "the agent cannot find its own container, as always on cgroup v2 with Docker's private "
        f"cgroup namespace; {_rancher_agent_cgroup.WAY_OUT}",
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
    """Why an agent cannot work, as the last lines of its log tell; None: they tell nothing."""
    for sign, words in _COMPLAINTS:
        if any(re.search(sign, line) for line in lines):
            return words
    return None


def other_ip(seen, want):
    """The address that Rancher uses for this host now, when another one is wanted; else None."""
    agent = seen["agent"]
    if not want["ip"] or not agent or not agent["genuine"]:
        return None
    shown = agent["ip"] or (seen["row"] or {}).get("ip") or "detected"
    return shown if shown != want["ip"] else None


def other_proxy(seen, want):
    """Whether the agent's proxies are others than those of the settings."""
    agent = seen["agent"]
    return bool(
        want["proxy"]
        and agent
        and agent["genuine"]
        and agent["proxy"] is not None
        and agent["proxy"] != {key: value for key, value in want["proxy"].items() if value}
    )


def plan(seen, want):
    """
    The changes that are left: ``authority``, ``bootstrap``, ``agent``, ``ip``, ``proxy``, ``host``.
    Raises when this host must not be registered, or cannot work.
    """
    problem = _refusal(seen, want)
    if problem:
        raise CommandExecutionError(problem)
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
    if other_proxy(seen, want):
        changes["proxy"] = {"old": "another", "new": "as in the settings"}
    if seen["asked"]:
        status = _rancher_agent_match.status(seen["row"])
        if status not in ("active", *_ON_PURPOSE):
            changes["host"] = {"old": status, "new": "active"}
    return changes


def _refusal(seen, want):
    agent, row = seen["agent"], seen["row"]
    status = _rancher_agent_match.status(row)
    if agent and not agent["genuine"]:
        return (
            "the container rancher-agent is not the agent, it carries no keys of a server; the "
            "bootstrap would delete it: `docker rm -f rancher-agent` if nobody needs it"
        )
    if row and seen["by"] == "label" and status == "active" and _is_taken(row, seen):
        return (
            f"host {_rancher_agent_match.described(row)} carries this machine's id, and this "
            f"machine is {_own_marks(seen)}: one was copied from the other with /var/lib/rancher/"
            "state, and the two take turns as one host. Find out which is the copy; there, and "
            f"only there, run `{_RESET}`, then apply again"
        )
    if seen["elsewhere"]:
        return (
            f"this machine belongs to {seen['elsewhere']}; it is not moved. To move it: deactivate "
            f"and remove the host there, run `{_RESET}` here, then apply again"
        )
    if agent and agent["complaint"] and status != "active":
        return _complained(seen)
    if agent and agent["running"] and _unlisted_for_long(seen, want):
        return _unlisted(seen)
    return None


def _is_taken(row, seen):
    return _rancher_agent_match.is_stranger(row, seen["me"])


def _complained(seen):
    words = seen["agent"]["complaint"]
    if words != _FORGOTTEN:
        return words
    if seen["row"]:
        return (
            f"{words}, yet Rancher lists host {_rancher_agent_match.described(seen['row'])}; look "
            "in Rancher whether its project or its agent was deactivated, and activate it there"
        )
    if seen["twins"]:
        return f"{words}, and {_twins(seen)}"
    if seen["asked"] and not seen["closed"]:
        # No project that these keys see lists it: it has nothing to lose.
        return (
            f"{words}, because the host was removed there, or the server was made anew; to "
            f"register it as a new host run `{_RESET}`, then apply again"
        )
    return (
        f"{words}; look in Rancher, with an administrator's keys, whether a host is this machine "
        f"({_own_marks(seen)}). If none is, run `{_RESET}`, then apply again{_closed(seen)}"
    )


def _unlisted(seen):
    age = f"rancher-agent runs since {seen['agent']['age'] // 60:.0f} min without a complaint"
    if seen["twins"]:
        return f"{age}, and {_twins(seen)}"
    return (
        f"{age}, yet Rancher lists no host that is this machine ({_own_marks(seen)}): it belongs to "
        "a project that these keys do not see, or is listed under another name and address. Look "
        "for it in Rancher with an administrator's keys; `docker logs rancher-agent` tells whether "
        f"the agent is connected{_closed(seen)}"
    )


def _twins(seen):
    listed = ", ".join(_rancher_agent_match.described(row) for row in seen["twins"])
    return (
        f"Rancher lists {len(seen['twins'])} hosts with this machine's name and address: {listed}. "
        "Look which one is this machine, and remove the other one in Rancher"
    )


def _closed(seen):
    return f". Not looked at: {', '.join(seen['closed'])}" if seen["closed"] else ""


def _own_marks(seen):
    return ", ".join([*seen["me"]["names"], *seen["me"]["addresses"]])


def _unlisted_for_long(seen, want):
    # Twice the time: the look after a run that waited all of it must not end here.
    return seen["asked"] and seen["row"] is None and seen["agent"]["age"] > 2 * want["timeout"]


def missing(seen, want):
    """What is still missing when the time is over: one line."""
    agent, row = seen["agent"], seen["row"]
    if agent is None or not agent["running"]:
        what = "the container rancher-agent does not keep running"
    elif row is None and seen["twins"]:
        what = _twins(seen)
    elif row is None:
        what = f"Rancher lists no host that is this machine ({_own_marks(seen)}){_closed(seen)}"
    else:
        what = f"Rancher shows host {_rancher_agent_match.described(row)}"
    return (
        f"this host was not active after {want['timeout']} s: {what}; "
        "`docker logs rancher-agent` tells more"
    )


def notes(seen, want):
    """Sentences for the operator about what is right but not as it could be."""
    row, found = seen["row"], []
    if seen["silent"]:
        found.append(f"The server does not answer yet, the run waits for it: {seen['silent']}")
    if not seen["asked"]:
        found.append("Not checked, as that takes API keys: whether Rancher shows it as active")
    if seen["unsure"]:
        found.append(
            f"Its agent reports to {seen['unsure']}, not to rancher:agent:server_url; whether that "
            "is the same server takes API keys to tell"
        )
    if len(seen["twins"]) > 1:
        found.append(_twins(seen))
    if row is None:
        return found
    found.append(f"It is host {row['id']}, {row['hostname']} ({row['ip'] or 'no address yet'})")
    if row["ip"] and row["ip"] not in seen["me"]["addresses"]:
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
