import struct

import pytest
import yaml
from fakes import ROOT, Salt, load
from salt.exceptions import CommandExecutionError

CASES = yaml.safe_load((ROOT / "tests/unit/cases/disk_read.yaml").read_text())


def module(case, argv=None):
    """The module with a `host.run` that answers as the case says."""

    def run(words, timeout=60, accept=(0,)):
        assert argv is None or words == argv
        code = case.get("code", 0)
        assert code in accept
        return {"retcode": code, "stdout": case["stdout"], "stderr": case.get("stderr", "")}

    return load("_disk_read", Salt({"_host.run": run}))


@pytest.mark.parametrize("name", CASES["blkid"])
def test_blkid(name):
    case = CASES["blkid"][name]
    reads = module(case, ["blkid", "-p", "-o", "export", "/dev/vdb"])
    assert reads.blkid("/dev/vdb") == case["found"]


def test_blkid_of_an_area():
    argv = ["blkid", "-p", "-O", "1048576", "-S", "4096", "-o", "export", "/dev/vdb"]
    assert module({"code": 2, "stdout": ""}, argv).blkid("/dev/vdb", 1048576, 4096) == {}


@pytest.mark.parametrize("name", CASES["blkid_unclear"])
def test_blkid_that_gives_no_clear_answer_is_no_absence(name):
    with pytest.raises(CommandExecutionError, match="blkid"):
        module(CASES["blkid_unclear"][name]).blkid("/dev/vdb")


@pytest.mark.parametrize("name", CASES["wipefs"])
def test_wipefs(name):
    case = CASES["wipefs"][name]
    assert (
        module(case, ["wipefs", "--no-act", "-p", "/dev/vdb"]).wipefs("/dev/vdb") == case["found"]
    )


@pytest.mark.parametrize("name", CASES["wipefs_unclear"])
def test_wipefs_that_gives_no_clear_answer_is_no_absence(name):
    with pytest.raises(CommandExecutionError, match="wipefs"):
        module(CASES["wipefs_unclear"][name]).wipefs("/dev/vdb")


@pytest.mark.parametrize("name", CASES["partx"])
def test_partx(name):
    case = CASES["partx"][name]
    assert module(case).table("/dev/vdb") == case["found"]


@pytest.mark.parametrize("name", CASES["partx_unclear"])
def test_partx_that_gives_no_clear_answer_is_no_absence(name):
    with pytest.raises(CommandExecutionError, match="partx"):
        module(CASES["partx_unclear"][name]).table("/dev/vdb")


def gpt(folder, used, sector=512, count=128, size=128):
    """An image with the first copy of a GPT, as far as it is read."""
    path = folder / "disk"
    head = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, count, size) + bytes(4)
    entries = b"".join(b"\xaf".ljust(128, b"\0") for _ in range(used))
    path.write_bytes(bytes(sector) + head.ljust(sector, b"\0") + entries.ljust(16384, b"\0"))
    return str(path)


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("used", [0, 1, 3])
def test_entries_of_a_gpt_are_counted(tmp_path, used, sector):
    assert load("_disk_read").gpt_used(gpt(tmp_path, used, sector), sector) == used


@pytest.mark.parametrize("wrong", [{"size": 1}, {"count": 10**9}, {"sector": 4096}])
def test_a_gpt_that_makes_no_sense_is_not_counted(tmp_path, wrong):
    assert load("_disk_read").gpt_used(gpt(tmp_path, 1, **wrong), 512) is None


def test_a_disk_that_cannot_be_read_is_no_empty_gpt(tmp_path):
    with pytest.raises(CommandExecutionError, match="could not be read"):
        load("_disk_read").gpt_used(str(tmp_path))
