import os
import stat

import pytest
import yaml
from disk_kit import laid
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _disk_users
import _fstab
import _host
import _swapfile

CASES = yaml.safe_load((ROOT / "tests/unit/cases/swapfile.yaml").read_text())
EXT4 = "ext4\n"
MIB, PAGE = 1024**2, os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def host(tmp_path):
    """A host whose /proc and tools are made up; the files are real ones below tmp_path."""
    return Host(tmp_path / "swap" / "swapfile")


class Host:
    def __init__(self, path):
        self.path = str(path)
        self.proc = {"/proc/swaps": "Filename\n", "/proc/meminfo": "MemAvailable:  2048 kB\n"}
        self.fstab = []
        self.blkid = (2, "")
        self.data_disk, self.users = None, []

    findmnt = EXT4

    def run(self, argv, timeout=60, accept=(0,)):
        if argv[0] == "findmnt":
            return {"retcode": 0, "stdout": self.findmnt, "stderr": ""}
        assert argv[:4] == ["blkid", "-p", "-o", "export"]
        code, out = self.blkid
        if code not in accept:
            raise CommandExecutionError(f"`blkid` failed with exit code {code}")
        return {"retcode": code, "stdout": out, "stderr": ""}

    def status(self):
        with laid(
            (_host, {"run": self.run, "read": self.proc.get}),
            (_fstab, {"entries": lambda: self.fstab}),
            (_disk_users, {"of_file": lambda path: self.users}),
        ):
            return _swapfile.status(self.path, self.data_disk)

    def file(self, content=b"", suffix="", mode=0o600):
        path = self.path + suffix
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content)
        os.chmod(path, mode)

    def in_use(self, name, size=60, used=4):
        self.proc["/proc/swaps"] += f"{name} file {size} {used} -2\n"


@pytest.mark.parametrize("name", CASES["swaps"])
def test_proc_swaps(name):
    case = CASES["swaps"][name]
    assert _swapfile.parse_swaps(case["text"]) == case["areas"]


@pytest.mark.parametrize("line", ["/swapfile file 12", "/s file x 0 -2", "/s file 1 0 -2 more"])
def test_a_line_that_is_not_understood_is_no_absence(line):
    with pytest.raises(CommandExecutionError, match="a line of /proc/swaps is not understood"):
        _swapfile.parse_swaps(f"Filename\n{line}\n")


def test_nothing_there(host, tmp_path):
    seen = host.status()
    assert [seen[key] for key in ("file", "leftover", "active")] == [None] * 3
    assert seen["fstab"] == []
    assert seen["deleted"] is False
    assert seen["folder"]["missing"] == [str(tmp_path / "swap")]
    assert seen["folder"]["path"] == str(tmp_path)
    assert seen["folder"]["type"] == "ext4"
    assert seen["memory"] == 2048 * 1024


@pytest.mark.parametrize("name", CASES["signatures"])
def test_signature(host, name):
    case = CASES["signatures"][name]
    host.file(b"something")
    host.blkid = (case["code"], case.get("output", ""))
    assert host.status()["file"]["signature"] == case["signature"]


def test_a_tool_that_fails_is_no_missing_signature(host):
    host.file(b"something")
    host.blkid = (4, "")
    with pytest.raises(CommandExecutionError, match="exit code 4"):
        host.status()


def test_a_blkid_that_says_nothing_and_succeeds_is_named(host):
    host.file(b"something")
    host.blkid = (0, "")
    with pytest.raises(CommandExecutionError, match="`blkid -p .*` gave no clear answer"):
        host.status()


@pytest.mark.parametrize("said", ["", "\n", "\x1b[31m<html>\n"])
def test_a_findmnt_that_names_no_file_system_is_named(host, said):
    host.findmnt = said
    with pytest.raises(CommandExecutionError, match="`findmnt -T .*` named no file system"):
        host.status()


def test_a_file_in_use_is_not_probed(host):
    host.file(b"\0" * 65536)
    host.in_use(host.path)
    host.blkid = (99, "")
    seen = host.status()
    assert seen["active"]["size"] == 60 * 1024
    assert seen["active"]["used"] == 4096
    assert seen["file"] == {
        "kind": "file",
        "size": 65536,
        "allocated": seen["file"]["allocated"],
        "mode": "0600",
        "owner": "root:root" if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}",
        "signature": None,
        "users": [],
        "context": None,
    }


def test_deleted_while_in_use(host):
    host.in_use(host.path + "\\040(deleted)")
    seen = host.status()
    assert (seen["deleted"], seen["active"], seen["file"]) == (True, None, None)


@pytest.mark.parametrize("kind", ["directory", "symbolic link", "device or special file"])
def test_what_is_no_file_is_not_probed(host, kind):
    os.makedirs(os.path.dirname(host.path))
    if kind == "directory":
        os.mkdir(host.path)
    elif kind == "symbolic link":
        os.symlink("/dev/null", host.path)
    else:
        os.mkfifo(host.path)
    host.blkid = (99, "")
    assert host.status()["file"]["kind"] == kind


def test_links_on_the_way_are_resolved_as_the_kernel_does(host, tmp_path):
    host.file(b"x")
    os.symlink("swap", tmp_path / "link")
    host.in_use(host.path)
    real, host.path = host.path, str(tmp_path / "link" / "swapfile")
    seen = host.status()
    assert (seen["path"], bool(seen["active"])) == (real, True)


@pytest.mark.parametrize(
    ("content", "mode", "blkid", "ours"),
    [
        (b"", 0o600, (2, ""), True),
        (b"\0" * 9999, 0o600, (2, ""), True),
        (b"something", 0o600, (0, "TYPE=swap\n"), True),
        (b"x" * PAGE + b"\0" * 3 * MIB, 0o600, (0, "TYPE=swap\n"), True),
        # It was in use once, or it is something else: a page of it is not zero.
        (b"x" * PAGE + b"\0" * 3 * MIB + b"x", 0o600, (0, "TYPE=swap\n"), False),
        # The first MiB says nothing of the second.
        (b"\0" * MIB + b"precious", 0o600, (2, ""), False),
        (b"\0" * 3 * MIB + b"x", 0o600, (2, ""), False),
        (b"my notes", 0o600, (2, ""), False),
        (b"\0" * 9999, 0o644, (2, ""), False),
        (b"\0" * 9999, 0o600, (8, ""), False),
        (b"image", 0o600, (0, "TYPE=ext4\n"), False),
    ],
)
@pytest.mark.skipif(os.getuid() != 0, reason="what an earlier run left belongs to root")
def test_what_an_interrupted_run_left_is_known(host, content, mode, blkid, ours):
    host.file(content, ".new", mode)
    host.blkid = blkid
    assert host.status()["leftover"]["ours"] is ours


@pytest.mark.skipif(os.getuid() != 0, reason="what an earlier run left belongs to root")
@pytest.mark.parametrize("linked", [True, False])
def test_a_new_image_of_a_machine_was_taken_for_a_leftover(host, linked):
    host.file(b"\0" * 9999, ".new")
    assert host.status()["leftover"]["ours"] is True
    if linked:
        os.link(host.path + ".new", host.path + ".img")
    else:
        host.users = ["process 7 (qemu), which can write to it"]
    assert host.status()["leftover"]["ours"] is False


def test_a_leftover_in_use_is_not_ours(host):
    host.file(b"\0" * 99, ".new")
    host.in_use(host.path + ".new")
    assert host.status()["leftover"]["ours"] is False


@pytest.mark.parametrize(
    ("mode", "private"), [(0o755, True), (0o700, True), (0o775, False), (0o1777, False)]
)
@pytest.mark.skipif(os.getuid() != 0, reason="a private directory belongs to root")
def test_who_can_write_to_the_directory(host, mode, private):
    os.mkdir(os.path.dirname(host.path))
    os.chmod(os.path.dirname(host.path), mode)
    assert host.status()["folder"]["private"] is private


def test_a_file_where_a_directory_belongs_is_not_private(host, tmp_path):
    (tmp_path / "swap").write_text("not a directory")
    seen = host.status()
    assert seen["file"] is None
    assert seen["folder"]["private"] is False


def test_memory_of_a_kernel_without_an_estimate(host):
    host.proc["/proc/meminfo"] = "MemTotal:  9000 kB\nMemFree:  7 kB\n"
    assert host.status()["memory"] == 7 * 1024


@pytest.mark.parametrize("path", ["/proc/swaps", "/proc/meminfo"])
def test_no_proc_is_no_absence(host, path):
    del host.proc[path]
    with pytest.raises(CommandExecutionError, match=f"{path} is not there"):
        host.status()


@pytest.mark.parametrize(
    ("device", "point", "mounted", "waits"),
    [
        ("/dev/vdb", "{}", False, True),
        ("/dev/vdb", "{}", True, False),
        ("/dev/vdb", "{}x", False, False),
        (None, "{}", False, False),
    ],
)
def test_waiting_for_the_data_disk(host, tmp_path, monkeypatch, device, point, mounted, waits):
    host.data_disk = {"device": device, "mount_point": point.format(tmp_path)}
    monkeypatch.setattr(os.path, "ismount", lambda _path: mounted)
    host.file(b"\0", ".new")
    seen = host.status()
    assert seen["waits_for"] == (str(tmp_path) if waits else None)
    assert bool(seen["leftover"]) is not waits


def test_the_entry_in_fstab(host):
    ours = {"spec": host.path, "type": "swap"}
    host.fstab = [{"spec": "/dev/sda2", "type": "swap"}, ours]
    assert host.status()["fstab"] == [ours]
    # The kernel takes both for one file, and a second line would have been written.
    other = {**ours, "spec": ours["spec"].replace("/", "//") + "/."}
    host.fstab = [other]
    assert host.status()["fstab"] == [other]


def test_a_disk_that_does_not_answer_is_a_refusal(host, monkeypatch):
    def broken(_path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", broken)
    with pytest.raises(CommandExecutionError, match="could not be looked at.*Input/output error"):
        host.status()


@pytest.mark.parametrize(
    ("process", "context"), [("system_u:system_r:init_t:s0\0", "default_t"), ("kernel\0", None)]
)
def test_a_label_was_asked_for_where_no_policy_is_loaded(host, monkeypatch, process, context):
    """Then `chcon` fails: can't apply partial context to unlabeled file."""
    host.file(b"x")
    host.proc |= {"/sys/fs/selinux/enforce": "0", "/proc/self/attr/current": process}
    monkeypatch.setattr(
        os, "getxattr", lambda _path, _name: b"unconfined_u:object_r:default_t:s0\0"
    )
    assert host.status()["file"]["context"] == context
    assert host.status()["selinux"] is bool(context)


def test_status_writes_nothing(host, tmp_path):
    host.file(b"x", mode=0o644)
    before = {
        p: (stat.S_IMODE(p.stat().st_mode), p.stat().st_mtime_ns) for p in tmp_path.rglob("*")
    }
    host.status()
    assert before == {
        p: (stat.S_IMODE(p.stat().st_mode), p.stat().st_mtime_ns) for p in tmp_path.rglob("*")
    }
