"""
The flags of dockerd, in all their spellings; all of it pure.
"""

import os
import re
import shlex

# Flags without a value; every other one takes the next word when it has no "=".
_SWITCHES = frozenset(
    [
        "allow-direct-routing",
        "cri-containerd",
        "daemon",
        "debug",
        "disable-legacy-registry",
        "experimental",
        "help",
        "icc",
        "init",
        "ip-forward",
        "ip-forward-no-drop",
        "ip-masq",
        "ip6tables",
        "iptables",
        "ipv6",
        "live-restore",
        "no-new-privileges",
        "raw-logs",
        "rootless",
        "selinux-enabled",
        "signature-verification",
        "tls",
        "tlsverify",
        "userland-proxy",
        "validate",
        "version",
    ]
)
_SHORT = {
    "D": "debug",
    "G": "group",
    "H": "host",
    "b": "bridge",
    "d": "daemon",
    "g": "graph",
    "h": "help",
    "l": "log-level",
    "p": "pidfile",
    "s": "storage-driver",
    "v": "version",
}
# What daemon.json calls otherwise: flags that can be given more than once, and two of one meaning.
_KEYS = {
    "add-runtime": "runtimes",
    "authorization-plugin": "authorization-plugins",
    "cdi-spec-dir": "cdi-spec-dirs",
    "cluster-store-opt": "cluster-store-opts",
    "default-address-pool": "default-address-pools",
    "default-ulimit": "default-ulimits",
    "dns-opt": "dns-opts",
    "exec-opt": "exec-opts",
    "feature": "features",
    "graph": "data-root",
    "host": "hosts",
    "http-proxy": "proxies",
    "https-proxy": "proxies",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "no-proxy": "proxies",
    "node-generic-resource": "node-generic-resources",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}
# What a daemon takes from both at once.
_MERGED = ("builder", "features", "runtimes")
# Flags that a Docker no longer has, by its version.
_GONE = {"graph": (23,)}
CONFIG = "/etc/docker/daemon.json"


def parse(words):
    """
    Find the daemon's flags in a command line. Returns a list of dicts: ``name`` (long, without dashes),
    ``key`` (of daemon.json), ``flag`` (as it is written), ``value`` (str, None for a switch), ``at``.
    """
    found, at = [], 0
    while at < len(words):
        word, begun = words[at], at
        at += 1
        if word == "--":
            break
        for name, flag, value in _flags(word):
            if value is None and name not in _SWITCHES and at < len(words):
                value, at = words[at], at + 1
            key = _KEYS.get(name, name)
            found.append({"name": name, "key": key, "flag": flag, "value": value, "at": begun})
    return found


def _flags(word):
    """The flags of one word: one long one, or any number of short ones of which the last has a value."""
    if word.startswith("--"):
        flag, equals, value = word.partition("=")
        return [(flag[2:], flag, value if equals else None)]
    found, rest = [], word[1:] if word[:1] == "-" else ""
    while rest:
        name, flag, rest = _SHORT.get(rest[0], rest[0]), f"-{rest[0]}", rest[1:]
        if rest.startswith("=") or name not in _SWITCHES:
            found.append((name, flag, rest.removeprefix("=") if rest else None))
            break
        found.append((name, flag, None))
    return found


def program(words):
    """The daemon's own words where a shell starts it. Returns a list of str."""
    shell = len(words) > 2 and re.fullmatch(r"(.*/)?(ba|da)?sh", words[0])
    if shell and re.fullmatch(r"-[a-z]*c", words[1]):
        try:
            words = shlex.split(words[2])
        except ValueError:
            words = words[2].split()
        words = words[words[:1] == ["exec"] :]
        words = words[2 if words[:1] == ["-a"] else 0 :]
    return words


def old_command(words):
    """How a Docker before 1.12 is started, such as ``docker daemon``; None for today's dockerd."""
    if len(words) > 1 and re.fullmatch(r"docker(-current|-latest)?", os.path.basename(words[0])):
        return f"docker {words[1]}" if words[1] in ("daemon", "-d") else None
    return None


def reasons(flags, keys, socket=True, upstream=None):
    """
    Say why flags cannot stand beside our daemon.json. Returns a list of texts for the report.
    """
    found = []
    if not socket and any(each["key"] == "hosts" and _is_fd(each["value"]) for each in flags):
        found.append("listens on fd://, and this Docker has no docker.socket")
    files = [each["value"] or "" for each in flags if each["key"] == "config-file"]
    if any(name[:1] != "/" or os.path.normpath(name.lstrip("/")) != CONFIG[1:] for name in files):
        found.append(f"reads another file than {CONFIG}")
    both = [each["flag"] for each in flags if each["key"] in keys and collides(each)]
    if both:
        found.append(f"passes {', '.join(dict.fromkeys(both))}, which daemon.json sets")
    gone = [each["flag"] for each in flags if (upstream or (0,)) >= _GONE.get(each["name"], (999,))]
    if gone:
        found.append(f"passes {', '.join(dict.fromkeys(gone))}, which this Docker no longer has")
    return found


def collides(flag):
    """Whether a daemon refuses this flag beside the same key of daemon.json."""
    return flag["key"] not in _MERGED


def _is_fd(value):
    return (value or "").startswith("fd://")
