"""
Carry out what is planned for the data disk: partition, file system, mount, line in fstab.
"""

import os
import shutil

from salt.exceptions import CommandExecutionError

import _datadisk
import _datadisk_plan
import _disk_make
import _disk_read
import _fstab
import _host

# Never with a discard, which would take the last chance to get anything back.
MKFS = {
    # Without -f mkfs.xfs itself refuses to write over anything. ftype: overlay2 needs it.
    "xfs": ["mkfs.xfs", "-q", "-K", "-n", "ftype=1", "-L"],
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard", "-L"],
}


def apply(seen, changes, filesystem, label, options):
    """Carry out what ``_datadisk_plan.plan`` found, in the order of its keys."""
    point, disk = seen["mount_point"], seen["disk"]
    if "mount" in changes:
        path = _disk_make.partition(disk, _datadisk.MARK, "linux")
    if "filesystem" in changes:
        if changes["filesystem"]["old"] != _datadisk_plan.UNNAMED:
            _format(seen, changes, path, filesystem, label)
        _disk_make.finish(disk, _datadisk.MARK)
    if "mount" in changes:
        if "directory" in changes:
            os.makedirs(point, 0o755, exist_ok=True)
            os.chmod(point, 0o755)
        _mount(path, point, filesystem, options)
    if "fstab" in changes:
        mounted = _datadisk.mount_at(point)
        if not mounted:
            raise CommandExecutionError(f"mount reported success, but nothing is at {point}")
        entry = _datadisk_plan.line(point, mounted["uuid"], filesystem, options)
        _fstab.set_entry(**entry)


def _format(seen, changes, path, filesystem, label):
    """Look once more, directly before: only what is as it was planned is formatted."""
    now = _datadisk.status(seen["mount_point"], seen["disk"]["asked"])
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
    if os.path.exists(f"{_datadisk.SYSFS}/fs/selinux/enforce") and shutil.which("restorecon"):
        _host.run(["restorecon", point])
