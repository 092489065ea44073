import os

import pytest
import yaml
from fakes import ROOT, Salt, load

CASES = yaml.safe_load((ROOT / "tests/unit/cases/boot_files.yaml").read_text())


def cases(name):
    return pytest.mark.parametrize("case", CASES[name].values(), ids=list(CASES[name]))


@pytest.fixture
def on(tmp_path):
    """The module on a directory that holds these files."""

    def made(files):
        for path, text in files.items():
            os.makedirs(os.path.dirname(f"{tmp_path}{path}"), exist_ok=True)
            (tmp_path / path.lstrip("/")).write_text(text + "\n")
        module = load("_boot_files", Salt({"_host.read": load("_host").read}))
        module.ROOT = str(tmp_path)
        return module

    return made


@cases("sysctl")
def test_a_sysctl_file(case):
    assert load("_boot_files").parse_sysctl(case["text"]) == case["values"]


@cases("options")
def test_a_modprobe_file(case):
    found = load("_boot_files").parse_options(case["text"], "nf_conntrack", "hashsize")
    assert found == case["values"]


@cases("later")
def test_what_is_read_after_a_file_of_ours(on, case):
    found = on(case["files"]).sysctl_after("/etc/sysctl.d/50-mine.conf", ["a.b"])
    assert found == case["found"]


@cases("modprobe")
def test_every_place_that_sets_a_module_option(on, case):
    assert on(case["files"]).module_options("nf_conntrack", "hashsize") == case["found"]


def test_a_masked_file_says_nothing(on, tmp_path):
    module = on({"/usr/lib/sysctl.d/99-b.conf": "a.b = 1", "/etc/sysctl.d/README": ""})
    os.symlink("/dev/null", tmp_path / "etc/sysctl.d/99-b.conf")
    assert module.sysctl_after("/etc/sysctl.d/50-mine.conf", ["a.b"]) == []
