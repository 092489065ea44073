import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _docker_daemon_json
import _docker_engine
import _docker_fit
import _docker_package
import _docker_service
import _docker_version
import _host

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

    def wanted(self, kernel, installed, package, version=None, settings=None, thin_pool=None):
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


@pytest.fixture
def docker(state, replace):
    """The state on such a host."""

    def on(host, test):
        replace(_host, read=lambda path: host.file, write=host.write)
        replace(_docker_package, status=lambda *args: {})
        replace(_docker_version, plan=lambda *args: host._or_refuse("package", {}))
        replace(
            _docker_daemon_json,
            wanted=host.wanted,
            check_data=lambda wanted, thin_pool=None: host._or_refuse("data", None),
            keep=host.keep,
            validate=lambda text, upstream=None: host._or_refuse("text", None),
        )
        replace(
            _docker_fit, check=lambda wanted, data_disk=None: host._or_refuse("fit", ["A note"])
        )
        replace(
            _docker_service,
            booted=lambda: True,
            status=lambda config: dict(host.service),
            start=host.start,
            enable=host.enable,
        )
        dunders = {
            "__salt__": {"pkg.version": lambda name: ""},
            "__grains__": {"kernelrelease": "6.1.0", "os_family": "RedHat"},
            "__context__": host.context,
            "__opts__": {"test": test, "id": "node1"},
        }
        return state("docker_daemon", test, **dunders)

    return on


both = pytest.mark.parametrize("test", [True, False], ids=["dry", "real"])


def refused(ret, host, words):
    assert ret["result"] is False and ret["changes"] == {} and host.calls == []
    assert words in ret["comment"]


# -- suitable ------------------------------------------------------------------------------------


@both
def test_a_docker_that_fits_changes_nothing(test, docker):
    host = Host()
    ret = docker(host, test).suitable("docker", "docker.io")
    assert ret["result"] is True and ret["changes"] == {} and host.calls == []
    assert ret["comment"] == "docker.io as it is on offer fits this host. A note"


@both
@pytest.mark.parametrize("what", ["package", "wanted", "data", "fit"])
def test_what_does_not_fit_is_refused(test, what, docker):
    host = Host(refuses={what: CommandExecutionError("not with me; nothing was changed")})
    refused(docker(host, test).suitable("docker", "docker.io"), host, "not with me")


@both
def test_a_repository_that_cannot_be_checked_is_refused(test, docker):
    host = Host()
    state = docker(host, test)
    ret = state.suitable("docker", "docker.io", repository={"baseurl": "https://mirror"})
    refused(ret, host, 'rancher:docker:repository:gpgkey is "None"')


# -- configured ----------------------------------------------------------------------------------


@both
def test_a_first_configuration(test, docker):
    host = Host()
    ret = docker(host, test).configured(CONFIG, "docker.io", daemon={"debug": True}, thin_pool=POOL)
    assert ret["changes"] == {
        "storage-driver": {"old": None, "new": "devicemapper"},
        "debug": {"old": None, "new": True},
    }
    assert ret["result"] is (None if test else True)
    assert host.calls == ([] if test else [("write", CONFIG, None)])


@both
def test_another_configuration_keeps_the_one_before(test, docker):
    host = Host(file='{"dns": ["8.8.8.8"], "storage-driver": "overlay2"}')
    ret = docker(host, test).configured(CONFIG, "docker.io")
    assert ret["changes"] == {"dns": {"old": ["8.8.8.8"], "new": None}}
    assert host.calls == ([] if test else [("keep", CONFIG), ("write", CONFIG, None)])
    assert test or f"kept as {CONFIG}.before-" in ret["comment"]


@both
def test_a_configuration_as_it_is(test, docker):
    host = Host(file='{\n  "storage-driver": "overlay2"\n}\n')
    ret = docker(host, test).configured(CONFIG, "docker.io")
    assert ret["result"] is True and ret["changes"] == {} and host.calls == []


@both
@pytest.mark.parametrize("what", ["wanted", "text"])
def test_an_invalid_configuration_leaves_the_file(test, what, docker):
    host = Host(file="{}", refuses={what: SaltInvocationError("rancher:docker:daemon: no")})
    refused(docker(host, test).configured(CONFIG, "docker.io"), host, "rancher:docker:daemon: no")


# -- enabled, running ----------------------------------------------------------------------------


def began(host, service):
    """The run began with the service like this; suitable noted it."""
    host.context["docker_daemon.before"] = dict(service)
    return host


@both
def test_a_stopped_daemon_is_started_and_enabled(test, docker):
    host = began(Host(STOPPED), STOPPED)
    enabled = docker(host, test).enabled("docker.service")
    running = docker(host, test).running("docker.service")
    assert enabled["changes"] == {"boot": {"old": "disabled", "new": "enabled"}}
    assert running["changes"] == {"daemon": {"old": "stopped", "new": "running"}}
    assert running["result"] is (None if test else True)
    assert host.calls == ([] if test else [("enable",), ("start",)])


@both
def test_a_daemon_that_runs_as_configured_is_left_alone(test, docker):
    host = began(Host(), RUNNING)
    for ret in (docker(host, test).enabled("x"), docker(host, test).running("x")):
        assert ret["result"] is True and ret["changes"] == {}
    assert host.calls == []


@both
@pytest.mark.parametrize("why", [{"stale": [CONFIG]}, {"reload": True}], ids=["file", "units"])
def test_a_run_that_was_killed_before_the_restart(test, why, docker):
    service = {**RUNNING, **why}
    host = began(Host(service), service)
    ret = docker(host, test).running("docker.service")
    assert ret["changes"] == {"daemon": {"old": "running", "new": "restarted"}}
    assert host.calls == ([] if test else [("restart",)])
    if "stale" in why:
        assert f"Changed after the daemon had started: {CONFIG}" in ret["comment"]


@both
def test_what_it_watches_changed(test, docker):
    host = began(Host(), RUNNING)
    ret = docker(host, test).mod_watch("docker.service", sfun="running")
    assert ret["changes"] == {"daemon": {"old": "running", "new": "restarted"}}
    assert host.calls == ([] if test else [("restart",)])


def test_what_the_package_restarted_in_this_run_is_reported_and_not_restarted_again(docker):
    host = began(Host({**RUNNING, "started": 7.0}), RUNNING)
    for state in (docker(host, False).running, docker(host, False).mod_watch):
        ret = state("docker.service")
        assert ret["changes"] == {"daemon": {"old": "running", "new": "restarted"}}
    assert host.calls == []


def test_a_package_that_starts_the_daemon_agrees_with_the_dry_run(docker):
    dry = began(Host(ABSENT), ABSENT)
    real = began(Host(RUNNING), ABSENT)
    for name in ("enabled", "running"):
        predicted = getattr(docker(dry, True), name)("docker.service")
        made = getattr(docker(real, False), name)("docker.service")
        assert predicted["changes"] == made["changes"] != {}
        assert (predicted["result"], made["result"]) == (None, True)
    assert dry.calls == real.calls == []


@both
@pytest.mark.parametrize("name", ["enabled", "running", "mod_watch"])
def test_a_masked_daemon_is_somebodys_will(test, name, docker):
    host = Host({**STOPPED, "state": "masked"})
    refused(getattr(docker(host, test), name)("x"), host, "systemctl unmask docker.service")


@pytest.mark.parametrize("name", ["enabled", "running"])
def test_a_real_run_without_the_package(name, docker):
    host = Host(ABSENT)
    refused(getattr(docker(host, False), name)("x"), host, "its package is not installed")


def test_a_daemon_that_does_not_come_up_tells_why(docker):
    host = began(Host(STOPPED, fails=True), STOPPED)
    ret = docker(host, False).running("docker.service")
    assert ret["result"] is False and ret["changes"] == {}
    assert "docker.service did not start: no space. Next: look" in ret["comment"]


def test_a_file_that_the_daemon_refuses_is_not_restarted_into(docker):
    service = {**RUNNING, "stale": [CONFIG]}
    host = began(Host(service, file="{", refuses={"text": SaltInvocationError("no")}), service)
    ret = docker(host, False).running("docker.service")
    assert ret["result"] is False and host.calls == []


# -- a role that was taken away ------------------------------------------------------------------

AGENT = {"Id": "a", "Names": ["/rancher-agent"], "Status": "Up 2 days"}
SERVER = {"Id": "b", "Names": ["/rancher-server"], "Status": "Restarting (1) 3 seconds ago"}


@pytest.fixture
def rancher(docker, replace, monkeypatch):
    """The comment of `running` on a host with these containers, for these roles and this run."""

    def told(test, containers, roles, run=(), watched=False):
        replace(
            _docker_engine, answers=lambda: containers is not None, containers=lambda: containers
        )
        host = began(Host(), RUNNING)
        state = docker(host, test)
        steps = [step.split(".") for step in run]
        chunks = [{"state": module, "fun": function} for module, function in steps]
        monkeypatch.setattr(state, "__lowstate__", chunks, raising=False)
        ret = (state.mod_watch if watched else state.running)("docker.service", roles=roles)
        assert ret["result"] is not False
        assert bool(ret["changes"]) == watched
        return ret["comment"]

    return told


@both
def test_an_agent_whose_role_was_taken_away_ran_on_without_a_word(test, rancher):
    comment = rancher(test, [AGENT], ["common"])
    assert "Container rancher-agent still runs, and rancher:roles does not name agent" in comment
    assert "`salt-run fleet.remove node1`" in comment
    assert "rancher-server" not in comment


@both
@pytest.mark.parametrize("watched", [True, False])
def test_a_server_whose_role_was_taken_away_ran_on_without_a_word(test, watched, rancher):
    comment = rancher(test, [AGENT, SERVER], ["agent"], watched=watched)
    assert "Container rancher-server still runs" in comment and "`docker stop" in comment
    assert "rancher-agent" not in comment


@both
@pytest.mark.parametrize(
    ("containers", "roles", "run"),
    [
        ([AGENT, SERVER], ["agent", "server"], []),
        ([AGENT], [], ["settings.valid", "rancher.agent_registered"]),
        ([SERVER], ["common"], ["rancher.server_running"]),
        ([{**SERVER, "Status": "Exited (0) 1 hour ago"}], ["common"], []),
        ([{**SERVER, "Names": ["/rancher-server-2"]}], ["common"], []),
        ([{**SERVER, "Names": None, "Status": None}], ["common"], []),
        (None, ["common"], []),
        ([AGENT], None, []),
    ],
    ids=[
        "both roles", "the role is applied by its name", "the server, too", "stopped by hand",
        "another container", "no names", "no daemon", "roles are not known",
    ],
)  # fmt: skip
def test_nothing_is_left_of_a_role(test, containers, roles, run, rancher):
    assert "still runs" not in rancher(test, containers, roles, run)
