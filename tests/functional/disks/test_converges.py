"""The data disk on this machine's real kernel and tools, on loop devices of its own."""

import os

import pytest
import salt.config
import salt.loader
from disk_kit import MIB, must
from fakes import LOCK, ROOT
from prove.contents import mark_partition

import _converge
import _disk_blank
import _fstab
from functional.disks.runs import ALL, EXT4, NEEDS_ROOT, attached, both, converges, refused

pytestmark = NEEDS_ROOT


@pytest.mark.parametrize("filesystem", ["xfs", "ext4"])
def test_a_blank_disk(tmp_path, tree, point, filesystem):
    with attached(tmp_path, size=400 * MIB) as disk:
        answer = converges(tree, point, disk.path, ALL, filesystem=filesystem)
        assert answer["changes"]["filesystem"]["new"] == (
            f"{filesystem} labelled data on partition 1 of {disk.path}"
        )
        (part,) = disk.partitions()
        assert must("blkid", "-p", "-s", "PART_ENTRY_NAME", "-o", "value", part) == "rancher-data\n"
        assert must("blkid", "-p", "-s", "LABEL", "-o", "value", part) == "data\n"
        assert os.path.ismount(point)
        assert os.stat(point.parent / "data").st_mode & 0o7777 == 0o755
        uuid = must("blkid", "-p", "-s", "UUID", "-o", "value", part).strip()
        last = 2 if filesystem == "ext4" else 0
        assert tree.fstab.read_text().split("\n")[2:] == [
            f"UUID={uuid} {point} {filesystem} defaults,nofail 0 {last}",
            "",
        ]


def test_through_salts_own_loader(tmp_path, monkeypatch, point, disk):
    monkeypatch.setattr(_fstab, "FSTAB", str(tmp_path / "fstab"))
    monkeypatch.setattr(_converge, "LOCK", LOCK)
    opts = salt.config.minion_config(None)
    opts.update(root_dir=str(tmp_path), cachedir=str(tmp_path), extension_modules=str(tmp_path))
    opts.update(file_client="local", module_dirs=[str(ROOT / "salt")], grains={}, pillar={})
    (tmp_path / "fstab").write_text("# this host\n")
    for test, result in ((True, None), (False, True), (True, True)):
        opts["test"] = test
        utils = salt.loader.utils(opts)
        modules = salt.loader.minion_mods(opts, utils=utils)
        states = salt.loader.states(opts, modules, utils, None)
        answer = states["datadisk.mounted"](str(point), disk.path, filesystem="ext4")
        assert answer["result"] is result, answer["comment"]
        assert list(answer["changes"]) == (ALL if test is not True or result is None else [])
    assert os.path.ismount(point)


def test_no_disk_in_the_settings(tree, point):
    answer = both(tree, point, None)
    assert (answer["result"], answer["changes"]) == (True, {})
    assert answer["comment"] == "No data disk is configured"


def test_overlay2_can_live_on_the_xfs(tmp_path, tree, point):
    with attached(tmp_path, size=400 * MIB) as disk:
        tree.mounted(point, disk.path)
        assert "ftype=1" in must("xfs_info", point)


def test_by_its_link(tmp_path, tree, point, disk):
    link = tmp_path / "virtio-data"
    link.symlink_to(disk.path)
    answer = converges(tree, point, str(link), ALL, **EXT4)
    assert answer["changes"]["mount"]["new"] == f"partition 1 of {disk.path} at {point}"
    assert f"{disk.path} ({link}, 80 MiB)" in answer["comment"]


def test_a_label_without_partitions_is_a_crash_of_ours(tree, point, disk):
    disk.parted("mklabel", "gpt")
    converges(tree, point, disk.path, ALL, **EXT4)


def test_mount_options_reach_fstab_and_kernel(tree, point, disk):
    options = ["noatime", "nofail", "x-systemd.device-timeout=5"]
    converges(tree, point, disk.path, ALL, **EXT4, options=options)
    assert f"{point} ext4 {','.join(options)} 0 2" in tree.fstab.read_text()
    assert "noatime" in must("findmnt", "-no", "OPTIONS", point)


def test_only_the_mount_is_missing(tree, point, done):
    must("umount", point)
    converges(tree, point, done.path, ["mount"], **EXT4)


def test_only_the_line_in_fstab_is_missing(tree, point, done):
    tree.fstab.write_text("# emptied")
    converges(tree, point, done.path, ["fstab"], **EXT4)
    assert tree.fstab.read_text().startswith("# emptied\nUUID=")


def test_another_line_in_fstab_is_replaced(tree, point, done):
    tree.fstab.write_text(f"# a\n{done.partitions()[0]}\t{point}/  ext4 ro 0 0\n# b\n")
    converges(tree, point, done.path, ["fstab"], **EXT4)
    lines = tree.fstab.read_text().split("\n")
    assert (lines[0], lines[2:]) == ("# a", ["# b", ""])


@pytest.mark.parametrize("spec", ["LABEL=other", "path"])
def test_the_line_of_another_disk_was_replaced(tree, point, done, tmp_path, spec):
    must("umount", point)
    with attached(tmp_path, name="other") as other:
        must("mkfs.ext4", "-q", "-L", "other", other.path)
        spec = other.path if spec == "path" else spec
        tree.fstab.write_text(f"{spec} {point} ext4 defaults 0 2\n")
        refused(tree, point, done, f"disk{' with LABEL other' * ('=' in spec)} is {other.path}")


def test_after_a_reboot_under_another_name(tree, point, done, tmp_path):
    must("umount", point)
    with attached(tmp_path, name="other"):
        done.detach()
        with attached(tmp_path, name="first"):
            done.attach()
            converges(tree, point, done.path, ["mount"], **EXT4)
            must("umount", point)


@pytest.mark.parametrize("partitioned", [False, True])
def test_made_and_mounted_by_hand(tree, point, disk, partitioned):
    if partitioned:
        disk.parted("mklabel", "msdos", "mkpart", "primary", "1MiB", "100%")
    device = disk.partitions()[0] if partitioned else disk.path
    must("mkfs.ext4", "-q", device)
    point.mkdir()
    must("mount", device, point)
    (point / "file").write_text("precious")
    converges(tree, point, disk.path, ["fstab"], **EXT4)
    assert (point / "file").read_text() == "precious"


# --- Hosts that the tree made before it knew the two names ---


def test_a_finished_partition_that_was_never_used_is_completed(tree, point, disk):
    mark_partition(disk, "rancher-data")
    converges(tree, point, disk.path, ALL, **EXT4)


def test_a_finished_disk_of_before_stays_as_it_is(tree, point, disk):
    mark_partition(disk, "rancher-data")
    must("mkfs.ext4", "-q", "-L", "data", disk.partitions()[0])
    converges(tree, point, disk.path, ["directory", "mount", "fstab"], **EXT4)


def test_a_byte_between_two_samples_of_a_finished_partition_was_formatted(tmp_path, tree, point):
    with attached(tmp_path, size=1536 * MIB) as disk:
        disk.parted("mklabel", "gpt", "mkpart", "rancher-data", "1MiB", "1535MiB")
        disk.put(800_000_001, b"\1")
        assert _disk_blank.look(disk.partitions()[0]) is None
        words = ("was finished once", "the first byte that is not zero is at offset 0x2f9f0801")
        refused(tree, point, disk, *words)
