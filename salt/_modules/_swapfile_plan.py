"""
What is left to do for a swap file, and when it is refused: the pure half of ``_swapfile``.

The file is built under another name and renamed when it is complete. So a file of the
wanted name without a swap signature was never made here: it is somebody's data and is
refused, never overwritten.
"""

import os
import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

MIB = 1024**2
# What the kernel swaps to without special preparation, on every supported system.
FILE_SYSTEMS = ("ext2", "ext3", "ext4", "xfs")
# nofail: a data disk that is gone must not hold up the boot because the swap file waits for it.
OPTIONS = "sw,nofail"


def size_text(size):
    """
    Write a size exactly, in the greatest unit that divides it. Returns a text such as ``20G``, or
    None for None.
    """
    if size is None:
        return None
    for power, unit in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return f"{size} bytes"


def plan(path, size, seen):
    """
    Work out what is left to do, or refuse; touches nothing. Returns changes, ``{key: {"old": ...,
    "new": ...}}``, empty when all is well. Keys: leftover, file, mode, owner, context, active,
    fstab.
    """
    _check_wish(path, size)
    for reason in _refusals(path, seen):
        raise CommandExecutionError(reason)
    changes = {}
    if seen["leftover"]:
        changes["leftover"] = _change(size_text(seen["leftover"]["size"]), None)
    have = _sound_size(seen)
    if have != size or _has_holes(seen["file"]):
        changes["file"] = _change(_file_text(seen), size_text(size))
        fits_beside(path, size, seen)
        _check_memory(path, seen)
    else:
        changes.update(_attributes(seen))
    if not seen["active"]:
        changes["active"] = _change(False, True)
    entry = seen["fstab"][0] if seen["fstab"] else None
    if not entry or "noauto" in entry["options"].split(","):
        changes["fstab"] = _change(_line(entry), f"{seen['path']} none swap {OPTIONS} 0 0")
    return changes


def _change(old, new):
    return {"old": old, "new": new}


def _check_wish(path, size):
    if not re.fullmatch(r"/[^/][^\s\\]*", path) or os.path.normpath(path) != path:
        raise SaltInvocationError(
            f"the swap file must be a full path such as /data/swap/swapfile, not {path!r}"
        )
    if size < MIB or size % MIB:
        raise SaltInvocationError(
            f"the swap file's size must be whole MiB, at least 1M, not {size_text(size)}"
        )


def _refusals(path, seen):
    """The reasons, as a generator: what is looked at later may presume what was looked at before."""
    if seen["deleted"]:
        yield (
            f"{path} is in use as swap but was deleted from its directory, and only a reboot "
            f"frees it: reboot, then apply again"
        )
    file = seen["file"]
    if seen["waits_for"] and (file or seen["active"]):
        yield (
            f"{path} lies on another disk, below the mount point {seen['waits_for']} of the data "
            f"disk, which is not mounted: `swapoff {path}` and delete it, then apply again"
        )
    if seen["active"] and not file:
        yield (
            f"{path} is in use as swap, yet there is no such file now: another disk was mounted "
            f"above it. Unmount that and `swapoff {path}`, or reboot, then apply again"
        )
    if file and file["kind"] != "file":
        yield f"{path} is a {file['kind']}, not a file: move it away, or name another swap file"
    if file and not seen["active"] and file["signature"] != "swap":
        found = f"holds {file['signature']}" if file["signature"] else "has no swap signature"
        yield (
            f"{path} exists and {found}, so it may be data and is left alone: "
            f"move it away, or name another swap file"
        )
    elif file and file["users"]:
        yield (
            f"{path} exists, is not active as swap, and is in use by {', '.join(file['users'])}: end "
            f"that, or name another swap file"
        )
    if seen["leftover"] and not seen["leftover"]["ours"]:
        yield (
            f"{path}.new is needed for building the swap file, and something is there that no run of "
            f"this tree left ({seen['leftover']['kind']}), so it may be data: move it away"
        )
    for entry in seen["fstab"]:
        if entry["type"] != "swap":
            yield f"/etc/fstab uses {path} for something else, `{_line(entry)}`: correct that line"
    if len(seen["fstab"]) > 1:
        yield f"/etc/fstab has {len(seen['fstab'])} lines for {path}: remove all but one"
    folder = seen["folder"]
    if not folder["private"]:
        yield (
            f"{folder['path']} is no directory that only root can write to, so another user could "
            f"replace {path}: `chown root: {folder['path']}` and `chmod 0755 {folder['path']}`, "
            f"or name another swap file"
        )


def _sound_size(seen):
    """
    The size in bytes of the file; of the part that is in use when that is far less.

    A little less is usual: a page holds the signature, and the kernel leaves out what is
    not aligned to pages (on ext4 with blocks of 1 KiB some pages of every extent).
    """
    if not seen["file"]:
        return None
    size, used = seen["file"]["size"], seen["active"]["size"] if seen["active"] else None
    return used if used and used * 2 < size else size


def _has_holes(file):
    return file["allocated"] < file["size"]


def _file_text(seen):
    text = size_text(_sound_size(seen))
    return f"{text} with holes" if seen["file"] and _has_holes(seen["file"]) else text


def _attributes(seen):
    file, changes = seen["file"], {}
    for key, wanted in (("mode", "0600"), ("owner", "root:root")):
        if file[key] != wanted:
            changes[key] = _change(file[key], wanted)
    if seen["selinux"] and file["context"] != "swapfile_t":
        changes["context"] = _change(file["context"], "swapfile_t")
    return changes


def _line(entry):
    keys = ("spec", "file", "type", "options", "freq", "passno")
    return " ".join(str(entry[key]) for key in keys) if entry else None


def fits_beside(path, size, seen):
    """
    Tell whether the file system has room for the new file beside the old one. Returns True, or
    False when it fits only in the place of the old one.
    """
    folder = seen["folder"]
    if seen["waits_for"]:
        return True
    if folder["type"] not in FILE_SYSTEMS:
        raise CommandExecutionError(
            f"{path} would lie on a {folder['type']} file system, which cannot hold a swap file "
            f"here: name one on {', '.join(FILE_SYSTEMS)}"
        )
    reserve = min(1024 * MIB, folder["total"] // 20)
    free = folder["free"] + (seen["leftover"] or {}).get("allocated", 0)
    old = (seen["file"] or {}).get("allocated", 0)
    if size + reserve > free + old:
        raise CommandExecutionError(
            f"{path} needs {size // MIB} MiB and {reserve // MIB} MiB must stay free, but its file "
            f"system has {(free + old) // MIB} MiB: make room, or ask for a smaller swap file"
        )
    return size + reserve <= free


def _check_memory(path, seen):
    """Swapping off brings every page that is out there back into memory."""
    used = seen["active"]["used"] if seen["active"] else 0
    missing = used + 64 * MIB - seen["memory"]
    if used and missing > 0:
        raise CommandExecutionError(
            f"{path} cannot be resized now: {used // MIB} MiB of it are in use and only "
            f"{seen['memory'] // MIB} MiB of memory are available, {-(-missing // MIB)} MiB too "
            f"little: stop something, then apply again"
        )
