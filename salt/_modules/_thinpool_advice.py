"""
What an operator should know of a thin pool that is in order.
"""

import _thinpool_plan
import _thinpool_size


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
    return said + growth(*sizes, want["threshold"], want["percent"])


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


def growth(extents, data, free, threshold, percent):
    """
    Say what stands in the way of a pool that is meant to grow by itself. Returns a list of
    sentences, empty when all is well.
    """
    if threshold >= 100:
        return ["With an autoextend_threshold of 100 the pool never grows by itself"]
    notes = []
    if threshold < 50:
        notes.append(f"LVM takes the autoextend_threshold of {threshold} for 50, its minimum")
    needed = _thinpool_size.growth(data, percent)
    if needed > free:
        notes.append(
            f"Growing {round(100 * data / extents)}% by {percent}% needs {needed} extents, {free} "
            f"are free: the pool will not grow by itself; {_ways_out(extents, data, free, percent)}"
        )
    return notes


def _ways_out(extents, data, free, percent):
    # What neither data nor its growth can use: metadata, its spare, other volumes.
    taken = extents - data - free
    shares = ((share, extents * share // 100) for share in range(100 * data // extents, 0, -1))
    step = _thinpool_size.growth
    fits = (share for share, part in shares if part + step(part, percent) + taken <= extents)
    ways = [
        f"make it with rancher:thin_pool:data_percent {next(fits, 1)} or less",
        "add a disk to the volume group",
    ]
    if 100 * free // data:
        most = 100 * free // data
        ways.insert(1, f"lower rancher:thin_pool:autoextend_percent to {most} or less")
    return ", or ".join(ways)
