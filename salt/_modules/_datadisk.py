"""
The data disk: one partition, one file system, mounted now and at every boot.

``status`` looks, ``_datadisk_plan`` decides or refuses, ``apply`` acts; ``_disk`` knows disks.
"""

import os
import shutil

from salt.exceptions import CommandExecutionError

import _datadisk_plan
import _disk
import _disk_kernel
import _disk_make
import _disk_marks
import _disk_read
import _disk_refusals
import _fstab
import _host

MARK = _disk_marks.DATA
# Never with a discard, which would take the last chance to get anything back.
MKFS = {
    # Without -f mkfs.xfs itself refuses to write over anything. ftype: overlay2 needs it.
    "xfs": ["mkfs.xfs", "-q", "-K", "-n", "ftype=1", "-L"],
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard", "-L"],
}
SYSFS = "/sys"


def status(mount_point, device, pool_device=None):
    """Look at everything that concerns the data disk; nothing is written."""
    # Gives a dict: ``disk`` (see ``_disk.examine``), ``mark``, ``mount_point``, ``mounted`` (what is
    # there, or None), ``folder`` (``missing``, ``empty``, or what is in the way), ``unfinished`` (an
    # interrupted mkfs.xfs), ``fstab`` (all entries), ``elsewhere`` (UUIDs in it, to the disks that
    # have them), ``pool`` (it is the disk of the pool, too).
    point = os.path.normpath(mount_point)
    if not point.startswith("/") or os.path.realpath(point) != point:
        raise CommandExecutionError(
            f"the mount point {mount_point} leads through a symbolic link to "
            f"{os.path.realpath(point)}. Nothing was written. Name that in the pillar key "
            "rancher:data_disk:mount_point"
        )
    disk = _disk.examine(device, "rancher:data_disk:device")
    mounted = _mounted(point)
    parts = disk["partitions"]
    only = parts[0] if len(parts) == 1 else {}
    xfs = only.get("filesystem") == "xfs" and not only["mounts"] and only["path"]
    pool = _disk_kernel.devno(pool_device) if pool_device else None
    entries = _fstab.entries()
    here = mounted["uuid"] if mounted else only.get("uuid")
    return {
        "disk": disk,
        "mark": MARK,
        "mount_point": point,
        "mounted": mounted,
        "folder": None if mounted else _folder(point),
        "unfinished": bool(xfs) and _disk_read.interrupted_xfs(only["path"]),
        "fstab": entries,
        "elsewhere": _elsewhere(entries, point, here),
        "pool": pool == disk["devno"],
    }


def _elsewhere(entries, point, here):
    """Where the file systems are that fstab mounts here by UUID: disks, none when none has it."""
    specs = [entry["spec"] for entry in entries if entry["file"].rstrip("/") == point]
    uuids = [spec[5:].strip('"') for spec in specs if spec.startswith("UUID=")]
    return {uuid: _disks_of(uuid) for uuid in uuids if uuid != here}


def _disks_of(uuid):
    numbers = [_disk_kernel.below(_disk_kernel.devno(path)) for path in _disk_read.with_uuid(uuid)]
    return sorted({_disk_kernel.known_as(below[-1]) for below in numbers if below})


def _mounted(point):
    here = [mount for mount in _disk_kernel.mounts() if mount["point"] == point]
    if not here:
        return None
    # The last one covers the others.
    mount = {**here[-1], "below": [], "uuid": None, "label": None}
    for number in mount["devnos"]:
        mount["below"] += _disk_kernel.below(number)
        node = os.path.basename(os.path.realpath(f"{SYSFS}/dev/block/{number}"))
        tags = _disk_read.blkid(f"/dev/{node}")
        mount["uuid"], mount["label"] = tags.get("UUID"), tags.get("LABEL")
    return mount


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


def apply(seen, changes, filesystem, label, options):
    """Carry out what ``_datadisk_plan.plan`` found, in the order of its keys."""
    point, disk = seen["mount_point"], seen["disk"]
    if "mount" in changes:
        path = _disk_make.partition(disk, MARK, "linux")
    if "filesystem" in changes:
        if changes["filesystem"]["old"] != _datadisk_plan.UNNAMED:
            _format(seen, changes, path, filesystem, label)
        _disk_make.finish(disk, MARK)
    if "mount" in changes:
        if "directory" in changes:
            os.makedirs(point, 0o755, exist_ok=True)
            os.chmod(point, 0o755)
        _mount(path, point, filesystem, options)
    if "fstab" in changes:
        mounted = _mounted(point)
        if not mounted:
            raise CommandExecutionError(f"mount reported success, but nothing is at {point}")
        entry = _datadisk_plan.line(point, mounted["uuid"], filesystem, options)
        _fstab.set_entry(**entry)


def _format(seen, changes, path, filesystem, label):
    """Look once more, directly before: only what is as it was planned is formatted."""
    now = status(seen["mount_point"], seen["disk"]["asked"])
    left, _ = _datadisk_plan.unmounted(now, filesystem, label)
    (part,) = now["disk"]["partitions"]
    same = part["path"] == path and now["disk"]["devno"] == seen["disk"]["devno"]
    if part["finished"] or not same or left.get("filesystem") != changes["filesystem"]:
        raise CommandExecutionError(
            f"{path} changed while it was being prepared, so it was not formatted. Run again"
        )
    if now["unfinished"]:
        _host.run(["wipefs", "-a", path])
    _host.run([*MKFS[filesystem], label, path], timeout=7200)
    made = _disk_read.blkid(path).get("TYPE")
    if made != filesystem:
        raise CommandExecutionError(
            f"{MKFS[filesystem][0]} reported success without effect: {path} holds {made or 'nothing'}"
        )


def _mount(path, point, filesystem, options):
    # As fstab will say it, but before: a line that cannot be mounted never gets there.
    joined = ",".join(options) or "defaults"
    try:
        _host.run(["mount", "-t", filesystem, "-o", joined, path, point], timeout=300)
    except CommandExecutionError as exc:
        command = _datadisk_plan.repair(path, filesystem)
        raise CommandExecutionError(
            f"{exc}. Nothing was changed on {path}. If its {filesystem} is damaged (`dmesg`), run on "
            f"this host: {command}"
        ) from exc
    _relabel(point)


def _relabel(point):
    # The root of a new file system has no SELinux label.
    if os.path.exists(f"{SYSFS}/fs/selinux/enforce") and shutil.which("restorecon"):
        _host.run(["restorecon", point])
