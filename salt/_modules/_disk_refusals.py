"""
Whether a disk may be touched: every reason to refuse, and its words. Pure.
"""

import shlex

from salt.exceptions import CommandExecutionError, SaltInvocationError

MIB = 1024**2
LVM = "e6d6d379-f507-44c2-a23c-238f2a3df928"
# What parted sets by itself: Linux data, and the basic data of old versions.
PLAIN = ("0fc63daf-8483-4772-8e79-3d69d8477de4", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
KEYS = {"linux": "rancher:data_disk:device", "lvm": "rancher:thin_pool:device"}


def stage(disk, mark, part_type, minimum=0):
    """
    Say how far a disk has come on its way to our one partition, or refuse it. Returns ``blank``,
    ``label``, ``partition`` or ``ready``.
    """
    if part_type not in KEYS:
        raise SaltInvocationError(f"the partition's type is {part_type!r}, it must be linux or lvm")
    part = _own(disk, mark)
    reason, advice = (
        _unfit(disk, part, minimum) or _foreign(disk, part, mark, part_type) or ("", "")
    )
    if reason:
        raise CommandExecutionError(refusal(disk, reason, advice, part_type))
    if part:
        return "partition" if part_type == "lvm" and part["type"] != LVM else "ready"
    return "label" if disk["table"] else "blank"


def refusal(disk, reason, advice, part_type):
    """Word a refusal: the disk by all its names, what was found, what to do. Returns one line."""
    asked = f"asked for as {disk['asked']}, " if disk["asked"] != disk["path"] else ""
    serial = f", serial {printable(disk['serial'])}" if disk["serial"] else ""
    return " ".join(
        filter(
            None,
            (
                f"Refusing to touch {disk['path']} ({asked}{size_text(disk['size'])}{serial}):",
                f"{reason}. Nothing was written.",
                advice,
                f"If it is the wrong disk, correct the pillar key {KEYS[part_type]}.",
            ),
        )
    )


def erase_advice(disk):
    """
    Give the exact command that empties a disk, for an operator who wants that. Returns a sentence.
    """
    parts = [part["path"] for part in disk["partitions"] if part["path"]]
    command = shlex.join(["wipefs", "-a", *parts, disk["asked"]])
    return f"If this disk may be erased, run on this host: {command}."


def size_text(size):
    """Write a size for people. Returns a text, for example ``100 GiB``."""
    value, units = float(size), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.1f}".removesuffix(".0") + f" {units[0]}"


def printable(text):
    """
    Make what a disk says fit for a log: a label can hold anything. Returns it with all characters
    that are not printable escaped, at most 80 characters.
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
    return shown[:80]


def _own(disk, mark):
    """Our partition, or None: the only one, in our place, with our name."""
    parts = disk["partitions"]
    if disk["table"] != "gpt" or len(parts) != 1:
        return None
    if disk["table_damaged"] and not disk["half_written"]:
        return None
    part = parts[0]
    fits = part["number"] == 1 and part["start"] == MIB and part["label"] == mark
    return part if fits else None


def _unfit(disk, part, minimum):
    """Reasons that lie in the device itself, whatever it holds."""
    if disk["parent"]:
        return f"it is a partition of {disk['parent']}, not a whole disk", ""
    if not disk["is_disk"]:
        return "it is a device mapper volume, not a disk", ""
    if disk["system"]:
        return f"the running system needs it, it {disk['system']}", ""
    if not disk["size"]:
        return "its size is 0, it has no medium", ""
    if disk["read_only"]:
        return "it is read-only", ""
    if not part and disk["removable"]:
        return "it is a removable medium", ""
    if not part and disk["size"] < max(minimum, 4 * MIB):
        return f"it is too small, at least {size_text(max(minimum, 4 * MIB))} are needed", ""
    return None


def _foreign(disk, part, mark, part_type):
    """Reasons that lie in what is on the disk, or None."""
    if disk["holders"]:
        return f"it is in use by {', '.join(disk['holders'])}", ""
    if part:
        return _foreign_in_own(disk, part, part_type)
    return _used(disk) or _occupied(disk, mark)


def _foreign_in_own(disk, part, part_type):
    wanted = PLAIN if part_type == "linux" else (*PLAIN, LVM)
    if part["type"] not in wanted:
        return f"its partition {part['label']} has the type {part['type']}, not one of ours", ""
    in_use = part["mounts"] or part["holders"]
    if disk["stale"]:
        return f"{disk['stale']}", _reread(disk)
    if disk["signatures"] and not in_use:
        return f"beside its partition {part['label']} it holds {_listed(disk['signatures'])}", ""
    if part_type == "lvm" and part["type"] != LVM:
        if in_use:
            return f"its partition is in use by {', '.join(in_use)}", ""
        if part["signatures"] or part["filesystem"]:
            return f"its partition {part['label']} holds {_inside(part)}", erase_advice(disk)
    return None


def _used(disk):
    if disk["mounts"]:
        return f"it is mounted at {', '.join(map(printable, disk['mounts']))}", ""
    if disk["swaps"]:
        return f"it is active swap: {', '.join(disk['swaps'])}", ""
    held = [holder for part in disk["partitions"] for holder in part["holders"]]
    if held:
        return f"it is in use by {', '.join(held)}", ""
    return None


def _occupied(disk, mark):
    if disk["signatures"]:
        return f"it holds {_listed(disk['signatures'])}", erase_advice(disk)
    if disk["table_damaged"] and (disk["partitions"] or not disk["half_written"]):
        reason = f"its partition table is damaged: there is {disk['table_damaged']}"
        return reason, erase_advice(disk)
    if disk["stale"]:
        return disk["stale"], _reread(disk)
    if disk["partitions"]:
        return f"it has partitions that are not ours: {_parts(disk, mark)}", erase_advice(disk)
    if disk["table"] not in (None, "gpt"):
        return f"it has a partition table of type {disk['table']}", erase_advice(disk)
    if disk["offset_signature"]:
        old = printable(disk["offset_signature"])
        where = "where the partition would be (from 1 MiB on, offset 0x100000)"
        return f"it looks blank, but old content ({old}) lies {where}", _zero_advice(disk)
    if disk["busy"]:
        return "another program holds it exclusively, or it is mounted in another namespace", ""
    return None


def _zero_advice(disk):
    # wipefs does not look there. Every known signature is near one of the two ends.
    last = max(1, (disk["size"] - 16384 - disk["sector"]) // MIB - 16)
    zero = f"dd if=/dev/zero of={shlex.quote(disk['asked'])} bs=1M count=16 conv=fsync seek="
    return f"If this disk may be erased, run on this host: {zero}1; {zero}{last}."


def _reread(disk):
    return f"Run on this host: blockdev --rereadpt {shlex.quote(disk['asked'])}."


def _listed(signatures):
    # A disk can hold dozens of one kind.
    first = list({entry["type"]: entry for entry in reversed(signatures)}.values())[::-1]
    more = len(signatures) - len(first[:4])
    return ", ".join(map(_signature, first[:4])) + (f" and {more} more" if more else "")


def _signature(entry):
    words = [f"a signature of {printable(entry['type'])}"]
    if entry["label"]:
        words.append(f"label {printable(entry['label'])}")
    if entry["uuid"]:
        words.append(f"UUID {printable(entry['uuid'])}")
    where = f" at offset {entry['offset']:#x}" if entry["offset"] is not None else ""
    return " ".join(words[:1] + [f"({', '.join(words[1:])})"] * bool(words[1:])) + where


def _inside(part):
    return _listed(part["signatures"]) or f"a signature of {printable(part['filesystem'])}"


def _parts(disk, mark):
    shown = []
    for part in disk["partitions"]:
        name = f" named {printable(part['label'])}" if part["label"] else ""
        holds = _inside(part) if part["signatures"] or part["filesystem"] else "nothing known"
        words = f"{part['path'] or part['number']}{name} ({size_text(part['size'])}, holds {holds})"
        shown.append(words)
    more = f" and {len(shown) - 4} more" if len(shown) > 4 else ""
    return f"{', '.join(shown[:4])}{more}; ours would be a single one named {mark}"
