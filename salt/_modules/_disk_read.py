"""
What blkid, wipefs and partx say about a device, each answer checked: "nothing there" is
empty, "could not look" and "not understood" raise. ``_disk`` adds it up.
"""

import os
import re
import struct
import zlib

from salt.exceptions import CommandExecutionError

import _host


def parse_blkid(text):
    r"""Read the output of ``blkid -p -o export``. Returns a dict, keys as printed."""
    found = {}
    for line in filter(None, text.split("\n")):
        key, sign, value = line.partition("=")
        if not sign or not re.fullmatch(r"[A-Z][A-Z0-9_]*", key):
            raise CommandExecutionError(f"blkid answered something not understood: {line!r}")
        found[key] = re.sub(r"\\(.)", r"\1", value)
    return found


def parse_wipefs(text):
    r"""
    Read the output of ``wipefs --no-act -p``, old (with a heading) and new. Returns a list of
    dicts ``type``, ``offset`` (bytes), ``uuid``, ``label``.
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
    Read the output of ``partx --pairs``. Returns a list of dicts ``number``, ``start`` and
    ``size`` (bytes), ``label``, ``type``.
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


def _unescape(word):
    raw = re.sub(
        rb"\\x([0-9a-f]{2})",
        lambda hit: bytes([int(hit[1], 16)]),
        word.encode("utf-8", "surrogateescape"),
    )
    return raw.decode("utf-8", "replace")


def blkid(device, offset=None, size=None):
    """
    Ask the device itself, never a cache, what it holds. Returns the printed keys, ``{}`` when
    nothing is recognised, ``{"AMBIVALENT": "yes"}`` when more than one thing is.
    """
    area = [] if offset is None else ["-O", str(offset)]
    area += [] if size is None else ["-S", str(size)]
    argv = ["blkid", "-p", *area, "-o", "export", device]
    answer = _host.run(argv, accept=(0, 2, 8))
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
    List every signature on a device, also those that blkid passes over. Returns a list of dicts
    ``type``, ``offset`` (bytes), ``uuid``, ``label``.
    """
    return parse_wipefs(_said(["wipefs", "--no-act", "-p", device]))


def _said(argv):
    """The answer. An empty one beside a complaint is not "nothing there"."""
    answer = _host.run(argv)
    if answer["stderr"].strip() and not answer["stdout"].strip():
        said = " ".join(answer["stderr"].split())[-300:]
        raise CommandExecutionError(f"`{' '.join(argv)}` gave no clear answer: {said}")
    return answer["stdout"]


def table(device):
    """
    List the partitions that the table on the disk holds, whatever the kernel knows of them.
    Returns a list of dicts ``number``, ``start`` and ``size`` (bytes), ``label``, ``type``.
    """
    columns = "NR,START,SECTORS,NAME,TYPE"
    return parse_partx(_said(["partx", "--pairs", "--bytes", "--output", columns, device]))


def with_tag(name, value):
    """The devices (paths) that have this UUID or LABEL, asked without any cache."""
    argv = ["blkid", "-c", "/dev/null", "-o", "device", "-t", f"{name}={value}"]
    return _host.run(argv, accept=(0, 2))["stdout"].split()


def protective_mbr(device):
    """Whether the first sector is the MBR that belongs to a GPT; not every wipefs lists it."""
    head = _bytes(device, 0, 512)
    return head[510:] == b"\x55\xaa" and 0xEE in head[450:510:16]


def gpt_names(device, sector=512):
    """
    The names of the entries in use in the first copy of a GPT by their numbers, without a tool: it
    may be wrong, and leaves out blanks. None when there is no such copy or it makes no sense.
    """
    head = _bytes(device, sector, 92)
    if len(head) < 92 or head[:8] != b"EFI PART":
        return None
    place, count, size = struct.unpack_from("<QII", head, 72)
    if size < 128 or count * size > 1 << 20:
        return None
    entries = _bytes(device, place * sector, count * size)
    found = (entries[at : at + size] for at in range(0, len(entries), size))
    # An entry without a type is free.
    return {
        number: entry[56:128].decode("utf-16-le", "replace").partition("\0")[0]
        for number, entry in enumerate(found, 1)
        if any(entry[:16])
    }


def gpt_size(device, sector=512):
    """The size in bytes of the disk that the first copy of a GPT was made for; None without one."""
    head = _bytes(device, sector, sector)
    if len(head) < sector or head[:8] != b"EFI PART":
        return None
    length, told = struct.unpack_from("<II", head, 12)
    if not 92 <= length <= sector or zlib.crc32(head[:16] + bytes(4) + head[20:length]) != told:
        return None
    return (struct.unpack_from("<Q", head, 32)[0] + 1) * sector


def interrupted_xfs(device):
    """
    Whether an xfs was never completed: the first write of mkfs.xfs, xfs_copy and xfs_mdrestore
    sets a flag (sb_inprogress) that their last one clears, and no kernel mounts it before.
    """
    block = _bytes(device, 0, 512)
    return block[:4] == b"XFSB" and len(block) > 126 and block[126] != 0


def ext_backup(device):
    """
    The first backup superblock of an ext2, ext3 or ext4 whose first one is lost: a dict ``block``
    and ``size`` (bytes of a block), as ``e2fsck -b -B`` takes them; None when there is none.
    """
    for size in (1024, 2048, 4096, 65536):
        block = size * 8 + (size == 1024)
        head = _bytes(device, block * size, 1024)
        if len(head) == 1024 and head[56:58] == b"\x53\xef":
            shift, group = (
                struct.unpack_from("<I", head, 24)[0],
                struct.unpack_from("<H", head, 90)[0],
            )
            if (1024 << shift, group) == (size, 1):
                return {"block": block, "size": size}
    return None


def _bytes(device, offset, length):
    try:
        with open(device, "rb", buffering=0) as source:
            os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            # Beyond its end a block device cannot even be sought.
            if offset >= source.seek(0, os.SEEK_END):
                return b""
            source.seek(offset)
            return source.read(length)
    except OSError as exc:
        raise CommandExecutionError(f"{device} could not be read: {exc.strerror}") from exc
