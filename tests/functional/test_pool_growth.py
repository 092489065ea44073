"""
A further disk for the pool with this machine's real LVM, on loop devices. A kernel without device
mapper makes no pool, so its place in LVM's metadata is written there by vgcfgrestore. A real pool
that uses the room: tests/vm/test_pool_growth.py.
"""

import pytest
from disk_kit import MIB, must
from pool_kit import MARK, Killed, lvm, partitioned, unfinished

from .test_thin_pool import (  # noqa: F401 - fixtures
    attached,
    disk,
    other,
    pytestmark,
    tree,
    uuids,
)

# label, partition, type, PV, VG, name
WRITES = 6
POOL = """logical_volumes {
  thinpool {
    id = "AAAAAA-5rIT-NW0N-1sRQ-8PQG-1aj5-gnir0j"
    status = ["READ", "WRITE", "VISIBLE"]
    flags = []
    segment_count = 1
    segment1 {
      start_extent = 0
      extent_count = 80
      type = "thin-pool"
      metadata = "thinpool_tmeta"
      pool = "thinpool_tdata"
      transaction_id = 0
      chunk_size = 1024
      discards = "passdown"
      zero_new_blocks = 0
    }
  }
"""


@pytest.fixture
def pool(tree, disk, tmp_path):  # noqa: F811
    """The disk of a pool that is there, as far as LVM's metadata go."""
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "--physicalextentsize", "4m", "docker", path)
    for name, extents in (("thinpool_", "80"), ("thinpool_m", "2")):
        lvm("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l", extents, "-n", name, "docker")
    backup = tmp_path / "metadata"
    lvm("vgcfgbackup", "-f", backup, "docker")
    text = backup.read_text().replace('"READ", "WRITE", "VISIBLE"', '"READ", "WRITE"')
    text = text.replace("thinpool_ {", "thinpool_tdata {").replace(
        "thinpool_m {", "thinpool_tmeta {"
    )
    backup.write_text(text.replace("logical_volumes {\n", POOL))
    lvm("vgcfgrestore", "--force", "-f", backup, "docker")
    return disk


def extended(tree, *devices, test=False):  # noqa: F811
    return tree.extended(*devices, test=test)


def refused(tree, *disks):  # noqa: F811
    before = [one.hash() for one in disks]
    tree.steps.clear()
    dry, real = (extended(tree, disks[-1].path, test=test) for test in (True, False))
    assert dry == real and tree.steps == []
    assert (real["result"], real["changes"]) == (False, {}), real
    assert [one.hash() for one in disks] == before
    return real["comment"]


@pytest.mark.parametrize("size", [64 * MIB, 420 * MIB, 421 * MIB + 17408])
def test_what_the_dry_run_foretells_is_what_lvm_makes(tree, pool, tmp_path, size):  # noqa: F811
    with attached(tmp_path, size, name="more.img") as more:
        tree.admit(pool.path, more.path)
        (before,) = uuids("vgs", "vg_extent_count")
        content = more.hash()
        dry = extended(tree, more.path, test=True)
        assert dry["result"] is None and more.hash() == content and tree.steps == []
        done = extended(tree, more.path)
        assert (done["result"], done["changes"]) == (True, dry["changes"]), done["comment"]
        (after,) = uuids("vgs", "vg_extent_count")
        text = done["changes"][f"{more.path}: volume group"]["new"]
        assert text == f"docker, {int(after) - int(before)} extents of 4 MiB more"
        again = extended(tree, more.path)
        assert (again["result"], again["changes"]) == (True, {})


@pytest.mark.parametrize("point", range(1, 2 * WRITES + 1))
def test_killed_anywhere_it_goes_on_with_the_same_uuids(tree, pool, other, point):  # noqa: F811
    tree.steps.clear()
    tree.end_at = point
    with pytest.raises(Killed):
        extended(tree, other.path)
    tree.end_at = None
    before = uuids("pvs", "pv_uuid")
    dry = extended(tree, other.path, test=True)
    done = extended(tree, other.path)
    assert (done["result"], done["changes"]) == (True, dry["changes"]), done["comment"]
    assert set(before) <= set(uuids("pvs", "pv_uuid"))
    assert len(tree.steps) == len(set(tree.steps)), "done twice"
    (members,) = uuids("vgs", "pv_count")
    assert members == "2"


def test_a_disk_with_a_file_system(tree, pool, other):  # noqa: F811
    must("mkfs.ext4", "-q", other.path)
    assert "ext4" in refused(tree, pool, other)


def test_a_disk_that_is_marked_in_use(tree, pool, other):  # noqa: F811
    # Its partition is finished by its name, so it held more once.
    path = partitioned(other)
    lvm("vgcreate", "--addtag", MARK, "more", path)
    unfinished(path, "label")
    comment = refused(tree, pool, other)
    assert "is marked in use but no VG was found using it" in comment
    advice = (
        f"If no group is missed and nothing on it is needed, run on this host: wipefs -a {path}"
    )
    assert advice in comment
    must("sh", "-c", comment.partition("run on this host: ")[2].partition(". If")[0])
    done = extended(tree, other.path)
    assert done["result"] is True, done["comment"]


def test_a_disk_of_another_group(tree, pool, other):  # noqa: F811
    lvm("vgcreate", "backup", partitioned(other))
    assert "belongs to volume group backup" in refused(tree, pool, other)


def test_a_group_that_is_not_ours(tree, pool, other):  # noqa: F811
    lvm("vgchange", "--deltag", MARK, "docker")
    assert f"vgchange --addtag {MARK} docker" in refused(tree, pool, other)


def test_a_group_that_lost_a_disk(tree, pool, other, tmp_path):  # noqa: F811
    assert extended(tree, other.path)["result"] is True
    with attached(tmp_path, name="third.img") as third:
        tree.admit(pool.path, third.path)
        assert "LVM doubts its own lists" in refused(tree, pool, third)


def test_a_further_disk_with_data_that_no_tool_knows(tree, pool, other):  # noqa: F811
    other.put(other.size // 2, b"precious")
    comment = refused(tree, pool, other)
    assert f"the first byte that is not zero is at offset {other.size // 2:#x}" in comment
    assert f"blkdiscard {other.path} || shred -v -n 0 -z {other.path}" in comment
