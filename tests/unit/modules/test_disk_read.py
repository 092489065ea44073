import struct
import zlib

import pytest
import yaml
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _disk_read
import _host

CASES = yaml.safe_load((ROOT / "tests/unit/cases/disk_read.yaml").read_text())


@pytest.fixture
def answer(replace):
    """Run a function over a `_host.run` that answers as the case says."""

    def run(case, function, *args, argv=None):
        replace(_host, run=answering(case, argv))
        return getattr(_disk_read, function)(*args)

    return run


def answering(case, argv):

    def run(words, timeout=60, accept=(0,)):
        assert argv is None or words == argv
        code = case.get("code", 0)
        assert code in accept
        return {"retcode": code, "stdout": case["stdout"], "stderr": case.get("stderr", "")}

    return run


@pytest.mark.parametrize("name", CASES["blkid"])
def test_blkid(answer, name):
    case = CASES["blkid"][name]
    argv = ["blkid", "-p", "-o", "export", "/dev/vdb"]
    assert answer(case, "blkid", "/dev/vdb", argv=argv) == case["found"]


def test_blkid_of_an_area(answer):
    argv = ["blkid", "-p", "-O", "1048576", "-S", "4096", "-o", "export", "/dev/vdb"]
    case = {"code": 2, "stdout": ""}
    assert answer(case, "blkid", "/dev/vdb", 1048576, 4096, argv=argv) == {}


@pytest.mark.parametrize("name", CASES["blkid_unclear"])
def test_blkid_that_gives_no_clear_answer_is_no_absence(answer, name):
    with pytest.raises(CommandExecutionError, match="blkid"):
        answer(CASES["blkid_unclear"][name], "blkid", "/dev/vdb")


@pytest.mark.parametrize("name", CASES["wipefs"])
def test_wipefs(answer, name):
    case = CASES["wipefs"][name]
    argv = ["wipefs", "--no-act", "-p", "/dev/vdb"]
    assert answer(case, "wipefs", "/dev/vdb", argv=argv) == case["found"]


@pytest.mark.parametrize("name", CASES["wipefs_unclear"])
def test_wipefs_that_gives_no_clear_answer_is_no_absence(answer, name):
    with pytest.raises(CommandExecutionError, match="wipefs"):
        answer(CASES["wipefs_unclear"][name], "wipefs", "/dev/vdb")


@pytest.mark.parametrize("name", CASES["partx"])
def test_partx(answer, name):
    case = CASES["partx"][name]
    assert answer(case, "table", "/dev/vdb") == case["found"]


@pytest.mark.parametrize("name", CASES["partx_unclear"])
def test_partx_that_gives_no_clear_answer_is_no_absence(answer, name):
    with pytest.raises(CommandExecutionError, match="partx"):
        answer(CASES["partx_unclear"][name], "table", "/dev/vdb")


def gpt(folder, used, sector=512, count=128, size=128):
    """An image with the first copy of a GPT, as far as it is read."""
    path = folder / "disk"
    head = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, count, size) + bytes(4)
    names = (name.encode("utf-16-le") for name in used)
    entries = b"".join((b"\xaf".ljust(56, b"\0") + name).ljust(128, b"\0") for name in names)
    path.write_bytes(bytes(sector) + head.ljust(sector, b"\0") + entries.ljust(16384, b"\0"))
    return str(path)


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("used", [[], [""], ["rancher-data-new ", "Daten \u00fc", "a\0b"]])
def test_entries_of_a_gpt_have_their_names_to_the_last_blank(tmp_path, used, sector):
    names = {number: name.split("\0")[0] for number, name in enumerate(used, 1)}
    assert _disk_read.gpt_names(gpt(tmp_path, used, sector), sector) == names


@pytest.mark.parametrize("wrong", [{"size": 1}, {"count": 10**9}, {"sector": 4096}])
def test_a_gpt_that_makes_no_sense_is_not_counted(tmp_path, wrong):
    assert _disk_read.gpt_names(gpt(tmp_path, ["x"], **wrong), 512) is None


def test_a_disk_that_cannot_be_read_is_no_empty_gpt(tmp_path):
    with pytest.raises(CommandExecutionError, match="could not be read"):
        _disk_read.gpt_names(str(tmp_path))


def header(size, sector=512, length=92, wrong=False):
    """The first copy's header of a disk of that size."""
    head = bytearray(b"EFI PART".ljust(length, b"\0"))
    struct.pack_into("<I", head, 12, length)
    struct.pack_into("<Q", head, 32, size // sector - 1)
    struct.pack_into("<I", head, 16, zlib.crc32(bytes(head)) ^ wrong)
    return bytes(sector) + bytes(head).ljust(sector, b"\0")


@pytest.mark.parametrize("sector", [512, 4096])
def test_the_size_that_a_gpt_was_made_for(tmp_path, sector):
    (tmp_path / "disk").write_bytes(header(1 << 30, sector))
    assert _disk_read.gpt_size(str(tmp_path / "disk"), sector) == 1 << 30


@pytest.mark.parametrize(
    "content",
    [b"", bytes(1024), header(1 << 30, wrong=True), header(1 << 30)[:600], bytes(512) + b"EFI"],
)
def test_a_damaged_gpt_says_nothing_of_a_size(tmp_path, content):
    (tmp_path / "disk").write_bytes(content)
    assert _disk_read.gpt_size(str(tmp_path / "disk"), 512) is None


@pytest.mark.parametrize(
    ("content", "unfinished"),
    [
        (b"XFSB" + bytes(122) + b"\1" + bytes(385), True),
        (b"XFSB" + bytes(508), False),
        (b"ABCD" + bytes(122) + b"\1" + bytes(385), False),
        (b"XFSB", False),
    ],
)
def test_an_xfs_that_was_never_completed(tmp_path, content, unfinished):
    (tmp_path / "disk").write_bytes(content)
    assert _disk_read.interrupted_xfs(str(tmp_path / "disk")) is unfinished


def test_a_disk_that_cannot_be_read_is_not_finished_nor_unfinished(tmp_path):
    with pytest.raises(CommandExecutionError, match="gone could not be read"):
        _disk_read.interrupted_xfs(str(tmp_path / "gone"))


def superblock(shift, group, magic=b"\x53\xef"):
    head = bytearray(1024)
    struct.pack_into("<I", head, 24, shift)
    head[56:58] = magic
    struct.pack_into("<H", head, 90, group)
    return bytes(head)


@pytest.mark.parametrize(
    ("block", "size", "shift"), [(8193, 1024, 0), (16384, 2048, 1), (32768, 4096, 2)]
)
def test_the_backup_of_an_ext_file_system_is_found(tmp_path, block, size, shift):
    with open(tmp_path / "disk", "wb") as out:
        out.seek(block * size)
        out.write(superblock(shift, 1))
    assert _disk_read.ext_backup(str(tmp_path / "disk")) == {"block": block, "size": size}


@pytest.mark.parametrize(
    "content", [b"", superblock(0, 3), superblock(2, 1), superblock(0, 1, b"no")]
)
def test_what_is_no_backup_is_not_taken_for_one(tmp_path, content):
    with open(tmp_path / "disk", "wb") as out:
        out.seek(8193 * 1024)
        out.write(content)
    assert _disk_read.ext_backup(str(tmp_path / "disk")) is None


def test_who_has_a_name_is_asked_without_a_cache(answer):
    argv = ["blkid", "-c", "/dev/null", "-o", "device", "-t", "UUID=8d3c-11"]
    case = {"stdout": "/dev/vdb1\n/dev/vdc\n"}
    assert answer(case, "with_tag", "UUID", "8d3c-11", argv=argv) == ["/dev/vdb1", "/dev/vdc"]
    assert answer({"code": 2, "stdout": ""}, "with_tag", "UUID", "8d3c-11", argv=argv) == []


@pytest.mark.parametrize(
    ("place", "kind", "end", "right"),
    [(450, 0xEE, b"\x55\xaa", True), (498, 0xEE, b"\x55\xaa", True)]
    + [
        (450, 0x83, b"\x55\xaa", False),
        (450, 0xEE, bytes(2), False),
        (451, 0xEE, b"\x55\xaa", False),
    ],
)
def test_the_protective_mbr(tmp_path, place, kind, end, right):
    head = bytearray(512)
    head[place], head[510:] = kind, end
    (tmp_path / "disk").write_bytes(bytes(head))
    assert _disk_read.protective_mbr(str(tmp_path / "disk")) is right
