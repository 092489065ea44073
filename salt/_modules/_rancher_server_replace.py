"""
The container of the Rancher server is made, started or replaced; killed anywhere, the next run
goes on.

The new container is complete before the old one is stopped, and the old one is removed only when
the new one was started. Data is not moved: it is outside of both.
"""

import logging

from salt.exceptions import CommandExecutionError

import _docker_change
import _docker_engine
import _docker_pull
import _rancher_server_data
from _rancher_server_plan import DATA, LABEL, NEW, OLD, RESTART, ROLE

log = logging.getLogger(__name__)

# Seconds in which the server, and a database in it, can end by itself.
GRACE = 90


def carry_out(name, want, seen, changes):
    """Do what is left to do, in the order that keeps the old server for as long as possible."""
    if "pulled" in changes:
        _docker_pull.pull(want["image"])
    if "data directory" in changes or "label" in changes:
        _rancher_server_data.prepare(want["directory"], seen["confining"])
    if want["directory"] and ("container" in changes or "bind" in changes):
        _rancher_server_data.protect(want["directory"])
    if changes.get("container", {}).get("new") == "replaced" or (
        "container" in changes and seen["container"] is None
    ):
        _replace(name, want)
    elif "container" in changes:
        _docker_change.start(name)
    for leftover in seen["leftovers"]:
        _discard(leftover)


def _replace(name, want):
    _discard(name + NEW)
    _docker_change.create(
        name + NEW,
        want["image"],
        environment=want["environment"],
        mounts=[(_rancher_server_data.link(want["directory"]), DATA)]
        if want["directory"]
        else None,
        ports={8080: want["port"]},
        labels={LABEL: ROLE},
        restart=RESTART,
    )
    present = _docker_engine.container(name)
    if present is not None:
        _discard(name + OLD)
        log.info("stopping container %s, up to %d s", name, GRACE)
        _docker_change.stop(name, GRACE)
        _docker_change.rename(name, name + OLD)
    _docker_change.rename(name + NEW, name)
    try:
        _docker_change.start(name)
    except CommandExecutionError as exc:
        raise CommandExecutionError(f"{exc}; {_go_back(name)}") from exc
    _discard(name + OLD)


def _go_back(name):
    _discard(name)
    if _docker_engine.container(name + OLD) is None:
        return "there was none before"
    _docker_change.rename(name + OLD, name)
    _docker_change.start(name)
    return "the one before was started again"


def _discard(name):
    """Only for the names of a replacement: those containers are ours, and hold no data."""
    if _docker_engine.container(name) is not None:
        _docker_change.stop(name, GRACE)
        _docker_change.remove(name)
