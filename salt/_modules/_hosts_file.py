"""
The text of /etc/hosts and the host's own name in it; nothing here touches a file.
"""

import re

import _host

# The address that Debian gives to a host without a fixed one; the line with it is ours.
OWN = "127.0.1.1"


def address(text, hostname):
    """
    Tell which address the text gives to a name. Returns the address in the first line that names
    it, the one that counts; else None.
    """
    found = _naming(text, hostname)
    return found[1] if found else None


def resolves(text, hostname):
    """
    Tell whether a name has a line in which it comes first, or one of the network's addresses.
    Returns a bool.
    """
    found = _naming(text, hostname)
    return bool(found) and (found[2][0] == hostname or not is_loopback(found[1]))


def is_loopback(address):
    """Tell whether an address never leaves the host. Returns a bool."""
    return address.startswith("127.") or address == "::1"


def named(text, hostname, former):
    """
    Give the host its name in the text. Returns a dict: ``text``, and the lines that went and came,
    ``old`` (or None) and ``new``.
    """
    lines = [f"{line}\n" for line in _host.lines(text)]
    if lines and not text.endswith("\n"):
        lines[-1] = lines[-1][:-1]
    former = {name.partition(".")[0].lower() for name in former if name} - {"localhost"}
    number = _own_line(lines, former)
    old = lines.pop(number).rstrip() if number is not None else None
    new = _new_line(old, hostname, former)
    found = _naming("".join(lines), hostname)
    if found:
        # Above the line that makes it an alias of localhost: the first one counts.
        number = found[0]
    elif number is None:
        number = _below_localhost(lines)
    if number and not lines[number - 1].endswith("\n"):
        lines[number - 1] += "\n"
    lines.insert(number, new + "\n")
    return {"text": "".join(lines), "old": old, "new": new}


def _parse(line):
    """One line as its address and its names; a comment has neither."""
    # Only these separate words for libc; `str.split` takes U+00A0 and others, too.
    words = re.findall(r"[^ \t\r\n\v\f]+", line.partition("#")[0])
    return (words[0], [word.lower() for word in words[1:]]) if words else (None, [])


def _naming(text, hostname):
    """Number, address and names of the first line that names the host."""
    for number, line in enumerate(_host.lines(text)):
        where, names = _parse(line)
        if hostname in names:
            return number, where, names
    return None


def _own_line(lines, former):
    for number, line in enumerate(lines):
        where, names = _parse(line)
        if where == OWN and any(_is_former(name, former) for name in names):
            return number
    return None


def _is_former(name, former):
    return name.partition(".")[0] in former


def _new_line(old, hostname, former):
    names = [hostname, hostname.partition(".")[0]]
    names += [name for name in _parse(old or "")[1] if not _is_former(name, former)]
    comment = old[old.index("#") :] if old and "#" in old else ""
    return " ".join([OWN, *dict.fromkeys(names), comment]).rstrip()


def _below_localhost(lines):
    numbers = [n for n, line in enumerate(lines) if _parse(line)[0] == "127.0.0.1"]
    return numbers[0] + 1 if numbers else len(lines)
