"""
What Docker's data directory holds, and whether it fits the storage that is configured.

Nothing here changes anything: data of another driver, or of another pool, is named and left.
"""

import json
import os

from salt.exceptions import CommandExecutionError

import _host
import _lvm
import _thinpool

# Where each driver keeps one entry per layer, below Docker's data directory.
_LAYERS = {
    "overlay2": "overlay2",
    "overlay": "overlay",
    "aufs": "aufs/layers",
    "btrfs": "btrfs/subvolumes",
    "zfs": "zfs/graph",
    "vfs": "vfs/dir",
    "fuse-overlayfs": "fuse-overlayfs",
    "devicemapper": "devicemapper/metadata",
}
# Entries that are there before the first image.
_EMPTY = {
    "l",
    "backingFsBlockDev",
    "metadata",
    "base",
    "deviceset-metadata",
    "transaction-metadata",
}


# -- pure ----------------------------------------------------------------------------------------


def parse_pool(text):
    """
    Read the status line of a thin pool. Returns a dict: ``transaction_id``, ``used`` (data
    blocks), both int; both None when the pool has failed and tells nothing. None for a device that
    is no pool (yet).
    """
    words = text.split()
    try:
        int(words[1])
        if words[2] != "thin-pool":
            return None
        if words[3] in ("Fail", "Error"):
            return {"transaction_id": None, "used": None}
        return {"transaction_id": int(words[3]), "used": int(words[5].partition("/")[0])}
    except (IndexError, ValueError) as exc:
        raise CommandExecutionError(
            f"dmsetup status gave {text.strip()[:80]!r}, which is not understood"
        ) from exc


def refusal(driver, root, seen, needs_pool=False, pool=None):
    """
    Say why Docker's data does not fit the driver that should read it. Returns one line (str), or
    None.
    """
    layers = seen["layers"]
    others = {name: count for name, count in layers.items() if name != driver and count}
    if others and not layers.get(driver):
        found = ", ".join(f"{count} layers of {name}" for name, count in others.items())
        return (
            f"{root} holds {found}, and {driver} would not see them; nothing was changed. "
            f"Set rancher:docker:daemon to {{storage-driver: {next(iter(others))}}} to keep using "
            f"them, or stop Docker and move {root} away"
        )
    if not needs_pool:
        return None
    return _loop_refusal(root, seen) or _pool_refusal(root, seen, pool)


def _loop_refusal(root, seen):
    if not seen["loop"]:
        return None
    return (
        f"{root}/devicemapper/devicemapper holds images in loop files, and a thin pool would not "
        f"see them; nothing was changed. Save what you need with `docker save`, stop Docker and "
        f"move {root} away"
    )


def _pool_refusal(root, seen, pool):
    path = f"{root}/devicemapper/metadata"
    if seen["device_set"] and pool is None:
        return (
            f"{path} belongs to a thin pool that is not there; nothing was changed. Bring back the "
            f"pool's disk, or stop Docker and move {root} away"
        )
    if pool is None or pool["used"] is None:
        return None
    if seen["device_set"] and not pool["used"]:
        return (
            f"{path} belongs to another thin pool: {pool['path']} was never used; nothing was "
            f"changed. Bring back the old pool, or stop Docker and move {root} away"
        )
    if not seen["device_set"] and (pool["used"] or pool["transaction_id"]):
        return (
            f"the thin pool {pool['path']} is in use ({pool['used']} blocks, transaction "
            f"{pool['transaction_id']}) and {path} that describes it is missing; nothing was "
            "changed. The pool belongs to another data root: `find / -name deviceset-metadata` shows "
            "which. Bring it back, or set rancher:docker:daemon to it (data-root, userns-remap)"
        )
    return None


# -- the host ------------------------------------------------------------------------------------


def status(root="/var/lib/docker"):
    """
    Look at Docker's data directory. Returns a dict: ``layers`` (driver to number of layers, for
    drivers that were used), ``device_set`` (whether devicemapper's metadata is there), ``loop``
    (whether its data is in loop files).
    """
    layers = {}
    for driver, folder in _LAYERS.items():
        found = entries(os.path.join(root, folder))
        if found is not None:
            layers[driver] = len([entry for entry in found if entry not in _EMPTY])
    return {
        "layers": layers,
        "device_set": _has_device_set(os.path.join(root, _LAYERS["devicemapper"])),
        "loop": bool(entries(os.path.join(root, "devicemapper/devicemapper"))),
    }


def entries(path):
    """The names in a folder; None when there is none."""
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be read: {exc.strerror}") from exc


def _has_device_set(folder):
    """Whether Docker got as far as its first device; an empty folder is no claim on any pool."""
    text = _host.read(os.path.join(folder, "deviceset-metadata"))
    if text is None:
        return bool(set(entries(folder) or []) - {"transaction-metadata"})
    try:
        return bool(json.loads(text).get("BaseDeviceUUID"))
    except (ValueError, AttributeError) as exc:
        raise CommandExecutionError(
            f"{folder}/deviceset-metadata is not what Docker writes ({exc}); nothing was changed"
        ) from exc


def pool(volume_group, name):
    """
    Ask the kernel how far a thin pool is used. Returns a dict: ``path``, ``used`` (data blocks),
    ``transaction_id``; numbers are None when the pool is inactive or failed. None when there is no
    such pool.
    """
    path = _lvm.device(volume_group, name)
    if os.path.exists(path):
        # With LVM volumes in it, the pool itself carries a suffix.
        real = f"{path}-tpool" if os.path.exists(f"{path}-tpool") else path
        answer = _host.run(["dmsetup", "status", os.path.basename(real)])
        numbers = parse_pool(answer["stdout"])
        return numbers and {"path": path, **numbers}
    # On a bare host the pool's own state installs LVM later in the run.
    if not _host.tool("lvs") or not _thinpool.status(volume_group, name):
        return None
    return {"path": path, "transaction_id": None, "used": None}
