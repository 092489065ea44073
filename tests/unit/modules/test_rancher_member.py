import contextlib

import docker
import pytest
from salt.exceptions import CommandExecutionError

import _rancher_member

SYSTEM = {"io.rancher.container.system": "true"}


class Docker:
    def __init__(self):
        self.boxes = {
            "1": ("/web", {"io.rancher.container.uuid": "x"}),
            "2": ("/r-ipsec", SYSTEM),
            "3": ("/rancher-agent", {"io.rancher.container.system": "rancher-agent"}),
            "4": ("/rancher-agent-state", {}),
            "5": ("/my-rancher-agent", {}),
        }
        self.disks = ["rancher-cni", "data", "rancher-agent-state", "my-rancher-cni"]
        self.calls, self.gone, self.left = [], (), []

    def containers(self, all=False):
        assert all, "stopped ones count"
        return [
            {"Id": number, "Names": [name], "Labels": labels}
            for number, (name, labels) in self.boxes.items()
        ]

    def remove_container(self, container, v=False, force=False):
        assert v and force
        self.calls.append(self.boxes[container][0])
        del self.boxes[container]
        if container in self.gone:
            raise docker.errors.NotFound("no such container")

    def remove_volume(self, name):
        assert not [one for one in self.boxes.values() if one[0] == "/r-ipsec"], "still in use"
        self.calls.append(name)
        self.disks.remove(name)


@pytest.fixture
def host(tmp_path, monkeypatch):
    engine = Docker()
    module, patch = _rancher_member, monkeypatch.setattr
    patch(module._host, "tool", lambda name: f"/usr/bin/{name}")
    patch(module._docker_engine, "client", lambda *_, **__: contextlib.nullcontext(engine))
    patch(module._docker_engine, "containers", lambda: engine.containers(all=True))
    patch(module._docker_engine, "volumes", lambda: engine.disks)
    patch(module._rancher_agent_bootstrap, "left", lambda: engine.left)
    state = tmp_path / "state"
    (state / "etc").mkdir(parents=True)
    monkeypatch.setattr(module, "STATE", str(state))
    patch(module, "engine", engine, raising=False)
    patch(module, "folder", state, raising=False)
    return module


def converge(module):
    seen = module.observe()
    changes = module.plan(seen)
    module.apply(seen, changes)
    return changes


def test_what_rancher_left_goes_and_nothing_else(host):
    assert converge(host) == {
        "containers": {"old": "rancher-agent, rancher-agent-state, r-ipsec", "new": None},
        "volumes": {"old": "rancher-agent-state, rancher-cni", "new": None},
        "state directory": {"old": str(host.folder), "new": None},
    }
    assert [name for name, _ in host.engine.boxes.values()] == ["/web", "/my-rancher-agent"]
    assert host.engine.disks == ["data", "my-rancher-cni"]
    assert not host.folder.exists() and host.folder.parent.exists()
    assert converge(host) == {}


def test_what_a_killed_bootstrap_left_goes_too(host):
    """Its look at the host has a name of Docker's choice, and stayed on a host that had left."""
    host.engine.boxes["6"] = ("/romantic_antonelli", {})
    host.engine.left = ["6"]
    assert converge(host)["containers"]["old"].endswith("r-ipsec, romantic_antonelli")
    host.engine.left = []
    assert converge(host) == {}


def test_what_rancher_started_and_leaves_is_named(host):
    seen = host.observe()
    assert seen["staying"] == ["web"]
    assert host.notes(seen) == ["Containers that Rancher started stay, and run on: web"]
    assert host.notes({**seen, "staying": []}) == []


def test_the_agent_goes_first(host):
    converge(host)
    assert host.engine.calls[0] == "/rancher-agent"


def test_what_went_by_itself_meanwhile_is_right(host):
    host.engine.gone = ("2", "3")
    assert "containers" in converge(host)
    assert converge(host) == {}


@pytest.mark.parametrize("left", ["containers", "volumes", "state directory"])
def test_killed_in_between_it_takes_the_rest(host, left):
    if left != "containers":
        for number in "234":
            del host.engine.boxes[number]
    if left == "state directory":
        host.engine.disks.clear()
    assert left in converge(host)
    assert converge(host) == {}


def test_a_host_without_docker(host, monkeypatch):
    monkeypatch.setattr(host._host, "tool", lambda name: None)
    assert list(converge(host)) == ["state directory"]
    assert host.engine.calls == []


def test_a_docker_that_does_not_answer_is_no_empty_one(host, monkeypatch):
    def listed():
        raise CommandExecutionError("Docker could not list")

    monkeypatch.setattr(host._docker_engine, "containers", listed)
    with pytest.raises(CommandExecutionError, match="could not list"):
        host.observe()
    assert host.folder.exists()


def test_a_link_is_not_followed(host, tmp_path):
    target = tmp_path / "elsewhere"
    host.folder.rename(target)
    host.folder.symlink_to(target)
    with pytest.raises(CommandExecutionError, match="is a link to .*elsewhere"):
        host.observe()
    assert target.exists()
