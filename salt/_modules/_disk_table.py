"""
What is on a disk: its table, its partitions and every signature, from all tools that can
tell. Where they contradict each other nothing is known, and that is an error.
"""

from salt.exceptions import CommandExecutionError

import _disk_kernel
import _disk_marks
import _disk_read

MIB = 1024**2
TABLES = {"gpt", "PMBR", "dos", "mac", "sgi", "sun", "bsd", "atari", "aix"} | {
    "solaris_x86",
    "ultrix",
    "unixware",
}


def contents(path, number, size, sector=512):
    """What tools know of a disk's content: the keys of ``_disk.examine`` from ``table`` to the end."""
    known, listed = _disk_read.blkid(path), _disk_read.wipefs(path)
    _agree(path, known, listed)
    found = _table(path, known, listed)
    whole = found["half_written"] or not found["table_damaged"]
    entries = _disk_read.table(path) if found["table"] and whole else []
    entries = {entry["number"]: entry for entry in entries}
    if found["table"] == "gpt" and whole and not found["half_written"]:
        _all_entries(path, entries, _disk_read.gpt_names(path, sector))
    nodes = _disk_kernel.nodes(number)
    parts = [
        _inside(path, {"label": None, "type": None, **nodes.get(key, {}), **entries.get(key, {})})
        for key in sorted({*entries, *nodes})
    ]
    return {
        **found,
        "stale": _stale(found["table"], entries, nodes),
        **_told(path, entries, size, sector),
        "partitions": parts,
        "offset_signature": None if parts else _at_offset(path, end(size, sector)),
    }


def _agree(path, known, listed):
    if any(known.get(key) for key in ("TYPE", "PTTYPE", "AMBIVALENT")) and not listed:
        raise CommandExecutionError(
            f"blkid finds {known.get('TYPE') or known.get('PTTYPE') or 'several signatures'} on "
            f"{path} and wipefs finds nothing: what the disk holds is not known"
        )


def _all_entries(path, entries, names):
    if names is not None and names.keys() != entries.keys():
        raise CommandExecutionError(
            f"partx lists {len(entries)} partitions of {path}, whose GPT has {len(names)}: "
            "what the disk holds is not known"
        )
    for number, name in (names or {}).items():
        # By its name we know what is ours: to the last blank.
        entries[number]["label"] = name or None


def _table(path, known, listed):
    # The first place counts: a GPT has a copy at the end.
    tables = {entry["type"]: entry["offset"] for entry in reversed(listed)}
    tables = {kind: offset for kind, offset in tables.items() if kind in TABLES}
    second = "gpt" in tables and tables["gpt"] not in (512, 4096)
    kind = "gpt" if "gpt" in tables else known.get("PTTYPE") or next(iter(tables), None)
    if known.get("TYPE") and not known.get("PTTYPE") and kind == "dos":
        # A boot sector, as NTFS has one, ends like a table.
        kind = None
    return {
        "table": kind,
        "table_damaged": _damage(path, tables, second),
        # parted writes the first copy, then the second. Ended in between, the one that is
        # whole counts, for libblkid, the kernel and parted alike.
        "half_written": second and known.get("PTTYPE") == "gpt" and _has_header(path),
        "signatures": [entry for entry in listed if entry["type"] not in TABLES],
    }


def _has_header(path):
    """Whether the first copy of a GPT is there at all, right or not."""
    try:
        with open(path, "rb") as device:
            start = device.read(8192)
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be read: {exc.strerror}") from exc
    return b"EFI PART" in (start[512:520], start[4096:4104])


def _damage(path, tables, second):
    if second:
        return f"only the second copy of a GPT, at offset {tables['gpt']:#x}"
    others = set(tables) - {"gpt", "PMBR"}
    if "gpt" in tables and others:
        return f"a GPT together with a table of type {min(others)}"
    if "PMBR" in tables and "gpt" not in tables:
        return "the protective MBR of a GPT that is gone"
    if "gpt" in tables and not _disk_read.protective_mbr(path):
        return "a GPT without its protective MBR"
    return None


def end(size, sector=512):
    """
    Say where our partition on a disk ends: on the last whole MiB before the GPT's second copy.
    Returns the number of bytes before that end.
    """
    return (size - 16384 - sector) // MIB * MIB


def _at_offset(path, last):
    """What our partition would hold if it were made."""
    if last < 2 * MIB:
        return None
    return _signature(_disk_read.blkid(path, MIB, last - MIB))


def _told(path, entries, size, sector):
    """
    What its table was made for, where that is not what the disk has now: ``shrunk``, a larger size,
    and ``sectors``, another size of its sectors.
    """
    told = _disk_read.gpt_size(path, sector)
    ends = [entry["start"] + entry["size"] for entry in entries.values()]
    most = max([told or 0, *ends])
    other = 512 if sector == 4096 else 4096
    moved = not told and not entries and _disk_read.gpt_size(path, other)
    return {"shrunk": most if most > size else None, "sectors": other if moved else None}


def _signature(found):
    return (
        "several signatures" if "AMBIVALENT" in found else found.get("TYPE") or found.get("PTTYPE")
    )


def _stale(table, known, nodes):
    for number, node in nodes.items():
        part = known.get(number)
        if part is None:
            return f"the kernel still knows {node['path']}, which is in no partition table"
        if table == "gpt" and any(part[key] != node[key] for key in ("start", "size")):
            return f"the kernel knows {node['path']} with another place or size than the table"
    return None


def _inside(disk, part):
    path = part.get("path")
    if path:
        found, listed = _disk_read.blkid(path), _disk_read.wipefs(path)
        _agree(path, found, listed)
    else:
        # In the table only, the kernel has not read it yet.
        found = _disk_read.blkid(disk, part["start"], part["size"])
        kind = _signature(found)
        listed = [{"type": kind, "offset": None, "uuid": None, "label": None}] if kind else []
    return {
        **{"path": None, "devno": None, "holders": [], "mounts": [], "busy": False},
        **part,
        "mark": _disk_marks.of(part["label"]),
        "finished": _disk_marks.finished(part["label"]),
        **{"content": None, "unused": False, "backup": None},
        "signatures": listed,
        "filesystem": found.get("TYPE"),
        "uuid": found.get("UUID"),
        # blkid shows what is not ASCII in a way that cannot be read back, wipefs can.
        "fs_label": next(
            (entry["label"] for entry in listed if entry["label"]), found.get("LABEL")
        ),
    }
