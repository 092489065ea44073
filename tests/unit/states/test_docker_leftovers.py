import pytest
from fakes import Salt, load, load_state
from salt.exceptions import CommandExecutionError

OLD = "/etc/sysconfig/docker-storage"
REASON = "passes --storage-driver, which daemon.json sets"
both = pytest.mark.parametrize("test", [True, False], ids=["dry", "real"])


class Host:
    def __init__(self, leftovers=None, setup=False, fails=()):
        self.leftovers, self.setup, self.fails, self.calls = leftovers or {}, setup, fails, []

    def wanted(self, package, version=None, settings=None, thin_pool=None):
        return {"leftovers": dict(self.leftovers)}

    def move(self, path):
        if path in self.fails:
            raise CommandExecutionError(f"{path} could not be moved: Read-only file system")
        self.calls.append(("move", path))
        del self.leftovers[path]
        return f"{path}.before-20240101T000000Z"

    def disable(self):
        self.calls.append(("disable",))
        self.setup = False

    def cleared(self, test):
        salt = {
            "_converge.run": load("_converge").run,
            "_docker_daemon.wanted": self.wanted,
            "_docker_leftovers.storage_setup_enabled": lambda: self.setup,
            "_docker_leftovers.disable_storage_setup": self.disable,
            "_docker_leftovers.move": self.move,
            "_docker_service.reload": lambda: self.calls.append(("reload",)),
        }
        return load_state("docker_leftovers", Salt(salt), test).cleared("docker", "docker-ce")


@both
def test_leftovers_are_named_with_the_reason_and_moved(test):
    host = Host({OLD: REASON}, setup=True)
    ret = host.cleared(test)
    assert ret["changes"] == {
        OLD: {"old": REASON, "new": "moved aside"},
        "docker-storage-setup.service": {"old": "enabled", "new": "disabled"},
    }
    assert ret["result"] is (None if test else True)
    assert host.calls == ([] if test else [("move", OLD), ("disable",), ("reload",)])
    assert test or f"{OLD} is kept as {OLD}.before-" in ret["comment"]


@both
def test_no_leftovers(test):
    host = Host()
    ret = host.cleared(test)
    assert ret["result"] is True and ret["changes"] == {} and host.calls == []


def test_half_of_it_is_reported_as_half():
    other = "/etc/sysconfig/docker"
    host = Host({OLD: REASON, other: REASON}, fails=[other])
    ret = host.cleared(False)
    assert ret["result"] is False
    assert list(ret["changes"]) == [OLD]
    assert "Read-only file system" in ret["comment"]
