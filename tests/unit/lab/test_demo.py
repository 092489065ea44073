"""The demonstration ends with a reason when the host is not what it promises."""

import pytest
from lab import demo


class Host:
    """A lab whose guest answers every command alike."""

    def __init__(self, code, out):
        self.guest = self
        self.answer = (code, out, "")

    def ssh(self, command, timeout):
        return self.answer


def _state(name, changes):
    return {"__id__": name, "changes": changes, "result": True}


def test_a_second_run_that_changes_something_is_named():
    report = {"a": _state("swap-active", {"size": {"old": 1, "new": 2}}), "b": _state("other", {})}
    with pytest.raises(demo.Broken, match="the second run changed swap-active"):
        demo.expect_no_change(report, "the second run")


def test_a_quiet_run_passes():
    demo.expect_no_change({"a": _state("swap-active", {})}, "the second run")


@pytest.mark.parametrize(
    ("code", "out", "reason"),
    [(0, "Storage Driver: overlay2", "no 'devicemapper'"), (1, "devicemapper", "exit code 1")],
)
def test_a_host_that_is_not_as_promised_is_named(code, out, reason):
    with pytest.raises(demo.Broken, match=reason):
        demo.run_on_host(Host(code, out), "docker info", ["devicemapper"])


def test_output_is_shown(capsys):
    demo.run_on_host(Host(0, "hello\n"), "docker run", ["hello"])
    assert capsys.readouterr().out == "\n# docker run\nhello\n"


class Cluster:
    """A lab whose minions answer every call with the next of what they were given."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.master = self.registry = self
        self.daemon = {"insecure-registries": ["10.0.2.2:5000"]}
        self.pillars, self.called = [], []

    def pillar(self, data, minions=None):
        self.pillars.append((data, minions))

    def address(self, name):
        return {"server1": "10.0.3.11", "node1": "10.0.3.12"}[name]

    def call_all(self, names, function, args, timeout, progress):
        self.called.append(function)
        return self.answers.pop(0)

    def call(self, minion, function, args):
        self.called.append((minion, function, *args))
        return self.answers.pop(0)


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(demo, "print_output", lambda lab, data, how: None)


def _run(changes, result=True):
    return {"a": {**_state("rancher-agent-registered", changes), "result": result}}


HOST = {"hostname": "node1.example.test", "state": "active"}


def test_the_cluster_ends_with_an_active_host(quiet, capsys):
    first = {"server1": _run({"container": 1}), "node1": _run({"host": 1})}
    lab = Cluster(first, {"server1": _run({}), "node1": _run({})}, [HOST])
    demo.show_cluster(lab)
    ((data, roles),) = lab.pillars
    assert data["rancher"]["docker"]["daemon"] == lab.daemon
    assert roles["server1"]["rancher"]["roles"] == ["server"]
    assert roles["node1"]["rancher"]["agent"]["server_url"] == "http://10.0.3.11:8080"
    assert lab.called[-1] == ("node1", "rancher.hosts", "http://10.0.3.11:8080")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([{"server1": _run({}), "node1": _run({"a": 1})}], "on server1 changed nothing"),
        ([{"server1": ["Rendering failed"]}], "states of server1 did not compile"),
        ([{"node1": _run({}, result=False)}], "failed on node1: rancher-agent-registered"),
        (
            [{"node1": _run({"a": 1})}, {"node1": _run({"a": 1})}],
            "the second run on node1 changed rancher-agent-registered",
        ),
        (
            [
                {"node1": _run({"a": 1})},
                {"node1": _run({})},
                [{**HOST, "state": "disconnected"}],
            ],
            "node1 is not active",
        ),
    ],
)
def test_a_cluster_that_is_not_as_promised_is_named(quiet, answers, reason):
    with pytest.raises(demo.Broken, match=reason):
        demo.show_cluster(Cluster(*answers))
