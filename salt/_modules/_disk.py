"""
One look at a disk before anything is written to it, for the data disk and the thin pool alike.

``stage`` says how far our one partition has come, or refuses; ``_disk_make`` takes the steps left.
"""

import errno
import os
import time

from salt.exceptions import CommandExecutionError

import _disk_blank
import _disk_kernel
import _disk_read
import _disk_refusals
import _disk_table
import _disk_users
import _host

SERIALS = ("serial", "device/serial")


# What ``examine`` returns, beside `asked`, `path` (links resolved), `devno`, `size` and `sector` (bytes),
# `serial`, `model`, `read_only`, `removable`, `is_disk` and `parent` (of a partition):
#   system            None, or why it belongs to the running system
#   busy              someone holds it exclusively
#   holders, mounts, swaps, users   of the disk and its partitions; see `_disk_users` for the last
#   table, table_damaged, half_written (only the second copy of the GPT is whole)
#   shrunk            None, or the size (bytes) that its table was made for, when it has less now
#   sectors           None, or the size (bytes) of the sectors that its table was made for, when it is another
#   signatures        what tools know by name
#   offset_signature  what our partition would hold
#   content           None, or what `_disk_blank` found where no tool knows anything
#   stale             kernel and table disagree
#   partitions        dicts: `path` (None when the kernel has not read it yet), `devno`, `number`,
#                     `start`, `size`, `label`, `type`, `signatures`, `filesystem`, `uuid`, `fs_label`,
#                     `mounts`, `holders`, `busy`; and of ours
#     mark, finished  by its name, see `_disk_marks`
#     content         as above, when it has no signature
#     unused          finished by its name, and yet zero to its last byte: never used
#     backup          of a lost ext file system, see `_disk_read.ext_backup`


def examine(device, key=None, looked=False):
    """
    Look at a disk from every side; nothing is written. ``key``: of the pillar, for the messages;
    ``looked``: this run knows already, from a moment ago, that it is blank where no tool knows anything.
    """
    path, number = _resolve(device, key)
    folder = os.path.realpath(f"/sys/dev/block/{number}")
    if not os.path.isdir(folder):
        raise CommandExecutionError(f"{_shown(device, path)} is unknown to the kernel's sysfs")
    read = _disk_kernel.attribute
    is_part = read(folder, "partition") is not None
    parent = os.path.dirname(folder) if is_part else folder
    name = os.path.basename(folder)
    disk = {
        "asked": device,
        "path": path,
        "devno": number,
        "size": int(read(folder, "size") or 0) * 512,
        "sector": int(read(parent, "queue/logical_block_size") or 512),
        "serial": _serial(parent),
        "model": read(parent, "device/model"),
        "read_only": read(folder, "ro") == "1",
        "removable": read(parent, "removable") == "1",
        "is_disk": not is_part and not name.startswith("dm-"),
        "parent": _disk_kernel.node(parent) if is_part else None,
        "system": _disk_kernel.system().get(number),
        "holders": _disk_kernel.holders(folder),
        **{"busy": False, "users": [], "content": None, "shrunk": None, "sectors": None},
        **{"table": None, "table_damaged": None, "half_written": False, "signatures": []},
        **{"offset_signature": None, "stale": None, "partitions": []},
    }
    # The system's own disk is not even opened: that it is the system's is enough.
    readable = disk["size"] and not disk["system"]
    if readable:
        disk.update(_disk_table.contents(path, number, disk["size"], disk["sector"]))
    _uses(disk)
    if readable:
        _claims(disk)
        _unseen(disk, looked)
    return disk


def _resolve(device, key=None):
    correct = f"correct the pillar key {key}" if key else "give another path"
    if not isinstance(device, str) or not device.startswith("/"):
        raise CommandExecutionError(f"{device!r} is not the path of a disk")
    if not os.path.lexists(device):
        raise CommandExecutionError(
            f"{device} does not exist. Nothing was written. Attach the disk, or "
            f"{correct}; the disks of this host are listed by `ls -l /dev/disk/by-id`"
        )
    path = os.path.realpath(device)
    if not os.path.exists(path):
        raise CommandExecutionError(
            f"{device} is a dangling link to {path}, which does not exist. Nothing was written. "
            f"Attach the disk, or {correct}"
        )
    number = _disk_kernel.devno(path)
    if number is None:
        raise CommandExecutionError(
            f"{_shown(device, path)} is not a block device. Nothing was written. "
            f"If it is the wrong path, {correct}"
        )
    return path, number


def _shown(device, path):
    return device if device == path else f"{path} (asked for as {device})"


def _serial(folder):
    for name in SERIALS:
        found = _disk_kernel.attribute(folder, name)
        if found:
            return found
    # SCSI gives it as a page: four bytes, then the text.
    page = _host.read(f"{folder}/device/vpd_pg80") or ""
    return page[4:].strip(" \0") or None


def _uses(disk):
    mounts, swaps = _disk_kernel.mounts(), _disk_kernel.swaps()
    numbers = {disk["devno"], *(part["devno"] for part in disk["partitions"])}
    disk["mounts"] = _points(mounts, numbers)
    disk["swaps"] = [swaps[number] for number in sorted(numbers & set(swaps))]
    for part in disk["partitions"]:
        part["mounts"] = _points(mounts, {part["devno"]})


def _claims(disk):
    # Mounted, swap, device mapper, md and a running mkfs all hold a device exclusively.
    for device in (disk, *disk["partitions"]):
        known = disk["mounts"] or disk["holders"] or disk["swaps"] or device["holders"]
        if device["path"]:
            device["busy"] = _busy(device["path"], 1 if known else _disk_users.TRIES)


def _busy(path, tries):
    for left in reversed(range(tries)):
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
            return False
        except OSError as exc:
            if exc.errno != errno.EBUSY:
                raise CommandExecutionError(f"{path} cannot be opened: {exc.strerror}") from exc
        # A daemon that reacts to every new device may hold it for a moment.
        if left:
            time.sleep(_disk_users.PAUSE)
    return True


def _unseen(disk, looked):
    """What shows in no list: users without a claim, and content that no tool knows."""
    if disk["mounts"] or disk["holders"] or disk["swaps"]:
        return
    parts = disk["partitions"]
    only = parts[0] if len(parts) == 1 and parts[0]["mark"] else None
    known = only and (only["signatures"] or only["filesystem"])
    if not (only and only["finished"] and known):
        disk["users"] = _disk_users.of({disk["devno"], *(part["devno"] for part in parts)} - {None})
    if looked or disk["busy"] or disk["signatures"]:
        return
    if only and not known and not only["busy"]:
        only["content"] = _look(disk, only)
        only["unused"] = only["finished"] and not only["content"]
        if only["finished"] and only["content"] and only["path"]:
            only["backup"] = _disk_read.ext_backup(only["path"])
    if not parts and disk["table"] in (None, "gpt"):
        # The two copies of an empty table are looked at by those who know it.
        edge = 16384 + disk["sector"] if disk["table"] else 0
        first = edge + disk["sector"] if disk["table"] else 0
        disk["content"] = _disk_blank.look(disk["path"], first, disk["size"] - edge)


def _look(disk, part):
    """A finished one was in use: it counts as never used only when every byte of it is zero."""
    if part["path"]:
        return _disk_blank.look(part["path"], whole=part["finished"])
    start, end = part["start"], part["start"] + part["size"]
    return _disk_blank.look(disk["path"], start, end, whole=part["finished"])


def _points(mounts, numbers):
    found = (mount["point"] for mount in mounts if numbers & set(mount["devnos"]))
    return list(dict.fromkeys(found))


def stage(disk, mark, part_type, minimum=0):
    """
    Say how far a disk has come on its way to our one partition, or refuse it: ``blank``, ``label``
    (empty GPT), ``partition`` (ours, with a step left) or ``ready``. What a ready one holds is for
    the caller to judge: only one that is not ``finished`` may be written to.
    """
    return _disk_refusals.stage(disk, mark, part_type, minimum)
