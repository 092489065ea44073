"""
A volume group that was begun: what a vgcreate leaves that was ended in its middle.

It marks the physical volume as in use, then writes the group's text into the ring behind the
metadata area's header, then enters the place of that text in the header. Ended in between, the
volume is in use by no group that LVM could find, as if one had been lost, and vgcreate takes it
no more without force. But LVM never clears the ring: where it holds nothing, or nothing but one
first text without volumes, there never was anything to lose.
"""

import os
import struct

from salt.exceptions import CommandExecutionError

_MIB = 1024**2
_SECTOR = 512
# Where the label, the metadata area and the ring in it begin; the ring ends at 1 MiB.
_LABEL_AT, _AREA_AT, _RING_AT = _SECTOR, 4096, 4096 + _SECTOR
# Both without their checksums, which LVM itself complains of.
_LABEL = struct.Struct("<8sQ4xI8s32s9QII2Q")
_AREA = struct.Struct("<4x16sIQQ24sQQ4xI")
_FILE = """contents = "Text Format Volume Group"
version = 1
description = "A vgcreate that was ended in its middle, completed"
{group} {{
\tid = "{id}"
\tseqno = 0
\tformat = "lvm2"
\tstatus = ["RESIZEABLE", "READ", "WRITE"]
\tflags = []
\ttags = ["{mark}"]
\textent_size = {unit}
\tmax_lv = 0
\tmax_pv = 0
\tmetadata_copies = 0
\tphysical_volumes {{
\t\tpv0 {{
\t\t\tid = "{uuid}"
\t\t\tdevice = "{path}"
\t\t\tstatus = ["ALLOCATABLE"]
\t\t\tflags = []
\t\t\tdev_size = {size}
\t\t\tpe_start = {start}
\t\t\tpe_count = {count}
\t\t}}
\t}}
}}
"""


def look(disk, stage, lvm, want):
    """
    Tell whether our partition holds a volume group that was begun, and nothing else ever. Returns
    None, or LVM's row of the physical volume. Then all of LVM's doubts are about it.
    """
    parts = [part for part in disk["partitions"] if part["mark"] == want["mark"]]
    rows = [row for row in lvm["pvs"] if row["path"] in [part["path"] for part in parts]]
    if stage != "ready" or len(parts) != 1 or len(rows) != 1:
        return None
    (part,), (row,) = parts, rows
    if part["mounts"] or part["holders"] or part["busy"]:
        return None
    if [entry["type"] for entry in part["signatures"]] != ["LVM2_member"]:
        return None
    if not _unknown(row, lvm, want["volume_group"]):
        return None
    data = head(part["path"])
    return row if untouched(data, row["pv_uuid"], part["size"], want) else None


def _unknown(row, lvm, group):
    """In use by a group that LVM does not know: all that it doubts. And the name is free."""
    name = row["pv_name"]
    explained = {
        f"PV {name} is marked in use but no VG was found using it.",
        f"PV {name} might need repairing.",
    }
    # Beside such doubts the lists were not compared with each other.
    taken = any(one["vg_name"] == group for kind in ("pvs", "vgs", "lvs") for one in lvm[kind])
    return (
        not taken
        and row["vg_name"] == "[unknown]"
        and row["pv_attr"][0] == "u"
        and row["pe_start"] == _MIB
        and set(lvm["doubts"]) == explained
    )


def untouched(data, pv_uuid, size, want):
    """
    Judge whether a volume group was begun in a physical volume, and nothing else ever. Returns
    True when that is certain: marked as in use, one metadata area up to 1 MiB that is not ignored,
    no text entered in its header, and in its ring zeros only, or beside them one text, the first
    of the wanted group, of this physical volume alone and without volumes.
    """
    if len(data) != _MIB or not _labelled(data, pv_uuid, size):
        return False
    *fixed, committed, begun, _length, flags = _AREA.unpack_from(data, _AREA_AT)
    if fixed != [b" LVM2 x[5A%r0N*>", 1, _AREA_AT, _MIB - _AREA_AT]:
        return False
    text = data[_RING_AT:].rstrip(b"\0")
    # A text that was announced and not entered is the one at the beginning of the ring.
    if any(committed) or flags or begun not in ((0, _SECTOR) if text else (0,)):
        return False
    rest = data[_AREA_AT + _AREA.size : _RING_AT]
    return not any(rest) and (not text or _first(text, pv_uuid, want))


def _labelled(data, pv_uuid, size):
    # Its type, identity and size; one area for data, one for metadata; in use; no boot area.
    expected = (b"LABELONE", 1, 32, b"LVM2 001", pv_uuid.replace("-", "").encode(), size)
    expected += (_MIB, 0, 0, 0, _AREA_AT, _MIB - _AREA_AT, 0, 0, 2, 1, 0, 0)
    rest = data[:_LABEL_AT] + data[_LABEL_AT + _LABEL.size : _AREA_AT]
    return _LABEL.unpack_from(data, _LABEL_AT) == expected and not any(rest)


def _first(text, pv_uuid, want):
    """A group as it was created: each change of it would have left a further text."""
    lines = text.decode("ascii", "replace").split("\n")
    # Of the group and of its physical volume; logical volumes have theirs, too.
    identities = [line for line in lines if line.startswith("id = ")]
    told = {"seqno = 1", f'tags = ["{want["mark"]}"]', 'contents = "Text Format Volume Group"'}
    return (
        b"\0" not in text
        and lines[0] == f"{want['volume_group']} {{"
        and told < set(lines)
        and identities[1:] == [f'id = "{pv_uuid}"']
        and "logical_volumes {" not in lines
    )


def head(device):
    """
    Read the first MiB of a device, from the device and not from a cache. Returns bytes, 1048576 of
    them.
    """
    try:
        with open(device, "rb") as source:
            os.posix_fadvise(source.fileno(), 0, _MIB, os.POSIX_FADV_DONTNEED)
            data = source.read(_MIB)
    except OSError as exc:
        raise CommandExecutionError(f"{device} could not be read: {exc.strerror}") from exc
    if len(data) != _MIB:
        raise CommandExecutionError(f"{device} gave {len(data)} bytes instead of {_MIB}")
    return data


def text(pv, share, want, identity):
    """
    Write the volume group that vgcreate would have made, as vgcfgrestore takes it. Returns the
    text, the version before the first: vgcfgrestore counts on.
    """
    cuts = [0, 6, 10, 14, 18, 22, 26, 32]
    return _FILE.format(
        group=want["volume_group"],
        id="-".join(identity[a:b] for a, b in zip(cuts, cuts[1:], strict=False)),
        mark=want["mark"],
        unit=share["unit"] // _SECTOR,
        uuid=pv["pv_uuid"],
        path=pv["pv_name"],
        size=pv["pv_size"] // _SECTOR,
        start=pv["pe_start"] // _SECTOR,
        count=share["extents"],
    )
