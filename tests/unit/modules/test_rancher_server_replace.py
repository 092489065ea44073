"""Replacing, with a failure and with a kill at every single step."""

import pytest
from fake_docker import Containers
from fakes import Killed
from salt.exceptions import CommandExecutionError

import _rancher_server_data
import _rancher_server_plan
import _rancher_server_replace

NAME, V1, V2 = "rancher-server", "rancher/server:v1", "rancher/server:v2"
DIRECTORY = "/data/rancher/mysql"
STEPS = 8  # create, stop, rename, rename, start, stop, remove: and one more than there are


class Host:
    def __init__(self, replace):
        self.docker = Containers((V1, V2)).install(replace)
        self.prepared = []
        there = {"path": DIRECTORY, "owner": [102, 105], "empty": False, "database": True}
        there |= {"folder": True, "label": None, "mark": "", "leads": True}
        there |= {"link": f"{DIRECTORY}/mysql/.."}
        replace(_rancher_server_data, look=lambda path: there)
        replace(_rancher_server_data, prepare=self.prepare, protect=lambda path: None)

    def prepare(self, path, confining=False):
        self.prepared.append(path)

    def apply(self, image):
        want = _rancher_server_plan.wanted({}, image, 8080, True, DIRECTORY)
        seen = _rancher_server_plan.observe(NAME, want)
        changes = _rancher_server_plan.plan(NAME, seen, want)
        _rancher_server_replace.carry_out(NAME, want, seen, changes)
        return changes

    def running(self):
        return {
            name: each["Config"]["Image"]
            for name, each in self.docker.all.items()
            if each["State"]["Status"] == "running"
        }


@pytest.fixture
def host(replace):
    return Host(replace)


def test_create_and_start(host):
    host.apply(V1)
    assert host.running() == {NAME: V1} and list(host.docker.all) == [NAME]
    assert [step[0] for step in host.docker.log] == ["create", "rename", "start"]
    made = host.docker.all[NAME]
    source = "/var/lib/rancher-salt/data/rancher/mysql.database"
    assert made["Mounts"] == [{"Source": source, "Destination": "/var/lib/mysql"}]
    assert host.apply(V1) == {}


def test_pull_and_prepare_come_first(host):
    del host.docker.images[V1]
    want = _rancher_server_plan.wanted({}, V1, 8080, True, DIRECTORY)
    seen = _rancher_server_plan.observe(NAME, want)
    changes = {
        **_rancher_server_plan.plan(NAME, seen, want),
        "data directory": {"old": None, "new": "x"},
    }
    _rancher_server_replace.carry_out(NAME, want, seen, changes)
    assert host.docker.log[0] == ("pull", V1) and host.prepared == [DIRECTORY]


def test_the_new_one_is_complete_before_the_old_one_is_stopped(host):
    host.apply(V1)
    host.docker.log.clear()
    host.apply(V2)
    assert [step[0] for step in host.docker.log] == [
        "create", "stop", "rename", "rename", "start", "stop", "remove",
    ]  # fmt: skip
    assert host.running() == {NAME: V2} and list(host.docker.all) == [NAME]


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_killed_at_any_step_the_next_run_converges(host, step):
    host.apply(V1)
    host.docker.log.clear()
    host.docker.fails = {step: Killed()}
    if step < STEPS:
        with pytest.raises(Killed):
            host.apply(V2)
    else:
        host.apply(V2)
    assert len(host.docker.all) >= 1, "there is always one that can run"
    host.docker.fails = {}
    host.apply(V2)
    assert host.running() == {NAME: V2} and list(host.docker.all) == [NAME]
    assert host.apply(V2) == {}


@pytest.mark.parametrize("step", range(1, STEPS - 2))
def test_killed_and_then_the_setting_goes_back(host, step):
    host.apply(V1)
    host.docker.log.clear()
    host.docker.fails = {step: Killed()}
    with pytest.raises(Killed):
        host.apply(V2)
    host.docker.fails = {}
    host.apply(V1)
    assert host.running() == {NAME: V1} and list(host.docker.all) == [NAME]


def test_one_that_does_not_start_gives_way_to_the_one_before(host):
    host.apply(V1)
    host.docker.fails = {("start", NAME): CommandExecutionError("no such device")}
    with pytest.raises(CommandExecutionError) as caught:
        host.apply(V2)
    assert str(caught.value) == "no such device; the one before was started again"
    assert host.running() == {NAME: V1} and list(host.docker.all) == [NAME]


def test_the_first_one_that_does_not_start_leaves_nothing(host):
    host.docker.fails = {("start", NAME): CommandExecutionError("no such device")}
    with pytest.raises(CommandExecutionError, match="no such device; there was none before"):
        host.apply(V1)
    assert host.docker.all == {}


def test_a_stopped_one_is_started_and_nothing_else(host):
    host.apply(V1)
    host.docker.stop(NAME)
    host.docker.log.clear()
    host.apply(V1)
    assert host.docker.log == [("start", NAME)]
