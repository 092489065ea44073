"""A disk that does not answer: what waits for it cannot be killed, and nobody waits for that."""

import os
import shutil
import types

import pytest
from disk_kit import Disk, must, patiently
from salt.exceptions import CommandExecutionError

import _converge
import _host

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and mounts"),
    pytest.mark.skipif(not shutil.which("fsfreeze"), reason="needs fsfreeze"),
]


@pytest.fixture
def frozen(tmp_path):
    """A mount point; whoever writes there sleeps in the kernel, as on a sick disk."""
    disk, point = Disk(tmp_path), tmp_path / "point"
    must("mkfs.ext4", "-q", disk.path)
    point.mkdir()
    must("mount", disk.path, point)
    must("fsfreeze", "--freeze", point)
    try:
        yield point
    finally:
        must("fsfreeze", "--unfreeze", point)
        # Who slept there ends a moment after that.
        patiently("umount", point)
        disk.detach()


def test_a_time_limit_binds(frozen, monkeypatch):
    monkeypatch.setattr(_host, "GRACE", 1)
    # It returns at all, although that one cannot end.
    with pytest.raises(CommandExecutionError) as caught:
        _host.run(["touch", f"{frozen}/file"], timeout=3)
    said = str(caught.value)
    assert said.startswith(
        f"`touch {frozen}/file` gave no answer within 3 s and could not be ended"
    )
    assert "(touch) is in uninterruptible sleep (D). Look at `dmesg`" in said
    assert "\n" not in said


def test_the_lock_is_let_go_although_a_command_cannot_be_ended(frozen, monkeypatch, tmp_path):
    monkeypatch.setattr(_host, "GRACE", 1)
    monkeypatch.setattr(_converge, "LOCK", str(tmp_path / "lock"))

    def converge(apply):
        plan = {"file": {"old": None, "new": "there"}}
        run = (lambda: None, lambda seen: plan, apply)
        return _converge.run("file", "File", *run, test=False)

    answer = converge(lambda seen, plan: _host.run(["touch", f"{frozen}/file"], timeout=3))
    assert answer["result"] is False and "could not be ended" in answer["comment"]
    never = types.SimpleNamespace(
        monotonic=lambda: 0, sleep=lambda seconds: pytest.fail("it waits for the lock")
    )
    monkeypatch.setattr(_converge, "time", never)
    answer = converge(lambda seen, plan: _host.run(["true"]))
    assert "another run" not in answer["comment"] and "still at work" not in answer["comment"]
