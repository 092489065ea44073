"""
The versions that Docker's packages carry, and what follows from them; all of it pure.
"""

import re

from salt.exceptions import CommandExecutionError

# Every package that has shipped a Docker daemon; Debian's `docker` is something else.
_DAEMONS = {"rpm": ("docker-ce", "docker-engine", "docker"), "deb": ("docker-ce", "docker.io")}
# What docker-ce obsoletes, so that one transaction replaces it.
_REPLACED = ("docker-engine", "docker-engine-selinux", "docker-ce-selinux")
_DEVICEMAPPER_GONE = (25,)
_CLIENT_APART = (18, 9)
# In place of a version that no package manager knows yet.
OFFERED = "what is on offer"
# From 1.12 on docker-engine's RPM, and Enterprise Linux's own docker, have no docker.socket.
_NO_SOCKET = (1, 12)


def upstream(version):
    """
    Take Docker's own version out of a package version. Returns a tuple of int such as ``(24, 0,
    9)``; None when there are no two numbers.
    """
    match = re.match(r"(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?", version or "")
    return tuple(int(part or 0) for part in match.groups()) if match else None


def plain(version):
    """
    Drop the epoch, which a pillar may leave out and ``yum install`` does not take. Returns the
    version (str) without ``<number>:``.
    """
    return version.partition(":")[2] if re.match(r"\d+:", version) else version


def targets(package, version, epochs=True):
    """List the packages that carry one Docker. Returns a dict of name to version."""
    version = plain(version) if version and not epochs else version
    found = {package: version}
    if package == "docker-ce" and version and upstream(version) >= _CLIENT_APART:
        found["docker-ce-cli"] = version
    return found


def has_socket(package, version):
    """
    Tell whether the package ships ``docker.socket``, which ``-H fd://`` needs. Returns a bool.
    """
    # Debian's packages had the socket from the start.
    if not re.search(r"\.(el|fc|amzn)\d", version or ""):
        return True
    number = upstream(version) or (0,)
    if package == "docker-ce":
        return number >= _CLIENT_APART
    return package not in ("docker", "docker-engine") or number < _NO_SOCKET


def related(package, version, rpm):
    """List every package whose presence matters for a Docker. Returns a list of names."""
    return list(dict.fromkeys((*carriers(package, version, rpm), *_REPLACED)))


def carriers(package, version, rpm):
    """
    List the packages that an upgrade must not touch, or another Docker runs. Returns a list of
    names.
    """
    daemons = _DAEMONS["rpm" if rpm else "deb"]
    return list(dict.fromkeys((*daemons, "docker-engine", *targets(package, version))))


def refusal(package, version, seen, pool=False):
    """Say why this Docker must not be installed here. Returns one line (str), or None."""
    foreign = [name for name in _installed_daemons(seen) if name != package]
    if package == "docker-ce":
        foreign = [name for name in foreign if name not in _REPLACED]
    if foreign:
        have = f"{foreign[0]} {seen['installed'][foreign[0]]}"
        return (
            f"{have} is installed and rancher:docker:package asks for {package}; nothing was "
            f"changed. Set rancher:docker:package to {foreign[0]}, or remove it by hand first"
        )
    return _older(package, version, seen) or (_too_new(package, version, seen) if pool else None)


def _installed_daemons(seen):
    known = {"docker-engine", *_DAEMONS["rpm"], *_DAEMONS["deb"]}
    return [name for name in seen["installed"] if name in known]


def _older(package, version, seen):
    if not version:
        return None
    for name in _installed_daemons(seen):
        have = seen["installed"][name]
        older = seen["newer_than_wanted"] if name == package else False
        if older or (upstream(have) or ()) > upstream(version):
            return (
                f"{name} {have} is installed and rancher:docker:version asks for the older "
                f"{version}; an older Docker may not read a newer one's data, so nothing was "
                f"changed. Set rancher:docker:version to {have}"
            )
    return None


def _too_new(package, version, seen):
    chosen = version or seen["installed"].get(package) or seen["on_offer"]
    if chosen and (upstream(chosen) or ()) >= _DEVICEMAPPER_GONE:
        return (
            f"{package} {chosen} has no devicemapper driver (removed in 25) and "
            "rancher:thin_pool:device asks for a thin pool; nothing was changed. Set "
            "rancher:docker:version to one below 25, or rancher:thin_pool:device to null"
        )
    return None


def as_installed(changes, installed):
    """
    The changes as they came out: the lists may have moved since a version was foretold. Returns the
    same dict; what was not foretold stays so, as a dry run has it.
    """
    for name, change in changes.items():
        have = installed.get(name)
        if have and change["new"] not in (None, OFFERED) and plain(have) != plain(change["new"]):
            change["new"] = have
    return changes


def plan(package, version, seen, pool=False, foretold=True):
    """
    Name the packages that must come, change or go. Returns ``{package: {"old": version or None,
    "new": version or None}}``; what is on offer by its version, where a dry run could foretell it.
    """
    reason = refusal(package, version, seen, pool)
    if reason:
        raise CommandExecutionError(reason)
    on_offer = (seen["on_offer"] if foretold else None) or OFFERED
    changes = {}
    for name, wanted in targets(package, version, seen["epochs"]).items():
        have = seen["installed"].get(name)
        same = have and (wanted is None or have == wanted or plain(have) == wanted)
        if not same:
            changes[name] = {"old": have or None, "new": wanted or on_offer}
    if package == "docker-ce":
        for name in _REPLACED:
            if seen["installed"].get(name):
                changes[name] = {"old": seen["installed"][name], "new": None}
    return changes
