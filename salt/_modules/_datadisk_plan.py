"""
What is left to do for the data disk, and when it must be left alone. Pure.
"""

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _disk
import _disk_refusals

MIB = 1024**2
# The smallest disk: mkfs.xfs wants 300 MiB for itself.
MINIMUM = {"xfs": 304 * MIB, "ext4": 16 * MIB}


def plan(seen, filesystem, label, options):
    """
    Say what is left to do for the data disk, or refuse. Returns a dict of changes, empty when all
    is done. Keys in the order of the steps: ``partition``, ``filesystem``, ``directory``,
    ``mount``, ``fstab``.
    """
    if filesystem not in MINIMUM:
        raise SaltInvocationError(f"the file system is {filesystem!r}, it must be xfs or ext4")
    disk, mounted = seen["disk"], seen["mounted"]
    if seen["pool"]:
        _refuse(disk, "it is the disk of the thin pool, too: the pool's key names the same disk")
    if mounted:
        _check_mounted(seen, filesystem)
        todo, uuid = {}, mounted["uuid"]
    else:
        todo, uuid = unmounted(seen, filesystem, label)
    entry = _fstab_change(seen, uuid, filesystem, options)
    return {**todo, "fstab": entry} if entry else todo


def _refuse(disk, reason, advice=""):
    raise CommandExecutionError(_disk_refusals.refusal(disk, reason, advice, "linux"))


def _check_mounted(seen, filesystem):
    """Done by us or by hand: right when it is this disk and this file system."""
    disk, mounted, point = seen["disk"], seen["mounted"], seen["mount_point"]
    shown = _disk_refusals.printable(mounted["source"])
    if disk["devno"] not in mounted["below"]:
        _refuse(
            disk,
            f"something else is mounted at {point}: {shown} ({mounted['type']})",
            f"If that is not needed, unmount it (umount {point}).",
        )
    if mounted["type"] != filesystem:
        _refuse(
            disk, f"{shown} on it is mounted at {point} with {mounted['type']}, not {filesystem}"
        )
    if mounted["root"] != "/" or not mounted["uuid"]:
        _refuse(disk, f"what is mounted at {point} is only a part of the file system on {shown}")


def unmounted(seen, filesystem, label):
    """
    Say what is left up to the mount, for a disk that is not mounted yet, or refuse. Returns the
    changes without fstab, and the UUID of our file system or None.
    """
    disk, point = seen["disk"], seen["mount_point"]
    at = _disk.stage(disk, seen["mark"], "linux", MINIMUM[filesystem])
    part = disk["partitions"][0] if at == "ready" else None
    todo, where = {}, f"partition 1 of {disk['path']}"
    if not part:
        todo["partition"] = {"old": None, "new": f"{seen['mark']}, the whole of {disk['path']}"}
    content = _content(seen, part, filesystem, label) if part else "blank"
    if content != "ours":
        old = "unfinished xfs, mkfs was interrupted" if content == "unfinished" else None
        todo["filesystem"] = {"old": old, "new": f"{filesystem} labelled {label} on {where}"}
    if seen["folder"] == "missing":
        todo["directory"] = {"old": None, "new": f"{point}, mode 0755"}
    elif seen["folder"] != "empty":
        _refuse(
            disk,
            f"it cannot be mounted at {point}, which is {seen['folder']}",
            f"Mounting would hide that: move it away, so that {point} is an empty directory.",
        )
    todo["mount"] = {"old": None, "new": f"{where} at {point}"}
    return todo, part["uuid"] if content == "ours" else None


def _content(seen, part, filesystem, label):
    """What our own unmounted partition holds: blank, unfinished or ours; else refused."""
    disk, point = seen["disk"], seen["mount_point"]
    if part["mounts"]:
        places = ", ".join(part["mounts"])
        advice = f"If it is not needed there, unmount it (umount {part['mounts'][0]})."
        _refuse(disk, f"its file system is mounted at {places}, not at {point}", advice)
    if part["holders"]:
        _refuse(disk, f"its partition {seen['mark']} is in use by {', '.join(part['holders'])}")
    kinds = {entry["type"] for entry in part["signatures"]}
    if not kinds and not part["filesystem"]:
        if part["busy"]:
            _refuse(
                disk, f"another program holds its blank partition {seen['mark']} open, perhaps mkfs"
            )
        return "blank"
    if kinds != {filesystem} or part["filesystem"] != filesystem:
        found = ", ".join(sorted(map(_disk_refusals.printable, kinds))) or "something"
        advice = (
            f"If it may be erased, run on this host: wipefs -a {part['path'] or disk['asked']}."
        )
        _refuse(disk, f"its partition {seen['mark']} holds {found}, not {filesystem}", advice)
    if seen["unfinished"]:
        if part["busy"]:
            _refuse(disk, f"a file system is just being made on its partition {seen['mark']}")
        return "unfinished"
    if part["fs_label"] != label:
        found = _disk_refusals.printable(part["fs_label"])
        advice = f"If it is the right one, set the pillar key rancher:data_disk:label to {found}."
        _refuse(disk, f"the {filesystem} on it has the label {found}, not {label}", advice)
    return "ours"


def _fstab_change(seen, uuid, filesystem, options):
    """The line that is missing or different, as a change; None when it is right."""
    disk, point, old = seen["disk"], seen["mount_point"], seen["fstab"]
    here = [entry for entry in old if entry["file"].rstrip("/") == point]
    if len(here) > 1:
        _refuse(disk, f"/etc/fstab has {len(here)} lines for {point}", "Remove the wrong ones.")
    for entry in old:
        if uuid and entry["spec"] == f"UUID={uuid}" and entry not in here:
            advice = "Remove that line, or correct rancher:data_disk:mount_point."
            _refuse(disk, f"/etc/fstab mounts its file system at {entry['file']}", advice)
    wanted = line(point, uuid, filesystem, options)
    if here == [wanted]:
        return None
    if not uuid:
        wanted["spec"] = "UUID of the new file system"
    return {"old": _words(here[0]) if here else None, "new": _words(wanted)}


def line(point, uuid, filesystem, options):
    """Give the data disk's line in fstab. Returns a dict, the arguments of ``_fstab.set_entry``."""
    options = ",".join(options) or "defaults"
    # fsck at boot: ext4 after the root file system; xfs never.
    entry = {"spec": f"UUID={uuid}", "file": point, "type": filesystem, "options": options}
    return {**entry, "freq": 0, "passno": 2 if filesystem == "ext4" else 0}


def _words(entry):
    return " ".join(str(value) for value in entry.values())
