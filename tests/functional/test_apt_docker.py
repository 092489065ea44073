"""
Docker's own packages from a repository of apt, for real: the key, the version, the hold.
"""

import email.utils
import hashlib
import shutil
import subprocess

import pytest

from functional.overlay import Debian
from functional.rpms import make_key

pytestmark = pytest.mark.root

OWN = "20.10.24+dfsg1-1+deb12u1"
WANTED, NEWER = "5:24.0.9-1~debian.12~bookworm", "5:26.1.3-1~debian.12~bookworm"
NEEDED = ("unshare", "apt-get", "dpkg-deb", "dpkg-scanpackages", "gpg")
CONTROL = """Package: {name}
Version: {version}
Architecture: all
Maintainer: test <test@example.test>
Depends: {depends}
Description: a stand-in
"""


def tool(*argv, cwd):
    done = subprocess.run(argv, cwd=cwd, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def build(folder, name, version, depends=""):
    root = folder / f"build-{name}-{version.replace(':', '_')}"
    (root / "DEBIAN").mkdir(parents=True)
    text = CONTROL.format(name=name, version=version, depends=depends)
    (root / "DEBIAN/control").write_text(text.replace("Depends: \n", ""))
    tool("dpkg-deb", "--build", str(root), str(folder / "repo"), cwd=folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A flat repository, signed, and the key that signed it beside one that did not."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("debs")
    repo = folder / "repo"
    repo.mkdir()
    for version in (WANTED, NEWER):
        build(folder, "docker-ce", version, "docker-ce-cli")
        build(folder, "docker-ce-cli", version)
    build(folder, "docker.io", OWN)
    for version in ("1", "2"):
        build(folder, "tool", version)
    home = make_key(folder, "docker")
    make_key(folder, "stranger")
    packages = tool("dpkg-scanpackages", "--multiversion", ".", cwd=repo).encode()
    (repo / "Packages").write_bytes(packages)
    digest = hashlib.sha256(packages).hexdigest()
    (repo / "Release").write_text(
        f"Date: {email.utils.formatdate(usegmt=True)}\nSHA256:\n {digest} {len(packages)} Packages\n"
    )
    sign = ["gpg", "--homedir", str(home), "--batch", "--clearsign", "--output", "InRelease"]
    tool(*sign, "Release", cwd=repo)
    return folder


@pytest.fixture
def host(shared, tmp_path):
    made = Debian(tmp_path, shared)
    # Where apt's own user can read it.
    made.run("cp", "-r", f"{shared}/repo", "/srv/repo")

    def settle(key="docker", upgrade=False, **docker):
        made.write("/etc/apt/keyrings/test.asc", (shared / f"{key}.asc").read_text())
        repository = {
            "baseurl": "file:/srv/repo",
            "gpgkey": "/etc/apt/keyrings/test.asc",
            "distribution": "./",
        }
        docker = {"package": "docker-ce", "repository": repository, **docker}
        made.pillar({"docker": docker, "packages": {"install": [], "upgrade": upgrade}})
        return made

    return settle


def changes(report):
    return {key: state["changes"] for key, state in report.items() if state["changes"]}


def problems(report):
    return {key: state["comment"] for key, state in report.items() if state["result"] is False}


def assert_well(report):
    assert not problems(report), "\n".join(map(": ".join, problems(report).items()))


def test_the_exact_version_is_installed_and_held(host):
    machine = host(version=WANTED)
    dry = machine.apply("docker.installed", test=True)
    report = machine.apply("docker.installed")
    assert_well(report)
    assert changes(report) == changes(dry)
    packages = machine.packages()
    assert packages["docker-ce"] == packages["docker-ce-cli"] == WANTED
    assert changes(machine.apply("docker.installed")) == {}
    machine.run("apt-get", "-y", "dist-upgrade")
    assert machine.packages()["docker-ce"] == WANTED
    # Another version in the pillar moves what is held, and only upward.
    assert_well(host(version=NEWER).apply("docker.installed"))
    assert machine.packages()["docker-ce"] == NEWER
    refused = problems(host(version=WANTED).apply("docker.installed"))
    assert f"docker-ce {NEWER} is installed" in refused["docker-suitable"]
    assert machine.packages()["docker-ce"] == NEWER


def test_a_dry_run_names_the_version_that_apt_knows(host):
    """It said "what is on offer", and so did the run."""
    machine = host(version=None)
    dry = machine.apply("docker.installed", test=True)
    unknown = dry["docker-package-installed"]
    assert unknown["changes"] == {"docker-ce": {"old": None, "new": "what is on offer"}}
    assert "knows once a run has set up the repository" in unknown["comment"]
    report = machine.apply("docker.installed")
    assert_well(report)
    assert changes(report) == changes(dry)
    assert f"docker-ce {NEWER} is installed" in report["docker-package-installed"]["comment"]
    # The repository is there now, and apt knows.
    machine.run("apt-get", "-y", "--allow-change-held-packages", "purge", "docker-ce")
    dry = machine.apply("docker.installed", test=True)
    assert changes(dry)["docker-package-installed"] == {"docker-ce": {"old": None, "new": NEWER}}
    report = machine.apply("docker.installed")
    assert_well(report)
    assert changes(report) == changes(dry)
    assert machine.packages()["docker-ce"] == NEWER


def test_a_dry_run_names_the_version_of_the_distribution(host):
    machine = host(version=None)
    machine.pillar({"docker": {"package": "docker.io"}, "packages": {"install": []}})
    machine.run("cp", "-r", "/srv/repo", "/srv/more")
    machine.write("/etc/apt/sources.list", "deb [trusted=yes] file:/srv/more ./\n")
    machine.run("sh", "-c", "rm -rf /etc/apt/sources.list.d/*; apt-get update")
    dry = machine.apply("docker.installed", test=True)
    report = machine.apply("docker.installed")
    assert_well(report)
    assert changes(report) == changes(dry)
    assert changes(dry)["docker-package-installed"] == {"docker.io": {"old": None, "new": OWN}}
    assert machine.packages()["docker.io"] == OWN


def test_an_upgrade_in_the_run_that_holds_docker_leaves_it_alone(host):
    """Its dry run named Docker; and alone, or when Docker's step failed, it did move Docker."""
    machine = host(version=WANTED, upgrade=True)
    machine.run("cp", "-r", "/srv/repo", "/srv/more")
    machine.write("/etc/apt/sources.list.d/more.list", "deb [trusted=yes] file:/srv/more ./\n")
    machine.run("apt-get", "update")
    exact = [f"{name}={WANTED}" for name in ("docker-ce", "docker-ce-cli")]
    machine.run("apt-get", "-y", "install", *exact, "tool=1")
    for test in (True, False):
        alone = problems(machine.apply("common.packages", test=test))
        assert f"installed but not held is docker-ce {WANTED}" in alone["packages-upgraded"]
    sls = "common.packages,docker.installed"
    dry, report = machine.apply(sls, test=True), machine.apply(sls)
    assert_well(report)
    assert changes(report) == changes(dry)
    assert changes(report)["packages-upgraded"] == {"tool": {"old": "1", "new": "2"}}
    packages = machine.packages()
    assert (packages["docker-ce"], packages["tool"]) == (WANTED, "2")
    assert changes(machine.apply(sls)) == {}


def test_an_index_that_another_key_signed_is_refused(host):
    machine = host(key="stranger", version=WANTED)
    report = problems(machine.apply("docker.installed"))
    assert "signature" in report["docker-repository-configured"].lower()
    assert "docker-ce" not in machine.packages()
    # The next run is no way round it.
    report = problems(machine.apply("docker.installed"))
    assert report and "docker-ce" not in machine.packages()
