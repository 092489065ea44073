"""The data disk on this machine's real kernel and tools, on loop devices of its own."""

import contextlib
import os
import shutil
import subprocess
import sys
import time

import pytest
import salt.config
import salt.loader
from disk_kit import MIB, Disk, Tree, advised, killed_at, must
from fakes import LOCK, ROOT
from prove.contents import REFUSED, gpt_data, mark_partition

import _converge
import _disk_blank
import _disk_make
import _fstab
import _host

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and mounts"),
]
EXT4 = {"filesystem": "ext4"}
ALL = ["partition", "filesystem", "directory", "mount", "fstab"]
# The kernel writes to what is mounted to be written, for seconds and by itself.
QUIETLY = ("mount", "-o", "ro,noload")


@pytest.fixture
def disk(tmp_path):
    with attached(tmp_path) as found:
        yield found


@contextlib.contextmanager
def attached(folder, **options):
    found = Disk(folder, **options)
    try:
        yield found
    finally:
        found.detach()


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def point(tmp_path):
    found = tmp_path / "data"
    yield found
    while os.path.ismount(found):
        must("umount", found)


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


# --- It converges ---


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


@pytest.fixture
def done(tree, point, disk):
    """A disk that is finished, then unmounted."""
    assert tree.mounted(point, disk.path, **EXT4)["result"] is True
    return disk


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


# --- Ended anywhere, run again ---


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


# --- Refusals ---


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
def test_refused_when_it_is_active_swap(tree, point, disk, partitioned):
    if partitioned:
        disk.parted("mklabel", "gpt", "mkpart", "swap", "1MiB", "100%")
    device = disk.partitions()[0] if partitioned else disk.path
    must("mkswap", device)
    must("chmod", "600", device)
    must("swapon", device)
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


def test_refused_without_a_medium(tree, point):
    free = must("losetup", "--find").strip()
    answer = both(tree, point, free, **EXT4)
    assert "its size is 0" in answer["comment"]


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


# --- Tools that fail or lie ---


@pytest.fixture
def fake_tool(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(name, script):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return make


LIES = {
    "exit 5": "exit 5",
    "exit 1 with words": "echo 'Device busy' >&2; exit 1",
    "killed": "kill -9 $$",
    "garbage": "printf '\\377\\376 what?\\n\\n<html>'",
    "half a line": "printf 'TY'",
    "says no to reading": "echo 'error: Input/output error' >&2; exit 2",
    "warns and says nothing": "echo 'Input/output error' >&2; exit 0",
}


@pytest.mark.parametrize("tool", ["blkid", "wipefs", "partx"])
@pytest.mark.parametrize("lie", LIES)
def test_a_tool_that_fails_is_never_absence(tree, point, disk, fake_tool, tool, lie):
    disk.parted("mklabel", "gpt")
    fake_tool(tool, LIES[lie])
    before = disk.hash()
    answer = both(tree, point, disk.path, **EXT4)
    assert (answer["result"], answer["changes"], tree.steps) == (False, {}, [])
    assert tool in answer["comment"]
    assert disk.hash() == before


@pytest.mark.parametrize(("tool", "empty"), [("blkid", "exit 2"), ("wipefs", "exit 0")])
def test_one_tool_that_sees_nothing_is_not_believed(tree, point, disk, fake_tool, tool, empty):
    must("mkfs.ext4", "-q", disk.path)
    fake_tool(tool, empty)
    before = disk.hash()
    answer = both(tree, point, disk.path, **EXT4)
    assert (answer["result"], answer["changes"], tree.steps) == (False, {}, [])
    assert "ext4" in answer["comment"]
    assert disk.hash() == before


@pytest.mark.parametrize("tool", ["blkid", "wipefs", "partx"])
def test_a_tool_that_hangs(tree, point, disk, fake_tool, tool):
    disk.parted("mklabel", "gpt")
    fake_tool(tool, "sleep 60 & wait")
    real = _host.run
    tree.over.append((_host, {"run": lambda argv, **more: real(argv, **{**more, "timeout": 1})}))
    answer = both(tree, point, disk.path, **EXT4)
    assert answer["result"] is False
    assert f"`{tool} " in answer["comment"] and "gave no answer within 1 s" in answer["comment"]


@pytest.mark.parametrize("tool", ["blkid", "wipefs", "partx"])
def test_a_tool_that_is_missing(tree, point, disk, tmp_path, tool, monkeypatch):
    disk.parted("mklabel", "gpt")
    for name in {"blkid", "wipefs", "partx"} - {tool}:
        (tmp_path / name).symlink_to(shutil.which(name))
    monkeypatch.setattr(_host, "_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = tree.mounted(point, disk.path, test=True, **EXT4)
    assert answer["result"] is False
    assert f"{tool} is not installed" in answer["comment"]


def test_parted_that_does_nothing(tree, point, disk, fake_tool):
    fake_tool("parted", "exit 0")
    answer = tree.mounted(point, disk.path, **EXT4)
    assert answer["result"] is False
    assert "parted reported success without effect" in answer["comment"]
    assert answer["changes"] == {}


def test_parted_that_fails(tree, point, disk, fake_tool):
    fake_tool("parted", "echo 'Error: disk is on fire' >&2; exit 1")
    answer = tree.mounted(point, disk.path, **EXT4)
    assert "disk is on fire" in answer["comment"]
    assert answer["changes"] == {}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 0", "mkfs.ext4 reported success without effect"),
        ("exit 1", "`mkfs.ext4 -q -E nodiscard -L data /dev/"),
    ],
)
def test_mkfs_that_fails_or_does_nothing(tree, point, disk, fake_tool, script, words):
    fake_tool("mkfs.ext4", script)
    answer = tree.mounted(point, disk.path, **EXT4)
    assert answer["result"] is False
    assert words in answer["comment"]
    assert "filesystem" not in answer["changes"]
    assert list(answer["changes"])[:1] == ["partition"]
    assert "fstab" not in answer["changes"]


def test_mount_that_fails_leaves_no_line_in_fstab(tree, point, disk):
    before = tree.fstab.read_text()
    answer = tree.mounted(point, disk.path, **EXT4, options=["no_such_option"])
    assert answer["result"] is False
    assert list(answer["changes"]) == ["partition", "filesystem", "directory"]
    assert tree.fstab.read_text() == before
    converges(tree, point, disk.path, ["mount", "fstab"], **EXT4)


# --- Used by somebody who leaves no trace on it ---


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR])
@pytest.mark.parametrize("whole", [True, False])
def test_refused_when_another_process_has_it_open(tree, point, disk, flags, whole):
    if not whole:
        mark_partition(disk)
    device = disk.path if whole else disk.partitions()[0]
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import os,time;os.open({device!r},{flags});time.sleep(60)"]
    )
    try:
        time.sleep(0.5)
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


# --- Copies, other shapes, and what was changed by hand ---


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
