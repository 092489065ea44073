import json
import stat
import types

import pytest
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _fleet_rancher
import _rancher_host
import _rancher_project
import _rancher_registration

TOKEN = "http://r/v1/scripts/TOKEN"


def member(name, **over):
    return {
        "server_url": "http://r",
        "project": None,
        "hostname": f"{name}.example.test",
        "registered_timeout": 0,
        "registration_given": False,
        "image_given": False,
        **over,
    }


def row(name, state="active", agent_state="active"):
    hostname = f"{name}.example.test"
    return {"id": f"1h{name[1:]}", "hostname": hostname, "state": state, "agent_state": agent_state}


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """The master's Rancher; `rows` are its hosts, `asked` the registrations it was asked for."""
    folder = tmp_path / "handover"
    opts = {"ext_pillar": [{"other": 1}, {"rancher_handover": str(folder)}], "id": "m_master"}
    opts.update(cachedir=str(tmp_path), module_dirs=[str(ROOT / "salt")], extension_modules="/none")
    found = _fleet_rancher.Rancher(opts)
    found._pillar = {}
    monkeypatch.setattr(_fleet_rancher, "_PAUSE", 0)
    found.folder, found.asked = folder, []
    found.rows, found.ready_after = [row("a1")], 0

    def registration(pillar, url, project=None, timeout=60):
        found.asked.append((url, project))
        if project == "none":
            raise CommandExecutionError("http://r shows no project 'none'")
        return {"url": f"{TOKEN}-{project}", "image": "rancher/agent:v1.2.5"}

    def ready(pillar, url):
        found.ready_after -= 1
        return {"ready": found.ready_after < 0, "reason": "connection refused"}

    monkeypatch.setattr(_rancher_project, "ready", ready)
    monkeypatch.setattr(_rancher_registration, "registration", registration)
    monkeypatch.setattr(
        _rancher_project, "hosts", lambda pillar, url, project=None, timeout=0: found.rows
    )
    monkeypatch.setattr(
        _rancher_host,
        "at",
        lambda pillar, url, host, project=None, timeout=0: types.SimpleNamespace(
            evacuate=lambda: (url, host, project), containers=lambda: {"lost": [host]}
        ),
    )
    return found


def test_one_registration_for_each_project(runner):
    members = {
        "a1": member("a1"),
        "a2": member("a2"),
        "a3": member("a3", project="Other", image_given=True),
        "a4": member("a4", registration_given=True),
        "a5": member("a5", server_url=None),
        "a6": member("a6", project="none"),
    }
    assert runner.hand_over(members) == {
        "a5": "its pillar names no rancher:agent:server_url",
        "a6": "http://r shows no project 'none'",
    }
    assert runner.asked == [("http://r", None), ("http://r", "Other"), ("http://r", "none")]
    written = {path.stem: json.loads(path.read_text()) for path in runner.folder.iterdir()}
    urls = {name: data["rancher"]["agent"]["registration_url"] for name, data in written.items()}
    images = {name: data["rancher"]["agent"].get("image") for name, data in written.items()}
    assert images == {"a1": "rancher/agent:v1.2.5", "a2": "rancher/agent:v1.2.5", "a3": None}
    assert urls == {"a1": f"{TOKEN}-None", "a2": f"{TOKEN}-None", "a3": f"{TOKEN}-Other"}
    assert stat.S_IMODE(runner.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in runner.folder.iterdir()} == {0o600}


def test_take_back(runner):
    runner.hand_over({"a1": member("a1"), "a2": member("a2"), "a3": member("a3")})
    assert runner.take_back(["a1", "a9"]) == 1
    assert runner.take_back(["a2", "a3"]) == 2
    assert list(runner.folder.iterdir()) == []


def test_active(runner):
    runner.rows = [row("a1"), row("a2", "reconnecting", "reconnecting"), row("a3", "active", None)]
    members = {name: member(name) for name in ("a1", "a2", "a3", "a4")}
    assert runner.active(members) == {
        "a2": "its host 1h2 is reconnecting in Rancher, not active",
        "a4": "Rancher lists no host 'a4.example.test'",
    }
    assert runner.states({"a1": member("a1")}) == {"a1": "active"}
    assert [runner.known(members[name]) for name in ("a2", "a4")] == [True, False]


def test_a_host_out_of_service_is_no_failure(runner):
    runner.rows = [row("a1", "inactive")]
    assert runner.active({"a1": member("a1")}) == {}
    assert runner.states({"a1": member("a1")}) == {"a1": "inactive"}


def test_v1_keeps_the_state_active_while_the_agent_is_gone(runner):
    runner.rows = [row("a1", "active", "disconnected")]
    assert "disconnected" in runner.active({"a1": member("a1")})["a1"]
    assert runner.states({"a1": member("a1")}) == {"a1": "disconnected"}


def test_marks_outlive_the_run(runner):
    runner.rows = [row("a1"), row("a2", "inactive")]
    assert runner.marked(["a1", "a2"]) == []
    assert runner.mark("a1", member("a1")) is True
    assert runner.mark("a2", member("a2")) is False
    runner.rows = [row("a1", "inactive")]
    assert runner.mark("a1", member("a1")) is True
    assert runner.marked(["a1", "a2"]) == ["a1"]
    runner.unmark("a1")
    runner.unmark("a1")
    assert runner.marked(["a1"]) == []


def test_active_waits(runner, monkeypatch):
    runner.rows = []
    monkeypatch.setattr(_fleet_rancher.time, "sleep", lambda _: runner.rows.append(row("a1")))
    assert runner.active({"a1": member("a1", registered_timeout=60)}) == {}


def test_two_hosts_of_one_name_are_no_guess(runner):
    runner.rows = [row("a1"), row("a1")]
    assert "more than one host" in runner.active({"a1": member("a1")})["a1"]


def test_ready(runner):
    runner.ready_after = 2
    runner.ready("http://r", timeout=60)
    assert runner.ready_after == -1
    runner.ready_after = 10**6
    with pytest.raises(CommandExecutionError, match="http://r was not ready in 0 s: connection"):
        runner.ready("http://r", timeout=0)


def test_what_ran_is_remembered_until_the_host_is_back(runner):
    assert runner.ran("a1") is None
    runner.remember("a1", ["c1"])
    runner.remember("a1", [])
    assert runner.ran("a1") == ["c1"]
    # That an operator's host was worked on does not make it one to be activated.
    assert runner.marked(["a1"]) == []
    runner.unmark("a1")
    assert runner.ran("a1") is None


def test_host_uses_the_names_of_the_settings(runner):
    one = member("a1", project="Other")
    assert runner.host("evacuate", one) == ("http://r", "a1.example.test", "Other")
    assert runner.containers(one) == {"lost": ["a1.example.test"]}


def test_without_the_ext_pillar(runner):
    runner._opts["ext_pillar"] = []
    with pytest.raises(CommandExecutionError, match="lacks ext_pillar: rancher_handover"):
        runner.hand_over({"a1": member("a1")})


def test_a_master_that_never_synced(runner):
    runner._opts["module_dirs"] = []
    with pytest.raises(CommandExecutionError, match="salt-run state.orchestrate orch.sync"):
        runner.known(member("a1"))


def test_a_folder_of_private_files_is_on_no_path_afterwards(runner):
    before = list(_fleet_rancher.sys.path)
    assert runner.known(member("a1")) is True
    assert _fleet_rancher.sys.path == before


def test_a_conversation_by_the_masters_own_pillar(runner):
    runner._pillar = {
        "rancher": {"agent": {"server_url": "http://own", "access_key": "a", "secret_key": "b"}}
    }
    assert runner.conversation(lambda: "http://found").base == "http://own"
    assert runner.conversation("http://given").base == "http://given"
    runner._pillar = {}
    assert runner.conversation(lambda: "http://found").base == "http://found"


@pytest.fixture
def down(runner, monkeypatch):
    """A server that lets everybody wait for 9 s; gives who asked, and with how much patience."""
    asked, clock = [], types.SimpleNamespace(now=0, monotonic=lambda: clock.now)

    def hosts(pillar, url, project=None, timeout=0):
        asked.append((url, timeout))
        if url == "http://well":
            return [row("a9")]
        clock.now += min(timeout, 9)
        raise CommandExecutionError("connection refused")

    monkeypatch.setattr(_rancher_project, "hosts", hosts)
    monkeypatch.setattr(_fleet_rancher, "time", clock)
    return asked


def test_a_server_that_is_down_was_asked_for_each_host(runner, down):
    members = {name: member(name) for name in ("a1", "a2", "a3")}
    assert runner.states(members, timeout=10) == dict.fromkeys(members, "connection refused")
    assert down == [("http://r", 10)]


def test_a_server_that_is_down_took_the_whole_patience_for_each_project(runner, down):
    projects = {f"a{number}": member(f"a{number}", project=str(number)) for number in range(5)}
    members = {**projects, "a9": member("a9", server_url="http://well")}
    assert runner.states(members, timeout=10)["a9"] == "active"
    assert down == [("http://r", 10), *[("http://r", 1)] * 4, ("http://well", 10)]
