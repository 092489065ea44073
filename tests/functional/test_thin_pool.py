"""
The thin pool on this machine's real LVM, on loop devices, as far as that goes without device
mapper: up to the two volumes, which exist in LVM's metadata only. Then lvconvert refuses. The
rest runs in tests/vm/test_thin_pool.py.
"""

import contextlib
import os
import shutil

import pytest
from disk_kit import MIB, Disk, advised, must
from pool_kit import MADE, MARK, REFUSED, Killed, Tree, change, lvm, partitioned, unfinished

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices"),
    pytest.mark.skipif(not shutil.which("lvm"), reason="needs lvm2"),
]
# label, partition, type, PV, VG, name, data, metadata
WRITES = 8


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("LVM_SYSTEM_DIR", str(tmp_path))
    monkeypatch.setenv("LVM_SUPPRESS_FD_WARNINGS", "1")
    return Tree(tmp_path)


@contextlib.contextmanager
def attached(folder, size=420 * MIB, name="disk.img"):
    found = Disk(folder, size=size, name=name)
    try:
        yield found
    finally:
        found.detach()


@pytest.fixture
def disk(tmp_path, tree):
    with attached(tmp_path) as found:
        tree.admit(found.path)
        yield found


@pytest.fixture
def other(tmp_path, tree, disk):
    with attached(tmp_path, name="other.img") as found:
        tree.admit(disk.path, found.path)
        yield found


def uuids(kind, field):
    return lvm(kind, "--noheadings", "-o", field).split()


def refused(tree, *disks):
    """Dry run and run say the same, and leave every byte where it was."""
    before = [disk.hash() for disk in disks]
    tree.steps.clear()
    dry, real = (tree.present(disks[0].path, test=test) for test in (True, False))
    assert dry == real
    assert (real["result"], real["changes"]) == (False, {}), real
    assert tree.steps == []
    assert [disk.hash() for disk in disks] == before
    assert "\n" not in real["comment"]
    return real["comment"]


@pytest.mark.parametrize("size", [404 * MIB, 420 * MIB, 421 * MIB + 17408, 2049 * MIB + 512])
def test_what_the_dry_run_foretells_is_what_lvm_makes(tree, tmp_path, size):
    with attached(tmp_path, size) as disk:
        tree.admit(disk.path)
        before = disk.hash()
        dry = tree.present(disk.path, test=True)
        assert dry["result"] is None and disk.hash() == before and tree.steps == []
        real = tree.present(disk.path)
        assert real["result"] is False and "device-mapper" in real["comment"]
        assert real["changes"] == {key: dry["changes"][key] for key in MADE}
        (extents,) = uuids("vgs", "vg_extent_count")
        assert dry["changes"]["volume group"]["new"].startswith(f"docker, {extents} extents")
        rows = lvm("lvs", "--noheadings", "--units", "b", "--nosuffix", "-o", "lv_name,lv_size")
        made = dict(line.split() for line in rows.splitlines())
        for key, name in (("data volume", "thinpool"), ("metadata volume", "thinpoolmeta")):
            expected = f"docker/{name}, {int(made[name]) // (4 * MIB)} extents"
            assert dry["changes"][key]["new"] == expected
        assert tree.plan(disk.path)["state"] == "P7"


@pytest.mark.parametrize("point", range(1, 2 * WRITES + 1))
def test_killed_anywhere_it_goes_on_with_the_same_uuids(tree, disk, point):
    tree.end_at = point
    with pytest.raises(Killed):
        tree.present(disk.path)
    tree.end_at = None
    before = uuids("pvs", "pv_uuid"), uuids("vgs", "vg_uuid")
    dry = tree.present(disk.path, test=True)
    assert dry["result"] is None, dry["comment"]
    real = tree.present(disk.path)
    assert "device-mapper" in real["comment"]
    assert real["changes"] == {key: dry["changes"][key] for key in MADE if key in dry["changes"]}
    after = uuids("pvs", "pv_uuid"), uuids("vgs", "vg_uuid")
    assert all(old == new[: len(old)] for old, new in zip(before, after, strict=True))
    creating = [step for step in tree.steps if not step.startswith("lvconvert")]
    assert len(creating) == len(set(creating)), "done twice"
    assert tree.plan(disk.path)["state"] == "P7"


def test_a_disk_that_is_too_small(tree, tmp_path):
    with attached(tmp_path, 402 * MIB) as disk:
        tree.admit(disk.path)
        assert "at least 100 are needed, a disk of 404 MiB" in refused(tree, disk)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tree, disk, other, name):
    prepare, *words = REFUSED[name]
    prepare(tree, disk, other)
    comment = refused(tree, disk, other)
    for word in words:
        assert word in comment, comment


@pytest.mark.parametrize("how", ["label", "text", "announced"])
def test_what_a_killed_vgcreate_leaves_is_made_anew(tree, disk, how):
    path = partitioned(disk, f"{MARK}-new")
    lvm("vgcreate", "--addtag", MARK, "--physicalextentsize", "4m", "docker", path)
    unfinished(path, how)
    assert tree.plan(disk.path)["state"] == "P4v"
    dry, real = tree.present(disk.path, test=True), tree.present(disk.path)
    assert [*dry["changes"]][:2] == ["physical volume", "volume group"]
    assert real["changes"] == {key: dry["changes"][key] for key in MADE if key in dry["changes"]}
    assert tree.plan(disk.path)["state"] == "P7"


DAMAGES = {
    "the label": (MIB + 512, 512),
    "label and header": (MIB, 8192),
    "the first MiB of the partition": (MIB, MIB),
    "the table": (0, MIB),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_pool_is_repaired_by_the_very_commands_of_the_message(tree, disk, name):
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "--physicalextentsize", "4m", "docker", path)
    lvm("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l", "9", "-n", "images", "docker")
    change(path, (9 * MIB, b"somebody's container"))
    start, length = DAMAGES[name]
    disk.put(start, bytes(length))
    if name == "the table":
        must("blockdev", "--rereadpt", disk.path)
    comment = refused(tree, disk)
    for command in advised(comment, f"on this host{',' if name == 'the table' else ':'} ").split(
        "; "
    ):
        argv = command.split()
        if argv[0] == "parted":
            must(*argv)
        elif argv[0] != "vgchange":
            lvm(*argv)
    assert uuids("lvs", "lv_name") == ["images"]
    with open(disk.partitions()[0], "rb") as part:
        part.seek(9 * MIB)
        assert part.read(20) == b"somebody's container"
    assert tree.lists()["doubts"] == []


def test_a_group_that_was_removed_on_purpose_is_not_missed(tree, disk):
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "--physicalextentsize", "4m", "docker", path)
    lvm("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l", "9", "-n", "images", "docker")
    lvm("vgremove", "-ff", "-y", "docker")
    # Nothing was ever written to its volumes.
    assert tree.plan(disk.path)["state"] == "P4"
