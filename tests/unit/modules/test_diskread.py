import pytest
import yaml
from fakes import ROOT, Salt, load
from salt.exceptions import CommandExecutionError

CASES = yaml.safe_load((ROOT / "tests/unit/cases/diskread.yaml").read_text())


def module(case, argv=None):
    """The module with a `host.run` that answers as the case says."""

    def run(words, timeout=60, accept=(0,)):
        assert argv is None or words == argv
        code = case.get("code", 0)
        assert code in accept
        return {"retcode": code, "stdout": case["stdout"], "stderr": case.get("stderr", "")}

    return load("diskread", Salt({"host.run": run}))


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
