import pytest
from salt.exceptions import CommandExecutionError

import _docker_daemon_json
import _docker_leftovers
import _docker_service

OLD = "/etc/sysconfig/docker-storage"
REASON = "passes --storage-driver, which daemon.json sets"
both = pytest.mark.parametrize("test", [True, False], ids=["dry", "real"])


class Host:
    hides = False

    def __init__(self, leftovers=None, setup=False, fails=()):
        self.leftovers, self.setup, self.fails, self.calls = leftovers or {}, setup, fails, []

    def wanted(self, kernel, installed, package, version=None, settings=None, thin_pool=None):
        return {"leftovers": dict(self.leftovers)}

    def check_data(self, wanted, thin_pool=None):
        if self.hides:
            raise CommandExecutionError("2 containers would not be seen; nothing was changed")

    def move(self, path):
        if path in self.fails:
            raise CommandExecutionError(f"{path} could not be moved: Read-only file system")
        self.calls.append(("move", path))
        del self.leftovers[path]
        return f"{path}.before-20240101T000000Z"

    def disable(self):
        self.calls.append(("disable",))
        self.setup = False


@pytest.fixture
def cleared(state, replace):
    def run(host, test):
        replace(_docker_daemon_json, wanted=host.wanted, check_data=host.check_data)
        replace(
            _docker_leftovers,
            storage_setup_enabled=lambda: host.setup,
            disable_storage_setup=host.disable,
            move=host.move,
        )
        replace(_docker_service, reload=lambda: host.calls.append(("reload",)))
        own = {"__salt__": {"pkg.version": lambda name: ""}, "__grains__": {"kernelrelease": "6.1"}}
        return state("docker_leftovers", test, **own).cleared("docker", "docker-ce")

    return run


@both
def test_leftovers_are_named_with_the_reason_and_moved(test, cleared):
    host = Host({OLD: REASON}, setup=True)
    ret = cleared(host, test)
    assert ret["changes"] == {
        OLD: {"old": REASON, "new": "moved aside"},
        "docker-storage-setup.service": {"old": "enabled", "new": "disabled"},
    }
    assert ret["result"] is (None if test else True)
    assert host.calls == ([] if test else [("move", OLD), ("disable",), ("reload",)])
    assert test or f"{OLD} is kept as {OLD}.before-" in ret["comment"]


@both
def test_no_leftovers(test, cleared):
    host = Host()
    ret = cleared(host, test)
    assert ret["result"] is True and ret["changes"] == {} and host.calls == []


def test_half_of_it_is_reported_as_half(cleared):
    other = "/etc/sysconfig/docker"
    host = Host({OLD: REASON, other: REASON}, fails=[other])
    ret = cleared(host, False)
    assert ret["result"] is False
    assert list(ret["changes"]) == [OLD]
    assert "Read-only file system" in ret["comment"]


@both
def test_a_flag_that_led_to_the_data_is_not_moved_aside(test, cleared):
    # -g went with -s, and Docker started on an empty root.
    host = Host({OLD: REASON})
    host.hides = True
    ret = cleared(host, test)
    assert ret["result"] is False and ret["changes"] == {} and host.calls == []
    assert "2 containers would not be seen" in ret["comment"]
