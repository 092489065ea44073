import os

import pytest

import _disk_kernel
import _disk_users

DISK = {"254:16", "254:17"}
MOUNT = "30 27 254:17 / /srv rw - xfs /dev/vdb1 rw\n"


@pytest.fixture
def host(tmp_path, monkeypatch):
    made = Host(tmp_path)
    monkeypatch.setattr(_disk_users, "PROC", str(made.proc))
    monkeypatch.setattr(_disk_users, "DEV", str(tmp_path / "dev"))
    monkeypatch.setattr(_disk_users, "PAUSE", 0)
    monkeypatch.setattr(_disk_kernel, "SYSFS", str(made.sys))
    monkeypatch.setattr(_disk_kernel, "devno", made.devno)
    return made


class Host:
    """A made-up /proc and /sys; a file descriptor is the name of what it leads to."""

    def __init__(self, folder):
        self.proc, self.sys = folder / "proc", folder / "sys"
        (self.sys / "block").mkdir(parents=True)
        self.opened, self.looks = {}, 0
        self.process("self", "salt-minion")
        self.process(str(os.getpid()), "salt-minion")

    def process(self, pid, comm, opens=(), flags=0o2, space="mnt:[1]", mounts=""):
        folder = self.proc / pid
        for name in ("fd", "fdinfo", "ns"):
            (folder / name).mkdir(parents=True)
        (folder / "ns/mnt").symlink_to(space)
        (folder / "comm").write_text(f"{comm}\n")
        (folder / "mountinfo").write_text(mounts)
        for number, device in enumerate(opens):
            (folder / f"fd/{number}").touch()
            (folder / f"fdinfo/{number}").write_text(f"pos:\t0\nflags:\t{flags:07o}\n")
            self.opened[str(folder / f"fd/{number}")] = device

    def devno(self, path):
        self.looks += str(path).endswith("/fd/0")
        return self.opened.get(path) or {"/dev/vdb": "254:16", "/dev/vdb1": "254:17"}.get(path)

    def loop(self, name, backing):
        (self.sys / f"block/{name}/loop").mkdir(parents=True)
        (self.sys / f"block/{name}/loop/backing_file").write_text(f"{backing}\n")


def test_nobody(host):
    host.process("7", "qemu", ["254:32"])
    host.process("8", "sshd")
    (host.sys / "block/loop0").mkdir()
    host.loop("loop1", "/srv/image")
    assert _disk_users.of(DISK) == []


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
@pytest.mark.parametrize("device", sorted(DISK))
def test_a_process_that_has_it_open(host, device, flags):
    host.process("7", "qemu-system-x86", ["1:3", device], flags)
    assert _disk_users.of(DISK) == ["process 7 (qemu-system-x86), which has it open"]


@pytest.mark.parametrize(
    ("comm", "flags", "users"),
    [
        ("systemd-udevd", os.O_RDONLY, 0),
        ("multipathd", os.O_RDONLY, 0),
        ("multipathd", os.O_RDWR, 1),
    ],
)
def test_who_only_watches_every_disk_is_no_user(host, comm, flags, users):
    host.process("7", comm, ["254:16"], flags)
    assert len(_disk_users.of(DISK)) == users


def test_it_is_not_our_own_process(host):
    folder = host.proc / str(os.getpid())
    (folder / "fd/0").touch()
    host.opened[str(folder / "fd/0")] = "254:16"
    assert _disk_users.of(DISK) == []


def test_a_program_that_looks_for_a_moment_is_no_user(host, monkeypatch):
    host.process("7", "blkid", ["254:16"])
    monkeypatch.setattr(_disk_users.time, "sleep", lambda seconds: host.opened.clear())
    assert _disk_users.of(DISK) == []
    assert host.looks == 2


def test_the_last_look_at_a_user_was_followed_by_a_wait(host, monkeypatch):
    host.process("7", "qemu", ["254:16"])
    waits = []
    monkeypatch.setattr(_disk_users.time, "sleep", waits.append)
    assert len(_disk_users.of(DISK)) == 1
    assert len(waits) == _disk_users.TRIES - 1


def test_mounted_in_another_namespace(host):
    host.process("7", "dockerd", space="mnt:[2]", mounts=MOUNT)
    host.process("8", "containerd", space="mnt:[2]", mounts=MOUNT)
    host.process("9", "sshd", space="mnt:[3]", mounts=MOUNT.replace("254:17", "254:33"))
    assert _disk_users.of({"254:17"}) == [
        "process 7 (dockerd), in whose namespace it is mounted at /srv",
        "process 9 (sshd), in whose namespace it is mounted at /srv",
    ]
    assert _disk_users.of({"254:48"}) == []


def test_our_own_mounts_are_looked_at_elsewhere(host):
    host.process("7", "sshd", mounts=MOUNT)
    assert _disk_users.of(DISK) == []


def test_a_loop_device_on_it(host):
    host.loop("loop3", "/dev/vdb1")
    (found,) = _disk_users.of(DISK)
    assert found.endswith("/dev/loop3, a loop device on it")


@pytest.mark.parametrize("error", [FileNotFoundError, ProcessLookupError, PermissionError])
def test_a_process_that_ends_or_cannot_be_looked_into_is_passed_over(host, monkeypatch, error):
    host.process("6", "kworker")
    host.process("7", "qemu", ["254:16"])
    real = os.listdir

    def listdir(path):
        if str(path).endswith("/6/fd"):
            raise error(path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    assert _disk_users.of(DISK) == ["process 7 (qemu), which has it open"]


@pytest.mark.parametrize(("flags", "users"), [(os.O_RDONLY, 0), (os.O_WRONLY, 1), (os.O_RDWR, 1)])
def test_a_process_that_can_write_to_a_file(host, tmp_path, flags, users):
    (tmp_path / "image").touch()
    host.process("7", "qemu", ["x"], flags)
    host.process("8", "sshd", ["x"])
    (host.proc / "7/fd/0").unlink()
    (host.proc / "7/fd/0").symlink_to(tmp_path / "image")
    found = _disk_users.of_file(str(tmp_path / "image"))
    assert found == ["process 7 (qemu), which can write to it"] * users


@pytest.mark.parametrize("same", [True, False])
def test_a_loop_device_over_a_file(host, tmp_path, monkeypatch, same):
    (tmp_path / "image").touch()
    have = os.stat(tmp_path / "image")
    host.loop("loop3", "/elsewhere/by/now")
    key = (have.st_dev, have.st_ino if same else 1, "0:0")
    monkeypatch.setattr(_disk_users, "_backing", lambda path: key)
    found = _disk_users.of_file(str(tmp_path / "image"))
    assert [words.endswith("/loop3, a loop device on it") for words in found] == [True] * same
