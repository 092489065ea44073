"""
Docker on Enterprise Linux, for real: RPMs, signatures, obsoletes, locks; only no daemon.
"""

import json
import shutil

import pytest

from functional import rpms
from functional.overlay import EnterpriseLinux

pytestmark = pytest.mark.root

EXACT = "17.06.2.ce-1.el7.centos"
NEEDED = ("unshare", "dnf-3", "rpm", "rpmbuild", "rpmsign", "createrepo_c", "gpg")
OLD_UNIT = """[Service]
Environment=OLD=1
ExecStart=
ExecStart=/usr/bin/docker daemon -H fd:// --storage-driver=devicemapper
"""
PROXY = "[Service]\nEnvironment=HTTP_PROXY=http://proxy.example.test:3128\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The repositories: a signed one, one with a foreign signature, one without any."""
    missing = [tool for tool in NEEDED if not shutil.which(tool)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("rpms")
    home = rpms.make_key(folder, "docker")
    stranger = rpms.make_key(folder, "stranger")
    ce = {"relations": [*rpms.OBSOLETES, "Requires: container-selinux >= 2.9"]}
    new = {"relations": [*ce["relations"], "Requires: docker-ce-cli"]}
    engine = {"relations": ["Requires: docker-engine-selinux >= 1.10.3"]}
    files = [
        rpms.build(folder, "docker-ce", "17.06.2.ce", daemon="dockerd", **ce),
        rpms.build(folder, "docker-ce", "18.09.9", "3.el7", 3, daemon="dockerd -H fd://", **new),
        rpms.build(folder, "docker-ce", "24.0.9", "1.el8", 3, daemon="dockerd -H fd://", **new),
        rpms.build(folder, "docker-ce", "26.1.3", "1.el8", 3, daemon="dockerd -H fd://", **new),
        rpms.build(folder, "docker-ce-cli", "18.09.9", "3.el7", 1),
        rpms.build(folder, "docker-ce-cli", "24.0.9", "1.el8", 1),
        rpms.build(folder, "docker-ce-cli", "26.1.3", "1.el8", 1),
        rpms.build(folder, "docker-engine", "1.10.3", daemon="docker daemon -H fd://", **engine),
        rpms.build(
            folder, "docker-engine-selinux", "1.10.3", relations=["Conflicts: docker-selinux"]
        ),
        rpms.build(
            folder, "container-selinux", "2.107", epoch=2, relations=["Provides: docker-selinux"]
        ),
        rpms.build(folder, "yum-plugin-versionlock", "1.1.31"),
        rpms.build(folder, "python3-dnf-plugin-versionlock", "4.0.21", "1.el8"),
        rpms.build(folder, "tool", "1"),
        rpms.build(folder, "tool", "2"),
    ]
    rpms.repository(folder / "unsigned", files)
    rpms.sign(files, stranger, "stranger")
    rpms.repository(folder / "foreign", files)
    rpms.sign(files, home, "docker")
    rpms.repository(folder / "signed", files)
    return folder


@pytest.fixture
def machine(shared, tmp_path):
    """Makes hosts; with a repository of the host itself for what is not Docker's."""

    def make(release=7, repository="signed", upgrade=False, **docker):
        made = EnterpriseLinux(tmp_path, shared, release)
        settings = {"baseurl": f"file://{shared}/{repository}", "gpgkey": f"{shared}/docker.asc"}
        packages = {"install": [], "upgrade": upgrade}
        made.pillar({"docker": {"repository": settings, **docker}, "packages": packages})
        return made

    return make


def problems(report):
    return {key: state["comment"] for key, state in report.items() if state["result"] is False}


def assert_well(report):
    assert not problems(report), "\n".join(map(": ".join, problems(report).items()))


def changes(report):
    return {key: state["changes"] for key, state in report.items() if state["changes"]}


def converged(machine, sls="docker.installed"):
    """A dry run, the run, a second run; returns the changes that all agree on."""
    dry = machine.apply(sls, test=True)
    assert_well(dry)
    report = machine.apply(sls)
    assert_well(report)
    assert changes(report) == changes(dry)
    again = machine.apply(sls, test=True)
    assert_well(again)
    assert changes(again) == {}
    assert changes(machine.apply(sls)) == {}
    return changes(report)


def test_a_bare_el7_gets_the_exact_version_and_keeps_it(machine):
    host = machine(7)
    made = converged(host)
    assert made["docker-package-installed"] == {"docker-ce": {"old": None, "new": EXACT}}
    assert made["docker-package-held"] == {
        "yum-plugin-versionlock": {"old": None, "new": "installed"},
        "docker-ce held": {"old": False, "new": True},
    }
    assert host.packages()["docker-ce"] == EXACT
    host.run("yum", "-y", "upgrade")
    assert host.packages()["docker-ce"] == EXACT
    config = json.loads(host.run("cat", "/etc/docker/daemon.json").stdout)
    assert config == {
        "storage-driver": "overlay2",
        "storage-opts": ["overlay2.override_kernel_check=true"],
    }
    # The other way round: without the lock there is something to upgrade to.
    host.run("yum", "versionlock", "clear")
    host.run("yum", "-y", "upgrade")
    assert host.packages()["docker-ce"] == "3:26.1.3-1.el8"


@pytest.mark.parametrize(
    ("release", "have", "exact"),
    [
        (7, [f"docker-ce-{EXACT}"], EXACT),
        (7, ["docker-engine-1.10.3"], EXACT),
        (8, ["docker-ce-24.0.9", "docker-ce-cli-24.0.9"], "3:24.0.9-1.el8"),
    ],
)
def test_an_upgrade_in_the_run_that_holds_docker_leaves_it_alone(
    machine, shared, release, have, exact
):
    """Its dry run named Docker; and alone, or when Docker's step failed, it did move Docker."""
    host = machine(release, upgrade=True, version=exact)
    more = f"[more]\nname=more\nbaseurl=file://{shared}/signed\ngpgcheck=0\n"
    host.write("/etc/yum.repos.d/more.repo", more)
    host.run("dnf-3", "-y", "install", *have, "tool-1")
    before = host.packages()
    for test in (True, False):
        alone = problems(host.apply("common.packages", test=test))
        assert f"installed but not held is {have[0][:9]}" in alone["packages-upgraded"]
    assert host.packages() == before
    made = converged(host, "common.packages,docker.installed")
    assert list(made["packages-upgraded"]) == ["tool"]
    assert host.packages()["docker-ce"] == exact


def test_the_way_up_from_1_10_3_with_leftovers_in_one_run(machine, shared):
    host = machine(7)
    yum = ("yum", "-y", f"--repofrompath=old,{shared}/signed", "--nogpgcheck")
    host.run(*yum, "install", "docker-engine-1.10.3", "yum-plugin-versionlock")
    host.run(*yum, "versionlock", "add", "docker-engine")
    host.write("/etc/sysconfig/docker", "OPTIONS='--selinux-enabled -H fd://'\n")
    host.write("/etc/sysconfig/docker-storage", "DOCKER_STORAGE_OPTIONS=--storage-driver=overlay\n")
    host.write("/etc/systemd/system/docker.service.d/old.conf", OLD_UNIT)
    host.write("/etc/systemd/system/docker.service.d/proxy.conf", PROXY)
    made = converged(host)
    assert made["docker-package-installed"] == {
        "docker-ce": {"old": None, "new": EXACT},
        "docker-engine": {"old": "1.10.3-1.el7.centos", "new": None},
        "docker-engine-selinux": {"old": "1.10.3-1.el7.centos", "new": None},
    }
    assert sorted(made["docker-leftovers-cleared"]) == [
        "/etc/sysconfig/docker",
        "/etc/sysconfig/docker-storage",
        "/etc/systemd/system/docker.service.d/old.conf",
    ]
    packages = host.packages()
    assert packages["docker-ce"] == EXACT and "docker-engine" not in packages
    files = host.run("sh", "-c", "ls /etc/sysconfig /etc/systemd/system/docker.service.d").stdout
    assert "proxy.conf\n" in files and "old.conf.before-" in files and "docker.before-" in files


def test_el8_pins_the_client_to_the_daemon(machine):
    host = machine(8)
    made = converged(host)
    assert made["docker-package-installed"] == {
        "docker-ce": {"old": None, "new": "24.0.9-1.el8"},
        "docker-ce-cli": {"old": None, "new": "24.0.9-1.el8"},
    }
    host.run("dnf", "-y", "upgrade")
    packages = host.packages()
    assert packages["docker-ce"] == "3:24.0.9-1.el8"
    assert packages["docker-ce-cli"] == "1:24.0.9-1.el8"


@pytest.mark.parametrize("release", [7, 8])
def test_a_dry_run_names_the_version_that_yum_knows(machine, release):
    """It said "what is on offer", and so did the run."""
    newest = "3:26.1.3-1.el8"
    host = machine(release, version=None)
    made = converged(host)
    # The repository was written in the same run.
    assert made["docker-package-installed"]["docker-ce"]["new"] == "what is on offer"
    assert host.packages()["docker-ce"] == newest
    host.run("dnf-3", "versionlock", "clear")
    host.run("dnf-3", "-y", "remove", "docker-ce", "docker-ce-cli")
    made = converged(host)
    assert made["docker-package-installed"] == {"docker-ce": {"old": None, "new": newest}}
    assert host.packages()["docker-ce"] == newest


def test_another_version_in_the_pillar_moves_a_held_package(machine, shared):
    host = machine(7)
    host.apply("docker.installed")
    repository = {"baseurl": f"file://{shared}/signed", "gpgkey": f"{shared}/docker.asc"}
    host.pillar({"docker": {"repository": repository, "version": "18.09.9-3.el7"}})
    made = converged(host)
    assert made["docker-package-installed"]["docker-ce"] == {"old": EXACT, "new": "18.09.9-3.el7"}
    assert host.packages()["docker-ce-cli"] == "1:18.09.9-3.el7"
    host.run("yum", "-y", "upgrade")
    assert host.packages()["docker-ce"] == "3:18.09.9-3.el7"


@pytest.mark.parametrize("repository", ["unsigned", "foreign"])
def test_a_package_without_the_right_signature_is_refused(machine, repository):
    host = machine(7, repository)
    report = problems(host.apply("docker.installed"))
    assert set(report) == {"docker-package-installed", "docker-package-held"}
    assert "the package manager refused" in report["docker-package-installed"]
    assert "docker-ce" not in host.packages()


def test_going_back_is_refused_before_anything_changes(machine, shared):
    host = machine(7)
    yum = ("yum", "-y", f"--repofrompath=new,{shared}/signed", "--nogpgcheck")
    host.run(*yum, "install", "docker-ce-18.09.9")
    for test in (True, False):
        report = host.apply("docker.installed", test=test)
        assert changes(report) == {}
        assert "docker-ce 3:18.09.9-3.el7 is installed" in report["docker-suitable"]["comment"]
    assert host.packages()["docker-ce"] == "3:18.09.9-3.el7"
    assert host.run("ls", "/etc/docker", check=False).returncode != 0


def test_an_installed_docker_stays_when_no_version_is_asked_for(machine):
    host = machine(7)
    host.apply("docker.installed")
    host.pillar({"docker": {"version": None, "repository": None}})
    report = host.apply("docker.installed")
    assert_well(report)
    assert "docker-package-installed" not in changes(report)
    assert host.packages()["docker-ce"] == EXACT
