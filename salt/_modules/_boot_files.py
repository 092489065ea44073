"""
Who has the last word at boot: the drop-in directories of sysctl, modprobe and tmpfiles, and
tuned's profile, read in the order in which the host reads them. Nothing here changes the host.
"""

import fnmatch
import os
import re

import _host

ROOT = ""  # tests put a directory here
_FOLDERS = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
_TUNED = ("/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned")


def sysctl_after(path, keys):
    """
    Find the assignments that are read after a sysctl file of ours and override it. Returns a list
    of dicts, in reading order: ``file``, ``key`` and ``value`` (str).
    """
    ours = os.path.basename(path)
    later = [name for name in _files("sysctl.d") if os.path.basename(name) > ours]
    return _assigned([*later, "/etc/sysctl.conf"], keys)


def sysctl_last(keys):
    """What counts at boot for keys that no file of ours sets: the last of all assignments."""
    found = _assigned([*_files("sysctl.d"), "/etc/sysctl.conf"], keys, patterns=True)
    return list({each["key"]: each for each in found}.values())


def written_later(paths):
    """What systemd-tmpfiles writes into files of the kernel, and tuned's ``[sysfs]``: after all."""
    found = []
    for name in _files("tmpfiles.d"):
        for words in map(str.split, _lines(name)):
            if len(words) > 6 and words[0].startswith("w") and words[1] in paths:
                found.append({"file": name, "key": words[1], "value": " ".join(words[6:])})
    for name, section, key, value in _tuned():
        if section == "sysfs" and key in paths:
            found.append({"file": name, "key": key, "value": value})
    return found


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
    pairs = [word.partition("=") for word in (_read("/proc/cmdline") or "").split()]
    return found + [
        {"file": "/proc/cmdline", "value": value.strip('"'), "spaced": False}
        for key, _, value in pairs
        if key.replace("-", "_") == f"{module}.{option}"
    ]


def parse_sysctl(text):
    """
    Read the text of a sysctl file. Returns a dict of dotted key, which may be a pattern, to value
    (str); the last assignment of a key counts.
    """
    values = {}
    for line in map(str.strip, _host.lines(text)):
        if line.startswith(("#", ";")) or "=" not in line:
            continue
        key, _, value = line.partition("=")
        values[_dotted(key.strip().lstrip("-"))] = value.strip()
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


def _assigned(files, keys, patterns=False):
    found = []
    for name in files:
        for key, value in parse_sysctl(_read(name) or "").items():
            meant = [each for each in keys if each == key or patterns and _fits(each, key)]
            found += [{"file": name, "key": each, "value": value} for each in meant]
    return found


def _fits(key, pattern):
    return fnmatch.fnmatchcase(key, pattern)


def _dotted(key):
    """The first separator decides which one it is: `net/ipv4/conf/eth0.1/...` is the other."""
    first = re.search(r"[./]", key)
    if first and first[0] == "/":
        return key.translate(str.maketrans("/.", "./"))
    return key


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
