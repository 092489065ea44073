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
import _disk_read
import _disk_refusals
import _fstab
import _host

# GPT name of our partition: the proof that it is ours.
MARK = "rancher-data"
MKFS = {
    # Without -f mkfs.xfs itself refuses to write over anything. ftype: overlay2 needs it.
    "xfs": ["mkfs.xfs", "-q", "-n", "ftype=1", "-L"],
    "ext4": ["mkfs.ext4", "-q", "-L"],
}
SYSFS = "/sys"


def status(mount_point, device, pool_device=None):
    """Look at everything that concerns the data disk; nothing is written."""
    # Gives a dict: ``disk`` (see ``_disk.examine``), ``mark`` (name of our partition),
    # ``mount_point``, ``mounted`` (what is mounted there, or None), ``folder`` (``missing``,
    # ``empty``, or what is in the way), ``unfinished`` (an interrupted mkfs.xfs),
    # ``fstab`` (all entries), ``pool`` (same disk).
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
    return {
        "disk": disk,
        "mark": MARK,
        "mount_point": point,
        "mounted": mounted,
        "folder": None if mounted else _folder(point),
        "unfinished": bool(xfs) and _unfinished(only["path"]),
        "fstab": _fstab.entries(),
        "pool": pool == disk["devno"],
    }


def _mounted(point):
    here = [mount for mount in _disk_kernel.mounts() if mount["point"] == point]
    if not here:
        return None
    # The last one covers the others.
    mount = {**here[-1], "below": [], "uuid": None}
    for number in mount["devnos"]:
        mount["below"] += _disk_kernel.below(number)
        node = os.path.basename(os.path.realpath(f"{SYSFS}/dev/block/{number}"))
        mount["uuid"] = _disk_read.blkid(f"/dev/{node}").get("UUID")
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


def _unfinished(path):
    """
    Whether mkfs.xfs was ended on its way: its first write carries a flag (sb_inprogress)
    that its last one clears, and no kernel mounts the file system before.
    """
    try:
        with open(path, "rb") as device:
            block = device.read(512)
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be read: {exc.strerror}") from exc
    return block[:4] == b"XFSB" and len(block) > 126 and block[126] != 0


def apply(seen, changes, filesystem, label, options):
    """
    Carry out what ``_datadisk_plan.plan`` found, in this order: partition, file system, mount,
    fstab.
    """
    point = seen["mount_point"]
    if "mount" in changes:
        path = _disk_make.partition(seen["disk"], MARK, "linux")
        if "filesystem" in changes:
            _format(seen, path, filesystem, label)
        if "directory" in changes:
            os.makedirs(point, 0o755, exist_ok=True)
            os.chmod(point, 0o755)
        # As fstab will say it, but before: a line that cannot be mounted never gets there.
        joined = ",".join(options) or "defaults"
        _host.run(["mount", "-t", filesystem, "-o", joined, path, point], timeout=300)
        _relabel(point)
    if "fstab" in changes:
        mounted = _mounted(point)
        if not mounted:
            raise CommandExecutionError(f"mount reported success, but nothing is at {point}")
        entry = _datadisk_plan.line(point, mounted["uuid"], filesystem, options)
        _fstab.set_entry(**entry)


def _format(seen, path, filesystem, label):
    """Look once more, directly before: nobody else's content is ever formatted."""
    now = status(seen["mount_point"], seen["disk"]["asked"])
    _, uuid = _datadisk_plan.unmounted(now, filesystem, label)
    part = now["disk"]["partitions"][0]
    if uuid or part["path"] != path or now["disk"]["devno"] != seen["disk"]["devno"]:
        raise CommandExecutionError(
            f"{path} changed while it was being prepared, so it was not formatted. Run again"
        )
    if now["unfinished"]:
        _host.run(["wipefs", "-a", path])
    # Discarding a large disk can take long.
    _host.run([*MKFS[filesystem], label, path], timeout=7200)
    made = _disk_read.blkid(path).get("TYPE")
    if made != filesystem:
        raise CommandExecutionError(
            f"{MKFS[filesystem][0]} reported success without effect: {path} holds {made or 'nothing'}"
        )


def _relabel(point):
    # The root of a new file system has no SELinux label.
    if os.path.exists(f"{SYSFS}/fs/selinux/enforce") and shutil.which("restorecon"):
        _host.run(["restorecon", point])
