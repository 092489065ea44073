"""
More room for Docker's thin pool: a further disk for its volume group, as guarded as the first.

The pool itself is not touched: with free space in the group it grows when its profile says so.
"""

from salt.exceptions import CommandExecutionError

import _disk_make
import _disk_refusals
import _host
import _lvm
import _thinpool_look
import _thinpool_make
import _thinpool_refusals
import _thinpool_size

_MIB = 1024**2
_EXTENT = 4 * _MIB
# What is left to do, by how far the disk has come.
_STEPS = ("partition", "physical volume", "volume group")
_FIRST = {
    "blank": 0,
    "label": 0,
    "partition": 0,
    "ready": 1,
    "member": 2,
    "joined": 3,
    "unnamed": 3,
}


def wanted(volume_group, name, devices):
    """Put together what is asked for; ``mark``: by which partitions and the group are ours."""
    mark = _thinpool_look.MARK
    return {"volume_group": volume_group, "name": name, "devices": list(devices), "mark": mark}


def observe(want):
    """
    Look at LVM and at every disk: ``lvm``; ``members`` (physical volumes by their signature, only
    looked for without LVM); ``disks``: for each device what ``_thinpool_look.one_disk`` gives.
    """
    lvm, key = _lvm.look(), "rancher:thin_pool:extra_devices"
    return {
        "lvm": lvm,
        "members": _thinpool_look.members() if lvm["version"] is None else [],
        "disks": {each: _thinpool_look.one_disk(each, key, lvm) for each in want["devices"]},
    }


def plan(seen, want, pending=False):
    """List the changes that are left, ``<device>: <step>``, in their order."""
    doubt = _thinpool_refusals.lists(seen["lvm"], seen["members"])
    if doubt:
        raise CommandExecutionError(f"{doubt['found']}. {doubt['advice']}")
    _check_pool(seen["lvm"], want, pending)
    changes = {}
    for device, one in seen["disks"].items():
        texts = {
            "partition": f"{want['mark']} on {one['disk']['path']}, type lvm",
            "physical volume": f"on partition {want['mark']} of {one['disk']['path']}",
            "volume group": f"{want['volume_group']}, {_extents(one)} extents of 4 MiB more",
        }
        place = _place(one, seen["lvm"], want)
        for step in _STEPS[_FIRST[place] :]:
            changes[f"{device}: {step}"] = {"old": None, "new": texts[step]}
        if place == "unnamed":
            old, new = one["disk"]["partitions"][0]["label"], f"{want['mark']} on its partition"
            changes[f"{device}: volume group"] = {"old": old, "new": new}
    return changes


def apply(seen, changes, want):
    """Carry out what was planned; before each step everything is looked at again."""
    for position, (key, change) in enumerate(changes.items()):
        if position:
            seen = observe(want)
        left = plan(seen, want)
        if key not in left:
            continue
        if left[key]["new"] != change["new"]:
            raise CommandExecutionError(
                f"planned was `{change['new']}`, and it would become `{left[key]['new']}`; "
                "run again to accept that"
            )
        device, _, step = key.rpartition(": ")
        _take(step, seen["disks"][device], seen["lvm"], want)


def _take(step, one, lvm, want):
    if step == "volume group" and _place(one, lvm, want) == "unnamed":
        _disk_make.finish(one["disk"], want["mark"])
        return
    # Takes the steps that are left, and refuses another disk of that name.
    path = _disk_make.partition(one["disk"], want["mark"], "lvm")
    if step == "physical volume":
        _thinpool_make.make_volume(path, one["begun"])
    elif step == "volume group":
        _host.run(["vgextend", want["volume_group"], path], timeout=600)
        # From now on there may be data in it.
        _disk_make.finish(one["disk"], want["mark"])


# -- pure ----------------------------------------------------------------------------------------


def _check_pool(lvm, want, pending):
    """Raise unless the group holds the healthy pool, and is ours."""
    name, group = want["name"], want["volume_group"]
    rows = [row for row in lvm["vgs"] if row["vg_name"] == group]
    volumes = {row["lv_name"].strip("[]"): row for row in lvm["lvs"] if row["vg_name"] == group}
    pool = volumes.get(name)
    if pending and pool is None and not rows:
        return
    if not rows or not pool or pool["segtype"] != "thin-pool":
        raise CommandExecutionError(
            f"there is no complete thin pool {group}/{name} to extend: apply common.thin_pool "
            "with its own disk first"
        )
    members = [row["pv_name"] for row in lvm["pvs"] if row["vg_name"] == group]
    answers = (
        _thinpool_refusals.group(rows, members, True, True, want["mark"]),
        _thinpool_refusals.pool(pool, f"{name}meta" in volumes),
    )
    for answer in answers:
        # A pool that ran full is the one that needs a disk most.
        if answer and not (answer["state"] == "P12" and pool["lv_attr"][8] == "D"):
            raise CommandExecutionError(f"{answer['found']}. {answer['advice']}")
    if want["mark"] not in rows[0]["vg_tags"].split(","):
        raise CommandExecutionError(
            f"volume group {group} was not made here, and with a second disk it would not be "
            f"looked after any more; if it is meant to be: vgchange --addtag {want['mark']} {group}"
        )


def _place(one, lvm, want):
    """How far a disk has come; raises to refuse it."""
    paths = {one["disk"]["path"], *(part["path"] for part in one["disk"]["partitions"])}
    rows = [row for row in lvm["pvs"] if row["path"] in paths]
    ours = [part for part in one["disk"]["partitions"] if part["mark"] == want["mark"]]
    if any(row["vg_name"] == want["volume_group"] for row in rows):
        return "unnamed" if len(ours) == 1 and not ours[0]["finished"] else "joined"
    if one["begun"]:
        return "ready"
    _heed(one, _thinpool_refusals.foreign(rows))
    if one["stage"] is None:
        raise CommandExecutionError(one["unfit"])
    if one["stage"] != "ready":
        return one["stage"]
    (ours,) = ours
    _heed(one, _thinpool_refusals.partition(ours, rows, lvm["version"]))
    _heed(one, _thinpool_refusals.behind(ours, one["behind"]))
    return "member" if rows else "ready"


def _heed(one, answer):
    if answer:
        words = (answer["found"], answer["advice"])
        raise CommandExecutionError(_disk_refusals.refusal(one["disk"], *words, "lvm"))


def _extents(one):
    """Extents that the group gains; LVM keeps 1 MiB of the partition for itself."""
    disk = one["disk"]
    if disk["partitions"]:
        return (disk["partitions"][0]["size"] - _MIB) // _EXTENT
    return _thinpool_size.extents_of(disk["size"], disk["sector"])
