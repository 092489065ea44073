import os
import stat

import pytest
from salt.exceptions import CommandExecutionError

import _disk_kernel

MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/root rw
28 27 8:1 / /boot rw - ext4 /dev/sda1 rw
29 27 8:17 / /srv/with\040space rw - ext4 /dev/sdb1 rw,errors=remount-ro
30 27 0:40 /@data /data rw - btrfs /dev/sdc rw,subvolid=256
"""


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A made-up /sys and /proc: root on a volume on sda2, a btrfs over sdc and sdd."""
    made = Host(tmp_path)
    monkeypatch.setattr(_disk_kernel, "SYSFS", str(made.sys))
    monkeypatch.setattr(_disk_kernel, "PROC", str(made.proc))
    monkeypatch.setattr(_disk_kernel, "devno", made.devices.get)
    return made


class Host:
    def __init__(self, folder):
        self.sys, self.proc = folder / "sys", folder / "proc"
        (self.sys / "dev/block").mkdir(parents=True)
        (self.proc / "self").mkdir(parents=True)
        self.devices = {}
        (self.proc / "self/mountinfo").write_text(MOUNTS)
        self.swaps()
        self.device("sda", "8:0")
        self.device("sda/sda1", "8:1", partition=1, start=2048, size=4096)
        self.device("sda/sda2", "8:2", partition=2, start=6144, size=99, held=["dm-0"])
        self.device("dm-0", "253:0", slaves=["sda/sda2"], mapped="vg-root")
        self.device("sdb", "8:16")
        self.device("sdb/sdb1", "8:17", partition=1)
        self.device("sdc", "8:32")
        self.device("sdd", "8:48")
        members = self.sys / "fs/btrfs/5f00/devices"
        members.mkdir(parents=True)
        for name in ("sdc", "sdd"):
            (members / name).symlink_to(self.sys / "devices" / name)

    def device(self, name, number, slaves=(), held=(), mapped=None, **attributes):
        folder = self.sys / "devices" / name
        for part in ("slaves", "holders"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "dev").write_text(f"{number}\n")
        for key, value in attributes.items():
            (folder / key).write_text(f"{value}\n")
        if mapped:
            (folder / "dm").mkdir()
            (folder / "dm/name").write_text(f"{mapped}\n")
        for slave in slaves:
            (folder / "slaves" / os.path.basename(slave)).symlink_to(self.sys / "devices" / slave)
        for holder in held:
            (folder / "holders" / holder).symlink_to(self.sys / "devices" / holder)
        (self.sys / "dev/block" / number).symlink_to(folder)
        self.devices[f"/dev/{os.path.basename(name)}"] = number

    def swaps(self, *lines):
        text = "\n".join(["Filename Type Size Used Priority", *lines, ""])
        (self.proc / "swaps").write_text(text)


def test_mounts_are_read_with_the_devices_behind_them(host):
    found = {mount["point"]: mount for mount in _disk_kernel.mounts()}
    assert found["/srv/with space"]["devnos"] == ["8:17"]
    assert found["/proc"]["devnos"] == ["0:21"]
    assert found["/data"]["devnos"] == ["8:32", "8:48"]
    assert (found["/data"]["root"], found["/data"]["type"]) == ("/@data", "btrfs")


@pytest.mark.parametrize("line", ["22 27 0:21 / /proc", "1 2 3 - a b", "a b c d e f g"])
def test_a_line_that_is_not_understood_is_no_absence(host, line):
    with pytest.raises(CommandExecutionError, match="mountinfo is not understood"):
        _disk_kernel.parse_mountinfo(line)


def test_a_kernel_that_lists_nothing_is_no_absence(host):
    (host.proc / "self/mountinfo").write_text("")
    with pytest.raises(CommandExecutionError, match="mountinfo is empty"):
        _disk_kernel.mounts()


def test_the_system_is_followed_down_to_its_disks(host):
    host.swaps("/dev/sdb1 partition 100 0 -2", "/data/swapfile file 100 0 -3")
    assert _disk_kernel.system() == {
        "253:0": "holds /",
        "8:2": "holds /",
        "8:0": "holds /boot",
        "8:1": "holds /boot",
        "8:17": "holds active swap",
        "8:16": "holds active swap",
    }


def test_swap_files_are_no_devices(host):
    host.swaps(
        "/data/swapfile file 100 0 -3", r"/srv/a\040b file 1 0 -4", "/dev/sdb partition 1 0 -5"
    )
    assert _disk_kernel.swaps() == {"8:16": "/dev/sdb"}


def test_a_kernel_without_swap_has_none(host):
    (host.proc / "swaps").unlink()
    assert _disk_kernel.swaps() == {}


def test_partitions_and_their_holders(host):
    assert _disk_kernel.nodes("8:0") == {
        1: {
            "number": 1,
            "path": "/dev/sda1",
            "devno": "8:1",
            "start": 1048576,
            "size": 2097152,
            "holders": [],
        },
        2: {
            "number": 2,
            "path": "/dev/sda2",
            "devno": "8:2",
            "start": 3145728,
            "size": 50688,
            "holders": ["/dev/mapper/vg-root"],
        },
    }


def test_a_holder_that_is_no_volume(host):
    host.device("md0", "9:0")
    (host.sys / "devices/sdb/holders/md0").symlink_to(host.sys / "devices/md0")
    assert _disk_kernel.holders(str(host.sys / "devices/sdb")) == ["/dev/md0"]


def test_below_what_the_kernel_does_not_know(host):
    assert _disk_kernel.below("99:9") == []


def test_devno(tmp_path):
    for path in (tmp_path / "no", tmp_path, "/dev/null", "/dev/null/below"):
        assert _disk_kernel.devno(str(path)) is None
    disks = [path for path in os.scandir("/dev") if stat.S_ISBLK(path.stat().st_mode)]
    if not disks:
        pytest.skip("no block device on this machine")
    number = disks[0].stat().st_rdev
    assert _disk_kernel.devno(disks[0].path) == f"{os.major(number)}:{os.minor(number)}"


@pytest.mark.parametrize(("text", "value"), [("8:0\n", "8:0"), ("\0\n", None), (" a b \n", "a b")])
def test_attribute(host, text, value):
    (host.sys / "devices/sda/serial").write_text(text)
    assert _disk_kernel.attribute(str(host.sys / "devices/sda"), "serial") == value
    assert _disk_kernel.attribute(str(host.sys / "devices/sda"), "none") is None


def test_a_disk_is_known_by_the_name_that_stays(host, tmp_path, monkeypatch):
    real = os.listdir
    monkeypatch.setattr(os.path, "isdir", lambda path: path == "/dev/disk/by-id")
    names = ["virtio-data", "virtio-other"]
    monkeypatch.setattr(
        os, "listdir", lambda path: names if path == "/dev/disk/by-id" else real(path)
    )
    host.devices["/dev/disk/by-id/virtio-data"] = "8:16"
    assert _disk_kernel.known_as("8:16") == "/dev/disk/by-id/virtio-data"
    assert _disk_kernel.known_as("8:48") == "/dev/sdd"


def test_a_slash_in_a_name_is_another_letter_in_sysfs(host):
    host.device("cciss!c0d0", "104:0")
    host.device("cciss!c0d0/cciss!c0d0p1", "104:1", partition=1, start=2048, size=4096)
    assert _disk_kernel.nodes("104:0")[1]["path"] == "/dev/cciss/c0d0p1"
    assert _disk_kernel.known_as("104:1") == "/dev/cciss/c0d0p1"
