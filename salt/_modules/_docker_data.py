"""
Where Docker's data was and where it will be looked for, before the configuration changes.

A daemon that is given another data root, storage driver or user mapping starts without a word, and
without the containers, volumes and images of before. So what it would no longer see is counted.
"""

import grp
import json
import os
import pwd

from salt.exceptions import CommandExecutionError

import _docker_storage
import _docker_unit
import _fstab
import _host

ROOT = "/var/lib/docker"
_AT = "rancher:docker:daemon"


# -- pure ----------------------------------------------------------------------------------------


def place(config, flags, ids):
    """
    Where a daemon keeps its data; ``ids(remap)`` gives the numbers of a user mapping. Returns a dict:
    ``base`` (the data root), ``root`` (with the mapping's folder), ``driver`` and ``remap`` (or None).
    """
    remap = _value("userns-remap", config, flags)
    base = _value("data-root", config, flags) or _text(config.get("graph")) or ROOT
    base = os.path.normpath(base)
    numbers = ids(remap) if remap else None
    folder = numbers or "a user mapping that is yet to be made"
    return {
        "base": base,
        "root": os.path.join(base, folder) if remap else base,
        "driver": _variable(flags) or _value("storage-driver", config, flags),
        "remap": remap or None,
    }


def _variable(flags):
    """What DOCKER_DRIVER says; it is no word of the command line, and counts more than the file."""
    given = [flag for flag in flags if flag["key"] == "storage-driver"]
    return next((each["value"] for each in given if each["flag"] == _docker_unit.DRIVER), None)


def _value(key, config, flags):
    given = [flag["value"] for flag in flags if flag["key"] == key and flag["value"]]
    return _text(config.get(key)) or (given[-1] if given else None)


def _text(value):
    # What somebody wrote into daemon.json may be of any type.
    return value if isinstance(value, str) else None


def lowest(text, names):
    """Read /etc/subuid or /etc/subgid. Returns the first number of the lowest range (int), or None."""
    ranges = [line.strip().split(":") for line in (text or "").split("\n")]
    for name in names:
        numbers = [int(r[1]) for r in ranges if len(r) == 3 and r[0] == name and r[1].isdigit()]
        if numbers:
            return min(numbers)
    return None


def lost(was, will, before, after):
    """
    Count what a daemon saw in one place (contents ``before``) and would not see in another. Returns words
    such as ``2 containers and 1 volume``, None when nothing is lost.
    """
    have = _visible(before, was["driver"])
    see = _visible(after, will["driver"])
    counts = {kind: len(have[kind] - see[kind]) for kind in have}
    words = [
        f"{count} {kind[:-1] if count == 1 else kind}" for kind, count in counts.items() if count
    ]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]])) or None


def _visible(contents, driver):
    containers, images = contents["containers"], contents["images"]
    return {
        "containers": {one for one, of in containers.items() if driver in (None, of) or not of},
        "volumes": contents["volumes"],
        "images": {one for of, ids in images.items() if driver in (None, of) for one in ids},
    }


def refusal(was, will, words):
    """Say what would be lost and the ways out. Returns one line (str)."""
    keys = {"base": "data-root", "driver": "storage-driver", "remap": "userns-remap"}
    differing = [key for key in keys if was[key] and was[key] != will[key]]
    keep = ", ".join(f"{keys[key]}: {was[key]}" for key in differing)
    way = f"Set {_AT} to {{{keep}}}" if keep else f"Take userns-remap out of {_AT}"
    if was["base"] == ROOT and differing == ["base"]:
        way = f"Take data-root out of {_AT}"
    there = f"{was['root']}, driver {was['driver']}," if "driver" in differing else was["root"]
    move = ""
    # Another mapping needs other owners, which a copy does not give.
    if was["root"] != will["root"] and was["remap"] == will["remap"]:
        move = f", or stop Docker, copy the data to {will['root']} (`cp -a`) and apply again"
    return (
        f"Docker's data is in {there} and would be looked for in {will['root']}, driver "
        f"{will['driver']}: {words} would not be seen; nothing was changed. {way} to keep using "
        f"them{move}"
    )


# -- the host ------------------------------------------------------------------------------------


def mapped(remap):
    """Look up the folder that a user mapping makes below the data root. Returns its name, or None."""
    user, _, group = remap.partition(":")
    user = "dockremap" if user == "default" else user
    group = group or user
    users = _names(user, pwd.getpwnam, pwd.getpwuid, "pw_name", "pw_uid")
    groups = _names(group, grp.getgrnam, grp.getgrgid, "gr_name", "gr_gid")
    uid = lowest(_host.read("/etc/subuid"), users)
    # Docker 20.10 asks for the user's name here, too, older ones for the group's.
    gid = lowest(_host.read("/etc/subgid"), [*users, *groups])
    return None if uid is None or gid is None else f"{uid}.{gid}"


def _names(name, by_name, by_number, *attributes):
    """A user or group as those files may call it: by its name, by its number."""
    try:
        found = by_number(int(name)) if name.isdigit() else by_name(name)
    except KeyError:
        return [name]
    return [str(getattr(found, each)) for each in attributes]


def check(was, will):
    """Refuse a change after which Docker would not see what it has now."""
    if _same(was, will):
        return
    _reachable(was["base"])
    words = lost(was, will, contents(was["root"]), contents(will["root"]))
    if words:
        raise CommandExecutionError(refusal(was, will, words))


def _same(was, will):
    driver = was["driver"] in (None, will["driver"])
    return driver and os.path.realpath(was["root"]) == os.path.realpath(will["root"])


def _reachable(path):
    for entry in _fstab.entries():
        point = _fstab.place(entry["file"])
        if (
            point.startswith("/")
            and f"{path}/".startswith(f"{point}/")
            and not os.path.ismount(point)
        ):
            raise CommandExecutionError(
                f"Docker's data was in {path}, and {point} is not mounted, so it could not be looked at; "
                f"nothing was changed. `mount {point}`, then apply again"
            )


def contents(root):
    """
    Count what a data root holds. Returns a dict: ``containers`` (id to storage driver), ``volumes`` (set of
    names) and ``images`` (storage driver to set of ids).
    """
    folder = os.path.join(root, "containers")
    containers = {one: _driver_of(os.path.join(folder, one)) for one in _folders(folder)}
    images = {
        driver: set(_names_in(os.path.join(root, "image", driver, "imagedb/content/sha256")))
        for driver in _folders(os.path.join(root, "image"))
    }
    return {
        "containers": containers,
        "volumes": set(_folders(os.path.join(root, "volumes"))),
        "images": images,
    }


def _driver_of(folder):
    try:
        return json.loads(_host.read(os.path.join(folder, "config.v2.json")) or "{}").get("Driver")
    except (ValueError, AttributeError):
        return None


def _names_in(path):
    return _docker_storage.entries(path) or []


def _folders(path):
    return [name for name in _names_in(path) if os.path.isdir(os.path.join(path, name))]
