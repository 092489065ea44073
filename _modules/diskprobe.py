"""
One look at a disk before anything is written to it, and its one partition.

Shared by the data disk and the thin pool: ``examine`` looks, ``stage`` says how far our
own partition has come or refuses, ``partition`` takes the steps that are left.
"""

import errno
import os
import time

from salt.exceptions import CommandExecutionError

MIB = 1024**2
WAIT = 60
TABLES = {"gpt", "PMBR", "dos", "mac", "sgi", "sun", "bsd", "atari", "aix"} | {
    "solaris_x86",
    "ultrix",
    "unixware",
}
SERIALS = ("serial", "device/serial", "wwid", "device/wwid")


def examine(device):
    """
    Look at a disk from every side; nothing is written.

    device (str)
        Path of the disk, best one below /dev/disk/by-id.

    Returns a dict: ``asked``, ``path`` (links resolved), ``devno``, ``size`` (bytes), ``serial``,
    ``model``, ``read_only``, ``removable``, ``is_disk``, ``parent`` (of a partition), ``system``
    (None or why it belongs to the running system), ``busy`` (someone holds it exclusively),
    ``holders``, ``mounts`` and ``swaps`` (of disk and partitions), ``table``, ``table_damaged``,
    ``signatures``, ``offset_signature`` (what a partition from 1 MiB on would hold), ``stale``
    (kernel and table disagree) and ``partitions``.

    Raises CommandExecutionError when there is no such block device or it could not be
    looked at: that is never the same as empty.

    CLI Example:

    .. code-block:: bash

        salt '*' diskprobe.examine /dev/vdb

    Source: blkid(8), wipefs(8), partx(8), sysfs(5)
    """
    path, number = _resolve(device)
    folder = os.path.realpath(f"/sys/dev/block/{number}")
    if not os.path.isdir(folder):
        raise CommandExecutionError(f"{_shown(device, path)} is unknown to the kernel's sysfs")
    read = __salt__["diskread.attribute"]
    is_part = read(folder, "partition") is not None
    parent = os.path.dirname(folder) if is_part else folder
    name = os.path.basename(folder)
    mounts, swaps = __salt__["diskread.mounts"](), __salt__["diskread.swaps"]()
    disk = {
        "asked": device,
        "path": path,
        "devno": number,
        "size": int(read(folder, "size") or 0) * 512,
        "serial": _serial(parent),
        "model": read(parent, "device/model"),
        "read_only": read(folder, "ro") == "1",
        "removable": read(parent, "removable") == "1",
        "is_disk": not is_part and not name.startswith("dm-"),
        "parent": f"/dev/{os.path.basename(parent)}" if is_part else None,
        "system": __salt__["diskread.system"]().get(number),
        "busy": False,
        "holders": _holders(folder),
        "table": None,
        "table_damaged": None,
        "signatures": [],
        "offset_signature": None,
        "stale": None,
        "partitions": [],
    }
    if disk["size"] and not disk["system"]:
        # The system's own disk is not even opened: that it is the system's is enough.
        disk["busy"] = _busy(path)
        _contents(disk)
        _partitions(disk, folder, mounts)
    numbers = {number, *(part["devno"] for part in disk["partitions"])}
    disk["mounts"] = _points(mounts, numbers)
    disk["swaps"] = [swaps[number] for number in sorted(numbers & set(swaps))]
    return disk


def _resolve(device):
    if not isinstance(device, str) or not device.startswith("/"):
        raise CommandExecutionError(f"{device!r} is not the path of a disk")
    if not os.path.lexists(device):
        raise CommandExecutionError(
            f"{device} does not exist. Nothing was written. Attach the disk, or correct the "
            "pillar key; the disks of this host are listed by `ls -l /dev/disk/by-id`"
        )
    path = os.path.realpath(device)
    if not os.path.exists(path):
        raise CommandExecutionError(
            f"{device} is a dangling link to {path}, which does not exist. Nothing was written. "
            "Attach the disk, or correct the pillar key"
        )
    number = __salt__["diskread.devno"](path)
    if number is None:
        raise CommandExecutionError(
            f"{_shown(device, path)} is not a block device. Nothing was written. "
            "Correct the pillar key"
        )
    return path, number


def _shown(device, path):
    return device if device == path else f"{path} (asked for as {device})"


def _serial(folder):
    found = filter(None, (__salt__["diskread.attribute"](folder, name) for name in SERIALS))
    return next(found, None)


def _busy(path):
    # Mounted, swap, device mapper, md and running mkfs all hold a device exclusively.
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as exc:
        if exc.errno == errno.EBUSY:
            return True
        if exc.errno not in (errno.ENOMEDIUM, errno.ENXIO):
            raise CommandExecutionError(f"{path} cannot be opened: {exc.strerror}") from exc
    return False


def _holders(folder):
    names = sorted(os.listdir(f"{folder}/holders")) if os.path.isdir(f"{folder}/holders") else []
    found = []
    for name in names:
        mapped = __salt__["diskread.attribute"](f"{folder}/holders/{name}", "dm/name")
        found.append(f"/dev/mapper/{mapped}" if mapped else f"/dev/{name}")
    return found


def _points(mounts, numbers):
    found = (mount["point"] for mount in mounts if numbers & set(mount["devnos"]))
    return list(dict.fromkeys(found))


def _contents(disk):
    path = disk["path"]
    known, listed = __salt__["diskread.blkid"](path), __salt__["diskread.wipefs"](path)
    _agree(path, known, listed)
    tables = {entry["type"]: entry["offset"] for entry in reversed(listed)}
    tables = {kind: offset for kind, offset in tables.items() if kind in TABLES}
    disk["signatures"] = [entry for entry in listed if entry["type"] not in TABLES]
    disk["table"] = known.get("PTTYPE") or next(iter(sorted(tables, reverse=True)), None)
    if "gpt" in tables:
        disk["table"] = "gpt"
    disk["table_damaged"] = _damage(tables)


def _agree(path, known, listed):
    if any(known.get(key) for key in ("TYPE", "PTTYPE", "AMBIVALENT")) and not listed:
        raise CommandExecutionError(
            f"blkid finds {known.get('TYPE') or known.get('PTTYPE') or 'several signatures'} on "
            f"{path} and wipefs finds nothing: what the disk holds is not known"
        )


def _damage(tables):
    if "gpt" in tables and tables["gpt"] not in (512, 4096):
        return f"only the second copy of a GPT, at offset {tables['gpt']:#x}"
    if "gpt" in tables and set(tables) - {"gpt", "PMBR"}:
        return f"a GPT together with a table of type {min(set(tables) - {'gpt', 'PMBR'})}"
    if "PMBR" in tables and "gpt" not in tables:
        return "the protective MBR of a GPT that is gone"
    return None


def _partitions(disk, folder, mounts):
    known = {}
    if disk["table"] and not disk["table_damaged"]:
        known = {part["number"]: part for part in __salt__["diskread.table"](disk["path"])}
    nodes = _nodes(folder)
    disk["stale"] = _stale(disk["table"], known, nodes)
    for number in sorted({*known, *nodes}):
        part = {"label": None, "type": None, **nodes.get(number, {}), **known.get(number, {})}
        disk["partitions"].append(_inside(disk, part, mounts))
    if not disk["partitions"] and disk["size"] > 3 * MIB:
        # To the end of the disk, and to the end of the partition that we would make.
        for size in (None, disk["size"] // MIB * MIB - 2 * MIB):
            found = __salt__["diskread.blkid"](disk["path"], MIB, size)
            disk["offset_signature"] = disk["offset_signature"] or _signature(found)


def _signature(found):
    if "AMBIVALENT" in found:
        return "several signatures"
    return found.get("TYPE") or found.get("PTTYPE")


def _nodes(folder):
    read, found = __salt__["diskread.attribute"], {}
    for name in sorted(os.listdir(folder)):
        number = (
            read(f"{folder}/{name}", "partition") if os.path.isdir(f"{folder}/{name}") else None
        )
        if number is not None:
            child = f"{folder}/{name}"
            found[int(number)] = {
                "number": int(number),
                "path": f"/dev/{name}",
                "devno": read(child, "dev"),
                "start": int(read(child, "start")) * 512,
                "size": int(read(child, "size")) * 512,
                "holders": _holders(child),
            }
    return found


def _stale(table, known, nodes):
    for number, node in nodes.items():
        part = known.get(number)
        if part is None:
            return f"the kernel still knows {node['path']}, which is in no partition table"
        if table == "gpt" and any(part[key] != node[key] for key in ("start", "size")):
            return f"the kernel knows {node['path']} with another place or size than the table"
    return None


def _inside(disk, part, mounts):
    path = part.get("path")
    if path:
        found, listed = __salt__["diskread.blkid"](path), __salt__["diskread.wipefs"](path)
        _agree(path, found, listed)
    else:
        # In the table only, the kernel has not read it yet.
        found = __salt__["diskread.blkid"](disk["path"], part["start"], part["size"])
        kind = _signature(found)
        listed = [{"type": kind, "offset": None, "uuid": None, "label": None}] if kind else []
    return {
        "path": None,
        "devno": None,
        "holders": [],
        **part,
        "busy": bool(path) and _busy(path),
        "signatures": listed,
        "filesystem": found.get("TYPE"),
        "uuid": found.get("UUID"),
        "fs_label": found.get("LABEL"),
        "mounts": _points(mounts, {part.get("devno")}),
    }


def stage(disk, mark, part_type, minimum=0):
    """
    Say how far a disk has come on its way to our one partition, or refuse it.

    disk (dict)
        What ``examine`` found.
    mark (str)
        GPT name of our partition, the proof that it is ours.
    part_type (str)
        ``linux`` or ``lvm``.
    minimum (int, bytes, default 0)
        A smaller disk is refused.

    Returns ``blank``, ``label`` (empty GPT), ``partition`` (ours, its type is not set yet)
    or ``ready``. What a ready partition holds is for the caller to judge.

    Raises CommandExecutionError, the refusal: the disk may hold something of value.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it takes what examine returns.

    Source: parted(8), wipefs(8)
    """
    return __salt__["diskrules.stage"](disk, mark, part_type, minimum)


def same_disk(a, b):
    """
    Say whether two paths are one device.

    a (str), b (str)
        Paths, links are followed.

    Returns True or False.

    Raises CommandExecutionError when one of them is no block device.

    CLI Example:

    .. code-block:: bash

        salt '*' diskprobe.same_disk /dev/vdb /dev/disk/by-id/virtio-data

    Source: stat(2)
    """
    return _resolve(a)[1] == _resolve(b)[1]


def partition(disk, mark, part_type, minimum=0):
    """
    Take the steps that are left to our one partition, each on a disk looked at anew.

    disk (dict)
        What ``examine`` found; a disk that is not this very one any more is refused.
    mark (str)
        GPT name of the partition.
    part_type (str)
        ``linux`` or ``lvm``.
    minimum (int, bytes, default 0)
        A smaller disk is refused.

    Returns the partition's path.

    Raises CommandExecutionError for a refusal, when a step fails or shows no effect, and
    when old content turns up in the new partition.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it takes what examine returns.

    Source: parted(8), udevadm(8)
    """
    fresh = False
    for _ in range(4):
        now = examine(disk["asked"])
        _unchanged(disk, now)
        at = stage(now, mark, part_type, minimum)
        if fresh:
            _no_old_content(now)
        if at == "ready":
            return _node(now)
        fresh = fresh or at in ("blank", "label")
        _step(now, at, mark, part_type)
        _settle(now)
    raise CommandExecutionError(
        f"{_shown(disk['asked'], disk['path'])}: parted reports success, but the disk is still "
        f"at the stage `{at}`"
    )


def _unchanged(before, now):
    for key, word in (
        ("path", "name"),
        ("devno", "number"),
        ("serial", "serial"),
        ("size", "size"),
    ):
        if before[key] != now[key]:
            raise CommandExecutionError(
                f"{before['asked']} changed its {word} since it was checked: {before[key]} became "
                f"{now[key]}. Nothing was written to {now['path']}. Find out which disk is meant "
                "(`ls -l /dev/disk/by-id`), then run again"
            )


def _no_old_content(disk):
    for part in disk["partitions"]:
        if part["signatures"] or part["filesystem"]:
            kinds = ", ".join(entry["type"] for entry in part["signatures"]) or part["filesystem"]
            raise CommandExecutionError(
                f"the new partition {part['path']} on {_shown(disk['asked'], disk['path'])} shows "
                f"old content: {kinds}. The partition table was written, the content was not "
                f"touched. If it may be erased, run on this host: wipefs -a {part['path']}"
            )


def _step(disk, at, mark, part_type):
    steps = {
        "blank": ["mklabel", "gpt"],
        "label": ["mkpart", mark, "1MiB", "100%"],
        "partition": ["set", "1", part_type, "on"],
    }
    __salt__["host.run"](["parted", "-s", "-a", "optimal", disk["path"], *steps[at]])


def _settle(disk):
    if os.path.exists("/run/udev/control"):
        __salt__["host.run"](["udevadm", "settle", "--timeout=30"], accept=(0, 1))
    for part in __salt__["diskread.table"](disk["path"]):
        _wait(disk["path"], part["number"])


def _node(disk):
    return _wait(disk["path"], disk["partitions"][0]["number"])


def _wait(path, number):
    """The partition's path, as soon as the kernel and /dev have it."""
    deadline, asked = time.monotonic() + WAIT, False
    while time.monotonic() < deadline:
        folder = os.path.realpath(f"/sys/dev/block/{__salt__['diskread.devno'](path)}")
        node = _nodes(folder).get(number)
        if node and __salt__["diskread.devno"](node["path"]) == node["devno"]:
            return node["path"]
        if not node and not asked:
            # A run that was ended between parted's writing and its telling the kernel.
            __salt__["host.run"](["partx", "--update", path], accept=(0, 1))
            asked = True
        time.sleep(0.1)
    raise CommandExecutionError(
        f"partition {number} of {path} did not appear below /dev within {WAIT} s"
    )
