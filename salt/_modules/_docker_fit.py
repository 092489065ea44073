"""
Whether the storage that Docker is given can do what the settings ask of it, before Docker starts.

An old Docker takes what does not fit, and fails months later; a newer one does not start.
"""

import contextlib
import json
import os
import re
import struct

from salt.exceptions import CommandExecutionError

import _docker_data
import _docker_storage
import _host

_AT = "rancher:docker:daemon"
# Docker would not start on them; another overlay is for who runs it in a container.
_NO_OVERLAY = ("nfs", "nfs4", "cifs", "aufs", "ecryptfs", "vfat", "9p")
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


# -- pure ----------------------------------------------------------------------------------------


def size(text):
    """Read a size as Docker does, such as 10G or 512mb. Returns bytes (int), or None."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", text.strip().lower())
    return int(float(match[1]) * 1024 ** _UNITS[match[2]]) if match else None


def ftype(superblock):
    """Whether an xfs keeps the type of a file in its directories. Returns a bool, None for no xfs."""
    if superblock[:4] != b"XFSB" or len(superblock) < 204:
        return None
    (version,) = struct.unpack_from(">H", superblock, 100)
    (features,) = struct.unpack_from(">I", superblock, 200)
    # With checksums (5) always; before, it is the bit XFS_SB_VERSION2_FTYPE.
    return version & 0xF >= 5 or bool(features & 0x200)


def options(config):
    """The storage options by name, as Docker takes them. Returns a dict of text to text."""
    given = config.get("storage-opts", [])
    pairs = [one.partition("=") for one in given if isinstance(one, str)]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def refusal(config, seen):
    """Say what the storage cannot do. Returns one line (str), or None."""
    given, driver = options(config), config["storage-driver"]
    at = f"{seen['root']} lies on {seen['point']} ({seen['type']})"
    if driver in ("overlay", "overlay2") and seen["ftype"] is False and not seen["used"]:
        return (
            f"{at}, made with ftype=0, on which {driver} loses files; nothing was changed. Put "
            f"Docker's data on an xfs with ftype=1 or on ext4 ({_AT}:data-root), or on a thin pool "
            "(rancher:thin_pool:device)"
        )
    if driver in ("overlay", "overlay2") and seen["type"] in _NO_OVERLAY:
        return (
            f"{at}, which {driver} cannot use; nothing was changed. Put Docker's data on an xfs or an "
            f"ext4 of this host ({_AT}:data-root), or on a thin pool (rancher:thin_pool:device)"
        )
    quota = {"prjquota", "pquota"} & {*seen["options"]}
    if driver == "overlay2" and "overlay2.size" in given and not (seen["type"] == "xfs" and quota):
        return (
            f"{_AT}:storage-opts holds overlay2.size, and {at} without project quotas; nothing was "
            f"changed. Mount an xfs there with the option pquota, or take overlay2.size out"
        )
    wanted, have = size(given.get("dm.basesize", "")), seen["base"]
    if driver == "devicemapper" and wanted and have and wanted < have:
        return (
            f"{_AT}:storage-opts holds dm.basesize={given['dm.basesize']}, and the images in "
            f"{seen['root']} have {have >> 20}M, below which Docker does not start; nothing was "
            f"changed. Take dm.basesize out, or name at least {have >> 20}M"
        )
    return None


def mapping_refusal(remap, folder, namespaces):
    """Say why a user mapping cannot work on this host. Returns one line (str), or None."""
    if remap and namespaces == "0":
        return (
            f"{_AT}:userns-remap is {remap}, and this kernel allows no user namespaces; nothing was "
            "changed. `sysctl -w user.max_user_namespaces=28633`, in /etc/sysctl.d as well, or take it out"
        )
    if remap and remap != "default" and folder is None:
        return (
            f"{_AT}:userns-remap is {remap}, which has no range in /etc/subuid and /etc/subgid; "
            "nothing was changed. Add one, or write default"
        )
    return None


def notes(config, seen):
    """What works and still wants to be known. Returns a list of str."""
    found = []
    if seen and seen["ftype"] is False and seen["used"]:
        found.append(
            f"{seen['point']} is an xfs with ftype=0, on which overlay2 loses files: move Docker's "
            "data to another file system"
        )
    if config.get("userns-remap"):
        found.append(
            "With userns-remap Docker refuses privileged containers, which Rancher's agent and network are"
        )
    return found


# -- the host ------------------------------------------------------------------------------------


def look(root, driver):
    """
    Look at the storage below a data root. Returns a dict: ``root``, ``point``, ``type``, ``options``, ``ftype``
    (bool or None), ``used`` (whether the driver has layers there), ``base`` (bytes or None).
    """
    point, source, kind, given = _mount(os.path.realpath(root))
    layers = _docker_storage.status(root)["layers"]
    return {
        "root": root,
        "point": point,
        "type": kind,
        "options": given,
        "ftype": _ftype_of(source) if kind == "xfs" else None,
        "used": bool(layers.get(driver)),
        "base": _base(root),
    }


def _mount(path):
    best = ("/", None, "", [])
    for line in (_host.read("/proc/self/mounts") or "").split("\n"):
        words = [
            re.sub(r"\\([0-7]{3})", lambda hit: chr(int(hit[1], 8)), w) for w in line.split(" ")
        ]
        above = len(words) > 3 and f"{path}/".startswith(f"{words[1].rstrip('/')}/")
        # The last of several on one point is on top.
        if above and len(words[1]) >= len(best[0]):
            best = (words[1], words[0], words[2], words[3].split(","))
    return best


def _ftype_of(source):
    # A name such as /dev/root leads nowhere: then it is not known.
    with contextlib.suppress(OSError), open(source, "rb") as device:
        return ftype(device.read(512))
    return None


def _base(root):
    """How large the devicemapper's images are at least, in bytes, or None."""
    text = _host.read(os.path.join(root, "devicemapper/metadata/base"))
    try:
        return int(json.loads(text)["size"]) if text else None
    except (ValueError, LookupError, TypeError):
        return None


def check(wanted, data_disk=None):
    """Refuse what the storage cannot do. Returns notes (list of str)."""
    config, will = wanted["config"], wanted["will"]
    remap = will["remap"]
    folder = _docker_data.mapped(remap) if remap else None
    namespaces = (_host.read("/proc/sys/user/max_user_namespaces") or "").strip()
    reason, seen = mapping_refusal(remap, folder, namespaces), None
    if not _to_come(will["root"], data_disk or {}):
        seen = look(will["root"], config["storage-driver"])
        reason = reason or refusal(config, seen)
    if reason:
        raise CommandExecutionError(reason)
    return notes(config, seen)


def _to_come(root, disk):
    """Whether it will lie on a disk that an earlier step of this run mounts."""
    point = disk.get("mount_point")
    below = disk.get("device") and f"{root}/".startswith(f"{point}/")
    return bool(below) and not os.path.ismount(point)
