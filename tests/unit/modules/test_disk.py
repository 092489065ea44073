import os
import stat

import pytest
from disk_kit import part
from fakes import Salt, load
from salt.exceptions import CommandExecutionError


def probe(**answers):
    """The module over a machine whose every block device is 254:16."""
    salt = {
        "_host.read": lambda path: None,
        "_disk_kernel.devno": lambda path: "254:16",
        "_disk_kernel.attribute": lambda folder, name: None,
        "_disk_kernel.holders": lambda folder: [],
        "_disk_kernel.system": dict,
        "_disk_kernel.mounts": list,
        "_disk_kernel.swaps": dict,
    }
    return load("_disk", Salt({**salt, **answers}))


@pytest.fixture
def sysfs(monkeypatch):
    """Any number is a whole disk in sysfs; opening a device succeeds unless told otherwise."""
    folder = "/sys/devices/pci/virtio1/block/vdb"
    real, isdir = os.path.realpath, os.path.isdir
    monkeypatch.setattr(
        os.path, "realpath", lambda path: folder if path.startswith("/sys/dev/") else real(path)
    )
    monkeypatch.setattr(os.path, "isdir", lambda path: path == folder or isdir(path))
    monkeypatch.setattr(os.path, "lexists", lambda path: True)
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    opened = []

    def open_(path, flags):
        assert flags == os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC
        opened.append(path)
        return os.dup(1)

    monkeypatch.setattr(os, "open", open_)
    return opened


ATTRIBUTES = {"size": "2097152", "ro": "0", "removable": "0", "serial": "data"}


def contents(*parts):
    return {"partitions": list(parts), "table": "gpt" if parts else None, "signatures": []}


def test_examine(sysfs):
    mine = {"path": "/dev/vdb1", "devno": "254:17"}
    probes = probe(
        **{
            "_disk_kernel.attribute": lambda folder, name: ATTRIBUTES.get(name),
            "_disk_kernel.mounts": lambda: [
                {"point": "/data", "devnos": ["254:17"]},
                {"point": "/data/bind", "devnos": ["254:17"]},
                {"point": "/data", "devnos": ["254:17"]},
                {"point": "/", "devnos": ["254:1"]},
            ],
            "_disk_kernel.swaps": lambda: {"254:17": "/dev/vdb1", "254:2": "/dev/vda2"},
            "_disk_table.contents": lambda path, number, size, sector: contents(part(**mine)),
        }
    )
    disk = probes.examine("/dev/vdb")
    assert (disk["path"], disk["devno"], disk["size"]) == ("/dev/vdb", "254:16", 1 << 30)
    assert (disk["serial"], disk["sector"], disk["is_disk"]) == ("data", 512, True)
    assert (disk["mounts"], disk["swaps"]) == (["/data", "/data/bind"], ["/dev/vdb1"])
    assert disk["partitions"][0]["mounts"] == ["/data", "/data/bind"]
    assert (disk["busy"], disk["partitions"][0]["busy"]) == (False, False)
    assert sysfs == ["/dev/vdb", "/dev/vdb1"]


def test_the_disk_of_the_system_is_not_opened(sysfs):
    probes = probe(
        **{
            "_disk_kernel.attribute": lambda folder, name: ATTRIBUTES.get(name),
            "_disk_kernel.system": lambda: {"254:16": "holds /"},
        }
    )
    disk = probes.examine("/dev/vdb")
    assert (disk["system"], disk["size"], disk["partitions"]) == ("holds /", 1 << 30, [])
    assert sysfs == []


def test_an_empty_card_reader_is_not_opened(sysfs):
    disk = probe().examine("/dev/vdb")
    assert (disk["size"], disk["partitions"]) == (0, [])
    assert sysfs == []


@pytest.mark.parametrize(
    ("attributes", "is_disk", "parent"),
    [({}, True, None), ({"partition": "1"}, False, "/dev/block")],
)
def test_a_partition_is_no_disk(sysfs, attributes, is_disk, parent):
    disk = probe(**{"_disk_kernel.attribute": lambda folder, name: attributes.get(name)}).examine(
        "/dev/x"
    )
    assert (disk["is_disk"], disk["parent"]) == (is_disk, parent)


def test_a_serial_number_in_a_scsi_page(sysfs):
    page = {"/sys/devices/pci/virtio1/block/vdb/device/vpd_pg80": "\0\x80\0\x10  S2X9 07 \0"}
    assert probe(**{"_host.read": page.get}).examine("/dev/vdb")["serial"] == "S2X9 07"


def test_a_disk_that_is_held_for_a_moment_is_free(sysfs, monkeypatch):
    probes, left = probe(), [16, 16]
    monkeypatch.setattr(probes.time, "sleep", lambda seconds: None)

    def open_(path, flags):
        if left:
            raise OSError(left.pop(), "busy")
        return os.dup(1)

    monkeypatch.setattr(os, "open", open_)
    assert probes._busy("/dev/vdb", tries=5) is False
    left += [16] * 5
    assert probes._busy("/dev/vdb", tries=5) is True


def test_a_disk_that_cannot_be_opened_is_an_error(sysfs, monkeypatch):
    def open_(path, flags):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", open_)
    with pytest.raises(CommandExecutionError, match="/dev/vdb cannot be opened: Input/output"):
        probe()._busy("/dev/vdb", tries=1)


def test_what_is_no_disk(tmp_path):
    real = load("_disk_kernel").devno
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(tmp_path / "gone")
    file.touch()
    for device, words in (
        (str(tmp_path / "none"), "none does not exist. Nothing was written. Attach the disk"),
        (str(link), f"is a dangling link to {tmp_path}/gone"),
        (str(file), "file is not a block device. Nothing was written"),
        ("/dev/null", "/dev/null is not a block device"),
        ("sdb", "'sdb' is not the path of a disk"),
        (None, "None is not the path of a disk"),
    ):
        with pytest.raises(CommandExecutionError) as info:
            probe(**{"_disk_kernel.devno": real}).examine(device)
        assert words in str(info.value)
        assert "pillar" not in str(info.value)


@pytest.mark.parametrize("name", ["none", "link", "file"])
def test_what_is_no_disk_names_the_key_that_gave_it(tmp_path, name):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "file").touch()
    probes = probe(**{"_disk_kernel.devno": load("_disk_kernel").devno})
    with pytest.raises(CommandExecutionError, match="correct the pillar key rancher:x:device"):
        probes.examine(str(tmp_path / name), "rancher:x:device")


def test_same_disk(tmp_path):
    probes = probe(**{"_disk_kernel.devno": load("_disk_kernel").devno})
    disks = [entry for entry in os.scandir("/dev") if stat.S_ISBLK(entry.stat().st_mode)]
    if len(disks) < 2:
        pytest.skip("fewer than two block devices on this machine")
    link = tmp_path / "link"
    link.symlink_to(disks[0].path)
    assert probes.same_disk(disks[0].path, str(link)) is True
    assert probes.same_disk(disks[1].path, str(link)) is False
    with pytest.raises(CommandExecutionError, match="does not exist"):
        probes.same_disk(str(link), "/dev/none")


def test_stage_and_partition_are_passed_on():
    calls = []
    answers = {
        "_disk_refusals.stage": lambda *args: calls.append(args) or "ready",
        "_disk_make.partition": lambda *args: calls.append(args) or "/dev/vdb1",
    }
    probes = probe(**answers)
    assert probes.stage({}, "mark", "lvm", 5) == "ready"
    assert probes.partition({}, "mark", "lvm", 5) == "/dev/vdb1"
    assert calls == [({}, "mark", "lvm", 5)] * 2
