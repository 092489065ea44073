"""Copies, disks of other shapes, and what was changed by hand."""

import os
import shutil

import pytest
from disk_kit import MIB, advised, must
from prove.contents import mark_partition

from functional.disks.runs import ALL, EXT4, NEEDS_ROOT, attached, both, converges, refused

pytestmark = NEEDS_ROOT


def test_a_disk_whose_last_bytes_are_no_whole_block(tmp_path, tree, point):
    with attached(tmp_path, size=80 * MIB + 512) as disk:
        disk.put(disk.size - 1, b"\1")
        refused(tree, point, disk, "not zero is at offset 0x50001ff")
        disk.put(disk.size - 1, b"\0")
        converges(tree, point, disk.path, ALL, **EXT4)


def test_a_disk_with_sectors_of_4_kib(tree, point, disk):
    must("losetup", "--sector-size", "4096", disk.path)
    converges(tree, point, disk.path, ALL, **EXT4)


@pytest.mark.parametrize("finished", [True, False])
def test_a_disk_that_grew_keeps_what_is_behind_our_partition(tree, point, disk, finished):
    if finished:
        assert tree.mounted(point, disk.path, **EXT4)["result"] is True
        must("umount", point)
    else:
        mark_partition(disk)
    os.truncate(disk.image, 160 * MIB)
    must("losetup", "--set-capacity", disk.path)
    disk.put(120 * MIB, b"precious")
    converges(tree, point, disk.path, ["mount"] if finished else ALL[1:], **EXT4)
    with open(disk.path, "rb") as source:
        source.seek(120 * MIB)
        assert source.read(8) == b"precious"


@pytest.fixture
def copy(tmp_path, point, done):
    """A snapshot of our own disk, attached as a second one."""
    must("umount", point)
    must("blockdev", "--flushbufs", done.path)
    shutil.copyfile(done.image, tmp_path / "copy.img")
    loop = must("losetup", "--partscan", "--find", "--show", tmp_path / "copy.img").strip()
    must("partx", "--update", loop)
    yield loop
    while os.path.ismount(point):
        must("umount", point)
    must("losetup", "--detach", loop)


def test_two_disks_with_one_uuid_were_mounted_without_a_word(tree, point, done, copy):
    words = f"{copy} has a file system with the same UUID"
    refused(tree, point, done, words, "At boot either could be mounted")
    must("e2fsck", "-fy", f"{copy}p1")
    must("tune2fs", "-U", "random", f"{copy}p1")
    converges(tree, point, done.path, ["mount"], **EXT4)


def test_a_copy_that_the_boot_mounted_is_called_a_copy(tree, point, done, copy):
    must("mount", "-o", "ro,noload", f"{copy}p1", point)
    refused(tree, point, done, "a copy of its file system, with the same UUID, is mounted at")


def test_a_mount_that_is_hidden_by_a_later_one_was_already_correct(tmp_path, tree, disk):
    (tmp_path / "srv").mkdir()
    point = tmp_path / "srv/data"
    assert tree.mounted(point, disk.path, **EXT4)["result"] is True
    must("mount", "-t", "tmpfs", "later", tmp_path / "srv")
    try:
        answer = both(tree, point, disk.path, **EXT4)
        assert (answer["result"], answer["changes"]) == (False, {})
        assert "something was mounted above it later. Nothing was written." in answer["comment"]
    finally:
        must("umount", tmp_path / "srv")
    assert both(tree, point, disk.path, **EXT4)["result"] is True


@pytest.mark.parametrize("by", ["path", "label"])
def test_another_disk_that_fstab_mounts_there_was_dropped_from_it(tmp_path, tree, point, done, by):
    must("umount", point)
    with attached(tmp_path, name="other") as other:
        must("mkfs.ext4", "-q", "-L", "photos", other.path)
        spec = other.path if by == "path" else "LABEL=photos"
        tree.fstab.write_text(f"{spec} {point} ext4 defaults 0 2\n")
        named = "its disk" if by == "path" else "the disk with LABEL photos"
        refused(tree, point, done, f"{named} is {other.path}, not this one")


def test_a_type_that_was_changed_by_hand_is_given_back(tree, point, done):
    must("umount", point)
    done.parted("set", "1", "raid", "on")
    comment = refused(tree, point, done, "has the type a19d880f", "not one of ours")
    must("sh", "-c", advised(comment, "that we gave it, run on this host: "))
    converges(tree, point, done.path, ["mount"], **EXT4)
