"""What the package managers print is read as they mean it, and what is not understood is an error."""

import pathlib

import pytest
import yaml
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _packages_upgrade as plan

CASES = yaml.safe_load((ROOT / "tests/unit/cases/packages_upgrade.yaml").read_text())
UPGRADED = {"tool": {"old": "1", "new": "2"}, "library": {"old": "3", "new": ""}}
SAID = ["--setopt=assumeyes=0", "--setopt=color=never", "--setopt=debuglevel=2"]


def cases(name):
    return pytest.mark.parametrize("case", CASES[name].values(), ids=CASES[name])


@cases("apt")
def test_what_apt_would_do(case):
    assert plan.parse_apt(case["text"]) == [*map(tuple, case["steps"])]


@cases("yum")
def test_what_dnf_or_yum_would_do(case):
    assert plan.parse_yum(case["text"], "x86_64") == [*map(tuple, case["steps"])]


@cases("broken")
def test_what_is_no_whole_table_is_an_error(case):
    with pytest.raises(CommandExecutionError, match="was not understood, it said: ") as caught:
        plan.parse_yum(case["text"], "x86_64")
    assert case["said"] in str(caught.value)


def test_versions_side_by_side_are_reported_as_salt_does():
    installed = {"kernel": ["0", "1"], "tool": ["1"], "library": ["1"], "quiet": ["1"]}
    steps = [
        ("add", "kernel", "2"),
        ("take", "kernel", "0"),
        ("put", "tool", "2"),
        ("take", "library", "1"),
        ("add", "newcomer", "1"),
    ]
    assert plan.plan(installed, steps) == {
        "kernel": {"old": "0,1", "new": "1,2"},
        "tool": {"old": "1", "new": "2"},
        "library": {"old": "1", "new": ""},
        "newcomer": {"old": "", "new": "1"},
    }
    assert installed["kernel"] == ["0", "1"]


@pytest.mark.parametrize(
    ("family", "found", "argv"),
    [
        ("Debian", None, ["apt-get", "--simulate", "--quiet", "--yes", "dist-upgrade"]),
        ("RedHat", "/usr/bin/dnf", ["dnf", "--assumeno", *SAID, "upgrade"]),
        ("RedHat", None, ["yum", "--assumeno", *SAID, "--setopt=autosavets=0", "upgrade"]),
    ],
)
def test_the_host_s_own_package_manager_is_asked(family, found, argv, monkeypatch):
    table = (
        "Upgrading:\n tool noarch 2 more 5 k\nRemoving:\n library noarch 3 more 5 k\n\n"
        "Transaction Summary\n"
    )
    text = "Inst tool [1] (2 x [all])\nRemv library [3]\n" if family == "Debian" else table
    asked = []

    def run(argv, timeout=60, accept=(0,)):
        asked.append((argv, accept))
        return {"retcode": accept[-1], "stdout": text, "stderr": ""}

    def list_pkgs(versions_as_list=False):
        assert versions_as_list
        return {"tool": ["1"], "library": ["3"]}

    grains = {"os_family": family, "osarch": "x86_64"}
    monkeypatch.setattr(plan._host, "run", run)
    monkeypatch.setattr("salt.utils.path.which", {"dnf": found}.get)
    accept = (0,) if family == "Debian" else (0, 1)
    assert plan.changes(list_pkgs, grains) == UPGRADED
    assert asked == [(argv, accept)]
    # The same answer to both questions: nothing is left for the upgrade.
    asked.clear()
    assert plan.changes(list_pkgs, grains, coming=["more"]) == {}
    assert asked == [([*argv[:-1], "install", "more"], accept), (argv, accept)]


def test_what_is_kept_is_no_part_of_the_simulation(monkeypatch, tmp_path):
    (tmp_path / "status").write_bytes(STATUS)
    asked = []

    def run(argv, timeout=60, accept=(0,)):
        asked.append(argv)
        for word in argv:
            if word.startswith("Dir::State::status="):
                assert pathlib.Path(word.partition("=")[2]).read_bytes() == HELD
        return {"retcode": 0, "stdout": "", "stderr": "Nothing to do"}

    monkeypatch.setattr("salt.utils.path.which", {"dnf": "/usr/bin/dnf"}.get)
    monkeypatch.setattr(plan._host, "run", run)
    monkeypatch.setattr(plan, "_DPKG", tmp_path / "status")
    for family in ("RedHat", "Debian"):
        grains = {"os_family": family, "osarch": "x86_64"}
        kept = ["docker-ce", "docker-ce-cli"]
        assert plan.changes(lambda versions_as_list: {}, grains, kept=kept) == {}
    assert asked[0][2:] == [*SAID, "--exclude=docker-ce", "--exclude=docker-ce-cli", "upgrade"]
    assert asked[1][-3:] == ["-o", "Dir::Cache::pkgcache=", "dist-upgrade"]
    (status,) = [word for word in asked[1] if "status" in word]
    assert not pathlib.Path(status.partition("=")[2]).exists()


STATUS = b"""\
Package: docker-ce
Status: install ok installed
Description: \xe9
 Package: docker-ce-cli
 Status: install ok installed

Package: docker-ce-rootless-extras
Status: install ok installed

Package: docker-ce-cli
Essential: no
Status: install ok unpacked
"""
HELD = STATUS.replace(b"docker-ce\nStatus: install", b"docker-ce\nStatus: hold")
HELD = HELD.replace(b"no\nStatus: install", b"no\nStatus: hold")
