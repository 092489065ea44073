import os
import re
import select
import signal
import stat

import pytest
from salt.exceptions import CommandExecutionError

import _host


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_run_gives_what_the_command_said():
    answer = _host.run(["sh", "-c", "echo out; echo err >&2"])
    assert answer == {"retcode": 0, "stdout": "out\n", "stderr": "err\n"}


def test_run_hands_arguments_over_without_a_shell(tmp_path):
    answer = _host.run(["printf", "%s", f"$(touch {tmp_path}/x); `id`"])
    assert answer["stdout"] == f"$(touch {tmp_path}/x); `id`"
    assert not list(tmp_path.iterdir())


def test_run_sets_the_locale_and_closes_stdin(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert _host.run(["sh", "-c", "echo $LC_ALL; cat"])["stdout"] == "C\n"


def test_run_finds_system_tools_with_a_short_path(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert _host.run(["losetup", "--version"])["retcode"] == 0
    assert _host.tool("blkid") in ("/sbin/blkid", "/usr/sbin/blkid")
    assert _host.tool("no-such-tool") is None


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
        _host.run(argv)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_run_accepts_the_exit_codes_that_are_answers():
    assert _host.run(["sh", "-c", "exit 2"], accept=(0, 2))["retcode"] == 2


def test_run_ends_a_hanging_command_and_its_children(tmp_path):
    os.mkfifo(tmp_path / "alive")
    # At its end are all who have it open to write, when none of them is left.
    reader = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    hanging = f"exec 3>{tmp_path}/alive; echo begun >&3; sleep 600 & wait"
    with pytest.raises(CommandExecutionError, match="gave no answer within 3 s and was ended"):
        _host.run(["sh", "-c", hanging], timeout=3)
    os.set_blocking(reader, True)
    assert os.read(reader, 100) == b"begun\n"
    assert select.select([reader], [], [], 60)[0] and os.read(reader, 100) == b""
    os.close(reader)


def test_a_command_that_cannot_be_ended_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(_host, "GRACE", 0.2)
    monkeypatch.setattr(os, "killpg", lambda group, number: None)
    with pytest.raises(CommandExecutionError) as caught:
        _host.run(["sleep", "600"], timeout=0.1)
    told = re.fullmatch(
        r"`sleep 600` gave no answer within 0.1 s and could not be ended within 0.2 s: process "
        r"(\d+) \(sleep\) is in state [RS]. Look at `dmesg`: most often a disk or a network file "
        "system does not answer",
        str(caught.value),
    )
    # It runs: nobody waited for its end.
    os.kill(int(told[1]), signal.SIGKILL)


def test_a_child_that_left_its_group_and_keeps_the_output_holds_up_nobody(monkeypatch, tmp_path):
    monkeypatch.setattr(_host, "GRACE", 0.2)
    # The shell ends when the child is in a group of its own.
    leaves = f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 600"
    shell = f"setsid sh -c '{leaves}' & until [ -e {tmp_path}/pid ]; do sleep 0.02; done"
    with pytest.raises(
        CommandExecutionError, match="a process that it started still holds its out"
    ):
        _host.run(["sh", "-c", shell], timeout=3)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_run_reads_what_is_not_text():
    assert _host.run(["printf", r"a\377b"])["stdout"] == "a�b"


def test_read_tells_absent_from_unreadable(tmp_path):
    assert _host.read(str(tmp_path / "none")) is None
    with pytest.raises(CommandExecutionError, match="could not be read: Is a directory"):
        _host.read(str(tmp_path))


def test_write_makes_folders_and_sets_the_mode(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    assert _host.write(str(path), "text", "0600") is True
    assert path.read_text() == "text"
    assert mode(path) == 0o600
    assert _host.write(str(path), "text", "0600") is False


def test_write_corrects_the_mode_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("text")
    path.chmod(0o666)
    assert _host.write(str(path), "text", "0644") is True
    assert mode(path) == 0o644


def test_write_keeps_the_mode_when_told(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    _host.write(str(path), "new", None)
    assert (path.read_text(), mode(path)) == ("new", 0o640)


def test_write_follows_a_link(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    _host.write(str(link), "new")
    assert link.is_symlink() and real.read_text() == "new"


def test_write_keeps_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "fstab"
    path.write_bytes(b"# \xe9\n")
    _host.write(str(path), _host.read(str(path)) + "new\n")
    assert path.read_bytes() == b"# \xe9\nnew\n"


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandExecutionError, match="could not be written: No space left"):
        _host.write(str(path), "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


# An ACL of version 2: user::rw-, user:1000:rw-, group::r--, mask::rw-, other::---.
ACL = bytes.fromhex(
    "02000000"
    "0100 0600 ffffffff"
    "0200 0600 e8030000"
    "0400 0400 ffffffff"
    "1000 0600 ffffffff"
    "2000 0000 ffffffff"
)


@pytest.fixture
def old(tmp_path):
    """A file with an ACL and an attribute, as an operator or a backup program leaves it."""
    path = tmp_path / "hosts"
    path.write_text("old")
    try:
        os.setxattr(path, "user.comment", b"kept")
        os.setxattr(path, "system.posix_acl_access", ACL)
    except OSError as exc:
        pytest.skip(f"no extended attributes in {tmp_path}: {exc.strerror}")
    return path


def test_a_replaced_file_lost_its_acl_and_its_attributes(old):
    before = old.stat().st_mode
    _host.write(str(old), "new", None)
    assert old.read_text() == "new"
    assert os.getxattr(old, "user.comment") == b"kept"
    assert os.getxattr(old, "system.posix_acl_access") == ACL
    assert old.stat().st_mode == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_replaced_file_keeps_its_owner_and_its_mode(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("old")
    os.chown(path, 12, 34)
    path.chmod(0o2664)
    _host.write(str(path), "new", None)
    have = path.stat()
    assert (have.st_uid, have.st_gid, mode(path)) == (12, 34, 0o2664)


def test_a_mode_that_is_asked_for_counts_more_than_the_acl(old):
    _host.write(str(old), "new", "0600")
    assert mode(old) == 0o600


def test_a_replaced_file_does_not_get_the_acl_of_its_folder(tmp_path, old):
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o640)
    os.setxattr(tmp_path, "system.posix_acl_default", ACL)
    _host.write(str(path), "new", None)
    assert "system.posix_acl_access" not in os.listxattr(path)
    assert mode(path) == 0o640


class Labels:
    """`os` on a file system where every file has a label, and may get another one or not."""

    def __init__(self, refuses=None):
        self.refuses, self.set = refuses, {}

    def __getattr__(self, name):
        return getattr(os, name)

    def listxattr(self, file):
        return ["security.selinux", "security.ima"] if isinstance(file, str) else []

    def getxattr(self, file, name):
        return f"{name} of {os.path.basename(file)}".encode()

    def setxattr(self, file, name, value):
        if self.refuses:
            raise OSError(self.refuses, os.strerror(self.refuses))
        self.set[name] = value


@pytest.fixture
def policy(monkeypatch):
    """Whether SELinux has loaded a policy: what the kernel calls this process."""

    def policy(name):
        files = {"/sys/fs/selinux/enforce": "1" if name else None, "/proc/self/attr/current": name}
        real = _host.read
        monkeypatch.setattr(
            _host, "read", lambda path: files[path] if path in files else real(path)
        )

    return policy


UNCONFINED = "system_u:system_r:unconfined_service_t:s0\0"


def test_a_replaced_file_lost_its_label(tmp_path, monkeypatch, policy):
    labels = Labels()
    monkeypatch.setattr(_host, "os", labels)
    policy(UNCONFINED)
    (tmp_path / "hosts").write_text("old")
    _host.write(str(tmp_path / "hosts"), "new", None)
    # Not the signature of what the file held before.
    assert labels.set == {"security.selinux": b"security.selinux of hosts"}


@pytest.mark.parametrize("name", [None, "kernel\n\0"])
def test_where_no_policy_is_loaded_a_label_that_cannot_be_set_is_no_failure(
    tmp_path, monkeypatch, policy, name
):
    monkeypatch.setattr(_host, "os", Labels(refuses=1))
    policy(name)
    assert not _host.selinux_labels()
    (tmp_path / "hosts").write_text("old")
    assert _host.write(str(tmp_path / "hosts"), "new", None) is True
    assert (tmp_path / "hosts").read_text() == "new"


def test_a_label_that_cannot_be_kept_leaves_the_old_file(tmp_path, monkeypatch, policy):
    monkeypatch.setattr(_host, "os", Labels(refuses=1))
    policy(UNCONFINED)
    (tmp_path / "hosts").write_text("old")
    with pytest.raises(CommandExecutionError, match="could not be written: Operation not perm"):
        _host.write(str(tmp_path / "hosts"), "new", None)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("hosts", "old")]


@pytest.mark.parametrize("raw", [b"a\r\nb\rc\n", "a # \u2028 b\x85\x0c\n".encode(), b"\xff\r\n"])
def test_what_is_read_and_written_again_is_the_same_byte_for_byte(tmp_path, raw):
    """Python's text mode made one kind of line end of every kind."""
    path = tmp_path / "hosts"
    path.write_bytes(raw)
    _host.write(str(path), _host.read(str(path)) + "more\n")
    assert path.read_bytes() == raw + b"more\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("\n", [""]),
        ("a", ["a"]),
        ("a\n\nb\n", ["a", "", "b"]),
        ("a\u2028b\x0bc\x85d\re\n", ["a\u2028b\x0bc\x85d\re"]),
    ],
)
def test_only_a_line_feed_ends_a_line(text, found):
    assert _host.lines(text) == found
