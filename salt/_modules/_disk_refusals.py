"""
Whether a disk may be touched: every reason to refuse, and its words. Pure.
"""

import shlex

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _disk_blank
import _disk_table

MIB = 1024**2
LVM = "e6d6d379-f507-44c2-a23c-238f2a3df928"
# What parted sets by itself: Linux data, and the basic data of old versions.
PLAIN = ("0fc63daf-8483-4772-8e79-3d69d8477de4", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
REPAIR = (
    "The content was not touched, and is most likely still there. To repair it, run on this host:"
)
SHRUNK = "Give it its old size back; do not write to it before."
RESECTORED = (
    "Attach it in the way of before: the controller, enclosure or hypervisor makes that size."
)
# What our partition holds.
CONTENTS = {"linux": ("xfs", "ext4"), "lvm": ("LVM2_member",)}
KEYS = {"linux": "rancher:data_disk:device", "lvm": "rancher:thin_pool:device"}


def stage(disk, mark, part_type, minimum=0):
    """How far a disk has come on its way to our one partition, or the refusal: see ``_disk.stage``."""
    if part_type not in KEYS:
        raise SaltInvocationError(f"the partition's type is {part_type!r}, it must be linux or lvm")
    part = _own(disk, mark)
    reason, advice = (
        _unfit(disk, part, minimum) or _foreign(disk, part, mark, part_type) or ("", "")
    )
    if reason:
        raise CommandExecutionError(refusal(disk, reason, advice, part_type))
    if part:
        untyped = part_type == "lvm" and part["type"] != LVM
        return "partition" if untyped or part["unused"] else "ready"
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
    """The commands that empty a disk, the fast one first, for an operator who wants that."""
    parts = [part["path"] for part in disk["partitions"] if part["path"]]
    it = shlex.quote(disk["asked"])
    commands = [
        # Newer tools do not discard what they know by name.
        *(
            [shlex.join(["wipefs", "-a", *parts, disk["asked"]])]
            if parts or disk["table"] or disk["signatures"]
            else []
        ),
        f"blkdiscard {it} || shred -v -n 0 -z {it}",
        *([f"blockdev --rereadpt {it}"] if parts else []),
    ]
    return (
        f"If this disk may be erased, run on this host: {'; '.join(commands)}. Then run again; if it "
        "still finds data, blkdiscard does not erase this disk: use shred alone."
    )


def unreadable(part, command):
    """Our finished partition holds nothing that can be read: the reason, and the way to repair it."""
    reason = (
        f"its partition {part['label']} was finished once, and what it holds cannot be read now"
    )
    if part["content"]:
        reason += f": {_disk_blank.words(part['content'])}"
    return reason, f"{REPAIR} {command}."


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
    fits = part["number"] == 1 and part["start"] == MIB and part["mark"] == mark
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
    if disk["shrunk"]:
        sizes = f"{size_text(disk['size'])} instead of {size_text(disk['shrunk'])}"
        return f"it shrank: it has {sizes}, for which its partition table was made", SHRUNK
    if disk["sectors"]:
        sizes = f"{disk['sectors']} bytes, and it has sectors of {disk['sector']} bytes now"
        reason = f"its partition table was made for sectors of {sizes}"
        return reason, f"{RESECTORED} {erase_advice(disk)}"
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
    return _used(disk) or _occupied(disk, mark, part_type)


def _foreign_in_own(disk, part, part_type):
    wanted = PLAIN if part_type == "linux" else (*PLAIN, LVM)
    if part["type"] not in wanted:
        reason = f"its partition {part['label']} has the type {part['type']}, not one of ours"
        again = ["set", "1", "lvm", "on", *(["set", "1", "lvm", "off"] * (part_type == "linux"))]
        command = shlex.join(["parted", "-s", disk["asked"], *again])
        advice = f"To give it the type that we gave it, run on this host: {command}."
        return reason, advice if part["finished"] else ""
    in_use = part["mounts"] or part["holders"]
    if disk["stale"]:
        return f"{disk['stale']}", _reread(disk)
    if disk["signatures"] and not in_use:
        return f"beside its partition {part['label']} it holds {_listed(disk['signatures'])}", ""
    if disk["users"] and not part["finished"]:
        return f"it is in use by {_shown_users(disk)}", ""
    if part_type == "lvm" and part["type"] != LVM:
        if in_use:
            return f"its partition is in use by {', '.join(in_use)}", ""
        if part["signatures"] or part["filesystem"]:
            return f"its partition {part['label']} holds {_inside(part)}", erase_advice(disk)
    if part_type == "lvm" and part["finished"] and part["content"]:
        # What LVM keeps of each group that it changes; only it knows the names.
        return unreadable(part, "ls /etc/lvm/backup; then vgcfgrestore(8), section EXAMPLES")
    return None


def _shown_users(disk):
    more = f" and {len(disk['users']) - 3} more" if len(disk["users"]) > 3 else ""
    return ", ".join(map(printable, disk["users"][:3])) + more


def _used(disk):
    if disk["mounts"]:
        return f"it is mounted at {', '.join(map(printable, disk['mounts']))}", ""
    if disk["swaps"]:
        return f"it is active swap: {', '.join(disk['swaps'])}", ""
    held = [holder for part in disk["partitions"] for holder in part["holders"]]
    if held:
        return f"it is in use by {', '.join(held)}", ""
    if disk["users"]:
        return f"it is in use by {_shown_users(disk)}", ""
    return None


def _occupied(disk, mark, part_type):
    if disk["signatures"]:
        return f"it holds {_listed(disk['signatures'])}", erase_advice(disk)
    if disk["table_damaged"] and (disk["partitions"] or not disk["half_written"]):
        reason = f"its partition table is damaged: there is {disk['table_damaged']}"
        return reason, _table_advice(disk, mark, part_type)
    if disk["stale"]:
        return disk["stale"], _reread(disk)
    if disk["partitions"]:
        return f"it has partitions that are not ours: {_parts(disk, mark)}", erase_advice(disk)
    if disk["table"] not in (None, "gpt"):
        return f"it has a partition table of type {disk['table']}", erase_advice(disk)
    if disk["offset_signature"]:
        old = printable(disk["offset_signature"])
        where = "where the partition would be (from 1 MiB on, offset 0x100000)"
        return f"it has no partition table, but old content ({old}) lies {where}", _table_advice(
            disk, mark, part_type
        )
    if disk["busy"]:
        return "another program holds it exclusively, or it is mounted in another namespace", ""
    if disk["content"]:
        found = _disk_blank.words(disk["content"])
        return f"it holds data that no tool knows: {found}", erase_advice(disk)
    return None


def _table_advice(disk, mark, part_type):
    """A table that is lost can be made again without the content, which lies where ours would."""
    if disk["offset_signature"] not in CONTENTS[part_type]:
        return erase_advice(disk)
    end = _disk_table.end(disk["size"], disk["sector"]) // MIB
    words = ["parted", "-s", disk["asked"], "mklabel", "gpt", "mkpart", mark, "1MiB", f"{end}MiB"]
    words += ["set", "1", "lvm", "on"] * (part_type == "lvm")
    return (
        f"If {disk['offset_signature']} is the content that this host had here, make the table again, "
        f"which leaves the content alone: on this host, {shlex.join(words)}. {erase_advice(disk)}"
    )


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
