"""
Configuration of an older Docker that keeps the daemon from starting, moved aside.

Moved, never deleted, and only what is known to break: flags that daemon.json also sets,
``docker daemon``, ``fd://`` without a socket, another configuration file. An operator's own
drop-in, for a proxy for example, stays.
"""

import glob
import os

from salt.exceptions import CommandExecutionError

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
    """
    Pick the files that must go, each with the reason.

    files (dict)
        Path to content, what ``docker_leftovers.read`` returned.
    keys (list of str)
        The keys that daemon.json sets.
    socket (bool, default True)
        Whether Docker's package brings docker.socket.

    Returns a dict of path to reason (str).

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it takes what docker_leftovers.read returned.

    Source: host facts, "Old configuration to look for before a start"
    """
    found, used = {}, set()
    for path in [path for path in files if path not in _VARIABLES]:
        unit = __salt__["docker_flags.parse_unit"](files[path])
        reasons = [__salt__["docker_flags.reason"](c, keys, socket) for c in unit["commands"]]
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
    variables = __salt__["docker_flags.parse_variables"](text)
    if path.endswith("-storage-setup"):
        return "lets docker-storage-setup make a pool of its own" if variables else None
    words = [word for value in variables.values() for word in value]
    why = __salt__["docker_flags.reason"](["", *words], keys, socket)
    # On EL nothing of today reads these; with flags in them they are an old package's.
    stale = path.startswith("/etc/sysconfig") and not used
    if not why and stale and __salt__["docker_flags.parse_flags"](words):
        return "holds flags for an older Docker's unit"
    return why


def fixed_flags(files, moved, socket=True):
    """
    List the flags that docker.service passes and nobody moves away.

    files (dict)
        What ``docker_leftovers.read`` returned.
    moved (list of str)
        Paths that are moved aside.
    socket (bool, default True)
        Whether Docker's package brings docker.socket; its unit then passes ``-H fd://``.

    Returns a dict: key of daemon.json to flag.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it takes what docker_leftovers.read returned.

    Source: systemd.service(5): an empty ExecStart takes earlier ones back
    """
    base = next((path for path in (_UNIT, *_PACKAGED) if path in files and path not in moved), None)
    commands = __salt__["docker_flags.parse_unit"](files.get(base, ""))["commands"]
    # Not installed yet, or docker-engine's unit, which goes with its package.
    if not commands or os.path.basename(commands[-1][0]) == "docker":
        commands = [["dockerd", "-H", "fd://"]] if socket else []
    for path in sorted(files):
        if path.startswith(f"{_UNIT}.d/") and path not in moved:
            for words in __salt__["docker_flags.parse_unit"](files[path])["commands"]:
                commands = [*commands, words] if words else []
    return __salt__["docker_flags.parse_flags"]([word for words in commands for word in words])


# -- the host ------------------------------------------------------------------------------------


def read():
    """
    Read every file that can tell the daemon something on its command line.

    Returns a dict of path to content, of the files that are there.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_leftovers.read

    Source: systemd.unit(5), "Unit File Load Path"
    """
    paths = [_UNIT, *sorted(glob.glob(f"{_UNIT}.d/*.conf")), *_PACKAGED, *_VARIABLES]
    found = {path: __salt__["host.read"](path) for path in paths if os.path.isfile(path)}
    return {path: text for path, text in found.items() if text is not None}


def storage_setup_enabled():
    """
    Tell whether docker-storage-setup would make its own pool at the next boot.

    Returns a bool.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_leftovers.storage_setup_enabled

    Source: container-storage-setup(1)
    """
    return bool(glob.glob(f"{_ETC}/*.wants/{_STORAGE_SETUP}"))


def disable_storage_setup():
    """
    Keep docker-storage-setup from making its own pool at the next boot.

    Returns nothing.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_leftovers.disable_storage_setup

    Source: systemctl(1), "disable"
    """
    __salt__["host.run"](["systemctl", "disable", _STORAGE_SETUP])


def move(path):
    """
    Move a file aside, beside itself, with the time in its name.

    path (str)
        The file.

    Returns its new path (str).

    Raises CommandExecutionError when it cannot be moved.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_leftovers.move /etc/sysconfig/docker

    Source: rename(2)
    """
    free = __salt__["docker_daemon.free_name"](path)
    try:
        os.rename(path, free)
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be moved: {exc.strerror}") from exc
    return free
