"""
Look at a swap file and at everything that bears on it: ``_swapfile_plan`` decides, ``_swapfile_make`` acts.
"""

import os
import re
import stat

from salt.exceptions import CommandExecutionError

import _disk_blank
import _disk_users
import _fstab
import _host

MIB = 1024**2


def parse_swaps(text):
    """
    Read the text of /proc/swaps. Returns a list of dicts: ``path``, ``size`` (bytes, without the
    page that holds the signature), ``used`` (bytes) and ``deleted``, True for a removed file.
    """
    areas = []
    for line in _host.lines(text)[1:]:
        fields = line.split()
        if len(fields) != 5 or not (fields[2] + fields[3]).isdigit():
            raise CommandExecutionError(f"a line of /proc/swaps is not understood: {line!r}")
        path = re.sub(r"\\([0-7]{3})", lambda hit: chr(int(hit[1], 8)), fields[0])
        areas.append(
            {
                "path": path.removesuffix(" (deleted)"),
                "size": int(fields[2]) * 1024,
                "used": int(fields[3]) * 1024,
                "deleted": path.endswith(" (deleted)"),
            }
        )
    return areas


def status(path, data_disk=None):
    """
    Look at everything that concerns one swap file. Returns a dict: ``path`` (links in its
    directory resolved), ``file``, ``leftover`` (the file that is being built), ``active``
    (``size`` and ``used`` in bytes), ``deleted``, ``fstab`` (its entries), ``folder``, ``memory``
    (bytes available), ``selinux``, ``waits_for``, ``others``. What is not there is None.
    """
    try:
        return _look(path, data_disk or {})
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be looked at: {exc}") from exc


def _look(path, data_disk):
    path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    areas = parse_swaps(_must_read("/proc/swaps"))
    live = {area["path"]: area for area in areas if not area["deleted"]}
    selinux = _host.selinux_labels()
    waits_for = _waits_for(path, data_disk)
    return {
        "path": path,
        "file": _file(path, selinux, active=path in live),
        "leftover": None if waits_for else _leftover(path + ".new", live),
        "active": live.get(path),
        "deleted": any(area["path"] == path and area["deleted"] for area in areas),
        "fstab": [each for each in _fstab.entries() if _fstab.place(each["spec"]) == path],
        "folder": _folder(os.path.dirname(path)),
        "memory": _available_memory(_must_read("/proc/meminfo")),
        "selinux": selinux,
        "waits_for": waits_for,
        # A partition or compressed memory is somebody's plan; another file may be our former one.
        "others": [each for each in live if each != path and not each.startswith("/dev/")],
    }


def _must_read(path):
    text = _host.read(path)
    if text is None:
        raise CommandExecutionError(f"{path} is not there, so swap cannot be looked at")
    return text


def _available_memory(text):
    amounts = dict(re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE))
    # Kernels before 3.14 have no estimate; what is free is the careful answer.
    return int(amounts.get("MemAvailable", amounts.get("MemFree", 0))) * 1024


def _waits_for(path, data_disk):
    if not data_disk.get("device"):
        return None
    point = os.path.realpath(data_disk["mount_point"])
    below = path.startswith(f"{point}/")
    return point if below and not os.path.ismount(point) else None


def _lstat(path):
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _file(path, selinux, active):
    have = _lstat(path)
    if have is None:
        return None
    kind = _kind(have.st_mode)
    looked_into = kind == "file" and not active
    return {
        "kind": kind,
        "size": have.st_size,
        "allocated": have.st_blocks * 512,
        "mode": f"{stat.S_IMODE(have.st_mode):04o}",
        "owner": "root:root" if have.st_uid == have.st_gid == 0 else _ids(have),
        "signature": _signature(path) if looked_into else None,
        "users": _users(path, have) if looked_into else [],
        "context": _context(path) if selinux and kind == "file" else None,
    }


def _users(path, have):
    """Who else needs this file, a virtual machine for example: then it is not ours to replace."""
    names = ["another name of it (a hard link)"] * (have.st_nlink > 1)
    return [*names, *_disk_users.of_file(path)]


def _kind(mode):
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "symbolic link"))
    return next((word for matches, word in kinds if matches(mode)), "device or special file")


def _ids(have):
    return f"{have.st_uid}:{have.st_gid}"


def _signature(path):
    answer = _host.run(["blkid", "-p", "-o", "export", path], accept=(0, 2, 8))
    tags = dict(line.split("=", 1) for line in _host.lines(answer["stdout"]) if "=" in line)
    kind = tags.get("TYPE") or tags.get("PTTYPE")
    if kind or answer["retcode"] == 8:
        return kind or "several signatures"
    if answer["retcode"] == 0 or answer["stderr"].strip():
        said = " ".join((answer["stdout"] + answer["stderr"]).split())[-200:] or "nothing"
        raise CommandExecutionError(f"`blkid -p {path}` gave no clear answer, it said: {said}")
    return None


def _context(path):
    try:
        label = os.getxattr(path, "security.selinux")
    except OSError:
        return None
    return label.decode().rstrip("\0").split(":")[2]


def _leftover(path, areas):
    found = _file(path, selinux=False, active=path in areas)
    if found:
        plain = found["kind"] == "file" and path not in areas
        private = (found["mode"], found["owner"]) == ("0600", "root:root")
        mine = plain and private and not found["users"]
        found["ours"] = mine and _never_used(path, found["signature"])
    return found


def _never_used(path, signature):
    """Zeros from end to end, as they are written, or behind the first page of a new swap file."""
    if signature not in (None, "swap"):
        return False
    start = os.sysconf("SC_PAGE_SIZE") if signature else 0
    return _disk_blank.look(path, start, whole=True) is None


def _folder(path):
    """The directory of the file, or the nearest one above it that exists."""
    missing = []
    while (have := _lstat(path)) is None:
        missing.insert(0, path)
        path = os.path.dirname(path)
    found = os.statvfs(path)
    answer = _host.run(["findmnt", "-n", "-o", "FSTYPE", "-T", path])
    kind = answer["stdout"].split()[-1:]
    if not kind or not re.fullmatch(r"[A-Za-z0-9._-]+", kind[0]):
        said = answer["stdout"].strip()[-80:]
        raise CommandExecutionError(f"`findmnt -T {path}` named no file system, it said: {said!r}")
    return {
        "path": path,
        "missing": missing,
        "private": stat.S_ISDIR(have.st_mode) and have.st_uid == 0 and not have.st_mode & 0o022,
        "type": kind[0],
        "free": found.f_bavail * found.f_frsize,
        "total": found.f_blocks * found.f_frsize,
    }
