"""
Who has the last word at boot: the drop-in directories of sysctl and modprobe, read in
the order in which the host reads them. Nothing here changes the host.
"""

import os
import re

import _host

ROOT = ""  # tests put a directory here
_FOLDERS = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")


def sysctl_after(path, keys):
    """
    Find the assignments that are read after a sysctl file of ours and override it. Returns a list
    of dicts, in reading order: ``file``, ``key`` and ``value`` (str).
    """
    ours = os.path.basename(path)
    later = [name for name in _files("sysctl.d") if os.path.basename(name) > ours]
    found = []
    for name in [*later, "/etc/sysctl.conf"]:
        values = parse_sysctl(_read(name) or "")
        found += [{"file": name, "key": key, "value": values[key]} for key in keys if key in values]
    return found


def module_options(module, option):
    """
    Find every place that sets an option of a kernel module; the last one counts. Returns a list of
    dicts in the order in which the kernel gets them: ``file`` (``/proc/cmdline`` for the kernel's
    command line) and ``value`` (str).
    """
    found = []
    for name in _files("modprobe.d"):
        values = parse_options(_read(name) or "", module, option)
        found += [{"file": name, "value": value} for value in values]
    words = (_read("/proc/cmdline") or "").split()
    pairs = [word.partition("=") for word in words]
    wanted = f"{module}.{option}"
    return found + [
        {"file": "/proc/cmdline", "value": value}
        for key, _, value in pairs
        if key.replace("-", "_") == wanted
    ]


def parse_sysctl(text):
    """
    Read the text of a sysctl file. Returns a dict of dotted key to value (str); the last
    assignment of a key counts. Patterns are left out: a key that is named counts more than a
    pattern.
    """
    values = {}
    for line in text.splitlines():
        line = line.strip()
        if line.startswith(("#", ";")) or "=" not in line:
            continue
        key, _, value = line.partition("=")
        values[_dotted(key.strip().lstrip("-"))] = value.strip()
    return values


def parse_options(text, module, option):
    """
    Read one option of one module from the text of a modprobe file. Returns a list of values (str)
    in their order.
    """
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split()
        if words[:1] != ["options"] or words[1:2] == [] or words[1].replace("-", "_") != module:
            continue
        found += [word[len(option) + 1 :] for word in words[2:] if word.startswith(f"{option}=")]
    return found


def _dotted(key):
    """The first separator decides which one it is: `net/ipv4/conf/eth0.1/...` is the other."""
    first = re.search(r"[./]", key)
    if first and first[0] == "/":
        return key.translate(str.maketrans("/.", "./"))
    return key


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


def _read(path):
    return _host.read(ROOT + path)
