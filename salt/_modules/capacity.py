"""
How full this host is, in one look: for the fleet's table, the beacon, and the Salt mine.
"""

from _fresh import checked  # noqa: F401

# isort: split
import socket

from salt.exceptions import CommandExecutionError

import _conntrack_size
import _host
import _thinpool

# What can run full, and where its percentage stands in ``status``.
MEASURES = ("pool_data", "pool_metadata", "conntrack")


def status():
    """
    Tell how full the host is. No secrets.

    The pool is the one of the pillar ``rancher:thin_pool``, else ``docker/thinpool``.

    Returns a dict: ``hostname``, ``pool_data_percent``, ``pool_metadata_percent`` (float, None =
    no pool), ``pool_next_extension_fits`` (bool or None), ``pool_health`` (str or None),
    ``conntrack_percent`` (float, None = nothing is tracked), ``conntrack_max`` (int or None),
    ``docker`` (version, ``down``, or None = not installed), ``agent`` (``running``, ``stopped``,
    or None) and ``problems`` (list of str): what could not be looked at, and is None for that.

    CLI Example:

    .. code-block:: bash

        salt '*' capacity.status

    Source: see ``thinpool.status``, ``conntrack.usage``; docker ps(1)
    """
    problems = []
    pool = _tried(problems, _pool) or {}
    table = _tried(problems, _conntrack_size.usage) or {}
    version = _tried(problems, _docker)
    found = {
        "hostname": socket.gethostname(),
        "pool_data_percent": pool.get("data_percent"),
        "pool_metadata_percent": pool.get("metadata_percent"),
        "pool_next_extension_fits": pool.get("next_extension_fits"),
        "pool_health": pool.get("health"),
        "conntrack_percent": table.get("percent"),
        "conntrack_max": table.get("max"),
        "docker": version,
        "agent": _tried(problems, _agent) if version not in (None, "down") else None,
    }
    return {**found, "problems": problems}


def measures():
    """
    Tell only what the beacon compares; Docker is not asked.

    Returns a dict ``pool_data``, ``pool_metadata``, ``conntrack``: a percentage (float), None
    where there is nothing to measure, or the reason (str) why it could not be looked at.

    CLI Example:

    .. code-block:: bash

        salt '*' capacity.measures

    Source: see ``thinpool.status``, ``conntrack.usage``
    """
    found = {}
    try:
        pool = _pool() or {}
        found["pool_data"], found["pool_metadata"] = (
            pool.get("data_percent"),
            pool.get("metadata_percent"),
        )
    except CommandExecutionError as exc:
        found["pool_data"] = found["pool_metadata"] = str(exc)
    try:
        found["conntrack"] = (_conntrack_size.usage() or {}).get("percent")
    except CommandExecutionError as exc:
        found["conntrack"] = str(exc)
    return found


def facts():
    """
    Tell what other formulas may want to know of this host: for the Salt mine. No secrets.

    Returns a dict: ``roles`` (list), ``hostname``, ``rancher_server``, ``rancher_project``,
    ``docker`` (version or None), ``storage`` (``thin pool`` or None), ``conntrack_max``.

    CLI Example:

    .. code-block:: bash

        salt '*' capacity.facts

    Source: Salt's documentation, "The Salt Mine"
    """
    rancher = __pillar__.get("rancher") or {}
    agent, seen = rancher.get("agent") or {}, status()
    return {
        "roles": ["common", *(rancher.get("roles") or [])],
        "hostname": seen["hostname"],
        "rancher_server": agent.get("server_url"),
        "rancher_project": agent.get("project"),
        "docker": seen["docker"],
        "storage": None if seen["pool_health"] is None else "thin pool",
        "conntrack_max": seen["conntrack_max"],
    }


def _status(text):
    """What ``docker ps --format '{{.Status}}'`` says of one container; None: there is none."""
    if not text.strip():
        return None
    up = text.startswith("Up ") and "(Paused)" not in text
    return "running" if up else "stopped"


def _tried(problems, look):
    try:
        return look()
    except CommandExecutionError as exc:
        problems.append(str(exc))
        return None


def _pool():
    settings = (__pillar__.get("rancher") or {}).get("thin_pool") or {}
    group, name = settings.get("volume_group", "docker"), settings.get("name", "thinpool")
    return _thinpool.status(group, name)


def _docker():
    if not _host.tool("docker"):
        return None
    argv = ["docker", "version", "--format", "{{.Server.Version}}"]
    answer = _host.run(argv, timeout=20, accept=(0, 1))
    return answer["stdout"].strip() if answer["retcode"] == 0 else "down"


def _agent():
    only = ["--filter", "name=^/rancher-agent$", "--format", "{{.Status}}"]
    return _status(_host.run(["docker", "ps", "--all", *only], timeout=20)["stdout"])
