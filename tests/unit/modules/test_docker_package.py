import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _docker_package as docker
import _packages_unfinished

EXACT = "17.06.2.ce-1.el7.centos"


class Host:
    """A package manager that remembers, and may fail a few times."""

    def __init__(self, family="RedHat", installed=None, failures=(), held=()):
        self.family, self.installed = family, installed or {}
        self.failures, self.held, self.calls = list(failures), list(held), []

    def install(self, pkgs, refresh=True, update_holds=False, ignore_epoch=None):
        self.calls.append(("install", pkgs, refresh, update_holds, ignore_epoch))
        if self.failures:
            raise self.failures.pop(0)

    def remove(self, pkgs):
        self.calls.append(("remove", pkgs))

    def unhold(self, pkgs):
        self.calls.append(("unhold", pkgs))

    def versions(self, *names):
        found = {name: self.installed.get(name, "") for name in names}
        return found if len(names) > 1 else found[names[0]]

    def list_holds(self, pattern="x", full=True):
        if self.held == ["no plugin"]:
            raise SaltInvocationError("Cannot proceed, yum-plugin-versionlock is not installed.")
        return self.held

    def salt(self):
        return {
            "pkg.version": self.versions,
            "pkg.version_cmp": lambda one, other: (one > other) - (one < other),
            "pkg.latest_version": lambda name, refresh=True: "20.10.24",
            "pkg.install": self.install,
            "pkg.remove": self.remove,
            "pkg.unhold": self.unhold,
            "pkg.list_holds": self.list_holds,
            "pkg.get_selections": lambda state: {"hold": self.held} if self.held else {},
        }

    def do(self, function, *arguments):
        grains = {"os_family": self.family, "osarch": "amd64"}
        return getattr(docker, function)(self.salt(), grains, *arguments)


@pytest.fixture(autouse=True)
def finished(replace):
    replace(_packages_unfinished, packages=lambda: None)


def refused(*lines):
    return CommandExecutionError("Error occurred", info={"errors": list(lines), "changes": {}})


def test_an_empty_host_is_asked_what_is_on_offer():
    seen = Host("Debian").do("status", "docker.io")
    assert seen == {
        "installed": {},
        "on_offer": "20.10.24",
        "newer_than_wanted": False,
        "epochs": True,
    }


def test_what_other_repositories_offer_is_not_what_a_new_one_does():
    seen = Host("Debian").do("status", "docker-ce", None, True)
    assert seen["on_offer"] is None


def test_what_is_completed_before_is_there_in_a_dry_run_too(replace):
    unfinished = {"docker.io": "20.10.24", "libc-bin": "2"}
    replace(_packages_unfinished, packages=lambda: unfinished)
    seen = Host("Debian").do("status", "docker.io")
    assert seen["installed"] == {"docker.io": "20.10.24"}


def test_a_newer_release_of_the_same_version_is_newer():
    host = Host("Debian", {"docker.io": "20.10.24+2"})
    assert host.do("status", "docker.io", "20.10.24+1")["newer_than_wanted"]
    assert not host.do("status", "docker.io", "20.10.24+2")["newer_than_wanted"]


def test_an_epoch_that_is_left_out_makes_nothing_newer():
    host = Host("RedHat", {"docker-ce": "3:18.09.9-3.el7"})
    assert not host.do("status", "docker-ce", "18.09.9-3.el7")["newer_than_wanted"]


def test_a_version_that_is_none_is_named():
    with pytest.raises(SaltInvocationError, match='version is "latest"; allowed'):
        Host().do("status", "docker-ce", "latest")


def test_one_transaction_on_el():
    host = Host(installed={"docker-engine": "1.10.3"})
    host.do("install", "docker-ce", EXACT, ["docker-engine"], ["docker-engine-selinux"])
    assert host.calls == [("install", [{"docker-ce": EXACT}], False, True, True)]


def test_a_lock_on_what_is_replaced_is_taken_off():
    host = Host(held=["docker-engine", "kernel"])
    host.do("install", "docker-ce", EXACT, ["docker-engine"])
    assert host.calls[0] == ("unhold", ["docker-engine"])


def test_apt_reads_its_index_before_it_installs():
    host = Host("Debian")
    host.do("install", "docker.io")
    assert host.calls == [("install", ["docker.io"], True, False, None)]


def test_what_a_resolver_cannot_replace_is_removed_for_a_second_try():
    conflict = "Error: docker-ce-selinux conflicts with 2:container-selinux-2.12-2.el7.noarch"
    host = Host(installed={"docker-engine-selinux": "1.10.3"}, failures=[refused(conflict)])
    host.do("install", "docker-ce", EXACT, [], ["docker-engine-selinux"])
    assert [call[0] for call in host.calls] == ["install", "remove", "install"]


def test_nothing_is_removed_when_nothing_is_left_over():
    host = Host(failures=[refused("Error: Unable to find a match: docker-ce")])
    with pytest.raises(CommandExecutionError, match="Unable to find a match"):
        host.do("install", "docker-ce", EXACT, [], ["docker-engine-selinux"])
    assert [call[0] for call in host.calls] == ["install"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "Loaded plugins\nPackage docker-ce.rpm is not signed\nError: GPG check FAILED\n",
            "Package docker-ce.rpm is not signed; Error: GPG check FAILED",
        ),
        ("E: Version '1' for 'docker.io' was not found", "E: Version '1'"),
        ("something else", "something else"),
    ],
    ids=["dnf", "apt", "no sign of an error"],
)
def test_the_package_managers_words_on_one_line(said, words):
    host = Host(failures=[refused(said)])
    with pytest.raises(CommandExecutionError) as caught:
        host.do("install", "docker-ce", EXACT)
    assert str(caught.value).startswith("the package manager refused: ")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_the_second_failure_is_told_too():
    host = Host(installed={"docker-engine-selinux": "1"}, failures=[refused("one"), refused("two")])
    with pytest.raises(CommandExecutionError, match="refused: two"):
        host.do("install", "docker-ce", EXACT, [], ["docker-engine-selinux"])


@pytest.mark.parametrize(
    ("family", "held", "found"),
    [
        ("RedHat", ["docker-ce"], ["docker-ce"]),
        ("RedHat", ["no plugin"], []),
        ("Debian", ["docker-ce:amd64"], ["docker-ce"]),
        ("Debian", [], []),
    ],
    ids=["versionlock", "no versionlock", "multiarch name", "nothing held"],
)
def test_what_is_held(family, held, found):
    assert Host(family, held=held).do("held", ["docker-ce"]) == found


@pytest.mark.parametrize(
    ("installed", "held", "found"),
    [
        ({"docker-ce": "3:18.09.9"}, [], {"docker-ce": "3:18.09.9"}),
        ({"docker-ce": "2", "docker-ce-cli": "1"}, ["docker-ce"], {"docker-ce-cli": "1"}),
        ({"docker-engine": "1.10.3"}, [], {"docker-engine": "1.10.3"}),
        # 17.03 needs this one, and it is never held.
        ({"docker-ce": "17.03", "docker-ce-selinux": "17.03"}, ["docker-ce"], {}),
        ({}, [], {}),
    ],
    ids=["not held", "the client", "to be replaced", "what goes with it", "no Docker"],
)
def test_what_an_upgrade_would_move(installed, held, found):
    host = Host(installed=installed, held=held)
    assert host.do("loose", "docker-ce", "3:18.09.9-3.el7") == found


@pytest.mark.parametrize("result", [True, False])
def test_a_hold_that_fails_is_an_error(result):
    answer = {
        "docker-ce": {"result": result, "comment": "Package docker-ce was unable to be held."}
    }
    salt = {"pkg.hold": lambda pkgs: answer}
    if result:
        docker.hold(salt, ["docker-ce"])
    else:
        with pytest.raises(CommandExecutionError, match="unable to be held"):
            docker.hold(salt, ["docker-ce"])


@pytest.mark.parametrize(
    ("tool", "listed", "held"),
    [
        (
            "dnf",
            "docker-ce-3:24.0.9-1.el9.*\ndocker-ce-cli-1:24.0.9-1.el9.*",
            ["docker-ce", "docker-ce-cli"],
        ),
        ("dnf", "!docker-ce-3:26.1.3-1.el9.*\n!docker-ce-cli-1:26.1.3-1.el9.*", []),
        ("dnf", "Last metadata expiration check: 0:00:01 ago\n!docker-ce-3:26.1.3-1.el9.*", []),
        (
            "yum",
            "0:docker-ce-17.06.2.ce-1.el7.centos.*\n3:docker-ce-cli-18.09.9-3.el7.*",
            ["docker-ce", "docker-ce-cli"],
        ),
        ("yum", "!0:docker-ce-18.09.9-3.el7.*\n!12:docker-ce-cli-18.09.9-3.el7.*", []),
        ("yum", "!0:docker-ce-18.09.9-3.el7.*\n3:docker-ce-cli-18.09.9-3.el7.*", ["docker-ce-cli"]),
    ],
)
def test_an_exclude_of_versionlock_holds_nothing(tool, listed, held, monkeypatch):
    from salt.modules import yumpkg

    monkeypatch.setattr(yumpkg, "_yum", lambda: tool)

    def list_holds(pattern, full):
        found = [yumpkg._get_hold(line, pattern=pattern, full=full) for line in listed.split("\n")]
        return [name for name in found if name]

    grains, salt = {"os_family": "RedHat"}, {"pkg.list_holds": list_holds}
    assert docker.held(salt, grains, ["docker-ce", "docker-ce-cli"]) == held
