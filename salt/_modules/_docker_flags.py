"""
What systemd units and variable files tell the Docker daemon on its command line; all of it pure.
"""

import os
import re
import shlex

import _host

_SHORT = {
    "-D": "debug",
    "-G": "group",
    "-H": "hosts",
    "-b": "bridge",
    "-g": "graph",
    "-l": "log-level",
    "-p": "pidfile",
    "-s": "storage-driver",
}
# Flags that can be given more than once are called otherwise in daemon.json.
_PLURAL = {
    "add-runtime": "runtimes",
    "authorization-plugin": "authorization-plugins",
    "default-ulimit": "default-ulimits",
    "dns-opt": "dns-opts",
    "exec-opt": "exec-opts",
    "host": "hosts",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}


def parse_flags(words):
    """
    Find the daemon's flags in a command line. Returns a dict: key of daemon.json to the flag as it
    is written.
    """
    found = {}
    for word in words:
        flag = word.partition("=")[0]
        if re.fullmatch(r"--[a-z][a-z0-9-]+", flag):
            found[_PLURAL.get(flag[2:], flag[2:])] = flag
        elif word[:2] in _SHORT and not word.startswith("--"):
            found[_SHORT[word[:2]]] = word[:2]
    return found


def parse_unit(text):
    """
    Read what matters in a systemd unit or drop-in. Returns a dict: ``commands`` (lists of words of
    ExecStart; an empty list takes earlier ones back) and ``files`` (paths of EnvironmentFile).
    """
    unit = {"commands": [], "files": []}
    for line in _host.lines(text.replace("\\\n", " ")):
        key, equals, value = line.strip().partition("=")
        if equals and key.strip() == "ExecStart":
            unit["commands"].append(_words(value))
        elif equals and key.strip() == "EnvironmentFile":
            unit["files"].append(value.strip().lstrip("-"))
    return unit


def parse_variables(text):
    """
    Read a file of shell variables. Returns a dict of name to words, of the lines that are no
    comments.
    """
    found = {}
    for line in _host.lines(text.replace("\\\n", " ")):
        match = re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)", line)
        if match:
            found[match[1]] = [part for word in _words(match[2]) for part in word.split()]
    return found


def _words(text):
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()


def reason(words, keys, socket=True):
    """
    Say why a command line cannot work with our daemon.json. Returns a text for the report (str),
    or None.
    """
    if len(words) > 1 and os.path.basename(words[0]) == "docker" and words[1] in ("daemon", "-d"):
        return f"starts `docker {words[1]}`, which newer packages do not have"
    if not socket and any("fd://" in word for word in words):
        return "listens on fd://, and this Docker has no docker.socket"
    flags = parse_flags(words)
    if "config-file" in flags and "--config-file=/etc/docker/daemon.json" not in words:
        return "reads another file than /etc/docker/daemon.json"
    both = [flag for key, flag in flags.items() if key in keys]
    return f"passes {', '.join(both)}, which daemon.json sets" if both else None
