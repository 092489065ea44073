"""
Drop-ins of docker.service that this tree owns: what it waits for, and its proxy.
"""

import contextlib
import os
import re

from salt.exceptions import CommandExecutionError

import _disk_kernel
import _docker_service
import _fstab
import _host

_HEAD = "# Managed by Salt.\n"
# Where whole units may be that mount something.
_UNITS = ("/etc", "/run", "/usr/lib", "/lib")


def order(name):
    """Where the drop-in is that orders the start for this name. Returns a path (str)."""
    return f"{_docker_service.ORDER}{name}.conf"


# -- pure ----------------------------------------------------------------------------------------


def waiting(paths):
    """
    Let docker.service start only after the file systems of these directories are mounted, and stop
    before they are unmounted. Returns the text of the drop-in, None without paths.
    """
    if not paths:
        return None
    lines = [f"RequiresMountsFor={_quoted(each)}\n" for each in paths]
    return f"{_HEAD}[Unit]\n{''.join(lines)}"


def _quoted(text):
    """One word of systemd.syntax(7), without its specifiers."""
    if not text.isprintable() or not text.startswith("/"):
        raise CommandExecutionError(f"{text!r} cannot stand in a unit; allowed: an absolute path")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return text if re.fullmatch(r"[\w/.@:%+-]+", text, re.ASCII) else f'"{text}"'


def awaited(text):
    """Read the directories out of our drop-in. Returns a list of str."""
    found = re.findall(r'^RequiresMountsFor="?(.*?)"?$', text or "", re.MULTILINE)
    return [re.sub(r"\\(.)", r"\1", each).replace("%%", "%") for each in found]


def resolved(paths):
    """
    The directories as given and as links lead to them: systemd looks at names alone. Returns a list
    of str without doubles.
    """
    both = [name for each in paths for name in (os.path.normpath(each), os.path.realpath(each))]
    return list(dict.fromkeys(both))


def plan(seen, text):
    """
    Compare the drop-in with its wanted text. Returns ``{what: {"old": ..., "new": ...}}``; directories
    only, a drop-in may hold secrets.
    """
    if seen["text"] != text:
        return {"waits for": {"old": awaited(seen["text"]) or None, "new": awaited(text) or None}}
    if not seen["loaded"]:
        return {"systemd": {"old": "has an older drop-in", "new": "read again"}}
    return {}


def insist(paths, mount_point):
    """Refuse to go on while these directories would be made below an empty mount point."""
    hidden = [each for each in paths if _above(each, [mount_point])]
    if hidden and not os.path.ismount(mount_point):
        raise CommandExecutionError(
            f"{mount_point} is not mounted and {hidden[0]} lies on it, so Docker would start with an "
            f"empty one; nothing was changed. Bring back the data disk: `findmnt --verify`, `mount "
            f"{mount_point}` and the state data-disk-mounted tell more"
        )


def notes(paths, in_fstab, mounted):
    """
    Say which mounts these directories stand on (besides the root file system), and which of them nothing
    makes at boot. Returns a list of str.
    """
    in_fstab = [_fstab.place(point) for point in in_fstab]
    planned = sorted({point for each in paths for point in _above(each, in_fstab)})
    now = {max(_above(each, mounted), key=len, default=None) for each in paths}
    found = [f"Docker starts only with {', '.join(planned)} mounted"] if planned else []
    for point in sorted(now - {None, *planned}):
        found.append(
            f"{point} is mounted, but neither /etc/fstab nor a unit does that at boot: Docker cannot wait for it"
        )
    return found


def _above(path, points):
    below = f"{path.rstrip('/')}/"
    return [point for point in points if point != "/" and below.startswith(f"{point}/")]


# -- the host ------------------------------------------------------------------------------------


def mount_points():
    """What fstab or a unit mounts at boot, and what is mounted. Returns two lists of paths."""
    planned = [entry["file"] for entry in _fstab.entries() if entry["file"].startswith("/")]
    mounts = _disk_kernel.parse_mountinfo(_host.read("/proc/self/mountinfo") or "")
    mounted = [mount["point"] for mount in mounts]
    return planned + [point for point in mounted if _has_unit(point)], mounted


def _has_unit(point):
    name = "-".join(map(_escaped, point.strip("/").split("/")))
    return any(os.path.exists(f"{folder}/systemd/system/{name}.mount") for folder in _UNITS)


def _escaped(part):
    """As systemd-escape(1) does it for a part of a path."""
    return re.sub(
        r"[^A-Za-z0-9:_.]", lambda hit: "".join(f"\\x{byte:02x}" for byte in hit[0].encode()), part
    )


def look(path):
    """
    Look at a drop-in. Returns a dict: ``text`` (None when it is not there), ``loaded`` (whether systemd
    has read it as it is).
    """
    text = _host.read(path)
    return {"text": text, "loaded": _docker_service.loaded(path, text is not None)}


def put(path, text):
    """Write a drop-in, or take it away, and let systemd read its units again."""
    if text is not None:
        _host.write(path, text)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    _docker_service.reload()
