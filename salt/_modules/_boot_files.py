"""
Who has the last word at boot: the drop-in directories of sysctl, modprobe and tmpfiles, and
tuned's profile, read in the order in which the host reads them. Nothing here changes the host.
"""

import fnmatch
import os
import re

import _host
import _systemd_unit

ROOT = ""  # tests put a directory here
_FOLDERS = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
_TUNED = ("/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned")


def sysctl_after(path, keys):
    """
    Find what is read after a sysctl file of ours and overrides it. Returns a list of dicts, in
    reading order: ``file``, ``key`` and ``value`` (str; None: it takes the key out). A pattern does
    nothing to a key that a file names.
    """
    ours = os.path.basename(path)
    later = [name for name in _files("sysctl.d") if os.path.basename(name) > ours]
    return [each for each in _assigned([*later, "/etc/sysctl.conf"]) if each["key"] in keys]


def sysctl_last(keys):
    """What counts at boot for keys that no file of ours sets: a name before all patterns."""
    last = {}
    for each in _assigned([*_files("sysctl.d"), "/etc/sysctl.conf"]):
        last.pop(each["key"], None)
        last[each["key"]] = each
    found = []
    for key in keys:
        fitting = [each for each in last.values() if _fits(key, each["key"], ".")]
        chosen = last.get(key) or (fitting or [None])[-1]
        if chosen and chosen["value"] is not None:
            found.append({**chosen, "key": key})
    return found


def written_later(paths):
    """What systemd-tmpfiles writes into files of the kernel, and tuned's ``[sysfs]``: after all."""
    found = []
    for name in _files("tmpfiles.d"):
        for line in _lines(name):
            words = _systemd_unit.words(line) or [""]
            if len(words) > 6 and words[0].startswith("w"):
                # The last field is the rest of the line, quotes and all.
                found += _written(name, words[1], line.split(None, 6)[-1].rstrip(), paths)
    for name, section, key, value in _tuned():
        if section == "sysfs":
            found += _written(name, key, value, paths)
    return found


def _written(name, pattern, value, paths):
    pattern = re.sub("/+", "/", pattern)
    fitting = [path for path in paths if _fits(path, pattern, "/")]
    return [{"file": name, "key": path, "value": value} for path in fitting]


def tuned_sysctls(keys, ours):
    """
    What tuned's profile sets, although ``ours`` (keys) are in a file of sysctl.d: those it reads
    again after its own, unless it was told not to.
    """
    reapplied = not re.search(
        r"^[ \t]*reapply_sysctl[ \t]*=[ \t]*(0|false|no|off)\b",
        _read("/etc/tuned/tuned-main.conf") or "",
        re.MULTILINE | re.IGNORECASE,
    )
    return [
        {"file": name, "key": _dotted(key), "value": value}
        for name, section, key, value in _tuned()
        if section == "sysctl" and _dotted(key) in keys
        if not (reapplied and _dotted(key) in ours)
    ]


def module_options(module, option):
    """
    Find every place that sets an option of a kernel module; the last one counts. Returns a list of
    dicts in the order in which the kernel gets them: ``file`` (``/proc/cmdline`` for the kernel's
    command line), ``value`` (str) and ``spaced``: spaces around the sign, an error to the kernel.
    """
    found = []
    for name in _files("modprobe.d"):
        for value, spaced in parse_options(_read(name) or "", module, option):
            found.append({"file": name, "value": value, "spaced": spaced})
    words = (_read("/proc/cmdline") or "").split()
    pairs = [word.lstrip('"').partition("=") for word in words]
    return found + [
        {"file": "/proc/cmdline", "value": value.strip('"'), "spaced": False}
        for key, _, value in pairs
        if key.replace("-", "_") == f"{module}.{option}"
    ]


def parse_sysctl(text):
    """
    Read the text of a sysctl file. Returns a dict of dotted key, which may be a pattern, to value
    (str; None: the key is taken out); the last line of a key counts, and gives it its place.
    """
    values = {}
    for line in map(str.strip, _host.lines(text)):
        key, equals, value = line.partition("=")
        if line.startswith(("#", ";")) or not (equals or line.startswith("-")):
            continue
        key = _dotted(key.removeprefix("-").strip())
        values.pop(key, None)
        values[key] = value.strip() if equals else None
    return values


def parse_options(text, module, option):
    """
    Read one option of one module from the text of a modprobe file, also where the module's own
    command sets it. Returns a list of (value, whether it has spaces around the sign).
    """
    found = []
    for line in _host.lines(text.replace("\\\n", " ")):
        command, name, *rest = [*line.split(None, 2), "", ""]
        if command in ("options", "install") and name.replace("-", "_") == module:
            pattern = rf"(?:^|[\s\"']){option}(\s*=\s*)\"?([^\s\"]+)"
            found += [(each[2], each[1] != "=") for each in re.finditer(pattern, rest[0])]
    return found


def number(text):
    """The number that the kernel reads: decimal, octal or hexadecimal. None: it is none."""
    match = re.fullmatch(r"\s*(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))\s*", text)
    if not match:
        return None
    return int(match[match.lastindex], {1: 16, 2: 8, 3: 10}[match.lastindex])


def _assigned(files):
    return [
        {"file": name, "key": key, "value": value}
        for name in files
        for key, value in parse_sysctl(_read(name) or "").items()
    ]


def _fits(name, pattern, separator):
    """As glob(7): a star is no separator."""
    parts, patterns = name.split(separator), pattern.split(separator)
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


def _dotted(key):
    """The first separator decides which one it is: `net/ipv4/conf/eth0.1/...` is the other."""
    first = re.search(r"[./]", key)
    if first and first[0] == "/":
        key = key.translate(str.maketrans("/.", "./"))
    return re.sub(r"\.+", ".", key).strip(".")


def _tuned():
    """File, section, key and value of tuned's active profile and those that it includes."""
    return [
        line
        for profile in (_read("/etc/tuned/active_profile") or "").split()
        for line in _profile(profile, ())
    ]


def _profile(name, above):
    paths = (f"{folder}/{name}/tuned.conf" for folder in _TUNED)
    path = next((each for each in paths if os.path.isfile(ROOT + each)), None)
    if path is None or name in above:
        return []
    section, own, included = "", [], []
    for line in map(str.strip, _lines(path)):
        if line.startswith("["):
            section = line.strip("[] \t")
        elif "=" in line and not line.startswith(("#", ";")):
            key, value = (each.strip() for each in line.split("=", 1))
            own.append((path, section, key, value))
            if (section, key) == ("main", "include"):
                included += re.split(r"[,;\s]+", value)
    # What a section is for, its name says, or its type.
    types = {section: value for _, section, key, value in own if key == "type"}
    own = [(path, types.get(section, section), key, value) for path, section, key, value in own]
    return [line for each in included for line in _profile(each, (*above, name))] + own


def _files(kind):
    """Of two files with one name the one in the first folder counts; the names give the order."""
    chosen = {}
    for folder in _FOLDERS:
        path = f"{folder}/{kind}"
        try:
            names = os.listdir(ROOT + path)
        except FileNotFoundError:
            continue
        for name in names:
            if name.endswith(".conf"):
                chosen.setdefault(name, f"{path}/{name}")
    return [chosen[name] for name in sorted(chosen) if not os.path.isdir(ROOT + chosen[name])]


def _lines(path):
    return _host.lines(_read(path) or "")


def _read(path):
    return _host.read(ROOT + path)
