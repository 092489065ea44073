"""
Docker's thin pool: what there is, what is left to do, and its autoextend profile.

``_thinpool_look`` looks, ``_thinpool_plan`` decides, ``_thinpool_make`` acts; here is what operators call.
"""

from salt.exceptions import CommandExecutionError

import _lvm
import _thinpool_advice
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


def plan(
    device,
    volume_group="docker",
    name="thinpool",
    profile="docker-thinpool",
    data_percent=80,
    metadata_percent=1,
    chunk_size="512K",
    autoextend_threshold=80,
    autoextend_percent=20,
):
    """Tell how far a disk is on its way to the thin pool, and what is left. Writes nothing."""
    want = _thinpool_look.wanted(dict(locals()))
    seen = _thinpool_look.observe(want)
    found = _thinpool_plan.detect(seen, want)
    changes = {} if found["refusal"] else _thinpool_plan.plan(seen, want)
    return {
        "state": found["state"],
        "refusal": found["refusal"],
        "steps": list(changes),
        "changes": changes,
        "notes": [] if found["refusal"] else _thinpool_advice.notes(seen, want),
    }


def _certain_lists():
    lvm = _lvm.look()
    members = _thinpool_look.members() if lvm["version"] is None else []
    doubt = _thinpool_refusals.lists(lvm, members)
    if doubt:
        raise CommandExecutionError(f"{doubt['found']}. {doubt['advice']}")
    return lvm


def _percent(text):
    return float(text) if text else None
