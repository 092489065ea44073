"""
Decide what is left to do for Docker's thin pool. Pure: from what was seen to a plan.

An earlier run can have ended anywhere, so each place has a name, P0 to P13, and exactly
one next step. Names that end in x are states that must be left alone.
"""

from salt.exceptions import CommandExecutionError

import _disk_refusals
import _thinpool_refusals
import _thinpool_size

_MIB = 1024**2
_EXTENT = 4 * _MIB
_CREATED = (
    "partition",
    "physical volume",
    "volume group",
    "data volume",
    "metadata volume",
    "pool",
)
# For each state the creating steps that are left.
_LEFT = {
    "P0": _CREATED,
    "P1": _CREATED,
    "P2": _CREATED,
    "P3": _CREATED[1:],
    "P4": _CREATED[2:],
    "P4v": _CREATED[1:],
    "P5": _CREATED[3:],
    "P6": _CREATED[4:],
    "P6m": ("data volume", "pool"),
    "P7": _CREATED[5:],
    "P7s": _CREATED[5:],
}


def plan(seen, want):
    """
    List what is left to do. Returns a dict of changes, in the order in which they are to be made.
    """
    found = detect(seen, want)
    if found["refusal"]:
        raise CommandExecutionError(found["refusal"])
    naming = _naming(seen, want) if found["group"] else {}
    return naming | _creation(seen, want, found) | _upkeep(seen, want, found["pool"])


def detect(seen, want):
    """
    Name the place where a disk is on its way to a thin pool. Returns a dict: ``state`` (``P0`` to
    ``P13``, None when it cannot be told), ``refusal`` (one line, or None), ``group`` and ``pool``
    (LVM's rows, or None), ``share`` (what ``_thinpool_size.sizes`` gives, None for a pool that is
    there).
    """
    found = {"state": None, "refusal": None, "group": None, "pool": None, "share": None}
    try:
        _heed(_thinpool_refusals.lists(seen["lvm"], seen["members"]))
        found["group"] = _group(seen, want)
        found["state"] = _place(seen, want, found)
    except _Refused as refused:
        (no,) = refused.args
        found["state"] = no["state"]
        found["refusal"] = no.get("text") or _disk_refusals.refusal(
            seen["disk"], no["found"], no["advice"], "lvm"
        )
    return found


class _Refused(Exception):
    """One of ``_thinpool_refusals``'s answers."""


def _heed(answer):
    if answer:
        raise _Refused(answer)


# -- the changes ---------------------------------------------------------------------------------


def _naming(seen, want):
    """The group is complete, and its partition still has the name of one that is being made."""
    ours = [part for part in seen["disk"]["partitions"] if part["mark"] == want["mark"]]
    if len(ours) != 1 or ours[0]["finished"]:
        return {}
    return {"volume group": {"old": ours[0]["label"], "new": f"{want['mark']} on its partition"}}


def _creation(seen, want, found):
    left, share = _LEFT.get(found["state"], ()), found["share"]
    if not left:
        return {}
    group, pool, disk = want["volume_group"], want["pool"], seen["disk"]["path"]
    mark = want["mark"]
    texts = {
        "partition": f"{mark} on {disk}, type lvm",
        "physical volume": f"on partition {mark} of {disk}",
        "volume group": f"{group}, {share['extents']} extents of 4 MiB, tag {mark}",
        "data volume": f"{pool}, {share['data']} extents",
        "metadata volume": f"{pool}meta, {share['metadata']} extents",
        "pool": f"{pool}, chunks of {want['chunk_size'] // 1024} KiB, "
        f"{share['spare']} extents of spare metadata",
    }
    return {key: {"old": None, "new": texts[key]} for key in left}


def _upkeep(seen, want, pool):
    """What is kept right for ever. A pool that is just made is active already."""
    pool = pool or {"lv_profile": "", "seg_monitor": "", "lv_attr": "twi-a"}
    pairs = {
        "profile": (seen["profile"], want["profile_text"]),
        "attachment": (pool["lv_profile"] or None, want["profile"]),
        "activation": ("active" if pool["lv_attr"][4] == "a" else "inactive", "active"),
        "monitoring": (pool["seg_monitor"] or None, "monitored"),
    }
    return {key: {"old": have, "new": goal} for key, (have, goal) in pairs.items() if have != goal}


# -- where an earlier run ended ------------------------------------------------------------------


def _place(seen, want, found):
    rows = _volumes(seen["lvm"], want)
    pool = rows.get(want["name"])
    if found["group"] and pool and pool["segtype"] == "thin-pool":
        _heed(_thinpool_refusals.pool(pool, f"{want['name']}meta" in rows))
        found["pool"] = pool
        return _pool_place(seen, want, pool)
    place = _group_place(seen, want, found["group"]) if found["group"] else _disk_place(seen, want)
    _heed(_thinpool_refusals.kernel(place, seen["target"]))
    found["share"] = _share(seen, want, found["group"], place)
    for name, key in ((want["name"], "data"), (f"{want['name']}meta", "metadata")):
        if found["group"] and name in rows:
            size = found["share"][key] * found["share"]["unit"]
            _heed(_thinpool_refusals.volume(rows[name], size, seen["signatures"].get(name)))
    return place


def _share(seen, want, group, place):
    if group:
        extents, unit = group["vg_extent_count"], group["vg_extent_size"]
    elif place in ("P0", "P1"):
        size = seen["disk"]["size"]
        extents, unit = _thinpool_size.extents_of(size, seen["disk"]["sector"]), _EXTENT
    else:
        extents, unit = (seen["disk"]["partitions"][0]["size"] - _MIB) // _EXTENT, _EXTENT
    percents = want["data_percent"], want["metadata_percent"]
    try:
        parts = _thinpool_size.sizes(extents, unit, *percents)
    except CommandExecutionError as no:
        advice = "Use a larger disk."
        raise _Refused({"state": place, "found": str(no), "advice": advice}) from no
    return {"extents": extents, "unit": unit, **parts}


def _group(seen, want):
    """The volume group of the wanted name, if there is one."""
    name, lvm = want["volume_group"], seen["lvm"]
    rows = [row for row in lvm["vgs"] if row["vg_name"] == name]
    if not rows:
        return None
    members = [row["pv_name"] for row in lvm["pvs"] if row["vg_name"] == name]
    here = any(row["vg_name"] == name for row in _rows_on(seen))
    pool = _volumes(lvm, want).get(want["name"], {}).get("segtype") == "thin-pool"
    _heed(_thinpool_refusals.group(rows, members, here, pool, want["mark"]))
    return rows[0]


def _disk_place(seen, want):
    """The place of a disk that is in no volume group of the wanted name."""
    parts, rows = seen["disk"]["partitions"], _rows_on(seen)
    ours = next((part for part in parts if part["mark"] == want["mark"]), None)
    if not seen["begun"]:
        _heed(_thinpool_refusals.foreign(rows))
    if seen["stage"] is None and not ours:
        raise _Refused({"state": "P2x" if parts else "P0x", "text": seen["unfit"]})
    # What was made once is not made again.
    _heed(_thinpool_refusals.lost(seen["backup"], ours, want["volume_group"]))
    _heed(_thinpool_refusals.named(seen["docker"], want["pool"]))
    if seen["stage"] is None:
        raise _Refused({"state": "P3x", "text": seen["unfit"]})
    if seen["stage"] != "ready":
        return {"blank": "P0", "label": "P1", "partition": "P2"}[seen["stage"]]
    listed = rows or seen["begun"]
    _heed(_thinpool_refusals.partition(ours, listed, seen["lvm"]["version"]))
    if seen["begun"]:
        return "P4v"
    _heed(_thinpool_refusals.behind(ours, seen["behind"]))
    return "P4" if rows else "P3"


def _group_place(seen, want, group):
    """The place of our volume group that holds no pool yet."""
    _heed(_thinpool_refusals.named(seen["docker"], want["pool"]))
    names = set(_volumes(seen["lvm"], want))
    ours = {want["name"], f"{want['name']}meta"}
    # What an interrupted lvconvert leaves; the next one takes it up.
    spares = {name for name in names if name == "lvol0" or name.endswith("_pmspare")}
    _heed(_thinpool_refusals.others(group["vg_name"], sorted(names - ours - spares)))
    if ours <= names:
        return "P7s" if spares else "P7"
    return "P6" if want["name"] in names else "P6m" if ours & names else "P5"


def _pool_place(seen, want, pool):
    attached = pool["lv_profile"] == want["profile"]
    right_file = seen["profile"] == want["profile_text"]
    if not attached:
        return "P9" if pool["lv_profile"] or right_file else "P8"
    if not right_file:
        return "P9f"
    if pool["lv_attr"][4] != "a":
        return "P11"
    return "P13" if pool["seg_monitor"] == "monitored" else "P10"


def _rows_on(seen):
    """The physical volumes on the disk or on its partitions."""
    paths = {seen["disk"]["path"], *(part["path"] for part in seen["disk"]["partitions"])}
    return [row for row in seen["lvm"]["pvs"] if row["path"] in paths]


def _volumes(lvm, want):
    rows = (row for row in lvm["lvs"] if row["vg_name"] == want["volume_group"])
    return {row["lv_name"].strip("[]"): row for row in rows}
