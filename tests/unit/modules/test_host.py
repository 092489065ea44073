import os
import stat
import time

import pytest
from fakes import load
from salt.exceptions import CommandExecutionError

host = load("_host")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_run_gives_what_the_command_said():
    answer = host.run(["sh", "-c", "echo out; echo err >&2"])
    assert answer == {"retcode": 0, "stdout": "out\n", "stderr": "err\n"}


def test_run_hands_arguments_over_without_a_shell(tmp_path):
    answer = host.run(["printf", "%s", f"$(touch {tmp_path}/x); `id`"])
    assert answer["stdout"] == f"$(touch {tmp_path}/x); `id`"
    assert not list(tmp_path.iterdir())


def test_run_sets_the_locale_and_closes_stdin(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert host.run(["sh", "-c", "echo $LC_ALL; cat"])["stdout"] == "C\n"


def test_run_finds_system_tools_with_a_short_path(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert host.run(["losetup", "--version"])["retcode"] == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["no-such-tool", "-x"], "no-such-tool is not installed, needed for `no-such-tool -x`"),
        (["sh", "-c", "echo a >&2; echo b >&2; exit 5"], "failed with exit code 5: a b"),
        (["sh", "-c", "echo only out; exit 1"], "failed with exit code 1: only out"),
        (["false"], "`false` failed with exit code 1: no message"),
        (["/etc/passwd"], "`/etc/passwd` could not be started: Permission denied"),
    ],
)
def test_run_names_the_tool_that_failed(argv, message):
    with pytest.raises(CommandExecutionError) as caught:
        host.run(argv)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_run_accepts_the_exit_codes_that_are_answers():
    assert host.run(["sh", "-c", "exit 2"], accept=(0, 2))["retcode"] == 2


def test_run_ends_a_hanging_command_and_its_children(tmp_path):
    mark = tmp_path / "mark"
    begun = time.monotonic()
    with pytest.raises(CommandExecutionError, match="gave no answer within 0.2 s and was ended"):
        host.run(["sh", "-c", f"(sleep 1; touch {mark}) & wait"], timeout=0.2)
    assert time.monotonic() - begun < 1
    time.sleep(1.2)
    assert not mark.exists()


def test_run_reads_what_is_not_text():
    assert host.run(["printf", r"a\377b"])["stdout"] == "a�b"


def test_read_tells_absent_from_unreadable(tmp_path):
    assert host.read(str(tmp_path / "none")) is None
    with pytest.raises(CommandExecutionError, match="could not be read: Is a directory"):
        host.read(str(tmp_path))


def test_write_makes_folders_and_sets_the_mode(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    assert host.write(str(path), "text", "0600") is True
    assert path.read_text() == "text"
    assert mode(path) == 0o600
    assert host.write(str(path), "text", "0600") is False


def test_write_corrects_the_mode_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("text")
    path.chmod(0o666)
    assert host.write(str(path), "text", "0644") is True
    assert mode(path) == 0o644


def test_write_keeps_the_mode_when_told(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    host.write(str(path), "new", None)
    assert (path.read_text(), mode(path)) == ("new", 0o640)


def test_write_follows_a_link(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    host.write(str(link), "new")
    assert link.is_symlink() and real.read_text() == "new"


def test_write_keeps_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "fstab"
    path.write_bytes(b"# \xe9\n")
    host.write(str(path), host.read(str(path)) + "new\n")
    assert path.read_bytes() == b"# \xe9\nnew\n"


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandExecutionError, match="could not be written: No space left"):
        host.write(str(path), "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"
