"""What happens to agent_registered on the way: servers, tokens and hosts that take their time."""

import pytest
from agent_kit import BOOTSTRAP, Killed

import _docker_engine
import _rancher_agent
import _rancher_agent_bootstrap
import _rancher_agent_look
import _rancher_api

from .checks import JOINED, joins, refuses


def test_a_registration_host_that_is_ours(make, fake):
    fake.configure(api_host=fake.url)
    joins(make())
    paths = [seen.path for seen in fake.journal if "scripts" in seen.path]
    assert paths and all(path.startswith("/v1/scripts/") for path in paths)


def test_a_slow_answer_is_bounded(make, fake, monkeypatch):
    fake.fail("slow-body", path="hosts", value=0.5)
    monkeypatch.setattr(_rancher_api, "ONE_EXCHANGE", 2)
    kit = make(timeout=1)
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "no complete answer within" in ret["comment"]


def test_two_active_tokens(make, fake):
    fake.add_token(state="active")
    fake.add_token(state="active")
    kit = make()
    joins(kit)
    assert [seen.path for seen in kit.posts()] == ["/v2-beta/register"]


@pytest.mark.parametrize("stage", ["refuse", "close", "502", "503"])
def test_a_server_that_comes_up(make, fake, stage, monkeypatch):
    fake.set_stage(stage)
    kit = make()
    monkeypatch.setattr(
        _rancher_agent_look, "_patience", lambda want, absent, test: 0.3 if test else 20
    )
    dry = kit.run(test=True)
    assert (dry["result"], dry["changes"]) == (None, JOINED)
    assert "The server does not answer yet, the run waits for it" in dry["comment"]
    fake.slow_start([[stage, 0.4]])
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, JOINED), ret["comment"]


def test_a_server_that_never_comes_up(make, fake):
    fake.set_stage("refuse")
    kit = make(timeout=0.2)
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "connection refused" in ret["comment"]


def test_something_else_on_that_port(make, fake):
    fake.set_stage("page")
    refuses(make(), "web page where the API should be")


@pytest.mark.parametrize(
    "kind", ["409", "500", "html-500", "truncated", "cut-json", "close", "gzip"]
)
def test_a_hiccup_is_borne(make, fake, kind):
    fake.fail(kind, times=2, path="hosts")
    joins(make())


@pytest.mark.parametrize("versions", [("v1",), ("v1", "v2-beta")])
def test_old_and_new_servers(fake, make, versions):
    fake.configure(versions=versions, restless_tokens=True)
    joins(make())


@pytest.mark.parametrize("mode", ["incomplete", "normal"])
def test_a_token_that_takes_its_time(make, fake, mode):
    fake.configure(token_mode=mode)
    fake.add_token(state="inactive")
    joins(make())


def test_a_token_that_fails(make, fake):
    fake.configure(token_mode="error")
    ret = make().run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "could not activate registration token" in ret["comment"]


def test_a_token_that_is_stuck(make, fake, monkeypatch):
    fake.configure(token_mode="stuck")
    kit = make(timeout=0.2)
    monkeypatch.setattr(_rancher_agent_look, "LOOK", 0.2)
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "waited 0.2 s for a registration token" in ret["comment"]
    assert kit.docker.changes() == []


def test_a_host_that_never_appears(make, fake, monkeypatch):
    # Its agent is younger than that in the end, on a busy machine as well.
    kit = make(timeout=60)
    kit.clock.pace = 0
    monkeypatch.setattr(_rancher_agent, "PAUSES", (5,))
    fake.configure(seconds=1e6)
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {"agent": JOINED["agent"]})
    assert "Rancher lists no host that is this machine" in ret["comment"]


def test_a_host_that_stays_disconnected(make, fake):
    kit = make(timeout=0.2)
    kit.registered(agent_state="reconnecting")
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "Rancher shows host 1h1 (node1.example.test, 192.0.2.11, reconnecting)" in ret["comment"]


def test_an_agent_that_does_not_stay_up(make):
    kit = make(timeout=1)
    kit.docker.agent_runs = False
    ret = kit.run()
    assert ret["result"] is False
    assert "rancher-agent does not keep running" in ret["comment"]


def test_an_agent_that_complains_ends_the_wait(make, fake):
    kit = make(timeout=60)
    fake.configure(seconds=1e6)
    kit.docker.agent_says = ["ERROR: Please re-register this agent"]
    ret = kit.run()
    assert ret["result"] is False
    assert "the server does not know this agent any more" in ret["comment"]
    assert kit.clock.monotonic() < 15


@pytest.mark.parametrize(
    ("says", "code", "words"),
    [
        (["ERROR: Invalid CATTLE_AGENT_IP (node1)"], 1, "Set rancher:agent:ip"),
        (
            ["ERROR: CATTLE_URL cannot contain localhost or 127.0.0.1, please check"],
            1,
            "Host Registration URL",
        ),
        (
            ["Error response from daemon: client version 1.22 is too old. Minimum is 1.24"],
            1,
            "rancher:docker:version",
        ),
        (
            ["ERROR: http://r:8080/v1 is not accessible (Could not resolve host: r)"] * 9,
            None,
            "containers use the host's DNS",
        ),
        (
            ["ERROR: https://r/v1 is not accessible (SSL certificate problem)"] * 9,
            None,
            "rancher:agent:ca_certificate",
        ),
        (["INFO: Running", "something new"], 3, "exit code 3: something new"),
        (["INFO: waiting"], None, "did not end within"),
    ],
)
def test_a_bootstrap_that_fails(make, says, code, words):
    kit = make(timeout=1 if "end within" in words else 60)
    kit.docker.says, kit.docker.exit_code = says, code
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert words in ret["comment"]
    assert kit.clock.monotonic() < 15
    assert BOOTSTRAP not in kit.docker.containers
    kit.docker.says = None
    kit.given["timeout"] = 20
    assert kit.run()["result"] is True


@pytest.mark.parametrize("call", ["pull", "create", "start"])
def test_killed_and_run_again(make, call, monkeypatch):
    kit = make()
    kit.docker.images.clear()
    kit.docker.dies_after = call
    # SIGKILL runs no `finally`.
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(_rancher_agent_bootstrap, "remove", lambda: None)
        kit.run()
    kit.docker.dies_after = None
    ret = kit.run()
    assert ret["result"] is True, ret["comment"]
    assert BOOTSTRAP not in kit.docker.containers
    assert kit.run()["changes"] == {}
    assert len([row for row in kit.fake.show()["hosts"] if not row["hidden"]]) == 1


def test_a_dry_run_on_a_bare_host(make, monkeypatch):
    kit = make()
    for function in ("available", "answers"):
        monkeypatch.setattr(_docker_engine, function, lambda: False)
    ret = kit.run(test=True)
    assert (ret["result"], ret["changes"]) == (None, JOINED)


def test_a_dry_run_on_a_member_whose_docker_is_down(make, monkeypatch):
    # Docker comes up with the run, and starts the agent by itself.
    kit = make()
    assert kit.run()["result"] is True
    monkeypatch.setattr(_docker_engine, "answers", lambda: False)
    ret = kit.run(test=True)
    assert (ret["result"], ret["changes"]) == (True, {})
