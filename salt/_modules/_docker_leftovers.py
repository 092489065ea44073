"""
Configuration of an older Docker that keeps the daemon from starting, moved aside.

Moved, never deleted, and only what is known to break: flags that daemon.json also sets,
``docker daemon``, ``fd://`` without a socket, another configuration file. An operator's own
drop-in, for a proxy for example, stays.
"""

import fnmatch
import glob
import os

from salt.exceptions import CommandExecutionError

import _docker_flags
import _docker_unit
import _host
import _systemd_unit

_ETC = "/etc/systemd/system"
_STORAGE_SETUP = "docker-storage-setup.service"


# -- pure ----------------------------------------------------------------------------------------


def find(files, keys, socket=True, upstream=None):
    """
    Pick the files that must go, each with the reason: when one is gone the next may come to light, so
    until none does. Returns a dict of path to reason (str).
    """
    keys = {"data-root" if key == "graph" else key for key in keys}
    asked = (keys, socket, upstream)
    found = {}
    while True:
        left = _without(files, found)
        more = {**_conflicts(left, found, *asked), **_stale(left, *asked)}
        if not more:
            return found
        found.update(more)


def _without(files, moved):
    return {path: text for path, text in files.items() if path not in moved}


def _composed(files, socket):
    # What the unit of a package that is yet to come may say.
    return _docker_unit.compose(files, ["dockerd", "-H", "fd://"] if socket else ["dockerd"])


def _conflicts(files, moved, keys, socket, upstream):
    composed = _composed(files, socket)
    found = {
        path: [f"starts `{command}`, which newer packages do not have"]
        for path, command in composed["old"].items()
    }
    by_path = {}
    for flag in _docker_unit.flags(composed):
        by_path.setdefault(flag["path"], []).append(flag)
    for path, flags in by_path.items():
        found.setdefault(path, []).extend(_docker_flags.reasons(flags, keys, socket, upstream))
    for name, (path, needed) in composed["named"].items():
        # systemd starts nothing whose file of variables is missing.
        if needed and fnmatch.filter(moved, name) and not fnmatch.filter(files, name):
            found.setdefault(path, []).append(f"reads {name}, which is moved aside")
    # The packaged unit is the package's affair; see fixed_flags.
    return {
        path: " and ".join(why) + _goes_with_it(path, files[path])
        for path, why in found.items()
        if why and path and not _docker_unit.packaged(path)
    }


def _goes_with_it(path, text):
    """What else a drop-in says: it goes as well, and the report tells."""
    others = []
    for _, key, value in _systemd_unit.settings(text) if path.endswith(".conf") else ():
        if key == "Environment":
            pairs = _systemd_unit.assignments(value)
            others += [
                name
                for name, value in pairs
                if name != _docker_unit.DRIVER and not _flags_of(value)
            ]
        elif key not in ("ExecStart", "EnvironmentFile", "Description"):
            others.append(key)
    return f"; {', '.join(dict.fromkeys(others))} in it goes, too" if others else ""


def _flags_of(value):
    return _docker_flags.parse(_systemd_unit.words_of(value))


def _stale(files, keys, socket, upstream):
    """What nothing of today need read to be in the way: an old package's files of variables."""
    found, used = {}, _composed(files, socket)["named"]
    for path in filter(files.get, _docker_unit.VARIABLES):
        values = _systemd_unit.variables(files[path])
        flags = [flag for value in values.values() for flag in _flags_of(value)]
        why = _docker_flags.reasons(flags, keys, socket, upstream)
        if path.endswith("-storage-setup"):
            why = ["lets docker-storage-setup make a pool of its own"] if values else []
        elif flags and not why and path.startswith("/etc/sysconfig") and path not in used:
            why = ["holds flags for an older Docker's unit"]
        if why:
            found[path] = " and ".join(why)
    return found


def fixed_flags(files, moved, socket=True):
    """
    List the flags that the daemon is given and nobody moves away. Returns a list of those of
    ``_docker_unit.flags``.
    """
    return _docker_unit.flags(_composed(_without(files, moved), socket))


# -- the host ------------------------------------------------------------------------------------


def storage_setup_enabled():
    """
    Tell whether docker-storage-setup would make its own pool at the next boot. Returns a bool.
    """
    return bool(glob.glob(f"{_ETC}/*.wants/{_STORAGE_SETUP}"))


def disable_storage_setup():
    """Keep docker-storage-setup from making its own pool at the next boot."""
    _host.run(["systemctl", "disable", _STORAGE_SETUP])


def move(path):
    """Move a file aside, beside itself, with the time in its name. Returns its new path (str)."""
    free = _host.free_name(path)
    try:
        os.rename(path, free)
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be moved: {exc.strerror}") from exc
    return free
