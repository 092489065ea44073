"""
Which containers run, and starting again those that ran: Docker itself starts only those whose
restart policy says so.
"""

import _docker_change
import _docker_engine


def running():
    """Ids and names of the containers that run now, as dicts, sorted by name."""
    found = [
        {"id": each["Id"], "name": (each.get("Names") or [each["Id"]])[0].lstrip("/")}
        for each in _docker_engine.containers()
        if (each.get("Status") or "").startswith("Up")
    ]
    return sorted(found, key=lambda one: one["name"])


def start_again(ids):
    """
    Start those of the containers that do not run; one that is gone meanwhile is no fault. The names
    of those that were started.
    """
    up, started = {one["id"] for one in running()}, []
    for each in ids:
        found = None if each in up else _docker_engine.container(each)
        if found is None:
            continue
        _docker_change.start(each)
        started.append((found.get("Name") or each).lstrip("/"))
    return sorted(started)
