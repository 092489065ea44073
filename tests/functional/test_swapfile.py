"""
Swap files on this machine's real kernel, on a small file system of their own.

Only fstab is imitated: this machine's own is not ours to write. The run is ended by an
exception that nothing catches, before and after every command and every rename.
"""

import os
import subprocess
import sys
import time

import pytest
from swap_kit import MIB, Killed, Machine, cleared, must

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and swapon"),
]


@pytest.fixture(scope="module", params=["ext4", "xfs"])
def disk(request, tmp_path_factory):
    """A mounted file system of 320 MiB, which holds two files of 128 MiB, not three."""
    image = tmp_path_factory.mktemp("disk") / "image"
    point = tmp_path_factory.mktemp("data")
    with open(image, "wb") as out:
        out.truncate(320 * MIB)
    must(f"mkfs.{request.param}", "-q", str(image))
    must("mount", "-o", "loop", str(image), str(point))
    yield point
    must("umount", str(point))
    image.unlink()


@pytest.fixture
def machine(disk):
    made = Machine(str(disk / "swap" / "swapfile"))
    yield made
    cleared(made)


def test_made_used_resized_and_stable(machine):
    predicted = machine.apply("64M", test=True)
    assert (predicted["result"], machine.steps) == (None, [])
    assert not os.path.exists(os.path.dirname(machine.path))
    actual = machine.apply("64M")
    assert actual["result"] is True, actual["comment"]
    assert actual["changes"] == predicted["changes"]
    assert machine.is_done(64 * MIB)
    assert os.stat(os.path.dirname(machine.path)).st_mode & 0o777 == 0o755
    assert machine.apply("64M") == machine.apply("64M", test=True)
    predicted = machine.apply("96M", test=True)
    actual = machine.apply("96M")
    assert actual["changes"] == predicted["changes"] == {"file": {"old": "64M", "new": "96M"}}
    assert machine.is_done(96 * MIB)


def killed_at_every_step(machine, start, size, steps):
    """Run to each step in turn; after each death one run must finish the job."""
    for number in range(steps + 1):
        start()
        machine.steps.clear()
        machine.die = number
        if number == steps:
            assert machine.apply(size)["result"] is True
        else:
            with pytest.raises(Killed):
                machine.apply(size)
        machine.die = None
        predicted = machine.apply(size, test=True)
        actual = machine.apply(size)
        assert actual["result"] is True, f"killed at step {number}: {actual['comment']}"
        assert actual["changes"] == predicted["changes"]
        assert machine.is_done(int(size[:-1]) * MIB)
        assert machine.apply(size)["changes"] == {}


def test_killed_at_every_step_of_the_first_run(machine):
    def bare():
        if os.path.exists(machine.path):
            must("swapoff", machine.path)
            os.unlink(machine.path)
            os.rmdir(os.path.dirname(machine.path))
            machine.fstab.clear()

    # Directory, empty file, two pieces, mkswap, rename, swapon, fstab.
    killed_at_every_step(machine, bare, "64M", steps=8)


def test_killed_at_every_step_of_a_resize(machine):
    # Empty file, two pieces, mkswap, swapoff, rename, swapon.
    killed_at_every_step(machine, lambda: machine.apply("32M"), "64M", steps=7)


def test_killed_at_every_step_of_a_resize_in_place(machine):
    # Not even the old file's place makes two of these fit: swapoff, remove, then as above.
    killed_at_every_step(machine, lambda: machine.apply("128M"), "200M", steps=11)


def test_a_disk_that_fills_up_is_freed_again(machine, monkeypatch):
    machine.apply("64M")
    vfs = os.statvfs(machine.path)
    lying = os.statvfs_result((*vfs[:2], vfs[2], 10**9, 10**9, *vfs[5:10]))
    monkeypatch.setattr(os, "statvfs", lambda _path: lying)
    ret = machine.apply("400M")
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "No space left on device" in ret["comment"]
    assert machine.is_done(64 * MIB)


def test_no_room_is_seen_before_anything_is_written(machine):
    for test in (True, False):
        ret = machine.apply("400M", test)
        assert (ret["result"], ret["changes"], machine.steps) == (False, {}, [])
        assert "needs 400 MiB" in ret["comment"] and "make room" in ret["comment"]


def test_holes_mode_and_use_are_put_right(machine):
    machine.apply("64M")
    must("swapoff", machine.path)
    os.truncate(machine.path, 4096)
    os.truncate(machine.path, 64 * MIB)
    os.chmod(machine.path, 0o644)
    predicted = machine.apply("64M", test=True)
    actual = machine.apply("64M")
    assert actual["changes"] == predicted["changes"]
    assert list(actual["changes"]) == ["file", "active"]
    assert machine.is_done(64 * MIB)
    os.chmod(machine.path, 0o644)
    assert list(machine.apply("64M")["changes"]) == ["mode"]
    assert machine.is_done(64 * MIB)


def test_a_file_system_in_a_file_survives(machine):
    os.mkdir(os.path.dirname(machine.path))
    with open(machine.path, "wb") as out:
        out.truncate(64 * MIB)
    must("mkfs.ext4", "-q", machine.path)
    before = must("sha256sum", machine.path)
    for test in (True, False):
        ret = machine.apply("64M", test)
        assert (ret["result"], machine.steps) == (False, [])
        assert "exists and holds ext4, so it may be data" in ret["comment"]
    assert must("sha256sum", machine.path) == before


def test_a_memory_file_system_is_refused(machine, tmp_path):
    must("mount", "-t", "tmpfs", "none", str(tmp_path))
    try:
        tmp_path.chmod(0o755)
        machine.path = str(tmp_path / "swapfile")
        ret = machine.apply("4M")
    finally:
        must("umount", str(tmp_path))
    assert (ret["result"], machine.steps) == (False, [])
    assert "would lie on a tmpfs file system" in ret["comment"]


def test_in_use_below_another_mount(machine):
    machine.apply("4M")
    folder = os.path.dirname(machine.path)
    must("mount", "-t", "tmpfs", "none", folder)
    try:
        ret = machine.apply("4M")
    finally:
        must("umount", folder)
    assert ret["result"] is False
    assert "another disk was mounted above it" in ret["comment"]
    assert machine.apply("4M")["changes"] == {}


@pytest.mark.parametrize("name", ["swapfile", "swapfile.new"])
@pytest.mark.parametrize("by", ["a loop device", "a process", "a name"])
def test_a_file_that_somebody_else_uses_was_replaced(machine, name, by):
    folder = os.path.dirname(machine.path)
    os.makedirs(folder)
    path = os.path.join(folder, name)
    with open(path, "wb") as out:
        out.truncate(20 * MIB)
    os.chmod(path, 0o600)
    if name == "swapfile":
        must("mkswap", path)
    loop = must("losetup", "--find", "--show", path).strip() if by == "a loop device" else None
    if by == "a name":
        os.link(path, os.path.join(folder, "image"))
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import time; x = open({path!r}, 'r+b'); time.sleep(60)"]
        if by == "a process"
        else ["true"]
    )
    try:
        time.sleep(1)
        inode = os.stat(path).st_ino
        dry, run = machine.apply("64M", test=True), machine.apply("64M")
        assert (dry, machine.steps, run["result"]) == (run, [], False)
        assert "may be data" in run["comment"] or "is in use by" in run["comment"]
        assert os.stat(path).st_ino == inode
    finally:
        holder.kill()
        holder.wait()
        if loop:
            must("losetup", "--detach", loop)
    if by == "a name":
        os.unlink(os.path.join(folder, "image"))
    assert machine.apply("64M")["result"] is True
