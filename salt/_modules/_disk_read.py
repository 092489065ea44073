"""
What blkid, wipefs and partx say about a device, each answer checked: "nothing there" is
empty, "could not look" and "not understood" raise. ``_disk`` adds it up.
"""

import re
import struct

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


def gpt_used(device, sector=512):
    """
    Count the entries in use in the first copy of a GPT, without a tool that may be wrong. Returns
    the number, or None when there is no such copy or it makes no sense.
    """
    try:
        with open(device, "rb") as disk:
            disk.seek(sector)
            head = disk.read(92)
            if len(head) < 92 or head[:8] != b"EFI PART":
                return None
            place, count, size = struct.unpack_from("<QII", head, 72)
            if size < 128 or count * size > 1 << 20:
                return None
            disk.seek(place * sector)
            entries = disk.read(count * size)
    except OSError as exc:
        raise CommandExecutionError(f"{device} could not be read: {exc.strerror}") from exc
    # An entry without a type is free.
    return sum(any(entries[at : at + 16]) for at in range(0, len(entries), size))
