"""
The arithmetic of a thin pool: how a volume group is divided, by how much a pool grows, and whether it can.
"""

from salt.exceptions import CommandExecutionError

_MIB = 1024**2
_EXTENT = 4 * _MIB
# Below this, 1% of the volume group is less than one extent.
_LEAST_EXTENTS = 100
_LEAST_METADATA, _MOST_METADATA = 2 * _MIB, 4000 * _EXTENT


def sizes(extents, extent_size, data_percent, metadata_percent):
    """
    Divide a volume group into data, metadata, and as much again for the spare metadata that a
    repair needs. Returns a dict of extents: ``data``, ``metadata``, ``spare``, ``free``.
    """
    least, most = -(-_LEAST_METADATA // extent_size), max(1, _MOST_METADATA // extent_size)
    metadata = max(least, min(most, extents * metadata_percent // 100))
    data = extents * data_percent // 100
    free = extents - data - 2 * metadata
    if extents < _LEAST_EXTENTS or free < 0:
        raise CommandExecutionError(
            f"{extents} extents of {extent_size // 1024} KiB are too few for a thin pool with "
            f"{data_percent}% data and twice {metadata_percent}% metadata; at least "
            f"{_LEAST_EXTENTS} are needed, a disk of {(_LEAST_EXTENTS + 1) * extent_size // _MIB} MiB"
        )
    return {"data": data, "metadata": metadata, "spare": metadata, "free": free}


def extents_of(disk, sector=512):
    """
    Foretell the extents of a volume group on a disk that is still to be partitioned. Returns the
    number of 4 MiB extents: 1 MiB before the partition, the second copy of the GPT behind it, and
    1 MiB for LVM's own data at its start are lost.
    """
    return max(0, disk - (128 * 128 + sector) - 2 * _MIB) // _EXTENT


def growth(data, percent):
    """
    Tell by how much a pool grows at once. Returns the growth in extents, rounded up as LVM does.
    It gets all of it or nothing.
    """
    return -(-data * percent // 100)


def obstacles(extents, data, free, threshold, percent):
    """
    Say what stands in the way of a pool that is meant to grow by itself. Returns a list of
    sentences, empty when all is well.
    """
    if threshold >= 100:
        return ["With an autoextend_threshold of 100 the pool never grows by itself"]
    notes = []
    if threshold < 50:
        notes.append(f"LVM takes the autoextend_threshold of {threshold} for 50, its minimum")
    needed = growth(data, percent)
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
    fits = (share for share, part in shares if part + growth(part, percent) + taken <= extents)
    ways = [
        f"make it with rancher:thin_pool:data_percent {next(fits, 1)} or less",
        "add a disk to the volume group",
    ]
    if 100 * free // data:
        most = 100 * free // data
        ways.insert(1, f"lower rancher:thin_pool:autoextend_percent to {most} or less")
    return ", or ".join(ways)
