import os
import stat

import pytest
from disk_kit import formatted, found, part
from fake_datadisk import PATH, Machine
from salt.exceptions import CommandExecutionError

import _datadisk_make
import _datadisk_plan
import _host


@pytest.fixture
def machine(tmp_path, replace):
    return Machine(tmp_path, replace)


MKFS = {
    "xfs": ["mkfs.xfs", "-q", "-K", "-n", "ftype=1", "-L", "data", PATH],
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard", "-L", "data", PATH],
}


@pytest.mark.parametrize("filesystem", MKFS)
def test_all_steps_in_their_order(machine, filesystem):
    machine.looks = [found(), found(part())]
    machine.apply("partition", "filesystem", "directory", "mount", "fstab", filesystem=filesystem)
    options = ["-o", "defaults,nofail"]
    assert machine.ran == [
        "rancher-data",
        MKFS[filesystem],
        "finished",
        ["mount", "-t", filesystem, *options, PATH, machine.point],
    ]
    assert stat.S_IMODE(os.stat(machine.point).st_mode) == 0o755
    (entry,) = machine.written
    assert (entry["spec"], entry["file"]) == ("UUID=8d3c-11", machine.point)


def test_only_fstab(machine):
    machine.mount("254:17", PATH)
    machine.apply("fstab")
    assert (machine.ran, len(machine.written)) == ([], 1)


def test_an_unfinished_file_system_is_removed_first(machine):
    machine.looks, machine.interrupted = [found(formatted(name="rancher-data-new"))], True
    machine.old = _datadisk_plan.INTERRUPTED
    machine.apply("filesystem", "mount")
    assert machine.ran[1:4] == [["wipefs", "-a", PATH], MKFS["xfs"], "finished"]


def test_an_unfinished_file_system_without_a_signature_is_made_again(machine):
    machine.looks = [found(part(content=FOUND))]
    machine.old = _datadisk_plan.INTERRUPTED
    machine.apply("filesystem", "mount")
    assert machine.ran[1:3] == [MKFS["xfs"], "finished"]


@pytest.mark.parametrize("mounted", [True, False])
def test_a_complete_file_system_is_only_named(machine, mounted):
    machine.looks = [found(formatted(name="rancher-data-new"))]
    machine.old = _datadisk_plan.UNNAMED
    machine.apply("filesystem", *([] if mounted else ["mount"]))
    assert [step for step in machine.ran if step[0] != "mount"] == (
        ["finished"] if mounted else ["rancher-data", "finished"]
    )


FOUND = {"offset": 4096, "hits": 3, "samples": 16352}


@pytest.mark.parametrize(
    "late",
    [
        found(formatted("ext4")),
        found(formatted(label="photos")),
        found(part(busy=True), busy=True),
        # No tool knows what it is: somebody wrote to it a moment ago.
        found(part("rancher-data", content=FOUND)),
    ],
)
def test_content_that_appears_before_mkfs_is_refused(machine, late):
    machine.looks = [found(), late]
    with pytest.raises(CommandExecutionError, match="Refusing to touch"):
        machine.apply("partition", "filesystem", "mount")
    assert machine.ran == ["rancher-data"]


@pytest.mark.parametrize(
    "late",
    [
        found(formatted()),
        found(formatted(name="rancher-data-new")),
        found(part(path="/dev/vdb9")),
        found(part(), devno="254:48"),
        found(part(content=FOUND)),
    ],
)
def test_a_partition_that_changes_before_mkfs_is_left_alone(machine, late):
    machine.looks = [found(), late]
    with pytest.raises(CommandExecutionError, match="changed while it was being prepared"):
        machine.apply("partition", "filesystem", "mount")
    assert machine.ran == ["rancher-data"]


def test_a_finished_partition_is_never_formatted_whatever_was_planned(machine):
    machine.looks = [found(part(content=FOUND)), found(part("rancher-data", unused=True))]
    machine.old = None
    with pytest.raises(CommandExecutionError, match="changed while it was being prepared"):
        machine.apply("filesystem", "mount")
    assert machine.ran == ["rancher-data"]


@pytest.mark.parametrize("filesystem", ["xfs", "ext4"])
def test_a_mount_that_fails_names_the_way_to_repair(machine, replace, filesystem):
    def fails(argv, timeout=60, accept=(0,)):
        raise CommandExecutionError("`mount` failed with exit code 32: bad superblock")

    machine.looks = [found(formatted(filesystem))]
    replace(_host, run=fails)
    command = {"xfs": f"xfs_repair {PATH}", "ext4": f"e2fsck -fy {PATH}"}[filesystem]
    with pytest.raises(CommandExecutionError) as info:
        machine.apply("mount", filesystem=filesystem)
    assert str(info.value) == (
        f"`mount` failed with exit code 32: bad superblock. Nothing was changed on {PATH}. If its "
        f"{filesystem} is damaged (`dmesg`), run on this host: {command}"
    )


def test_a_mount_that_does_nothing_gets_no_line_in_fstab(machine):
    machine.looks = [found(formatted(path=None))]
    machine.mount = lambda *args: None
    with pytest.raises(CommandExecutionError, match="mount reported success, but nothing is at"):
        machine.apply("mount", "fstab")
    assert machine.written == []


@pytest.mark.parametrize(
    ("selinux", "tool", "relabelled"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_the_root_of_a_new_file_system_gets_its_selinux_label(
    machine, tmp_path, monkeypatch, selinux, tool, relabelled
):
    if selinux:
        (tmp_path / "sys/fs/selinux").mkdir(parents=True)
        (tmp_path / "sys/fs/selinux/enforce").write_text("0")
    monkeypatch.setattr(
        _datadisk_make.shutil, "which", lambda name: f"/sbin/{name}" if tool else None
    )
    machine.looks = [found(formatted(path=None))]
    machine.apply("directory", "mount")
    assert (machine.ran[-1] == ["restorecon", machine.point]) is relabelled


def test_an_mkfs_that_does_nothing_is_named(machine):
    machine.looks = [found(part())]
    machine.made = "swap"
    with pytest.raises(CommandExecutionError, match="mkfs.xfs reported success without effect: "):
        machine.apply("filesystem", "mount")
    assert machine.mounts == []
