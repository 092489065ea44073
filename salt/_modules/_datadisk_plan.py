"""
What is left to do for the data disk, and when it must be left alone. Pure.
"""

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _disk
import _disk_refusals
import _fstab

MIB = 1024**2
# Options that the kernel shows as they were asked for, and what takes each of them back.
_SHOWN = {
    **{"ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec"},
    **{"noatime": "relatime", "nodiratime": "diratime"},
}
# What brings some of them along: mount(8).
_IMPLIES = ("user", "users", "owner", "group")
# The smallest disk: mkfs.xfs wants 300 MiB for itself.
MINIMUM = {"xfs": 304 * MIB, "ext4": 16 * MIB}
# What a file system can be that is not finished yet.
INTERRUPTED = "unfinished, mkfs was interrupted"
UNNAMED = "complete, and its partition is not named so yet"
COPIED = (
    "At boot either could be mounted. Detach the copy, or give it a UUID of its own (`xfs_admin -U "
    "generate`, `tune2fs -U random`)."
)


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
    if disk["shrunk"]:
        # Mounted or not: the file system may not be whole any more.
        _disk.stage(disk, seen["mark"], "linux")
    if mounted:
        _check_mounted(seen, filesystem)
        uuid = mounted["uuid"]
        todo = {}
        if _nameless(seen):
            todo["filesystem"] = _made(disk, filesystem, label, UNNAMED)
    else:
        todo, uuid = unmounted(seen, filesystem, label)
    _check_fstab(seen, uuid)
    entry = _fstab_change(seen, uuid, filesystem, options)
    return {**todo, "fstab": entry} if entry else todo


def notes(mounted, label, options):
    """What was asked for and does not hold for the file system that is mounted. A list of str."""
    said = []
    if mounted["label"] != label:
        found = _disk_refusals.printable(mounted["label"] or "none")
        said.append(
            f"The file system's label is {found}, not {label}: a label is only given when it is made. "
            f"Set rancher:data_disk:label to the one that it has"
        )
    now = mounted["options"].split(",")
    missing = [each for each in options if each in _SHOWN and each not in now]
    if not {*_IMPLIES} & {*options}:
        missing += [_SHOWN[each] for each in now if each in _SHOWN and each not in options]
    if missing:
        said.append(
            f"It is mounted without {', '.join(missing)}: that counts from the next boot on, or with "
            f"`mount -o remount,{','.join(missing)} {mounted['point']}` at once"
        )
    return said


def _refuse(disk, reason, advice=""):
    raise CommandExecutionError(_disk_refusals.refusal(disk, reason, advice, "linux"))


def _check_mounted(seen, filesystem):
    """Done by us or by hand: right when it is this disk and this file system."""
    disk, mounted, point = seen["disk"], seen["mounted"], seen["mount_point"]
    shown = _disk_refusals.printable(mounted["source"])
    if disk["devno"] not in mounted["below"]:
        if mounted["uuid"] and mounted["uuid"] in [part["uuid"] for part in disk["partitions"]]:
            reason = (
                f"a copy of its file system, with the same UUID, is mounted at {point}: {shown}"
            )
            _refuse(disk, reason, f"{COPIED} Then unmount it (umount {point}), and run again.")
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
    if mounted["hidden"]:
        reason = f"its file system is mounted at {point}, and something was mounted above it later"
        _refuse(disk, reason, f"`findmnt -T {point}` names that; unmount it.")


def unmounted(seen, filesystem, label):
    """
    Say what is left up to the mount, for a disk that is not mounted yet, or refuse. Returns the
    changes without fstab, and the UUID of our file system or None.
    """
    disk, point = seen["disk"], seen["mount_point"]
    at = _disk.stage(disk, seen["mark"], "linux", MINIMUM[filesystem])
    part = disk["partitions"][0] if at == "ready" else None
    todo = {}
    if not part:
        todo["partition"] = {"old": None, "new": f"{seen['mark']}, the whole of {disk['path']}"}
    content = _content(seen, part, filesystem, label) if part else "blank"
    if content == "ours" and seen["copies"]:
        where = ", ".join(seen["copies"])
        _refuse(disk, f"{where} has a file system with the same UUID, {part['uuid']}", COPIED)
    if content != "ours" or _nameless(seen):
        old = {"blank": None, "unfinished": INTERRUPTED, "ours": UNNAMED}[content]
        todo["filesystem"] = _made(disk, filesystem, label, old)
    if seen["folder"] == "missing":
        todo["directory"] = {"old": None, "new": f"{point}, mode 0755"}
    elif seen["folder"] != "empty":
        _refuse(
            disk,
            f"it cannot be mounted at {point}, which is {seen['folder']}",
            f"Mounting would hide that: move it away, so that {point} is an empty directory.",
        )
    todo["mount"] = {"old": None, "new": f"partition 1 of {disk['path']} at {point}"}
    return todo, part["uuid"] if content == "ours" else None


def _made(disk, filesystem, label, old):
    return {"old": old, "new": f"{filesystem} labelled {label} on partition 1 of {disk['path']}"}


def _nameless(seen):
    """Whether our partition still has the name of one that is being made."""
    parts = seen["disk"]["partitions"]
    return len(parts) == 1 and parts[0]["mark"] == seen["mark"] and not parts[0]["finished"]


def _content(seen, part, filesystem, label):
    """
    What our own unmounted partition holds: blank, unfinished or ours; else refused. Blank or
    unfinished is only what was never finished: anything else of ours is repaired, never made anew.
    """
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
            _refuse(disk, f"another program holds its partition {seen['mark']} open, perhaps mkfs")
        if part["finished"]:
            _refuse(disk, *_disk_refusals.unreadable(part, _repair(disk, part, filesystem, part)))
        return "unfinished" if part["content"] else "blank"
    if kinds != {filesystem} or part["filesystem"] != filesystem:
        _refuse(disk, *_another(disk, part, kinds, filesystem))
    if seen["unfinished"]:
        if part["busy"]:
            _refuse(disk, f"a file system is just being made on its partition {seen['mark']}")
        if part["finished"]:
            reason = f"the {filesystem} on its partition {part['label']} is marked as half copied"
            advice = f"{_disk_refusals.REPAIR} {_repair(disk, part, filesystem)}."
            _refuse(disk, reason, advice)
        return "unfinished"
    if part["fs_label"] != label:
        found = _disk_refusals.printable(part["fs_label"])
        advice = f"If it is the right one, set the pillar key rancher:data_disk:label to {found}."
        _refuse(disk, f"the {filesystem} on it has the label {found}, not {label}", advice)
    return "ours"


def _repair(disk, part, filesystem, known=None):
    """Never of the whole disk: a partition that the kernel has not read is made known before."""
    if part["path"]:
        return repair(part["path"], filesystem, known)
    path = f"{disk['path']}{'p' if disk['path'][-1].isdigit() else ''}{part['number']}"
    return f"blockdev --rereadpt {disk['path']}; {repair(path, filesystem, known)}"


def _another(disk, part, kinds, filesystem):
    """Our partition holds something else: the reason and the advice."""
    found = ", ".join(sorted(map(_disk_refusals.printable, kinds))) or "something"
    reason = f"its partition {part['label']} holds {found}, not {filesystem}"
    if part["finished"]:
        known = f"If that is its data, set the pillar key rancher:data_disk:filesystem to {found}. "
        return reason, known * (found in MINIMUM) + _disk_refusals.erase_advice(disk)
    return (
        reason,
        f"If it may be erased, run on this host: wipefs -a {part['path'] or disk['asked']}.",
    )


def repair(path, filesystem, part=None):
    """The command that repairs a file system in place."""
    backup = part and part["backup"]
    if backup:
        return f"e2fsck -fy -b {backup['block']} -B {backup['size']} {path}"
    return f"xfs_repair {path}" if filesystem == "xfs" else f"e2fsck -fy {path}"


def _check_fstab(seen, uuid):
    """A file system that was here once, and is not the one that is here now, is not given up."""
    disk, point = seen["disk"], seen["mount_point"]
    here = [entry for entry in seen["fstab"] if _fstab.place(entry["file"]) == point]
    if len(here) > 1:
        _refuse(disk, f"/etc/fstab has {len(here)} lines for {point}", "Remove the wrong ones.")
    lost = f"If its data are not needed any more, remove that line (mount point {point})."
    for other, places in seen["elsewhere"].items():
        shown = _disk_refusals.printable(other)
        path = other.startswith("/")
        reason = (
            f"/etc/fstab mounts {'' if path else 'the file system with '}{shown} at {point}, and "
        )
        if places:
            where = ", ".join(places)
            reason += f"{'its disk' if path else f'the disk with {shown}'} is {where}, not this one"
            advice = f"If that is the right disk, correct the pillar key rancher:data_disk:device to {where}."
        else:
            reason += "no disk of this host has it"
            advice = "Attach that disk, or repair what is on it."
        _refuse(disk, reason, f"{advice} {lost}")
    for entry in seen["fstab"]:
        if not uuid and _fstab.place(entry["file"]) == point:
            spec = _disk_refusals.printable(entry["spec"])
            reason = (
                f"/etc/fstab mounts {spec} at {point} already, and there is no file system on it"
            )
            _refuse(disk, reason, f"Find out what {spec} was. {lost}")


def _fstab_change(seen, uuid, filesystem, options):
    """The line that is missing or different, as a change; None when it is right."""
    disk, point, old = seen["disk"], seen["mount_point"], seen["fstab"]
    here = [entry for entry in old if _fstab.place(entry["file"]) == point]
    for entry in old:
        if uuid and entry in seen["ours"] and entry not in here:
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
