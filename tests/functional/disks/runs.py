"""Runs of the state for the data disk on loop devices, and what each must keep."""

import contextlib
import os

import pytest
from disk_kit import Disk

NEEDS_ROOT = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and mounts"),
]
EXT4 = {"filesystem": "ext4"}
ALL = ["partition", "filesystem", "directory", "mount", "fstab"]
# The kernel writes to what is mounted to be written, for seconds and by itself.
QUIETLY = ("mount", "-o", "ro,noload")


@contextlib.contextmanager
def attached(folder, **options):
    found = Disk(folder, **options)
    try:
        yield found
    finally:
        found.detach()


def both(tree, point, device, **settings):
    """Dry run, then run: the same changes. Returns the run's answer."""
    before = tree.fstab.read_bytes(), os.path.lexists(point), os.path.ismount(point)
    tree.steps.clear()
    dry = tree.mounted(point, device, test=True, **settings)
    assert tree.steps == []
    assert (tree.fstab.read_bytes(), os.path.lexists(point), os.path.ismount(point)) == before
    real = tree.mounted(point, device, **settings)
    assert dry["changes"] == real["changes"]
    assert dry["result"] is (None if real["changes"] else real["result"])
    if real["result"] is False:
        assert dry["comment"] == real["comment"]
    return real


def converges(tree, point, device, keys, **settings):
    """The run makes exactly these changes; one more makes none."""
    answer = both(tree, point, device, **settings)
    assert answer["result"] is True, answer["comment"]
    assert list(answer["changes"]) == keys
    again = both(tree, point, device, **settings)
    assert (again["result"], again["changes"]) == (True, {}), again
    return answer


def refused(tree, point, disk, *words, **settings):
    """Both runs refuse with the same line; not a byte of the disk, no file, no mount changes."""
    before, fstab = disk.hash(), tree.fstab.read_bytes()
    answer = both(tree, point, settings.pop("device", disk.path), **{**EXT4, **settings})
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    assert tree.steps == []
    assert disk.hash() == before
    assert tree.fstab.read_bytes() == fstab
    assert "\n" not in answer["comment"]
    assert "Nothing was written" in answer["comment"]
    for word in words:
        assert word in answer["comment"], answer["comment"]
    return answer["comment"]
