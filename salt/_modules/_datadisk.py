"""
The data disk: one partition, one file system, mounted now and at every boot.

``status`` looks, ``_datadisk_plan`` decides or refuses, ``_datadisk_make`` acts; ``_disk`` knows disks.
"""

import contextlib
import os

from salt.exceptions import CommandExecutionError

import _disk
import _disk_kernel
import _disk_marks
import _disk_read
import _disk_refusals
import _fstab

MARK = _disk_marks.DATA
SYSFS = "/sys"


def status(mount_point, device, pool_device=None):
    """Look at everything that concerns the data disk; nothing is written."""
    # Gives a dict: ``disk`` (see ``_disk.examine``), ``mark``, ``mount_point``, ``mounted`` (what is
    # there, or None), ``folder`` (``missing``, ``empty``, or what is in the way), ``unfinished`` (an
    # interrupted mkfs.xfs), ``fstab`` (all entries), ``ours`` (those of them that lead to this disk),
    # ``elsewhere`` (what others at this point name, to the disks that have it), ``copies`` (other
    # disks with the UUID of its file system, while it is not mounted), ``pool`` (it is the disk of
    # the pool, too).
    point = os.path.normpath(mount_point)
    if not point.startswith("/") or os.path.realpath(point) != point:
        raise CommandExecutionError(
            f"the mount point {mount_point} leads through a symbolic link to "
            f"{os.path.realpath(point)}. Nothing was written. Name that in the pillar key "
            "rancher:data_disk:mount_point"
        )
    disk = _disk.examine(device, "rancher:data_disk:device")
    mounted = mount_at(point)
    parts = disk["partitions"]
    only = parts[0] if len(parts) == 1 else {}
    xfs = only.get("filesystem") == "xfs" and not only["mounts"] and only["path"]
    pool = _disk_kernel.devno(pool_device) if pool_device else None
    entries = _fstab.entries()
    ours = [entry for entry in entries if _leads_to(entry["spec"], disk, only, mounted or {})]
    return {
        "disk": disk,
        "mark": MARK,
        "mount_point": point,
        "mounted": mounted,
        "folder": None if mounted else _folder(point),
        "unfinished": bool(xfs) and _disk_read.interrupted_xfs(only["path"]),
        "fstab": entries,
        "ours": ours,
        "elsewhere": _elsewhere([entry for entry in entries if entry not in ours], point),
        "copies": [] if mounted else _copies(disk, only.get("uuid")),
        "pool": pool == disk["devno"],
    }


def _leads_to(spec, disk, part, mounted):
    """Whether fstab means this disk, or what is on it, whatever name it has there."""
    numbers = {disk["devno"], part.get("devno"), *mounted.get("devnos", ())} - {None}
    tag = _fstab.tag(spec)
    if tag is None:
        return spec.startswith("/dev/") and _disk_kernel.devno(spec) in numbers
    known = {
        "UUID": mounted.get("uuid") or part.get("uuid"),
        "LABEL": mounted.get("label") or part.get("fs_label"),
    }
    if tag[0] in known:
        return known[tag[0]] == tag[1]
    number = _disk_kernel.devno(_fstab.link(*tag))
    # Without udev there are no links.
    found = [number] if number else map(_disk_kernel.devno, _disk_read.with_tag(*tag))
    return not numbers.isdisjoint(found)


def _elsewhere(entries, point):
    """Where the file systems are that fstab mounts here: disks, none when none has them."""
    found = {}
    for spec in (entry["spec"] for entry in entries if _fstab.place(entry["file"]) == point):
        tag = _fstab.tag(spec)
        if tag:
            found[" ".join(tag)] = _disks(_disk_read.with_tag(*tag))
        elif spec.startswith("/dev/disk/by-") or _disk_kernel.devno(spec):
            found[spec] = _disks([spec])
    return found


def _copies(disk, uuid):
    """The other disks that have a file system of this UUID: a snapshot, a clone."""
    found = _disks(_disk_read.with_tag("UUID", uuid)) if uuid else []
    return [each for each in found if each != _disk_kernel.known_as(disk["devno"])]


def _disks(paths):
    numbers = [_disk_kernel.below(_disk_kernel.devno(path)) for path in paths]
    return sorted({_disk_kernel.known_as(below[-1]) for below in numbers if below})


def mount_at(point):
    here = _mounts_at(point)
    if here and here[-1]["type"] == "autofs":
        # Mounted by a first look into it (x-systemd.automount).
        with contextlib.suppress(OSError):
            os.listdir(point)
        here = _mounts_at(point)
    if not here:
        return None
    # The last one covers the others.
    mount = {**here[-1], "below": [], "uuid": None, "label": None}
    mount["hidden"] = not _disk_kernel.reached(point)
    for number in mount["devnos"]:
        mount["below"] += _disk_kernel.below(number)
        tags = _disk_read.blkid(_disk_kernel.node(os.path.realpath(f"{SYSFS}/dev/block/{number}")))
        mount["uuid"], mount["label"] = tags.get("UUID"), tags.get("LABEL")
    return mount


def _mounts_at(point):
    return [mount for mount in _disk_kernel.mounts() if mount["point"] == point]


def _folder(point):
    try:
        names = sorted(os.listdir(point))
    except FileNotFoundError:
        return "missing"
    except NotADirectoryError:
        return "no directory"
    except OSError as exc:
        raise CommandExecutionError(f"{point} cannot be looked at: {exc.strerror}") from exc
    if not names:
        return "empty"
    shown = ", ".join(map(_disk_refusals.printable, names[:3]))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"not empty, it holds {shown}{more}"
