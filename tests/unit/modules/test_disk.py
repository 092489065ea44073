import os

import pytest
from disk_kit import MIB, formatted, part, signature
from salt.exceptions import CommandExecutionError

import _disk
import _disk_blank
import _disk_kernel
import _disk_read
import _disk_table
import _disk_users
import _host


@pytest.fixture
def probe(replace):
    """The module over a machine whose every block device is 254:16 and blank."""

    def over(contents=None, **answers):
        known = {
            "devno": lambda path: "254:16",
            "attribute": lambda folder, name: None,
            "holders": lambda folder: [],
            "system": dict,
            "mounts": list,
            "swaps": dict,
        }
        replace(_host, read=answers.pop("read", lambda path: None))
        replace(_disk_users, of=answers.pop("users", lambda numbers: []))
        replace(_disk_blank, look=answers.pop("look", lambda path, *area, **how: None))
        replace(_disk_kernel, **{**known, **answers})
        if contents:
            replace(_disk_table, contents=lambda path, number, size, sector: contents)
        return _disk

    return over


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


def contents(*parts, **over):
    found = {"partitions": list(parts), "table": "gpt" if parts else None, "signatures": []}
    return {**found, **over}


def attributes(folder, name):
    return ATTRIBUTES.get(name)


def test_examine(sysfs, probe):
    mine = part(path="/dev/vdb1", devno="254:17")
    mounts = [
        {"point": "/data", "devnos": ["254:17"]},
        {"point": "/data/bind", "devnos": ["254:17"]},
        {"point": "/data", "devnos": ["254:17"]},
        {"point": "/", "devnos": ["254:1"]},
    ]
    swaps = {"254:17": "/dev/vdb1", "254:2": "/dev/vda2"}
    probe(contents(mine), attribute=attributes, mounts=lambda: mounts, swaps=lambda: swaps)
    disk = _disk.examine("/dev/vdb")
    assert (disk["path"], disk["devno"], disk["size"]) == ("/dev/vdb", "254:16", 1 << 30)
    assert (disk["serial"], disk["sector"], disk["is_disk"]) == ("data", 512, True)
    assert (disk["mounts"], disk["swaps"]) == (["/data", "/data/bind"], ["/dev/vdb1"])
    assert disk["partitions"][0]["mounts"] == ["/data", "/data/bind"]
    assert (disk["busy"], disk["partitions"][0]["busy"]) == (False, False)
    assert sysfs == ["/dev/vdb", "/dev/vdb1"]


def test_the_disk_of_the_system_is_not_opened(sysfs, probe):
    probe(attribute=attributes, system=lambda: {"254:16": "holds /"})
    disk = _disk.examine("/dev/vdb")
    assert (disk["system"], disk["size"], disk["partitions"]) == ("holds /", 1 << 30, [])
    assert sysfs == []


def test_an_empty_card_reader_is_not_opened(sysfs, probe):
    disk = probe().examine("/dev/vdb")
    assert (disk["size"], disk["partitions"]) == (0, [])
    assert sysfs == []


@pytest.mark.parametrize(
    ("known", "is_disk", "parent"),
    [({}, True, None), ({"partition": "1"}, False, "/dev/block")],
)
def test_a_partition_is_no_disk(sysfs, probe, known, is_disk, parent):
    disk = probe(attribute=lambda folder, name: known.get(name)).examine("/dev/x")
    assert (disk["is_disk"], disk["parent"]) == (is_disk, parent)


def test_a_serial_number_in_a_scsi_page(sysfs, probe):
    page = {"/sys/devices/pci/virtio1/block/vdb/device/vpd_pg80": "\0\x80\0\x10  S2X9 07 \0"}
    assert probe(read=page.get).examine("/dev/vdb")["serial"] == "S2X9 07"


# --- What no tool knows ---


@pytest.fixture
def looked(sysfs, probe):
    """Examine a disk of 1 GiB with these contents; what was looked at, and the answer."""

    def examine(found, **options):
        places = []

        def look(path, start=0, end=None, whole=False):
            places.append((path, start, end, *["whole"] * whole))
            return FOUND

        probe(found, attribute=attributes, look=look, **options.pop("probe", {}))
        return places, _disk.examine("/dev/vdb", **options)

    return examine


FOUND = {"offset": 5, "hits": 1, "samples": 9}
GIB = 1 << 30


@pytest.mark.parametrize(
    ("found", "place"),
    [
        (contents(), ("/dev/vdb", 0, GIB)),
        # An empty table is known; what is between its two copies is not.
        (contents(table="gpt"), ("/dev/vdb", 17408, GIB - 16896)),
    ],
)
def test_a_disk_without_a_signature_is_read(looked, found, place):
    places, disk = looked(found)
    assert (places, disk["content"]) == ([place], FOUND)


@pytest.mark.parametrize(
    ("mine", "place"),
    [
        (part(), ("/dev/vdb1", 0, None)),
        (part("rancher-data"), ("/dev/vdb1", 0, None, "whole")),
        (part("rancher-docker-pool-new"), ("/dev/vdb1", 0, None)),
        (part("rancher-docker-pool"), ("/dev/vdb1", 0, None, "whole")),
        (part(path=None, devno=None), ("/dev/vdb", MIB, 1023 * MIB)),
        (
            part("rancher-data", path=None, devno=None),
            ("/dev/vdb", MIB, 1023 * MIB, "whole"),
        ),
    ],
)
def test_our_partition_without_a_signature_is_read(looked, replace, mine, place):
    replace(_disk_read, ext_backup=lambda device: {"block": 8193, "size": 1024})
    places, disk = looked(contents(mine))
    assert places == [place]
    (seen,) = disk["partitions"]
    assert (seen["content"], disk["content"], seen["unused"]) == (FOUND, None, False)
    assert bool(seen["backup"]) == bool(mine["finished"] and mine["path"])


@pytest.mark.parametrize(("label", "unused"), [("rancher-data", True), ("rancher-data-new", False)])
def test_a_finished_partition_that_is_all_zero_was_never_used(sysfs, probe, label, unused):
    disk = probe(contents(part(label)), attribute=attributes).examine("/dev/vdb")
    assert disk["partitions"][0]["unused"] is unused


@pytest.mark.parametrize(
    "found",
    [
        contents(signatures=[signature("xfs")]),
        contents(table="dos"),
        contents(formatted()),
        contents(formatted(name="rancher-data-new")),
        contents(part("photos")),
        contents(part(), part("x", number=2)),
    ],
)
def test_what_is_known_or_foreign_is_not_read(looked, found):
    places, disk = looked(found)
    assert (places, disk["content"]) == ([], None)


def test_what_this_run_has_looked_at_is_not_read_again(looked):
    places, disk = looked(contents(part()), looked=True)
    assert (places, disk["partitions"][0]["content"]) == ([], None)


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (contents(), {"254:16"}),
        (contents(part(devno="254:17")), {"254:16", "254:17"}),
        (contents(part("photos", path=None, devno=None)), {"254:16"}),
        # Ours and finished: it is only mounted, whoever reads it.
        (contents(formatted()), None),
    ],
)
def test_who_else_uses_it(looked, found, asked):
    seen = []
    users = {"users": lambda numbers: seen.append(numbers) or ["process 7 (qemu)"]}
    _, disk = looked(found, probe=users)
    assert seen == ([asked] if asked else [])
    assert disk["users"] == (["process 7 (qemu)"] if asked else [])


def test_a_disk_that_is_mounted_is_not_read(looked):
    mounts = [{"point": "/data", "devnos": ["254:16"]}]
    places, disk = looked(contents(), probe={"mounts": lambda: mounts})
    assert (places, disk["mounts"]) == ([], ["/data"])


def test_a_disk_that_cannot_be_read_is_an_error(sysfs, probe):
    def look(path, *area, **how):
        raise CommandExecutionError("/dev/vdb could not be read")

    probe(contents(), attribute=attributes, look=look)
    with pytest.raises(CommandExecutionError, match="could not be read"):
        _disk.examine("/dev/vdb")


# --- Who holds it ---


def test_a_disk_that_is_held_for_a_moment_is_free(sysfs, monkeypatch):
    left = [16, 16]
    monkeypatch.setattr(_disk.time, "sleep", lambda seconds: None)

    def open_(path, flags):
        if left:
            raise OSError(left.pop(), "busy")
        return os.dup(1)

    monkeypatch.setattr(os, "open", open_)
    assert _disk._busy("/dev/vdb", tries=5) is False
    left += [16] * 5
    assert _disk._busy("/dev/vdb", tries=5) is True


def test_the_last_look_at_a_disk_in_use_was_followed_by_a_wait(sysfs, monkeypatch):
    def busy(path, flags):
        raise OSError(16, "busy")

    monkeypatch.setattr(os, "open", busy)
    waits = []
    monkeypatch.setattr(_disk.time, "sleep", waits.append)
    assert _disk._busy("/dev/vdb", tries=1) is True
    assert waits == []
    assert _disk._busy("/dev/vdb", tries=5) is True
    assert len(waits) == 4


def test_a_disk_that_cannot_be_opened_is_an_error(sysfs, monkeypatch):
    def open_(path, flags):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", open_)
    with pytest.raises(CommandExecutionError, match="/dev/vdb cannot be opened: Input/output"):
        _disk._busy("/dev/vdb", tries=1)


def test_what_is_no_disk(tmp_path):
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
            _disk.examine(device)
        assert words in str(info.value)
        assert "pillar" not in str(info.value)


@pytest.mark.parametrize("name", ["none", "link", "file"])
def test_what_is_no_disk_names_the_key_that_gave_it(tmp_path, name):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(CommandExecutionError, match="correct the pillar key rancher:x:device"):
        _disk.examine(str(tmp_path / name), "rancher:x:device")
