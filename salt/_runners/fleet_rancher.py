"""
What a fleet's master does at the Rancher server itself.

The API keys are those of the master's own pillar (`rancher:agent` of the id that `salt-run
config.get id` shows): no minion has them. No function here returns a secret.
"""

import itertools
import json
import os
import time

import salt.loader
import salt.pillar
import salt.utils.minions
from salt.exceptions import CommandExecutionError, SaltInvocationError

# Seconds between two looks at the list of hosts.
_PAUSE = 3
# Whoever took a host out of service in Rancher meant it.
_ON_PURPOSE = ("inactive", "deactivating")


def ready(url, timeout=600):
    """
    Wait until a Rancher server answers.

    url (str)
        ``http(s)://host[:port]`` of the server.
    timeout (seconds, default 600)
        The longest wait.

    Returns True.

    Raises CommandExecutionError when it does not in time, SaltInvocationError for a wrong URL.

    CLI Example:

    .. code-block:: bash

        salt-run fleet_rancher.ready http://rancher.example.com:8080

    Source: see ``rancher.ready``
    """
    functions, until = _functions(), time.monotonic() + timeout
    while True:
        answer = functions["rancher.ready"](url)
        if answer["ready"]:
            return True
        if time.monotonic() + _PAUSE > until:
            raise CommandExecutionError(f"{url} was not ready in {timeout} s: {answer['reason']}")
        time.sleep(_PAUSE)


def hand_over(members):
    """
    Fetch the registration once for each project, and hand its URL, and the agent's image that
    belongs to the server, to each minion by pillar.

    members (dict)
        Of ``fleet_minions.members``: the minions that shall get it.

    Returns a dict by minion id: the reason why there is none; empty when all is well.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: see fleet.register.

    Source: docs/decisions/orchestrated-secrets.md
    """
    functions, folder = _functions(), _folder()
    problems, found = {}, {}
    for name, one in members.items():
        if one["registration_given"]:
            continue
        place = (one["server_url"], one["project"])
        if place not in found:
            found[place] = _registration(functions, *place)
        token, problem = found[place]
        if problem:
            problems[name] = problem
            continue
        given = {"registration_url": token["url"]}
        if not one["image_given"]:
            given["image"] = token["image"]
        path = os.path.join(folder, f"{name}.json")
        functions["host.write"](path, json.dumps({"rancher": {"agent": given}}), "0600")
    return problems


def take_back(minions=None):
    """
    Delete what was handed over.

    minions (list of str, default all)
        Minion ids.

    Returns the number of files.

    CLI Example:

    .. code-block:: bash

        salt-run fleet_rancher.take_back

    Source: docs/decisions/orchestrated-secrets.md
    """
    names = sorted(os.listdir(_folder()))
    wanted = names if minions is None else [f"{name}.json" for name in minions]
    found = [name for name in wanted if name in names]
    for name in found:
        os.unlink(os.path.join(_folder(), name))
    return len(found)


def active(members):
    """
    Wait until Rancher shows the hosts of these minions, and every one is active; or inactive, as
    one that somebody took out of service.

    members (dict)
        Of ``fleet_minions.members``.

    Returns a dict by minion id: the reason for each that is not, at the end of its
    ``registered_timeout``.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: see fleet.register.

    Source: Rancher 1.6 documentation, API, "Host"
    """
    functions, start = _functions(), time.monotonic()
    for _ in itertools.count():
        problems = {
            name: words
            for name, (state, words) in _looked(functions, members).items()
            if state not in ("active", *_ON_PURPOSE)
        }
        passed = time.monotonic() - start
        waits = [name for name in problems if passed + _PAUSE < members[name]["registered_timeout"]]
        if not waits:
            break
        time.sleep(_PAUSE)
    return problems


def known(member):
    """
    Tell whether Rancher lists the host of a minion in the project of its settings.

    member (dict)
        Of ``fleet_minions.members``.

    Returns True or False.

    Raises CommandExecutionError when the server cannot be asked.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: see fleet.move.

    Source: Rancher 1.6 documentation, API, "Host"
    """
    functions = _functions()
    rows = functions["rancher.hosts"](_server_of(member), member["project"])
    return functions["rancher_host.pick"](rows, member["hostname"]) is not None


def states(members):
    """
    Tell the state of each minion's host as Rancher shows it now.

    members (dict)
        Of ``fleet_minions.members``.

    Returns a dict by minion id: ``active``, another state, or why it is not known.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: see fleet.status.

    Source: Rancher 1.6 documentation, API, "Host"
    """
    looked = _looked(_functions(), members)
    return {name: state or words for name, (state, words) in looked.items()}


def mark(name, member):
    """
    Remember that this master takes a host out of service, unless it is out of service already.

    name (str)
        Minion id.
    member (dict)
        Of ``fleet_minions.members``.

    Returns True when it is remembered.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: see fleet.upgrade_docker.

    Source: a host that an operator made inactive must stay so
    """
    if states({name: member})[name] in _ON_PURPOSE and not marked([name]):
        return False
    os.makedirs(_marks(), mode=0o700, exist_ok=True)
    with open(os.path.join(_marks(), name), "a", encoding="utf-8"):
        return True


def marked(names):
    """
    Pick the minions whose host this master took out of service, also in a run that was killed.

    names (list of str)
        Minion ids.

    Returns a list.

    CLI Example:

    .. code-block:: bash

        salt-run fleet_rancher.marked '[node1]'

    Source: see ``mark``
    """
    return [name for name in names if os.path.exists(os.path.join(_marks(), name))]


def unmark(name):
    """
    Forget that a host is out of service.

    name (str)
        Minion id.

    Returns None.

    CLI Example:

    .. code-block:: bash

        salt-run fleet_rancher.unmark node1

    Source: see ``mark``
    """
    if marked([name]):
        os.unlink(os.path.join(_marks(), name))


def host(action, member, timeout=600):
    """
    Deactivate, evacuate, activate or remove the host of one minion.

    action (str)
        A function of ``rancher_host``.
    member (dict)
        Of ``fleet_minions.members``.
    timeout (seconds, default 600)
        The longest wait.

    Returns what ``rancher_host`` gives.

    Raises CommandExecutionError and SaltInvocationError as it does.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: see fleet.remove.

    Source: Rancher 1.6 documentation, API, "Host": actions
    """
    url, name, project = _server_of(member), member["hostname"], member["project"]
    return _functions()[f"rancher_host.{action}"](url, name, project, timeout=timeout)


def _server_of(member):
    if not member["server_url"]:
        raise SaltInvocationError("its pillar names no rancher:agent:server_url")
    return member["server_url"]


def _registration(functions, url, project):
    """(registration, None) or (None, reason)."""
    try:
        server = _server_of({"server_url": url})
        return functions["rancher.registration"](server, project, timeout=300), None
    except (CommandExecutionError, SaltInvocationError) as exc:
        return None, str(exc)


def _marks():
    return os.path.join(__opts__["cachedir"], "fleet-out-of-service")


def _looked(functions, members):
    """By minion: (state or None, what to say of it)."""
    lists, found = {}, {}
    for name, one in members.items():
        place = (one["server_url"], one["project"])
        try:
            if place not in lists:
                lists[place] = functions["rancher.hosts"](_server_of(one), one["project"])
            row = functions["rancher_host.pick"](lists[place], one["hostname"])
        except (CommandExecutionError, SaltInvocationError) as exc:
            found[name] = (None, str(exc))
            continue
        if row is None:
            found[name] = (None, f"Rancher lists no host {one['hostname']!r}")
        else:
            # API v1 keeps `state` at active while the agent is gone.
            state = row["agent_state"] or "active" if row["state"] == "active" else row["state"]
            found[name] = (state, f"its host {row['id']} is {state} in Rancher, not active")
    return found


def _functions():
    """Execution modules on the master, with the master's own pillar."""
    if "fleet_rancher" not in __context__:
        own = __opts__["id"]
        if salt.utils.minions.CkMinions(__opts__).check_minions(own, "list")["minions"]:
            raise CommandExecutionError(
                f"a minion has the master's own id {own}, so it would get the master's pillar; "
                "give the master another id"
            )
        grains = salt.loader.grains(__opts__)
        pillar = salt.pillar.Pillar(__opts__, grains, own, "base").compile_pillar()
        opts = {**__opts__, "pillar": pillar, "grains": grains}
        functions = salt.loader.minion_mods(opts)
        if "rancher_host.pick" not in functions:
            raise CommandExecutionError(
                "the master does not have this tree's modules yet: "
                "salt-run state.orchestrate orch.sync"
            )
        __context__["fleet_rancher"] = functions
    return __context__["fleet_rancher"]


def _folder():
    """The directory of the ext_pillar, which must be configured: made, and closed to others."""
    for source in __opts__.get("ext_pillar") or []:
        if "rancher_handover" in source:
            folder = source["rancher_handover"]
            os.makedirs(folder, mode=0o700, exist_ok=True)
            os.chmod(folder, 0o700)
            return folder
    raise CommandExecutionError(
        "the master's configuration lacks ext_pillar: rancher_handover; see etc/master"
    )
