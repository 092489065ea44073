import pytest
from fakes import Salt, load, load_state
from salt.exceptions import CommandExecutionError, SaltInvocationError

CONFIG = "/etc/docker/daemon.json"
POOL = {"device": "/dev/vdc", "volume_group": "docker", "name": "thinpool"}
STOPPED = {"state": "stopped", "boot": "disabled", "started": None, "stale": [], "reload": False}
RUNNING = {"state": "running", "boot": "enabled", "started": 5.0, "stale": [], "reload": False}
ABSENT = {**STOPPED, "state": "absent", "boot": "absent"}


class Host:
    """What the states ask, and what they do to it."""

    def __init__(self, service=RUNNING, file=None, **more):
        self.service, self.file = dict(service), file
        self.refuses = more.get("refuses", {})
        self.fails = more.get("fails", False)
        self.calls, self.context = [], {}

    def _or_refuse(self, what, answer):
        if what in self.refuses:
            raise self.refuses[what]
        return answer

    def wanted(self, package, version=None, settings=None, thin_pool=None):
        config = {"storage-driver": "devicemapper" if thin_pool else "overlay2", **(settings or {})}
        found = {"config": config, "upstream": None, "pool": None, "leftovers": {}}
        return self._or_refuse("wanted", found)

    def write(self, path, text, mode="0644"):
        self.calls.append(("write", path, mode))
        self.file = text

    def keep(self, path):
        self.calls.append(("keep", path))
        return f"{path}.before-20240101T000000Z"

    def start(self, verb="start"):
        self.calls.append((verb,))
        if self.fails:
            raise CommandExecutionError(f"docker.service did not {verb}: no space. Next: look")
        self.service.update(state="running", started=9.0, stale=[], reload=False)

    def enable(self):
        self.calls.append(("enable",))
        self.service["boot"] = "enabled"

    def state(self, test):
        shown = {"_docker_config.shown": load("_docker_config").shown}
        file = load("_docker_daemon", Salt(shown))
        salt = {
            "_converge.run": load("_converge").run,
            "_host.read": lambda path: self.file,
            "_host.write": self.write,
            "_docker_package.status": lambda package, version=None: {},
            "_docker_repository.checked": load("_docker_repository").checked,
            "_docker_version.plan": lambda *args: self._or_refuse("package", {}),
            "_docker_daemon.wanted": self.wanted,
            "_docker_daemon.check_data": lambda config, pool=None: self._or_refuse("data", None),
            "_docker_daemon.plan": file.plan,
            "_docker_daemon.render": file.render,
            "_docker_daemon.keep": self.keep,
            "_docker_daemon.validate": lambda text, upstream=None: self._or_refuse("text", None),
            "_docker_service.booted": lambda: True,
            "_docker_service.status": lambda config: dict(self.service),
            "_docker_service.start": self.start,
            "_docker_service.enable": self.enable,
        }
        return load_state("docker_daemon", Salt(salt), test, __context__=self.context)


both = pytest.mark.parametrize("test", [True, False], ids=["dry", "real"])


def refused(ret, host, words):
    assert ret["result"] is False and ret["changes"] == {} and host.calls == []
    assert words in ret["comment"]


# -- suitable ------------------------------------------------------------------------------------


@both
def test_a_docker_that_fits_changes_nothing(test):
    host = Host()
    ret = host.state(test).suitable("docker", "docker.io")
    assert ret["result"] is True and ret["changes"] == {} and host.calls == []
    assert ret["comment"] == "docker.io as it is on offer fits this host"


@both
@pytest.mark.parametrize("what", ["package", "wanted", "data"])
def test_what_does_not_fit_is_refused(test, what):
    host = Host(refuses={what: CommandExecutionError("not with me; nothing was changed")})
    refused(host.state(test).suitable("docker", "docker.io"), host, "not with me")


@both
def test_a_repository_that_cannot_be_checked_is_refused(test):
    host = Host()
    state = host.state(test)
    ret = state.suitable("docker", "docker.io", repository={"baseurl": "https://mirror"})
    refused(ret, host, 'rancher:docker:repository:gpgkey is "None"')


# -- configured ----------------------------------------------------------------------------------


@both
def test_a_first_configuration(test):
    host = Host()
    ret = host.state(test).configured(CONFIG, "docker.io", daemon={"debug": True}, thin_pool=POOL)
    assert ret["changes"] == {
        "storage-driver": {"old": None, "new": "devicemapper"},
        "debug": {"old": None, "new": True},
    }
    assert ret["result"] is (None if test else True)
    assert host.calls == ([] if test else [("write", CONFIG, None)])


@both
def test_another_configuration_keeps_the_one_before(test):
    host = Host(file='{"dns": ["8.8.8.8"], "storage-driver": "overlay2"}')
    ret = host.state(test).configured(CONFIG, "docker.io")
    assert ret["changes"] == {"dns": {"old": ["8.8.8.8"], "new": None}}
    assert host.calls == ([] if test else [("keep", CONFIG), ("write", CONFIG, None)])
    assert test or f"kept as {CONFIG}.before-" in ret["comment"]


@both
def test_a_configuration_as_it_is(test):
    host = Host(file='{\n  "storage-driver": "overlay2"\n}\n')
    ret = host.state(test).configured(CONFIG, "docker.io")
    assert ret["result"] is True and ret["changes"] == {} and host.calls == []


@both
@pytest.mark.parametrize("what", ["wanted", "text"])
def test_an_invalid_configuration_leaves_the_file(test, what):
    host = Host(file="{}", refuses={what: SaltInvocationError("rancher:docker:daemon: no")})
    refused(host.state(test).configured(CONFIG, "docker.io"), host, "rancher:docker:daemon: no")


# -- enabled, running ----------------------------------------------------------------------------


def began(host, service):
    """The run began with the service like this; suitable noted it."""
    host.context["docker_daemon.before"] = dict(service)
    return host


@both
def test_a_stopped_daemon_is_started_and_enabled(test):
    host = began(Host(STOPPED), STOPPED)
    enabled = host.state(test).enabled("docker.service")
    running = host.state(test).running("docker.service")
    assert enabled["changes"] == {"boot": {"old": "disabled", "new": "enabled"}}
    assert running["changes"] == {"daemon": {"old": "stopped", "new": "running"}}
    assert running["result"] is (None if test else True)
    assert host.calls == ([] if test else [("enable",), ("start",)])


@both
def test_a_daemon_that_runs_as_configured_is_left_alone(test):
    host = began(Host(), RUNNING)
    for ret in (host.state(test).enabled("x"), host.state(test).running("x")):
        assert ret["result"] is True and ret["changes"] == {}
    assert host.calls == []


@both
@pytest.mark.parametrize("why", [{"stale": [CONFIG]}, {"reload": True}], ids=["file", "units"])
def test_a_run_that_was_killed_before_the_restart(test, why):
    service = {**RUNNING, **why}
    host = began(Host(service), service)
    ret = host.state(test).running("docker.service")
    assert ret["changes"] == {"daemon": {"old": "running", "new": "restarted"}}
    assert host.calls == ([] if test else [("restart",)])
    if "stale" in why:
        assert f"Changed after the daemon had started: {CONFIG}" in ret["comment"]


@both
def test_what_it_watches_changed(test):
    host = began(Host(), RUNNING)
    ret = host.state(test).mod_watch("docker.service", sfun="running")
    assert ret["changes"] == {"daemon": {"old": "running", "new": "restarted"}}
    assert host.calls == ([] if test else [("restart",)])


def test_what_the_package_restarted_in_this_run_is_reported_and_not_restarted_again():
    host = began(Host({**RUNNING, "started": 7.0}), RUNNING)
    for state in (host.state(False).running, host.state(False).mod_watch):
        ret = state("docker.service")
        assert ret["changes"] == {"daemon": {"old": "running", "new": "restarted"}}
    assert host.calls == []


def test_a_package_that_starts_the_daemon_agrees_with_the_dry_run():
    dry = began(Host(ABSENT), ABSENT)
    real = began(Host(RUNNING), ABSENT)
    for name in ("enabled", "running"):
        predicted = getattr(dry.state(True), name)("docker.service")
        made = getattr(real.state(False), name)("docker.service")
        assert predicted["changes"] == made["changes"] != {}
        assert (predicted["result"], made["result"]) == (None, True)
    assert dry.calls == real.calls == []


@both
@pytest.mark.parametrize("name", ["enabled", "running", "mod_watch"])
def test_a_masked_daemon_is_somebodys_will(test, name):
    host = Host({**STOPPED, "state": "masked"})
    refused(getattr(host.state(test), name)("x"), host, "systemctl unmask docker.service")


@pytest.mark.parametrize("name", ["enabled", "running"])
def test_a_real_run_without_the_package(name):
    host = Host(ABSENT)
    refused(getattr(host.state(False), name)("x"), host, "its package is not installed")


def test_a_daemon_that_does_not_come_up_tells_why():
    host = began(Host(STOPPED, fails=True), STOPPED)
    ret = host.state(False).running("docker.service")
    assert ret["result"] is False and ret["changes"] == {}
    assert "docker.service did not start: no space. Next: look" in ret["comment"]


def test_a_file_that_the_daemon_refuses_is_not_restarted_into():
    service = {**RUNNING, "stale": [CONFIG]}
    host = began(Host(service, file="{", refuses={"text": SaltInvocationError("no")}), service)
    ret = host.state(False).running("docker.service")
    assert ret["result"] is False and host.calls == []
