"""
What a role that was taken away leaves at work: the container of it runs on, with its data.
"""

from salt.exceptions import CommandExecutionError

import _docker_engine

# For each role its container and what ends it.
_ENDS = {
    "server": ("rancher-server", "`docker stop rancher-server` ends it, and its data stays"),
    "agent": (
        "rancher-agent",
        "remove the host in Rancher and apply agent.absent (`salt-run fleet.remove {minion}` "
        "does both)",
    ),
}


def notes(roles, minion):
    """A line for each container that runs for a role which is not in ``roles``."""
    left = {role: _ENDS[role] for role in _ENDS if role not in roles}
    try:
        if not left or not _docker_engine.answers():
            return []
        running = _running()
    except CommandExecutionError as exc:
        return [f"Whether a role that was taken away left anything is not known: {exc}"]
    return [
        f"Container {name} still runs, and rancher:roles does not name {role}: "
        f"{way.format(minion=minion)}; or give the role back"
        for role, (name, way) in left.items()
        if name in running
    ]


def _running():
    return {
        name.lstrip("/")
        for each in _docker_engine.containers()
        if (each.get("Status") or "").startswith(("Up", "Restarting"))
        for name in each.get("Names") or []
    }
