"""
Make Docker's thin pool and keep it right: each step on what is seen right before it.
"""

import os

from salt.exceptions import CommandExecutionError

import _disk_make
import _host
import _thinpool_look
import _thinpool_plan
import _thinpool_profile

# Zeroing up to 15.6 GiB of metadata on a slow disk takes its time.
_LONG = 1800
_UNITS = ("dm-event.socket", "lvm2-monitor.service")


def apply(seen, changes, want):
    """Carry out what was planned, step by step."""
    if "pool" in changes and seen["missing"]:
        raise CommandExecutionError(f"not installed on this host: {', '.join(seen['missing'])}")
    for position, (key, change) in enumerate(changes.items()):
        if position:
            # With a volume group on it, the disk itself is settled.
            settled = any(row["vg_name"] == want["volume_group"] for row in seen["lvm"]["vgs"])
            seen = _thinpool_look.observe(want, seen if settled else None)
        left = _thinpool_plan.plan(seen, want)
        if key not in left:
            continue
        if left[key]["new"] != change["new"]:
            raise CommandExecutionError(
                f"planned was `{change['new']}`, and it would become `{left[key]['new']}`; "
                "run again to accept that"
            )
        _STEPS[key](want, seen)


def _partition(want, seen):
    """Its path; takes the steps that are left, and refuses another disk of that name."""
    return _disk_make.partition(seen["disk"], want["mark"], "lvm")


def _physical_volume(want, seen):
    make_volume(_partition(want, seen), seen["begun"])


def make_volume(path, begun):
    """Make a physical volume, or make the half of one anew."""
    if begun:
        # pvcreate would take it by force only.
        _run("wipefs", "-a", path)
    # Without -f and -y, which would wipe what is there: LVM asks, and has no terminal.
    _run("pvcreate", "--dataalignment", "1m", path)


def _volume_group(want, seen):
    if not any(row["vg_name"] == want["volume_group"] for row in seen["lvm"]["vgs"]):
        names = (want["volume_group"], _partition(want, seen))
        _run("vgcreate", "--addtag", want["mark"], "--physicalextentsize", "4m", *names)
    # From now on there may be data in it.
    _disk_make.finish(seen["disk"], want["mark"])


def _data_volume(want, seen):
    _volume(want, want["name"], _share(want, seen)["data"])


def _metadata_volume(want, seen):
    _volume(want, f"{want['name']}meta", _share(want, seen)["metadata"])


def _volume(want, name, extents):
    # Exact extents: with a percentage LVM takes what it gets. The wiping is inside our own.
    clean = ("-y", "-Wy", "-Zy")
    _run("lvcreate", *clean, "-n", name, "-l", str(extents), want["volume_group"])


def _share(want, seen):
    return _thinpool_plan.detect(seen, want)["share"]


def _pool(want, _seen):
    # With --type, because without it a pool would get the other volume as its metadata.
    parts = ("--type", "thin-pool", "--poolmetadata", f"{want['pool']}meta")
    shape = ("--zero", "n", "-c", f"{want['chunk_size'] // 1024}k", "--poolmetadataspare", "y")
    _run("lvconvert", "-y", *parts, *shape, want["pool"])
    # Volumes that were inactive, as a killed lvconvert leaves them, give an inactive pool.
    _run("lvchange", "-ay", want["pool"])


def _profile(want, _seen):
    grows = (want["threshold"], want["percent"])
    _thinpool_profile.write(want["profile"], *grows)


def _attachment(want, _seen):
    _run("lvchange", "--metadataprofile", want["profile"], want["pool"])


def _activation(want, seen):
    # A killed lvconvert can leave a part of the pool with a device of its own: then LVM does not
    # activate the pool. One that is open is the pool's already; a suspended one is not for us.
    parts = [f"[{want['name']}_{part}]" for part in ("tmeta", "tdata")]
    for row in seen["lvm"]["lvs"]:
        ours = row["vg_name"] == want["volume_group"] and row["lv_name"] in parts
        if ours and row["lv_attr"][4] in "adi" and row["lv_attr"][5] == "-":
            _run("lvchange", "-an", f"{row['vg_name']}/{row['lv_name'].strip('[]')}")
    _run("lvchange", "-ay", want["pool"])


def _monitoring(want, _seen):
    if os.path.isdir("/run/systemd/system"):
        for unit in _UNITS:
            # There is no such unit here: 5, and 6 with systemd 219.
            _host.run(["systemctl", "start", unit], accept=(0, 5, 6))
    _run("lvchange", "--monitor", "y", want["pool"])


def _run(*argv):
    _host.run(list(argv), timeout=_LONG)


_STEPS = {
    "partition": _partition,
    "physical volume": _physical_volume,
    "volume group": _volume_group,
    "data volume": _data_volume,
    "metadata volume": _metadata_volume,
    "pool": _pool,
    "profile": _profile,
    "attachment": _attachment,
    "activation": _activation,
    "monitoring": _monitoring,
}
