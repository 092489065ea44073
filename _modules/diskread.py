"""
What the tools and the kernel say about block devices, each answer checked: "nothing
there" is empty, "could not look" and "not understood" raise. ``diskprobe`` adds it up.
"""

import os
import re
import stat

from salt.exceptions import CommandExecutionError

SYSFS = "/sys"
PROC = "/proc"
SYSTEM_MOUNTS = ("/", "/boot", "/boot/efi", "/efi", "/usr", "/var")


def parse_blkid(text):
    r"""
    Read the output of ``blkid -p -o export``.

    text (str)
        Lines ``KEY=value``; special characters are ``\`` escapes.

    Returns a dict, keys as printed.

    Raises CommandExecutionError when a line is something else.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.parse_blkid 'TYPE=xfs'

    Source: blkid(8)
    """
    found = {}
    for line in filter(None, text.split("\n")):
        key, sign, value = line.partition("=")
        if not sign or not re.fullmatch(r"[A-Z][A-Z0-9_]*", key):
            raise CommandExecutionError(f"blkid answered something not understood: {line!r}")
        found[key] = re.sub(r"\\(.)", r"\1", value)
    return found


def parse_wipefs(text):
    r"""
    Read the output of ``wipefs --no-act -p``, old (with a heading) and new.

    text (str)
        Lines ``offset,uuid,label,type``; special characters are ``\x`` escapes.

    Returns a list of dicts ``type``, ``offset`` (bytes), ``uuid``, ``label``.

    Raises CommandExecutionError when a line is something else.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.parse_wipefs '0x438,,,ext4'

    Source: wipefs(8)
    """
    found = []
    for line in filter(None, text.split("\n")):
        if line.startswith("# offset"):
            continue
        words = line.split(",")
        if len(words) != 4 or not re.fullmatch(r"0x[0-9a-f]+", words[0]) or not words[3]:
            raise CommandExecutionError(f"wipefs answered something not understood: {line!r}")
        uuid, label, kind = (_unescape(word) or None for word in words[1:])
        found.append({"type": kind, "offset": int(words[0], 16), "uuid": uuid, "label": label})
    return found


def parse_partx(text):
    r"""
    Read the output of ``partx --pairs``.

    text (str)
        Lines ``NR="1" START="2048" ...``; special characters are ``\x`` escapes.

    Returns a list of dicts ``number``, ``start`` and ``size`` (bytes), ``label``, ``type``.

    Raises CommandExecutionError when a line is something else.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.parse_partx 'NR="1" START="2048" SECTORS="99" NAME="" TYPE="0x83"'

    Source: partx(8)
    """
    found = []
    for line in filter(None, text.split("\n")):
        pairs = {key: _unescape(value) for key, value in re.findall(r'([A-Z]+)="([^"]*)"', line)}
        numbers = [pairs.get(key, "") for key in ("NR", "START", "SECTORS")]
        if not all(number.isdigit() for number in numbers) or "TYPE" not in pairs:
            raise CommandExecutionError(f"partx answered something not understood: {line!r}")
        number, start, sectors = map(int, numbers)
        label, kind = pairs.get("NAME") or None, pairs["TYPE"].lower() or None
        entry = {"number": number, "start": start * 512, "size": sectors * 512}
        found.append({**entry, "label": label, "type": kind})
    return found


def parse_mountinfo(text):
    """
    Read the text of /proc/self/mountinfo.

    text (str)
        Its content.

    Returns a list of dicts ``devno`` (``maj:min``), ``root``, ``point``, ``type``,
    ``source``, ``options``.

    Raises CommandExecutionError when a line is something else.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.parse_mountinfo "$(cat /proc/self/mountinfo)"

    Source: proc(5)
    """
    found = []
    for line in filter(None, text.split("\n")):
        left, separator, right = line.partition(" - ")
        left, right = left.split(" "), right.split(" ")
        if not separator or len(left) < 6 or len(right) < 2:
            raise CommandExecutionError(f"a line of mountinfo is not understood: {line!r}")
        root, point, kind, source = map(_octal, (left[3], left[4], right[0], right[1]))
        entry = {"devno": left[2], "root": root, "point": point, "type": kind, "source": source}
        found.append({**entry, "options": left[5]})
    return found


def _unescape(word):
    raw = re.sub(
        rb"\\x([0-9a-f]{2})",
        lambda hit: bytes([int(hit[1], 16)]),
        word.encode("utf-8", "surrogateescape"),
    )
    return raw.decode("utf-8", "replace")


def _octal(word):
    return re.sub(r"\\([0-7]{3})", lambda hit: chr(int(hit[1], 8)), word)


def blkid(device, offset=None, size=None):
    """
    Ask the device itself, never a cache, what it holds.

    device (str)
        Path of a disk or a partition.
    offset (int, bytes, optional), size (int, bytes, optional)
        Look at this area as if it were a device.

    Returns the printed keys, ``{}`` when nothing is recognised, ``{"AMBIVALENT": "yes"}``
    when more than one thing is.

    Raises CommandExecutionError when it could not look. A device that cannot be read
    gives the same exit code as an empty one, but not without a message.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.blkid /dev/vdb

    Source: blkid(8)
    """
    area = [] if offset is None else ["-O", str(offset)]
    area += [] if size is None else ["-S", str(size)]
    argv = ["blkid", "-p", *area, "-o", "export", device]
    answer = __salt__["host.run"](argv, accept=(0, 2, 8))
    if answer["retcode"] == 8:
        return {"AMBIVALENT": "yes"}
    found = parse_blkid(answer["stdout"])
    if bool(found) != (answer["retcode"] == 0) or (not found and answer["stderr"].strip()):
        said = " ".join((answer["stdout"] + answer["stderr"]).split()) or "nothing"
        raise CommandExecutionError(
            f"`{' '.join(argv)}` gave no clear answer: exit code {answer['retcode']}, "
            f"it said: {said[-300:]}"
        )
    if found.get("DEVNAME", device) != device:
        raise CommandExecutionError(
            f"`{' '.join(argv)}` answered about another device: {found['DEVNAME']}"
        )
    return found


def wipefs(device):
    """
    List every signature on a device, also those that blkid passes over.

    device (str)
        Path of a disk or a partition.

    Returns a list of dicts ``type``, ``offset`` (bytes), ``uuid``, ``label``.

    Raises CommandExecutionError when it could not look.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.wipefs /dev/vdb

    Source: wipefs(8)
    """
    answer = __salt__["host.run"](["wipefs", "--no-act", "-p", device])
    found = parse_wipefs(answer["stdout"])
    if not found and answer["stderr"].strip():
        said = " ".join(answer["stderr"].split())
        raise CommandExecutionError(f"`wipefs --no-act -p {device}` gave no clear answer: {said}")
    return found


def table(device):
    """
    List the partitions that the table on the disk holds, whatever the kernel knows of them.

    device (str)
        Path of a disk that has a partition table.

    Returns a list of dicts ``number``, ``start`` and ``size`` (bytes), ``label``, ``type``.

    Raises CommandExecutionError when it could not look.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.table /dev/vdb

    Source: partx(8)
    """
    columns = "NR,START,SECTORS,NAME,TYPE"
    answer = __salt__["host.run"](["partx", "--pairs", "--bytes", "--output", columns, device])
    return parse_partx(answer["stdout"])


def mounts():
    """
    List what is mounted, with the block devices behind it.

    Returns the list of ``parse_mountinfo``, each with ``devnos``: the ``maj:min`` of every
    block device that carries it directly (btrfs hides them behind a number of its own).

    Raises CommandExecutionError when the kernel's list cannot be read.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.mounts

    Source: proc(5)
    """
    text = __salt__["host.read"](f"{PROC}/self/mountinfo")
    if not text:
        raise CommandExecutionError(f"{PROC}/self/mountinfo is empty or missing")
    found = parse_mountinfo(text)
    for mount in found:
        devnos = {mount["devno"]}
        if mount["devno"].startswith("0:") and mount["source"].startswith("/dev/"):
            devnos = {devno(mount["source"])} - {None}
        if mount["type"] == "btrfs":
            devnos.update(*(group for group in _btrfs() if devnos & group))
        mount["devnos"] = sorted(devnos)
    return found


def _btrfs():
    folder = f"{SYSFS}/fs/btrfs"
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        members = f"{folder}/{name}/devices"
        if os.path.isdir(members):
            yield {attribute(f"{members}/{member}", "dev") for member in os.listdir(members)}


def swaps():
    """
    List the block devices that are active swap.

    Returns a dict ``maj:min`` to path. Swap files are not in it.

    Raises CommandExecutionError when the kernel's list cannot be read.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.swaps

    Source: proc(5)
    """
    lines = (__salt__["host.read"](f"{PROC}/swaps") or "").split("\n")[1:]
    paths = [_octal(line.split()[0]) for line in lines if line.strip()]
    return {number: path for path in paths if (number := devno(path))}


def system():
    """
    Say which block devices the running system lives on, down to the disks.

    Returns a dict ``maj:min`` to the reason, for example ``holds /``.

    Raises CommandExecutionError when the kernel's lists cannot be read.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.system

    Source: sysfs(5), the directories slaves/ of the kernel's block devices
    """
    reasons = {}
    for mount in mounts():
        if mount["point"] in SYSTEM_MOUNTS:
            for number in mount["devnos"]:
                _below(number, f"holds {mount['point']}", reasons)
    for number in swaps():
        _below(number, "holds active swap", reasons)
    return reasons


def _below(number, reason, reasons):
    if number in reasons:
        return
    folder = os.path.realpath(f"{SYSFS}/dev/block/{number}")
    if not os.path.isdir(folder):
        return
    reasons[number] = reason
    if os.path.exists(f"{folder}/partition"):
        _below(attribute(os.path.dirname(folder), "dev"), reason, reasons)
    slaves = f"{folder}/slaves"
    for slave in os.listdir(slaves) if os.path.isdir(slaves) else ():
        _below(attribute(f"{slaves}/{slave}", "dev"), reason, reasons)


def devno(path):
    """
    Give the number of a block device.

    path (str)
        Path, links are followed.

    Returns ``maj:min``, or None when there is no block device.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.devno /dev/vdb

    Source: stat(2)
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISBLK(found.st_mode):
        return None
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"


def attribute(folder, name):
    """
    Read one attribute out of sysfs.

    folder (str)
        The device's folder.
    name (str)
        The attribute's file, for example ``dev`` or ``device/serial``.

    Returns its text without white space around it, or None when it is not there or empty.

    Raises CommandExecutionError when it is there and cannot be read.

    CLI Example:

    .. code-block:: bash

        salt '*' diskread.attribute /sys/class/block/vda size

    Source: sysfs(5)
    """
    text = __salt__["host.read"](f"{folder}/{name}")
    return (text or "").strip().strip("\0").strip() or None
