"""A run that ends anywhere, and whatever changes between its look and its write."""

import os
import shutil
import subprocess

import pytest
from disk_kit import MIB, killed_at, must
from prove.contents import mark_partition

import _disk_make
from functional.disks.runs import ALL, EXT4, NEEDS_ROOT, attached, both, converges

pytestmark = NEEDS_ROOT


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_killed_before_and_after_every_step(tmp_path, tree, point, filesystem):
    settings = {"filesystem": filesystem}
    with attached(tmp_path, size=330 * MIB) as disk:
        for number in range(1, 100):
            with killed_at(tree, number) as ended:
                tree.mounted(point, disk.path, **settings)
            if not ended:
                break
            uuids = identities(disk)
            answer = both(tree, point, disk.path, **settings)
            assert answer["result"] is True, (number, answer["comment"])
            assert not both(tree, point, disk.path, **settings)["changes"]
            assert uuids.items() <= identities(disk).items()
            must("umount", point)
            os.rmdir(point)
            tree.fstab.write_text("# this host\n")
            disk.clear()
        # mklabel, mkpart, mkfs, its name, mount, fstab
        assert len(tree.steps) == 6 or os.path.isdir("/run/systemd/system")
        assert number > 10


def identities(disk):
    found = {}
    for part in disk.partitions():
        for key in ("PART_ENTRY_UUID", "UUID"):
            answer = subprocess.run(
                ["blkid", "-p", "-s", key, "-o", "value", part],
                capture_output=True,
                text=True,
                check=False,
            )
            found[key] = answer.stdout
    return {key: value for key, value in found.items() if value}


def test_parted_killed_before_it_told_the_kernel(tree, point, disk):
    mark_partition(disk)
    must("partx", "--delete", disk.path)
    assert disk.partitions() == []
    converges(tree, point, disk.path, ALL[1:], **EXT4)


@pytest.mark.parametrize("marked", [False, True])
def test_parted_killed_between_the_two_copies_of_the_table(tree, point, disk, marked):
    mark_partition(disk) if marked else disk.parted("mklabel", "gpt")
    disk.put(1500, b"\1")
    converges(tree, point, disk.path, ALL[1:] if marked else ALL, **EXT4)


@pytest.mark.parametrize("marked", [False, True])
def test_parted_killed_before_the_second_copy_of_the_table(tree, point, disk, marked):
    mark_partition(disk) if marked else disk.parted("mklabel", "gpt")
    disk.put(disk.size - 512, bytes(512))
    converges(tree, point, disk.path, ALL[1:] if marked else ALL, **EXT4)


def test_mkfs_xfs_killed_on_its_way(tmp_path, tree, point):
    with attached(tmp_path, size=400 * MIB) as disk:
        mark_partition(disk)
        (part,) = disk.partitions()
        must("mkfs.xfs", "-q", "-L", "data", part)
        must("xfs_db", "-x", "-c", "sb 0", "-c", "write inprogress 1", part)
        answer = converges(tree, point, disk.path, ALL[1:])
        assert answer["changes"]["filesystem"] == {
            "old": "unfinished, mkfs was interrupted",
            "new": f"xfs labelled data on partition 1 of {disk.path}",
        }


@pytest.mark.skipif(not shutil.which("strace"), reason="strace, which ends mkfs at a write")
@pytest.mark.parametrize("filesystem", ["xfs", "ext4"])
def test_mkfs_killed_at_some_writes(tmp_path, tree, point, filesystem):
    with attached(tmp_path, size=330 * MIB) as disk:
        for write in (1, 3, 5, 20, 50):
            mark_partition(disk)
            ended = subprocess.run(
                ["strace", "-f", "-o", "/dev/null"]
                + ["-e", f"inject=pwrite64:signal=KILL:when={write}"]
                + [f"mkfs.{filesystem}", "-q", "-L", "data", disk.partitions()[0]],
                capture_output=True,
                check=False,
            )
            assert ended.returncode != 0
            answer = both(tree, point, disk.path, filesystem=filesystem)
            assert answer["result"] is True, (write, answer["comment"])
            must("umount", point)
            tree.fstab.write_text("# this host\n")
            disk.clear()


# --- Between the look and the write ---


def test_a_link_that_is_bent_between_look_and_write(tmp_path, tree, point, disk):
    with attached(tmp_path, name="other") as other:
        must("mkfs.ext4", "-q", other.path)
        link = tmp_path / "link"
        link.symlink_to(disk.path)
        real = _disk_make.partition

        def bend(*args):
            link.unlink()
            link.symlink_to(other.path)
            return real(*args)

        tree.over.append((_disk_make, {"partition": bend}))
        before = disk.hash(), other.hash()
        answer = tree.mounted(point, str(link), **EXT4)
        assert answer["result"] is False
        assert f"is not the disk that was checked: its path was {disk.path}" in answer["comment"]
        assert (answer["changes"], tree.steps) == ({}, [])
        assert (disk.hash(), other.hash()) == before


def test_content_that_appears_between_look_and_mkfs(tree, point, disk):
    mark_partition(disk)
    real = _disk_make.partition

    def late(*args):
        path = real(*args)
        must("mkfs.ext4", "-q", "-L", "precious", path)
        return path

    tree.over.append((_disk_make, {"partition": late}))
    answer = tree.mounted(point, disk.path, **EXT4)
    assert answer["result"] is False
    assert "has the label precious, not data" in answer["comment"]
    assert must("blkid", "-p", "-s", "LABEL", "-o", "value", disk.partitions()[0]) == "precious\n"


def test_a_disk_that_is_written_to_between_look_and_label(tree, point, disk):
    real = _disk_make.partition

    def late(*args):
        must("mkfs.ext4", "-q", disk.path)
        return real(*args)

    tree.over.append((_disk_make, {"partition": late}))
    answer = tree.mounted(point, disk.path, **EXT4)
    assert "it holds a signature of ext4" in answer["comment"]
    assert (answer["changes"], tree.steps) == ({}, [])
