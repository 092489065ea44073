"""
The package states do nothing at all when nothing is to do, what pip installs is there at once,
and a dry run foretells what apt then makes.
"""

import json
import shutil
import subprocess
import zipfile

import pytest
from fakes import ROOT

from . import hosts, rpms
from .overlay import EnterpriseLinux

STAYS = "; one that is no longer asked for stays until you remove it"


@pytest.fixture
def call(masterless):
    return masterless(module_dirs=[str(ROOT)])


@pytest.mark.parametrize("test", [True, False])
def test_off_is_quiet(call, test):
    states = call("state.apply", "common.packages", f"test={test}").values()
    found = {state["__id__"]: (state["result"], state["changes"]) for state in states}
    assert found["packages-installed"] == (True, {})
    assert found["packages-upgraded"] == (True, {})


@pytest.mark.parametrize("upgrade", [True, False])
def test_the_upgrade_comes_last_so_that_docker_is_held(call, upgrade):
    pillar = json.dumps({"rancher": {"packages": {"upgrade": upgrade}}})
    states = call("state.show_low_sls", "common.packages", f"pillar={pillar}")
    (state,) = [state for state in states if state["fun"] == "upgraded"]
    assert state["upgrade"] is upgrade
    assert state["order"] == max(each["order"] for each in states)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """What pip finds, and where it puts it: nowhere near the Salt that runs the tests."""
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "lib"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    about = "made_by_the_test-2.dist-info"
    with zipfile.ZipFile(tmp_path / "wheels/made_by_the_test-2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("made_by_the_test.py", "")
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: made_by_the_test\nVersion: 2\n"
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")


def test_a_library_that_lacks_is_installed_and_can_be_used_at_once(call, library):
    def importable(test, version=2):
        given = f'{{"json": "json==1", "made_by_the_test": "made_by_the_test=={version}"}}'
        words = ["packages.importable", "sdk", f"libraries={given}", f"test={test}"]
        (row,) = call("state.single", *words).values()
        return row["result"], row["changes"], row["comment"]

    result, changes, comment = importable(test=False, version=3)
    assert (result, changes) == (False, {})
    assert "No matching distribution found for made_by_the_test==3" in comment
    result, changes, _ = importable(test=True)
    assert (result, list(changes)) == (None, ["made_by_the_test==2"])
    assert importable(test=False)[:2] == (True, changes)
    assert importable(test=False)[:2] == (True, {})


def package(folder, name, version, *relations):
    """A Debian package without files."""
    control = folder / f"{name}-{version}/DEBIAN/control"
    control.parent.mkdir(parents=True)
    about = {"Package": name, "Version": version, "Architecture": "all", "Description": "empty"}
    lines = [*map(": ".join, {**about, "Maintainer": "nobody <nobody@example.test>"}.items())]
    control.write_text("\n".join([*lines, *relations, ""]))
    run("dpkg-deb", "--root-owner-group", "--build", control.parents[1], folder)


def run(*argv, cwd=None):
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=60, check=True)


class Debian:
    """A bare host whose package archive the test fills."""

    def __init__(self, host, folder):
        self.host, self.debs = host, folder / "debs"
        host.carry_tree()
        host.write("/etc/apt/sources.list.d/more.list", "deb [trusted=yes] file:/srv/more ./\n")

    def offer(self, *packages):
        for words in packages:
            package(self.debs, *words)
        index = run("dpkg-scanpackages", "--multiversion", ".", cwd=self.debs).stdout
        (self.debs / "Packages").write_text(index)
        shutil.copytree(self.debs, self.host.path("/srv/more"), dirs_exist_ok=True)

    def apply(self, test, **settings):
        argv = [f"{self.host.salt}/bin/salt-call", "--out=json", "--log-level=quiet"]
        pillar = json.dumps({"rancher": {"packages": settings}})
        argv += ["state.apply", "common.packages", f"test={test}", f"pillar={pillar}"]
        states = json.loads(self.host.must(argv, timeout=300))["local"]
        return {row["__id__"]: row for row in states.values()}

    def converged(self, **settings):
        """The dry run, the run and a further one; the reports that have changes, of the run."""
        dry, real, again = (self.apply(test, **settings) for test in (True, False, False))
        changes = {name: row["changes"] for name, row in real.items()}
        assert {name: row["changes"] for name, row in dry.items()} == changes
        assert all(row["result"] is True for row in real.values())
        assert not [name for name, row in again.items() if row["changes"]]
        return {name: row for name, row in real.items() if row["changes"]}


@pytest.fixture
def debian(tmp_path, line):
    if hosts.missing():
        pytest.skip(hosts.missing())
    salt = hosts.environment(line)
    with hosts.Network(tmp_path) as network, hosts.Host(tmp_path, network, salt) as host:
        yield Debian(host, tmp_path)


@pytest.mark.root
def test_a_dry_run_foretells_what_apt_then_makes(debian):
    debian.offer(("tool", "1", "Depends: library"), ("library", "1"))
    made = debian.converged(install=["tool"])
    assert list(made) == ["packages-installed"]
    assert made["packages-installed"]["changes"] == {"tool": {"old": None, "new": "installed"}}
    comment = made["packages-installed"]["comment"]
    assert comment == "The package manager made: library 1, tool 1" + STAYS

    # The new one needs another, which is not there and not together with the library.
    debian.offer(("tool", "2", "Depends: newcomer"), ("newcomer", "1", "Breaks: library"))
    dry = debian.apply(True, upgrade=True)["packages-upgraded"]
    assert dry["comment"] == "Packages would be upgraded; removed: library"
    made = debian.converged(install=["tool"], upgrade=True)
    assert made["packages-upgraded"]["changes"] == UPGRADED

    # What is installed before the upgrade needs the new one already.
    debian.offer(("tool", "3"), ("newcomer", "2"), ("other", "1", "Depends: tool (>= 3)"))
    made = debian.converged(install=["other"], upgrade=True)
    comment = made["packages-installed"]["comment"]
    assert comment == "The package manager made: other 1, tool 2 -> 3" + STAYS
    assert made["packages-upgraded"]["changes"] == {"newcomer": {"old": "1", "new": "2"}}


UPGRADED = {
    "tool": {"old": "1", "new": "2"},
    "newcomer": {"old": "", "new": "1"},
    "library": {"old": "1", "new": ""},
}


@pytest.mark.root
@pytest.mark.parametrize("release", [7, 8])
def test_a_dry_run_foretells_what_yum_then_makes(tmp_path, release):
    """Its upgrade never worked: Salt hands `dist_upgrade` on to yum, which does not know it."""
    missing = [name for name in RPM_TOOLS if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder, base = tmp_path / "rpms", tmp_path / "host"
    folder.mkdir()
    base.mkdir()
    host = EnterpriseLinux(base, folder, release)
    repository = ["[more]", "name=more", f"baseurl=file://{folder}/repo", "gpgcheck=0"]
    host.write("/etc/yum.repos.d/more.repo", "\n".join(repository))
    # A dry run is one whatever the host's configuration says, and understood.
    told = (
        "[main]\nassumeyes=1\ndefaultyes=1\ndebuglevel=1\ncolor=always\nreposdir=/etc/yum.repos.d\n"
    )
    host.write("/etc/dnf/dnf.conf", told)

    def offer(**relations):
        files = [
            rpms.build(folder, name, version, "1", relations=[relation])
            for name, (version, relation) in relations.items()
        ]
        rpms.repository(folder / "repo", files)

    def converged(**settings):
        host.pillar({"packages": {"install": ["tool"], **settings}})
        dry, real, again = (host.apply("common.packages", test) for test in (True, False, False))
        changes = {name: row["changes"] for name, row in real.items()}
        assert {name: row["changes"] for name, row in dry.items()} == changes
        assert all(row["result"] is True for row in real.values())
        assert not [name for name, row in again.items() if row["changes"]]
        return {name: row for name, row in real.items() if row["changes"]}

    offer(tool=("1", "Requires: library"), library=("1", ""))
    row = converged()["packages-installed"]
    assert row["changes"] == {"tool": {"old": None, "new": "installed"}}
    assert row["comment"] == "The package manager made: library 1-1, tool 1-1" + STAYS
    offer(tool=("2", f"Requires: {NEWCOMER}"), **{NEWCOMER: ("1", "Obsoletes: library")})
    assert converged(upgrade=True)["packages-upgraded"]["changes"] == {
        "tool": {"old": "1-1", "new": "2-1"},
        NEWCOMER: {"old": "", "new": "1-1"},
        "library": {"old": "1-1", "new": ""},
    }
    # What is installed before the upgrade needs the new one already.
    newer = {"tool": ("3", ""), NEWCOMER: ("2", "")}
    offer(other=("1", "Requires: tool >= 3"), **newer)
    made = converged(install=["other"], upgrade=True)
    assert made["packages-installed"]["comment"].endswith(" other 1-1, tool 2-1 -> 3-1" + STAYS)
    assert made["packages-upgraded"]["changes"] == {NEWCOMER: {"old": "1-1", "new": "2-1"}}


RPM_TOOLS = ("unshare", "dnf-3", "rpm", "rpmbuild", "createrepo_c")
# The table breaks its row.
NEWCOMER = "a-newcomer-with-a-name-longer-than-the-column-and-indeed-the-whole-line-of-it"
