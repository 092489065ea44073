import os
import shutil
import subprocess
import tempfile

import pytest
import yaml
from fakes import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

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


NAMES = st.sampled_from(
    ["10-a.conf", "50-b.conf", "99-c.conf", "99_d.conf", "Z.conf", "x.txt", "ä.conf"]
)
FOLDERS = st.sampled_from(["/etc", "/run", "/usr/local/lib", "/usr/lib"])
TREES = st.dictionaries(st.tuples(FOLDERS, NAMES), st.sampled_from(["a.b = 1", ""]), max_size=8)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd to ask")
@given(tree=TREES)
@settings(max_examples=15)
def test_the_files_are_read_in_the_order_of_systemd(tree):
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        for (folder, name), text in tree.items():
            os.makedirs(f"{root}{folder}/sysctl.d", exist_ok=True)
            with open(f"{root}{folder}/sysctl.d/{name}", "w") as out:
                out.write(text + "\n")
        argv = ["systemd-analyze", f"--root={root}", "cat-config", "sysctl.d"]
        said = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout
        patch.setattr(_boot_files, "ROOT", root)
        theirs = [line[2:] for line in said.split("\n") if line.startswith(f"# {root}/")]
        assert [root + path for path in _boot_files._files("sysctl.d")] == theirs


@given(key=st.text("abz0._-/", min_size=1, max_size=8), value=st.text("0123 =x", max_size=5))
def test_what_is_assigned_is_read_back(key, value):
    found = _boot_files.parse_sysctl(f"# x\n  {key} = {value}\n; y\n")
    assert list(found.values()) == [value.strip()]


@given(number=st.integers(0, 2**31), form=st.sampled_from(["{}", "0x{:x}", "0X{:X}", "0{:o}"]))
def test_a_number_in_every_form_that_the_kernel_reads(number, form):
    assert _boot_files.number(form.format(number)) == number
