"""A disk, a tree that keeps its files apart, and where the disk is mounted."""

import os

import pytest
from disk_kit import Tree, must

from functional.disks.runs import EXT4, attached


@pytest.fixture
def disk(tmp_path):
    with attached(tmp_path) as found:
        yield found


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def point(tmp_path):
    found = tmp_path / "data"
    yield found
    while os.path.ismount(found):
        must("umount", found)


@pytest.fixture
def done(tree, point, disk):
    """A disk that is finished, then unmounted."""
    assert tree.mounted(point, disk.path, **EXT4)["result"] is True
    return disk
