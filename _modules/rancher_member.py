"""
What a membership in Rancher leaves on a host, and taking it away: Rancher's own containers, its
volumes, its state directory. Docker, other containers and the thin pool are not touched.
"""

import contextlib
import os
import shutil

from salt.exceptions import CommandExecutionError

STATE = "/var/lib/rancher/state"
CONTAINERS = (
    "rancher-agent",
    "rancher-agent-state",
    "rancher-agent-upgrade",
    "rancher-agent-bootstrap",
)
VOLUMES = ("rancher-agent-state", "rancher-cni")
# On every container that Rancher runs for itself: network, DNS, health checks.
LABEL = "io.rancher.container.system"


def observe():
    """
    Look at what a membership left here.

    Returns a dict: ``containers`` (list of dicts ``id`` and ``name``, the agent first), ``volumes``
    (list of str) and ``state`` (the directory is there).

    Raises CommandExecutionError when Docker is here and cannot be asked.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_member.observe

    Source: rancher/agent's run.sh, launch_agent; Rancher 1.6 documentation, "Hosts"
    """
    if os.path.islink(STATE):
        raise CommandExecutionError(
            f"{STATE} is a link to {os.path.realpath(STATE)}; look at it, and remove it by hand"
        )
    seen = {"containers": [], "volumes": [], "state": os.path.isdir(STATE)}
    if not __salt__["lvmreport.tool"]("docker"):
        return seen
    listed = __salt__["docker_engine.containers"]()
    seen["containers"] = own(listed, __salt__["rancher_bootstrap.left"]())
    seen["volumes"] = sorted({*__salt__["docker_engine.volumes"]()} & {*VOLUMES})
    return seen


def own(listed, left=()):
    """
    Pick the containers that belong to the membership.

    listed (list of dict)
        As Docker lists them, stopped ones too.
    left (iterable of str)
        Ids of what the agent's bootstrap left, as ``rancher_bootstrap.left`` finds them.

    Returns a list of dicts ``id`` and ``name``; the agent first, which would make others anew.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_member.own '[{Id: 1, Names: [/rancher-agent], Labels: {}}]'

    Source: Docker Engine API, "List containers"
    """
    found = []
    for each in listed:
        names = [name.lstrip("/") for name in each.get("Names") or []]
        ours = [name for name in names if name in CONTAINERS]
        if ours or LABEL in (each.get("Labels") or {}) or each["Id"] in left:
            found.append({"id": each["Id"], "name": (ours or names or [each["Id"]])[0]})
    return sorted(found, key=lambda one: (one["name"] not in CONTAINERS, one["name"]))


def plan(seen):
    """
    List what is to go.

    seen (dict)
        What ``observe`` returned.

    Returns a dict of changes: ``containers``, ``volumes``, ``state directory``.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_member.plan '{containers: [], volumes: [], state: true}'

    Source: Rancher 1.6 documentation, "Hosts": Removing Hosts
    """
    there = {
        "containers": ", ".join(one["name"] for one in seen["containers"]),
        "volumes": ", ".join(seen["volumes"]),
        "state directory": STATE if seen["state"] else "",
    }
    return {key: {"old": old, "new": None} for key, old in there.items() if old}


def apply(seen, changes):
    """
    Take it away; what is gone already is right.

    seen (dict)
        What ``observe`` returned.
    changes (dict)
        What ``plan`` returned.

    Returns nothing.

    Raises CommandExecutionError when Docker refuses, OSError when the directory cannot go.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: `state.apply agent.absent` does this.

    Source: Docker Engine API, "Remove a container", "Remove a volume"
    """
    if "containers" in changes or "volumes" in changes:
        with __salt__["docker_engine.client"]("remove what Rancher left", timeout=120) as api:
            import docker

            for one in seen["containers"]:
                with contextlib.suppress(docker.errors.NotFound):
                    api.remove_container(one["id"], v=True, force=True)
            for name in seen["volumes"]:
                with contextlib.suppress(docker.errors.NotFound):
                    api.remove_volume(name)
    if "state directory" in changes:
        shutil.rmtree(STATE)
