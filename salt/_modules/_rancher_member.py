"""
What a membership in Rancher leaves on a host, and taking it away: Rancher's own containers, its
volumes, its state directory. Docker, other containers and the thin pool are not touched.
"""

import contextlib
import os
import shutil

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _docker_engine
import _host
import _rancher_agent_bootstrap

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
# On every container that Rancher started, also of services.
STARTED = "io.rancher.container.uuid"


def check_role(pillar):
    """Refuse a host that the next run would register again."""
    if "agent" in ((pillar.get("rancher") or {}).get("roles") or []):
        raise SaltInvocationError(
            "rancher:roles still gives this host the role agent: the next run would register it "
            "again as a new host. Nothing was removed; take agent out of its roles first"
        )


def observe():
    """
    What a membership left here: ``containers`` (dicts ``id`` and ``name``, the agent first),
    ``volumes`` and ``state`` (the directory is there); ``staying`` are names of containers that
    Rancher started and that are left alone.
    """
    if os.path.islink(STATE):
        raise CommandExecutionError(
            f"{STATE} is a link to {os.path.realpath(STATE)}; look at it, and remove it by hand"
        )
    seen = {"containers": [], "volumes": [], "staying": [], "state": os.path.isdir(STATE)}
    if not _host.tool("docker"):
        return seen
    listed = _docker_engine.containers()
    seen["containers"] = own(listed, _rancher_agent_bootstrap.left())
    ours = {one["id"] for one in seen["containers"]}
    seen["staying"] = sorted(
        (each.get("Names") or [each["Id"]])[0].lstrip("/")
        for each in listed
        if STARTED in (each.get("Labels") or {}) and each["Id"] not in ours
    )
    seen["volumes"] = sorted({*_docker_engine.volumes()} & {*VOLUMES})
    return seen


def own(listed, left=()):
    """
    The containers that belong to the membership, as dicts ``id`` and ``name``; the agent first,
    which would make others anew.
    """
    found = []
    for each in listed:
        names = [name.lstrip("/") for name in each.get("Names") or []]
        ours = [name for name in names if name in CONTAINERS]
        if ours or LABEL in (each.get("Labels") or {}) or each["Id"] in left:
            found.append({"id": each["Id"], "name": (ours or names or [each["Id"]])[0]})
    return sorted(found, key=lambda one: (one["name"] not in CONTAINERS, one["name"]))


def plan(seen):
    """What is to go: ``containers``, ``volumes``, ``state directory``."""
    there = {
        "containers": ", ".join(one["name"] for one in seen["containers"]),
        "volumes": ", ".join(seen["volumes"]),
        "state directory": STATE if seen["state"] else "",
    }
    return {key: {"old": old, "new": None} for key, old in there.items() if old}


def notes(seen):
    """What is left alone and may surprise."""
    if not seen["staying"]:
        return []
    return [f"Containers that Rancher started stay, and run on: {', '.join(seen['staying'])}"]


def apply(seen, changes):
    """Take it away; what is gone already is right."""
    if "containers" in changes or "volumes" in changes:
        with _docker_engine.client("remove what Rancher left", timeout=120) as api:
            import docker

            for one in seen["containers"]:
                with contextlib.suppress(docker.errors.NotFound):
                    api.remove_container(one["id"], v=True, force=True)
            for name in seen["volumes"]:
                with contextlib.suppress(docker.errors.NotFound):
                    api.remove_volume(name)
    if "state directory" in changes:
        shutil.rmtree(STATE)
