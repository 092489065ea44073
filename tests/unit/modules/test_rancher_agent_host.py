"""What a host shows of itself and its agent."""

import os
import re
import time

import pytest
from agent_kit import stamp
from salt.exceptions import CommandExecutionError

import _rancher_agent_host

CARDS = {
    "lo": {"inet": [{"address": "127.0.0.1"}]},
    "eth0": {"inet": [{"address": "192.0.2.11"}, {"address": "192.0.2.12"}]},
    "eth1": {"up": False},
    "docker0": {"inet": [{"address": "172.17.0.1"}]},
    "br-0123456789ab": {"inet": [{"address": "172.18.0.1"}]},
    # Of Open vSwitch: a bridge of the operator's, whose address was taken for a container's.
    "br-ex": {"inet": [{"address": "10.0.0.5"}]},
    "bond0": {"inet": [{"address": "198.51.100.1"}]},
    "virbr0": {"inet": [{"address": "192.168.122.1"}]},
    "cni-podman0": {"inet": [{"address": "10.88.0.1"}]},
    "br0": {
        "inet": [{"address": "10.1.0.1"}],
        "secondary": [
            {"type": "inet", "address": "10.1.0.9"},
            {"type": "inet6", "address": "fd00::9"},
        ],
    },
}


@pytest.fixture
def containers():
    return {}


@pytest.fixture
def module(tmp_path, containers, monkeypatch):
    def logs(name, since=0, tail=400):
        assert since >= 0, "the SDK refuses it"
        return ["a line"]

    module = _rancher_agent_host
    patch = monkeypatch.setattr
    patch(module.salt.utils.network, "interfaces", lambda: CARDS)
    patch(module._docker_engine, "container", containers.get)
    patch(module._docker_engine, "logs", logs)
    patch(module._rancher_agent_plan, "complaint", " ".join)
    patch(module, "STATE", str(tmp_path))
    patch(module, "PAUSE", 0.01)
    return module


def test_marks(module):
    marks = module.marks()
    assert marks["id"] is None
    mine = ["10.0.0.5", "10.1.0.1", "10.1.0.9", "192.0.2.11", "192.0.2.12", "198.51.100.1"]
    assert marks["addresses"] == mine
    assert marks["names"] and all(name == name.lower() for name in marks["names"])
    assert "203.0.113.1" in module.marks("203.0.113.1")["addresses"]


def test_the_id_stays(module, tmp_path):
    mine = module.own_id()
    assert re.fullmatch("[0-9a-f]{32}", mine)
    assert (module.own_id(), module.marks()["id"]) == (mine, mine)
    (tmp_path / "state" / ".salt_id").unlink()
    assert module.own_id() != mine, "it dies with the state directory"


def container(**state):
    began = stamp(time.time() - 100)
    return {
        "Created": began,
        "Config": {"Env": ["CATTLE_ACCESS_KEY=a", "CATTLE_SECRET_KEY=b", "CATTLE_URL=http://r/v1"]},
        "State": {"Running": True, "Paused": False, "StartedAt": began, **state},
    }


def test_no_agent(module):
    assert module.agent() is None


def test_an_agent(module, containers):
    containers["rancher-agent"] = container()
    agent = module.agent()
    assert 99 < agent.pop("age") < 110
    assert agent == {
        "genuine": True,
        "running": True,
        "url": "http://r/v1",
        "ip": None,
        "proxy": {},
        "outdated": False,
        "complaint": "a line",
    }


def test_an_agent_that_is_none(module, containers):
    containers["rancher-agent"] = container(Paused=True)
    containers["rancher-agent"]["Config"]["Env"] = None
    agent = module.agent()
    assert (agent["genuine"], agent["running"]) == (False, False)


def test_a_log_that_cannot_be_read(module, containers, monkeypatch):
    containers["rancher-agent"] = container()

    def logs(name, since=0, tail=400):
        raise CommandExecutionError("Docker could not give it: does not support reading")

    monkeypatch.setattr(module._docker_engine, "logs", logs)
    assert module.agent()["complaint"] == ""


def test_an_agent_that_never_started(module, containers):
    # Docker's date for that is 0001-01-01, which its own log does not take for a time.
    containers["rancher-agent"] = container(Running=False, StartedAt="0001-01-01T00:00:00Z")
    assert module.agent()["running"] is False


def test_a_certificate_that_came_after_the_start(module, containers, tmp_path):
    containers["rancher-agent"] = container()
    path = tmp_path / "etc/ssl/ca.crt"
    path.parent.mkdir(parents=True)
    path.write_text("pem")
    assert module.agent(authority=True)["outdated"] is True
    assert module.agent(authority=False)["outdated"] is False
    os.utime(path, (time.time() - 200, time.time() - 200))
    assert module.agent(authority=True)["outdated"] is False


def test_an_upgrade_that_never_ends(module, containers):
    containers["rancher-agent-upgrade"] = container()
    module.UPGRADING = 0.05
    assert module.agent() is None
    containers["rancher-agent-upgrade"]["State"]["Running"] = False
    module.UPGRADING = 60
    assert module.agent() is None, "one that has ended is not waited for"


def test_resting(module, tmp_path):
    assert module.resting() is None
    (tmp_path / "state").mkdir()
    (tmp_path / "state/.registration_token").write_text("of the agent")
    assert module.resting()["running"] is True
