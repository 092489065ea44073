"""
Docker's thin pool: what there is, what is left to do, and its autoextend profile.

``_thinpool_look`` looks, ``_thinpool_plan`` decides, ``_thinpool_make`` acts; here is what operators call.
"""

from salt.exceptions import CommandExecutionError

import _lvm
import _thinpool_look
import _thinpool_plan
import _thinpool_profile
import _thinpool_refusals
import _thinpool_size


def status(volume_group, name):
    """Tell how a thin pool is."""
    lvm = _certain_lists()
    rows = {row["lv_name"].strip("[]"): row for row in lvm["lvs"] if row["vg_name"] == volume_group}
    pool = rows.get(name)
    if not pool or pool["segtype"] != "thin-pool":
        return None
    group = next(row for row in lvm["vgs"] if row["vg_name"] == volume_group)
    grows = _thinpool_profile.autoextend(pool["lv_profile"])
    unit = group["vg_extent_size"]
    step = _thinpool_size.growth(pool["lv_size"] // unit, grows["percent"]) * unit
    free = group["vg_free_count"] * unit
    sick = _thinpool_refusals.pool(pool, f"{name}meta" in rows)
    return {
        "size": pool["lv_size"],
        "metadata_size": rows[pool["metadata_lv"].strip("[]")]["lv_size"],
        "chunk_size": pool["chunk_size"],
        "data_percent": _percent(pool["data_percent"]),
        "metadata_percent": _percent(pool["metadata_percent"]),
        "profile": pool["lv_profile"] or None,
        "autoextend_threshold": grows["threshold"],
        "autoextend_percent": grows["percent"],
        "active": pool["lv_attr"][4] == "a",
        "monitored": pool["seg_monitor"] == "monitored",
        "health": sick["found"] if sick else "ok",
        "device": _lvm.device(volume_group, name),
        "free": free,
        "next_extension": step,
        "next_extension_fits": grows["threshold"] < 100 and step <= free,
    }


def plan(settings):
    """Tell how far a disk is on its way to the pool, and what is left; see ``thinpool.plan``."""
    want = _thinpool_look.wanted(settings)
    seen = _thinpool_look.observe(want)
    found = _thinpool_plan.detect(seen, want)
    changes = {} if found["refusal"] else _thinpool_plan.plan(seen, want)
    return {
        "state": found["state"],
        "refusal": found["refusal"],
        "steps": list(changes),
        "changes": changes,
        "notes": [] if found["refusal"] else notes(seen, want),
    }


def notes(seen, want):
    """
    Say what deserves attention about the pool that is there, or will be. Returns a list of
    sentences.
    """
    found = _thinpool_plan.detect(seen, want)
    if found["pool"]:
        group, pool = found["group"], found["pool"]
        data = pool["lv_size"] // group["vg_extent_size"]
        sizes = (group["vg_extent_count"], data, group["vg_free_count"])
        said = _about_pool(group, pool, want) + _left_over(seen["lvm"]["lvs"], want)
    else:
        sizes, said = tuple(found["share"][key] for key in ("extents", "data", "free")), []
    if seen["lvm"]["version"] and seen["lvm"]["version"] < [2, 2, 169]:
        said.append("This lvm2 unmounts the file systems of a pool that fails to grow: update it")
    return said + _thinpool_size.obstacles(*sizes, want["threshold"], want["percent"])


def _about_pool(group, pool, want):
    said = []
    if want["mark"] not in group["vg_tags"].split(","):
        said.append(f"Pool {want['pool']} was not made here and keeps its shape")
    if pool["chunk_size"] != want["chunk_size"]:
        have, asked = (size // 1024 for size in (pool["chunk_size"], want["chunk_size"]))
        said.append(f"Its chunks of {have} KiB stay: {asked} KiB would take a new pool")
    return said


def _left_over(rows, want):
    ours = [row for row in rows if row["vg_name"] == want["volume_group"]]
    spare = any(row["lv_name"].strip("[]").endswith("_pmspare") for row in ours)
    if spare or ("lvol0", "linear") not in [(row["lv_name"], row["segtype"]) for row in ours]:
        return []
    # An lvconvert that was killed had not yet made it the spare; others may call theirs so, too.
    it = f"{want['volume_group']}/lvol0"
    said = f"The pool has no spare metadata; a broken-off lvconvert may have left {it} instead"
    return [f"{said}: if nothing on it is needed, lvremove {it}"]


def _certain_lists():
    lvm = _lvm.look()
    members = _thinpool_look.members() if lvm["version"] is None else []
    doubt = _thinpool_refusals.lists(lvm, members)
    if doubt:
        raise CommandExecutionError(f"{doubt['found']}. {doubt['advice']}")
    return lvm


def _percent(text):
    return float(text) if text else None
