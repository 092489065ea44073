import os

import pytest
import yaml
from fakes import ROOT

import _boot_files

CASES = yaml.safe_load((ROOT / "tests/unit/cases/boot_files.yaml").read_text())


def cases(name):
    return pytest.mark.parametrize("case", CASES[name].values(), ids=list(CASES[name]))


@pytest.fixture
def on(tmp_path, monkeypatch):
    """The module on a directory that holds these files."""

    def made(files):
        for path, text in files.items():
            os.makedirs(os.path.dirname(f"{tmp_path}{path}"), exist_ok=True)
            (tmp_path / path.lstrip("/")).write_text(text + "\n")
        monkeypatch.setattr(_boot_files, "ROOT", str(tmp_path))
        return _boot_files

    return made


@cases("sysctl")
def test_a_sysctl_file(case):
    assert _boot_files.parse_sysctl(case["text"]) == case["values"]


@cases("options")
def test_a_modprobe_file(case):
    found = _boot_files.parse_options(case["text"], "nf_conntrack", "hashsize")
    assert found == [*map(tuple, case["values"])]


@cases("later")
def test_what_is_read_after_a_file_of_ours(on, case):
    found = on(case["files"]).sysctl_after("/etc/sysctl.d/50-mine.conf", ["a.b"])
    assert found == case["found"]


@cases("modprobe")
def test_every_place_that_sets_a_module_option(on, case):
    assert on(case["files"]).module_options("nf_conntrack", "hashsize") == case["found"]


@cases("last")
def test_buckets_of_any_sysctl_file_won_at_boot_without_a_word(on, case):
    assert on(case["files"]).sysctl_last(["net.x.buckets"]) == case["found"]


@cases("tuned")
def test_what_tuned_sets(on, case):
    assert on(case["files"]).tuned_sysctls(["a.b", "c.d"], ours=["a.b"]) == case["found"]


@cases("written")
def test_what_is_written_after_the_sysctls(on, case):
    assert on(case["files"]).written_later(["/sys/size"]) == case["found"]


@cases("numbers")
def test_a_number_as_the_kernel_reads_it(case):
    assert _boot_files.number(case["text"]) == case["value"]


def test_a_masked_file_says_nothing(on, tmp_path):
    module = on({"/usr/lib/sysctl.d/99-b.conf": "a.b = 1", "/etc/sysctl.d/README": ""})
    os.symlink("/dev/null", tmp_path / "etc/sysctl.d/99-b.conf")
    assert module.sysctl_after("/etc/sysctl.d/50-mine.conf", ["a.b"]) == []
