"""
Configuration of an older Docker that keeps the daemon from starting, moved aside.

Moved, never deleted, and only what is known to break: flags that daemon.json also sets,
``docker daemon``, ``fd://`` without a socket, another configuration file. An operator's own
drop-in, for a proxy for example, stays.
"""

import glob
import os

from salt.exceptions import CommandExecutionError

import _docker_flags
import _host

_ETC = "/etc/systemd/system"
_UNIT = f"{_ETC}/docker.service"
# Where packages put their units; the first one that is there counts, after /etc.
_PACKAGED = ("/usr/lib/systemd/system/docker.service", "/lib/systemd/system/docker.service")
_VARIABLES = (
    "/etc/sysconfig/docker",
    "/etc/sysconfig/docker-network",
    "/etc/sysconfig/docker-storage",
    "/etc/sysconfig/docker-storage-setup",
    "/etc/default/docker",
)
_STORAGE_SETUP = "docker-storage-setup.service"


# -- pure ----------------------------------------------------------------------------------------


def find(files, keys, socket=True):
    """Pick the files that must go, each with the reason. Returns a dict of path to reason (str)."""
    found, used = {}, set()
    for path in [path for path in files if path not in _VARIABLES]:
        unit = _docker_flags.parse_unit(files[path])
        reasons = [_docker_flags.reason(c, keys, socket) for c in unit["commands"]]
        # The packaged unit is the package's affair; see fixed_flags.
        if any(reasons) and path not in _PACKAGED:
            found[path] = " and ".join(filter(None, reasons))
        else:
            used.update(unit["files"])
    for path in filter(files.get, _VARIABLES):
        why = _why_variables(path, files[path], keys, socket, path in used)
        if why:
            found[path] = why
    return found


def _why_variables(path, text, keys, socket, used):
    variables = _docker_flags.parse_variables(text)
    if path.endswith("-storage-setup"):
        return "lets docker-storage-setup make a pool of its own" if variables else None
    words = [word for value in variables.values() for word in value]
    why = _docker_flags.reason(["", *words], keys, socket)
    # On EL nothing of today reads these; with flags in them they are an old package's.
    stale = path.startswith("/etc/sysconfig") and not used
    if not why and stale and _docker_flags.parse_flags(words):
        return "holds flags for an older Docker's unit"
    return why


def fixed_flags(files, moved, socket=True):
    """
    List the flags that docker.service passes and nobody moves away. Returns a dict: key of
    daemon.json to flag.
    """
    base = next((path for path in (_UNIT, *_PACKAGED) if path in files and path not in moved), None)
    commands = _docker_flags.parse_unit(files.get(base, ""))["commands"]
    # Not installed yet, or docker-engine's unit, which goes with its package.
    if not commands or os.path.basename(commands[-1][0]) == "docker":
        commands = [["dockerd", "-H", "fd://"]] if socket else []
    for path in sorted(files):
        if path.startswith(f"{_UNIT}.d/") and path not in moved:
            for words in _docker_flags.parse_unit(files[path])["commands"]:
                commands = [*commands, words] if words else []
    return _docker_flags.parse_flags([word for words in commands for word in words])


# -- the host ------------------------------------------------------------------------------------


def read():
    """
    Read every file that can tell the daemon something on its command line. Returns a dict of path
    to content, of the files that are there.
    """
    paths = [_UNIT, *sorted(glob.glob(f"{_UNIT}.d/*.conf")), *_PACKAGED, *_VARIABLES]
    found = {path: _host.read(path) for path in paths if os.path.isfile(path)}
    return {path: text for path, text in found.items() if text is not None}


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
