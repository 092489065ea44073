"""Disks and places that are refused: not a byte is written."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from disk_kit import MIB, Tree, advised, must
from prove.contents import REFUSED, gpt_data, mark_partition

from functional.disks.runs import EXT4, NEEDS_ROOT, QUIETLY, attached, both, refused

pytestmark = NEEDS_ROOT


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tree, point, disk, name):
    prepare, *words = REFUSED[name]
    if name == "nilfs2" and not shutil.which("mkfs.nilfs2"):
        pytest.skip("mkfs.nilfs2 is not installed")
    prepare(disk)
    comment = refused(tree, point, disk, f"Refusing to touch {disk.path} (80 MiB)", *words)
    assert not point.exists()
    if "our partition" in name:
        return
    # The commands of the messages do what they promise, if it takes a second one, too.
    if "Run on this host: blockdev" in comment:
        must("sh", "-c", advised(comment, "Run on this host: "))
        comment = both(tree, point, disk.path, **EXT4)["comment"]
    must("sh", "-c", advised(comment))
    comment = both(tree, point, disk.path, **EXT4)["comment"]
    assert os.path.ismount(point), comment


def test_refused_xfs(tmp_path, tree, point):
    with attached(tmp_path, size=330 * MIB) as disk:
        must("mkfs.xfs", "-q", disk.path)
        refused(tree, point, disk, "a signature of xfs", filesystem="xfs")
        refused(tree, point, disk, "a signature of xfs", filesystem="ext4")


def test_refused_the_system_disk(tree, point):
    root = must("findmnt", "-no", "SOURCE", "/").strip()
    if not root.startswith("/dev/") or not os.path.exists(root):
        pytest.skip(f"the root file system is on {root}, no disk")
    answer = both(tree, point, root, **EXT4)
    assert answer["result"] is False
    assert "holds /" in answer["comment"] or "is a partition" in answer["comment"]


def test_refused_when_mounted_elsewhere(tree, point, disk, tmp_path):
    must("mkfs.ext4", "-q", disk.path)
    (tmp_path / "else where").mkdir()
    must(*QUIETLY, disk.path, tmp_path / "else where")
    words = f"it is mounted at {tmp_path}/else where"
    refused(tree, point, disk, words)


def test_refused_when_its_partition_is_mounted(tree, point, disk, tmp_path):
    gpt_data(disk)
    (tmp_path / "elsewhere").mkdir()
    must(*QUIETLY, disk.partitions()[0], tmp_path / "elsewhere")
    refused(tree, point, disk, f"it is mounted at {tmp_path}/elsewhere")


@pytest.mark.parametrize("partitioned", [False, True])
def test_refused_when_it_is_active_swap(tree, point, disk, partitioned, monkeypatch):
    if partitioned:
        disk.parted("mklabel", "gpt", "mkpart", "swap", "1MiB", "100%")
    device = disk.partitions()[0] if partitioned else disk.path
    # 64 KiB of the disk. Behind its header a kernel that reclaims memory writes when it likes.
    must("mkswap", device, 64)
    begin = MIB if partitioned else 0
    must("chmod", "600", device)
    must("swapon", device)

    def untouched():
        must("blockdev", "--flushbufs", disk.path)
        found = pathlib.Path(disk.path).read_bytes()
        return found[: begin + 4096] + found[begin + 65536 :]

    monkeypatch.setattr(disk, "hash", untouched)
    refused(tree, point, disk, "it holds active swap")


def test_refused_when_held_open(tree, point, disk):
    held = os.open(disk.path, os.O_RDONLY | os.O_EXCL)
    try:
        refused(tree, point, disk, "another program holds it exclusively")
    finally:
        os.close(held)


def test_refused_while_mkfs_runs_on_our_partition(tree, point, disk):
    mark_partition(disk)
    held = os.open(disk.partitions()[0], os.O_RDONLY | os.O_EXCL)
    try:
        refused(tree, point, disk, "another program holds its partition rancher-data open")
    finally:
        os.close(held)


def test_refused_read_only(tmp_path, tree, point):
    with attached(tmp_path, read_only=True) as disk:
        refused(tree, point, disk, "it is read-only")


def test_refused_one_mib(tmp_path, tree, point):
    with attached(tmp_path, size=MIB) as disk:
        refused(tree, point, disk, "it is too small, at least 16 MiB")


def test_refused_too_small_for_xfs(tree, point, disk):
    refused(tree, point, disk, "it is too small, at least 304 MiB", filesystem="xfs")


def test_refused_a_partition(tree, point, disk):
    disk.parted("mklabel", "gpt", "mkpart", "x", "1MiB", "100%")
    words = f"it is a partition of {disk.path}, not a whole disk"
    refused(tree, point, disk, words, device=disk.partitions()[0])


def test_refused_without_a_medium(tree, point, tmp_path):
    with attached(tmp_path, size=0) as disk:
        refused(tree, point, disk, "its size is 0")


def test_refused_what_is_no_disk(tree, point, tmp_path):
    (tmp_path / "file").write_bytes(bytes(MIB))
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for path, words in (
        (tmp_path / "file", "is not a block device"),
        (tmp_path, "is not a block device"),
        ("/dev/null", "is not a block device"),
        (tmp_path / "link", f"is a dangling link to {tmp_path}/gone"),
        ("/dev/disk/by-id/virtio-none", "/dev/disk/by-id/virtio-none does not exist"),
    ):
        answer = both(tree, point, str(path), **EXT4)
        assert (answer["result"], answer["changes"]) == (False, {})
        assert words in answer["comment"]
        assert "Nothing was written" in answer["comment"]
    assert (tmp_path / "file").read_bytes() == bytes(MIB)


def test_refused_when_the_pool_wants_it_too(tmp_path, point, disk):
    link = tmp_path / "pool"
    link.symlink_to(disk.path)
    refused(Tree(tmp_path, pool=str(link)), point, disk, "the disk of the thin pool, too")


def test_refused_over_a_folder_with_files(tree, point, disk):
    point.mkdir()
    for name in "abcd":
        (point / name).touch()
    words = f"cannot be mounted at {point}, which is not empty, it holds a, b, c and 1 more"
    refused(tree, point, disk, words)


def test_refused_over_a_file(tree, point, disk):
    point.touch()
    refused(tree, point, disk, "which is no directory")


def test_refused_behind_a_link(tree, point, disk, tmp_path):
    point.symlink_to(tmp_path / "elsewhere")
    refused(tree, point, disk, "leads through a symbolic link")
    point.unlink()


def test_refused_where_something_else_is_mounted(tree, point, disk):
    point.mkdir()
    must("mount", "-t", "tmpfs", "none", point)
    refused(tree, point, disk, f"something else is mounted at {point}: none (tmpfs)")


def test_refused_where_another_disk_is_mounted(tmp_path, tree, point, disk):
    with attached(tmp_path, name="other") as other:
        must("mkfs.ext4", "-q", other.path)
        point.mkdir()
        must("mount", other.path, point)
        refused(tree, point, disk, f"something else is mounted at {point}: {other.path}")


def test_refused_when_mounted_by_hand_with_another_file_system(tree, point, disk):
    must("mkfs.ext4", "-q", disk.path)
    point.mkdir()
    must(*QUIETLY, disk.path, point)
    refused(tree, point, disk, "with ext4, not xfs", filesystem="xfs")


def test_refused_when_ours_is_mounted_elsewhere(tree, point, done, tmp_path):
    must("umount", point)
    (tmp_path / "old").mkdir()
    must(*QUIETLY, done.partitions()[0], tmp_path / "old")
    refused(tree, point, done, f"mounted at {tmp_path}/old, not at {point}")


def test_refused_when_ours_has_another_file_system(tmp_path, tree, point):
    with attached(tmp_path, size=330 * MIB) as disk:
        tree.mounted(point, disk.path, **EXT4)
        must("umount", point)
        refused(tree, point, disk, "holds ext4, not xfs", filesystem="xfs")


@pytest.mark.parametrize(
    "spec", ["UUID={}", 'UUID="{}"', "LABEL={}", "PARTUUID={}", "PARTLABEL='{}'", "path"]
)
def test_refused_when_fstab_mounts_it_elsewhere(tree, point, done, spec):
    must("umount", point)
    (part,) = done.partitions()
    must(*QUIETLY, part, point)
    keys = dict(
        line.split("=", 1)
        for line in must("blkid", "-p", "-o", "export", part).splitlines()
        if "=" in line
    )
    keys |= {"PARTUUID": keys["PART_ENTRY_UUID"], "PARTLABEL": keys["PART_ENTRY_NAME"]}
    spec = part if spec == "path" else spec.format(keys[spec.partition("=")[0]])
    tree.fstab.write_text(tree.fstab.read_text() + f"{spec} /old ext4 defaults 0 2\n")
    refused(tree, point, done, "/etc/fstab mounts its file system at /old")


def test_refused_with_two_lines_in_fstab(tree, point, disk):
    tree.fstab.write_text(f"/dev/a {point} xfs defaults 0 0\n/dev/b {point} xfs defaults 0 0\n")
    refused(tree, point, disk, f"/etc/fstab has 2 lines for {point}")


# --- Used by somebody who leaves no trace on it ---


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR])
@pytest.mark.parametrize("whole", [True, False])
def test_refused_when_another_process_has_it_open(tree, point, disk, flags, whole):
    if not whole:
        mark_partition(disk)
    device = disk.path if whole else disk.partitions()[0]
    holds = f"import os,time;os.open({device!r},{flags});print('open',flush=True);time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", holds], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"open\n"
        refused(tree, point, disk, f"it is in use by process {holder.pid} (python")
    finally:
        holder.kill()
        holder.wait()
    assert both(tree, point, disk.path, **EXT4)["result"] is True


def test_refused_when_a_loop_device_lies_on_it(tree, point, disk):
    loop = must("losetup", "--find", "--show", disk.path).strip()
    try:
        refused(tree, point, disk, f"it is in use by {loop}, a loop device on it")
    finally:
        must("losetup", "--detach", loop)


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_refused_when_it_is_mounted_in_another_namespace(tree, point, disk, tmp_path):
    must("mkfs.ext4", "-q", disk.path)
    (tmp_path / "there").mkdir()
    script = f"mount -o ro,noload {disk.path} {tmp_path}/there && echo ready && exec sleep 60"
    holder = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"ready\n"
        words = f"it is in use by process {holder.pid} (sleep), in whose namespace it is mounted at"
        assert "wipefs" not in refused(tree, point, disk, words)
    finally:
        holder.kill()
        holder.communicate()
