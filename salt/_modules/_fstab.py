"""
Single lines of /etc/fstab: read them, set one, remove one; every other line stays as it is.
"""

import os
import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _host

FSTAB = "/etc/fstab"
SYSTEMD = "/run/systemd/system"
TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
FIELDS = ("spec", "file", "type", "options", "freq", "passno")
_ESCAPED = {letter: f"\\{ord(letter):03o}" for letter in "\\ \t\n\r#"}


# --- Pure ---


def parse(text):
    r"""
    Read the text of an fstab. Returns a list of dicts, see ``entries``. Comments and malformed
    lines are left out.
    """
    return [entry for entry in map(_parse_line, text.split("\n")) if entry]


def _parse_line(line):
    # Only these separate: a name may hold any other kind of space.
    words = re.split("[ \t]+", line.removesuffix("\r").strip(" \t"))
    if len(words) < 3 or words[0].startswith("#"):
        return None
    words = [*words[:6], *("defaults", "0", "0")[len(words[:6]) - 3 :]]
    if not all(re.fullmatch("[+-]?[0-9]+", word) for word in words[4:]):
        return None
    entry = dict(zip(FIELDS, map(_decode, words), strict=True))
    return {**entry, "freq": int(words[4]), "passno": int(words[5])}


def _matches(entry, wanted):
    return entry is not None and all(
        place(entry[key]) == place(value) for key, value in wanted.items()
    )


def place(path):
    """A path as systemd takes it: with one slash where there are more, and none at its end."""
    return os.path.normpath(f"/{path.lstrip('/')}") if path.startswith("/") else path


def _decode(word):
    # As libmount: any three digits, not only those that somebody has to write.
    return re.sub(r"(?:\\[0-7]{3})+", _bytes, word)


def _bytes(hit):
    codes = (int(code, 8) & 255 for code in hit[0].split("\\")[1:])
    return bytes(codes).decode("utf-8", "surrogateescape")


def tag(spec):
    """
    Read a name such as ``LABEL="my data"``. Returns (name, value), as libblkid takes it; None for a
    path, and for what is none to libblkid.
    """
    name, equals, value = spec.partition("=")
    if not equals or name not in TAGS:
        return None
    if value[:1] in ("'", '"'):
        value, end, _ = value[1:].rpartition(value[0])
        return (name, value) if end else None
    return name, value


def link(name, value):
    """The link of udev that systemd takes for such a name: as it writes it, with bytes escaped."""
    coded = re.sub(
        r"[^A-Za-z0-9#+\-.:=@_\x80-\U0010ffff]", lambda hit: f"\\x{ord(hit[0]):02x}", value
    )
    return f"/dev/disk/by-{name.lower()}/{coded}"


def _encode(word):
    return "".join(_ESCAPED.get(letter, letter) for letter in word)


def _format_line(entry):
    return " ".join(_encode(str(entry[field])) for field in FIELDS)


def replaced(text, wanted, entry, path=FSTAB):
    """
    Replace the one line that is meant, or append one; all others stay byte for byte. Returns the
    new text.
    """
    lines = text.split("\n")
    found = [number for number, line in enumerate(lines) if _matches(_parse_line(line), wanted)]
    if len(found) > 1:
        raise CommandExecutionError(
            f"{path} has {len(found)} lines for the same thing (lines "
            f"{', '.join(str(number + 1) for number in found)}): "
            f"`{lines[found[0]]}` and `{lines[found[1]]}`. Nothing was written. "
            "Remove the wrong one, then run again"
        )
    if found:
        if entry is None:
            del lines[found[0]]
        elif _parse_line(lines[found[0]]) != entry:
            lines[found[0]] = _format_line(entry)
        return "\n".join(lines)
    if entry is None:
        return text
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{end}{_format_line(entry)}\n"


# --- The machine ---


def entries():
    r"""
    Read the host's fstab. Returns a list of dicts ``spec``, ``file``, ``type``, ``options``,
    ``freq``, ``passno`` in the order of the file, ``\040`` escapes decoded; lines that are no
    entry are left out.
    """
    return parse(_read())


def set_entry(spec, file, type, options, freq=0, passno=0, key="file"):
    """
    Make sure that fstab has exactly this line; all other lines stay byte for byte. Returns True
    when the file was changed, False when the line was there already.
    """
    if key not in ("file", "spec"):
        raise SaltInvocationError(f"key is {key!r}, it must be file or spec")
    if not isinstance(options, str):
        options = ",".join(options)
    entry = dict(zip(FIELDS, (spec, file, type, options, int(freq), int(passno)), strict=True))
    for field in FIELDS[:4]:
        if not entry[field] or "\0" in entry[field]:
            raise SaltInvocationError(f"{field} is {entry[field]!r}, it cannot stand in {FSTAB}")
    return _write({key: entry[key]}, entry)


def remove_entry(spec=None, file=None):
    """
    Remove the one line with this spec or this mount point, or both when both are given. Returns
    True when a line was removed, False when there was none.
    """
    wanted = {key: value for key, value in (("spec", spec), ("file", file)) if value is not None}
    if not wanted:
        raise SaltInvocationError("fstab.remove_entry needs a spec or a file")
    return _write(wanted, None)


def _read():
    return _host.read(FSTAB) or ""


def _write(wanted, entry):
    text = _read()
    new = replaced(text, wanted, entry, FSTAB)
    if new == text:
        return False
    _host.write(FSTAB, new, mode=None)
    # systemd turns fstab into units when it reloads; until then the old ones count.
    if os.path.isdir(SYSTEMD):
        _host.run(["systemctl", "daemon-reload"])
    return True
