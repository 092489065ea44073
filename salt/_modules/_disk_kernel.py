"""
What the kernel says about block devices: who uses them, and what the system lives on.
"""

import os
import re
import stat

from salt.exceptions import CommandExecutionError

import _host

SYSFS = "/sys"
PROC = "/proc"
SYSTEM_MOUNTS = ("/", "/boot", "/boot/efi", "/efi", "/usr", "/var")


def parse_mountinfo(text):
    """
    Read the text of /proc/self/mountinfo. Returns a list of dicts ``devno`` (``maj:min``),
    ``root``, ``point``, ``type``, ``source``, ``options``.
    """
    found = []
    for line in filter(None, text.split("\n")):
        left, separator, right = line.partition(" - ")
        left, right = left.split(" "), right.split(" ")
        if not separator or len(left) < 6 or len(right) < 2:
            raise CommandExecutionError(f"a line of mountinfo is not understood: {line!r}")
        root, point, kind, source = map(_octal, (left[3], left[4], right[0], right[1]))
        entry = {"devno": left[2], "root": root, "point": point, "type": kind, "source": source}
        found.append({**entry, "options": left[5]})
    return found


def reached(point):
    """Whether its path leads to what is mounted there: nothing was mounted above it later."""
    return os.path.ismount(point)


def _octal(word):
    return re.sub(r"\\([0-7]{3})", lambda hit: chr(int(hit[1], 8)), word)


def mounts():
    """
    List what is mounted, with the block devices behind it. Returns the list of
    ``parse_mountinfo``, each with ``devnos``: the ``maj:min`` of every block device that carries
    it directly (btrfs hides them behind a number of its own).
    """
    text = _host.read(f"{PROC}/self/mountinfo")
    if not text:
        raise CommandExecutionError(f"{PROC}/self/mountinfo is empty or missing")
    found = parse_mountinfo(text)
    for mount in found:
        devnos = {mount["devno"]}
        if mount["devno"].startswith("0:") and mount["source"].startswith("/dev/"):
            devnos = {devno(mount["source"])} - {None}
        if mount["type"] == "btrfs":
            devnos.update(*(group for group in _btrfs() if devnos & group))
        mount["devnos"] = sorted(devnos)
    return found


def _btrfs():
    folder = f"{SYSFS}/fs/btrfs"
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        members = f"{folder}/{name}/devices"
        if os.path.isdir(members):
            yield {attribute(f"{members}/{member}", "dev") for member in os.listdir(members)}


def swaps():
    """
    List the block devices that are active swap. Returns a dict ``maj:min`` to path. Swap files are
    not in it.
    """
    lines = (_host.read(f"{PROC}/swaps") or "").split("\n")[1:]
    paths = [_octal(line.split()[0]) for line in lines if line.strip()]
    return {number: path for path in paths if (number := devno(path))}


def system():
    """
    Say which block devices the running system lives on, down to the disks. Returns a dict
    ``maj:min`` to the reason, for example ``holds /``.
    """
    reasons = {}
    for number in swaps():
        reasons.update(dict.fromkeys(below(number), "holds active swap"))
    for mount in mounts():
        if mount["point"] in SYSTEM_MOUNTS:
            for number in mount["devnos"]:
                reasons.update(dict.fromkeys(below(number), f"holds {mount['point']}"))
    return reasons


def below(number):
    """
    List a block device and all that it stands on: volumes, arrays, partitions, disks. Returns a
    list of ``maj:min``, empty when the kernel does not know it.
    """
    folder = os.path.realpath(f"{SYSFS}/dev/block/{number}")
    if not os.path.isdir(folder):
        return []
    found = [number]
    if os.path.exists(f"{folder}/partition"):
        found += below(attribute(os.path.dirname(folder), "dev"))
    slaves = f"{folder}/slaves"
    for slave in sorted(os.listdir(slaves)) if os.path.isdir(slaves) else ():
        found += below(attribute(f"{slaves}/{slave}", "dev"))
    return list(dict.fromkeys(found))


def known_as(number):
    """The path of a disk (``maj:min``) that stays the same at a reboot, else its kernel name."""
    folder = "/dev/disk/by-id"
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else ()):
        if devno(f"{folder}/{name}") == number:
            return f"{folder}/{name}"
    return node(os.path.realpath(f"{SYSFS}/dev/block/{number}"))


def node(folder):
    """The path below /dev of a device's folder in sysfs; there `!` stands for a slash (cciss!c0d0)."""
    return f"/dev/{os.path.basename(folder).replace('!', '/')}"


def nodes(number):
    """
    List the partitions of a disk that the kernel knows. Returns a dict: number of the partition to
    ``number``, ``path``, ``devno``, ``start`` and ``size`` (bytes), ``holders``.
    """
    found, folder = {}, os.path.realpath(f"{SYSFS}/dev/block/{number}")
    for name in sorted(os.listdir(folder)):
        child = f"{folder}/{name}"
        count = attribute(child, "partition") if os.path.isdir(child) else None
        if count is not None:
            found[int(count)] = {
                "number": int(count),
                "path": node(child),
                "devno": attribute(child, "dev"),
                "start": int(attribute(child, "start") or 0) * 512,
                "size": int(attribute(child, "size") or 0) * 512,
                "holders": holders(child),
            }
    return found


def holders(folder):
    """
    List what is built on a device: device mapper volumes, RAID arrays, caches. Returns a list of
    paths such as ``/dev/mapper/docker-thinpool`` or ``/dev/md0``.
    """
    found, place = [], f"{folder}/holders"
    for name in sorted(os.listdir(place)) if os.path.isdir(place) else ():
        mapped = attribute(f"{place}/{name}", "dm/name")
        found.append(f"/dev/mapper/{mapped}" if mapped else node(name))
    return found


def devno(path):
    """
    Give the number of a block device. Returns ``maj:min``, or None when there is no block device.
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISBLK(found.st_mode):
        return None
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"


def attribute(folder, name):
    """
    Read one attribute out of sysfs. Returns its text without white space around it, or None when
    it is not there or empty.
    """
    text = _host.read(f"{folder}/{name}")
    return (text or "").strip().strip("\0").strip() or None
