"""
The GPT names of our partitions: by them the disk itself says what is ours, and whether it is finished.

While its content is being made, a partition has the name ``making(mark)``; from then on it has the
mark itself. Only under the first name it may be formatted, or become a physical volume. What the
tree made before it knew the first name has the mark: it counts as finished.
"""

DATA = "rancher-data"
POOL = "rancher-docker-pool"


def making(mark):
    """The name of a partition whose content is not finished yet."""
    return f"{mark}-new"


def of(label):
    """The mark that a partition's name stands for, None for a foreign name."""
    return next((mark for mark in (DATA, POOL) if label in (mark, making(mark))), None)


def finished(label):
    """Whether a partition of this name is ours and its content was finished once."""
    return label in (DATA, POOL)
