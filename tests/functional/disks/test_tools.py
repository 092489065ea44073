"""Tools that fail, hang, lie or are missing."""

import os
import shutil

import pytest
from disk_kit import must

import _host
from functional.disks.runs import EXT4, NEEDS_ROOT, both, converges

pytestmark = NEEDS_ROOT


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
