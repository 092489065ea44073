import pytest
from salt.exceptions import CommandExecutionError

import _docker_package

EXACT = "17.06.2.ce-1.el7.centos"


class Host:
    def __init__(self, installed=None, on_offer=None, held=(), tools=(), fails=False):
        self.installed, self.on_offer = installed or {}, on_offer
        self.held, self.tools, self.fails, self.calls = list(held), list(tools), fails, []
        self.context = {}

    def status(self, salt, grains, package, version=None, new_repository=False):
        return {
            "installed": dict(self.installed),
            "on_offer": None if new_repository else self.on_offer,
            "newer_than_wanted": False,
            "epochs": False,
        }

    def install(self, salt, grains, package, version=None, replaced=(), leftovers=()):
        self.calls.append((package, version, list(replaced), list(leftovers)))
        if self.fails:
            raise CommandExecutionError("the package manager refused: no")
        self.installed = {package: version or self.on_offer}

    def hold(self, salt, names):
        self.calls.append(("hold", list(names)))
        self.held += names

    def install_tools(self, pkgs):
        self.calls.append(("tools", pkgs))
        self.tools += pkgs

    def which_held(self, salt, grains, names):
        return [name for name in names if name in self.held]


@pytest.fixture
def docker(state, replace):
    """The state on such a host."""

    def on(host, test):
        replace(
            _docker_package,
            status=host.status,
            install=host.install,
            held=host.which_held,
            hold=host.hold,
        )
        salt = {
            "pkg.version": lambda name: "1" if name in host.tools else "",
            "pkg.install": host.install_tools,
        }
        return state("docker_package", test, __salt__=salt, __context__=host.context)

    return on


@pytest.mark.parametrize("test", [True, False])
def test_the_way_up_is_predicted_and_made(test, docker):
    host = Host({"docker-engine": "1.10.3-1.el7.centos"})
    ret = docker(host, test).installed("docker-ce", EXACT, leftovers=["docker-engine-selinux"])
    assert ret["changes"] == {
        "docker-ce": {"old": None, "new": EXACT},
        "docker-engine": {"old": "1.10.3-1.el7.centos", "new": None},
    }
    assert ret["result"] is (None if test else True)
    call = ("docker-ce", EXACT, ["docker-engine"], ["docker-engine-selinux"])
    assert host.calls == ([] if test else [call])


@pytest.mark.parametrize("test", [True, False])
def test_the_version_on_offer_was_not_named(test, docker):
    ret = docker(Host(on_offer="20.10.24"), test).installed("docker.io")
    assert ret["changes"] == {"docker.io": {"old": None, "new": "20.10.24"}}
    assert test or "docker.io 20.10.24 is installed" in ret["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_what_a_repository_of_this_run_offers_is_the_same_word_in_both_runs(test, docker):
    host = Host(on_offer="26.1.3")
    host.context = {"docker_repository.new": True}
    ret = docker(host, test).installed("docker-ce")
    assert ret["changes"] == {"docker-ce": {"old": None, "new": "what is on offer"}}
    told = "knows once a run has set up the repository" if test else "docker-ce 26.1.3 is installed"
    assert told in ret["comment"]


def test_a_repository_of_this_run_offers_what_has_no_devicemapper(docker):
    host = Host(on_offer="26.1.3")
    host.context = {"docker_repository.new": True}
    ret = docker(host, False).installed("docker-ce", thin_pool="/dev/vdc")
    assert ret["result"] is False and host.calls == []
    assert "docker-ce 26.1.3 has no devicemapper driver" in ret["comment"]


def test_the_lists_moved_between_look_and_installation(docker, replace):
    host = Host(on_offer="20.10.24")
    package = docker(host, False)
    install = host.install

    def newer(*args):
        host.on_offer = "20.10.25"
        install(*args)

    replace(_docker_package, install=newer)
    ret = package.installed("docker.io")
    assert ret["changes"] == {"docker.io": {"old": None, "new": "20.10.25"}}


@pytest.mark.parametrize("test", [True, False])
def test_nothing_to_do(test, docker):
    host = Host({"docker-ce": EXACT})
    ret = docker(host, test).installed("docker-ce", EXACT)
    assert ret["result"] is True and ret["changes"] == {} and host.calls == []


@pytest.mark.parametrize("test", [True, False])
def test_a_pool_refuses_a_docker_without_devicemapper(test, docker):
    host = Host(on_offer="26.1.3-0ubuntu1")
    ret = docker(host, test).installed("docker.io", thin_pool="/dev/vdc")
    assert ret["result"] is False and ret["changes"] == {} and host.calls == []
    assert "no devicemapper driver" in ret["comment"]


def test_a_failure_claims_nothing(docker):
    ret = docker(Host(fails=True), False).installed("docker-ce", EXACT)
    assert ret["result"] is False and ret["changes"] == {}
    assert "the package manager refused: no. Changed so far: nothing" in ret["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_daemon_and_client_are_held_and_the_tool_comes_first(test, docker):
    host = Host()
    ret = docker(host, test).held("docker-ce", "3:24.0.9-1.el8", ["versionlock"])
    assert ret["changes"] == {
        "versionlock": {"old": None, "new": "installed"},
        "docker-ce held": {"old": False, "new": True},
        "docker-ce-cli held": {"old": False, "new": True},
    }
    assert ret["result"] is (None if test else True)
    both = ["docker-ce", "docker-ce-cli"]
    assert host.calls == ([] if test else [("tools", ["versionlock"]), ("hold", both)])


@pytest.mark.parametrize("test", [True, False])
def test_a_later_upgrade_of_a_dry_run_knows_what_it_leaves_alone(test, docker):
    host = Host({"docker-engine": "1.10.3-1.el7.centos"})
    package = docker(host, test)
    package.installed("docker-ce", EXACT)
    package.held("docker-ce", EXACT)
    assert host.context == ({"packages.kept": {"docker-ce", "docker-engine"}} if test else {})


@pytest.mark.parametrize("test", [True, False])
def test_held_already(test, docker):
    host = Host(held=["docker.io"])
    ret = docker(host, test).held("docker.io")
    assert ret["result"] is True and ret["changes"] == {} and host.calls == []
