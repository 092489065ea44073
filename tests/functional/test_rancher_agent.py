"""The agent joins through a real Docker daemon: real containers, a stand-in image, a double."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import docker
import pytest
from fake_rancher import FakeRancher
from fake_rancher.api import Answer
from fake_rancher.world import Clock

from functional import agent_host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a Docker daemon needs root")


NET, IMAGE = agent_host.NET, agent_host.IMAGE
LINES = sorted(
    path
    for path in pathlib.Path(sys.executable).parents[2].glob("*/bin/python")
    if path.with_name("salt-call").exists()
)
JOINED = {
    "agent": {"old": "absent", "new": "running"},
    "host": {"old": "not registered", "new": "active"},
}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    lacking = agent_host.missing()
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    host = agent_host.Host(tmp_path_factory.mktemp("agent"))
    try:
        host.load_image()
        yield host
    finally:
        host.close()


@pytest.fixture
def fake(host):
    """A fresh server; the host is made fresh, too."""
    for each in host.client.containers(all=True):
        # The agent removes its own side containers meanwhile.
        with contextlib.suppress(docker.errors.APIError):
            host.client.remove_container(each["Id"], force=True, v=True)
    for path in sorted(host.path("/var/lib/rancher").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with FakeRancher(host=f"{NET}.1", clock=Clock(running=True)) as fake:
        # As the original: a host comes into being when its agent connects.
        fake.configure(liveness=True, address_seconds=0.0)
        yield fake


def names(host):
    return sorted(each["Names"][0].lstrip("/") for each in host.client.containers(all=True))


def token_of(fake):
    for token in fake.world.tokens.values():
        yield fake.world.token_text(token)


@pytest.mark.parametrize("python", LINES, ids=lambda path: path.parents[1].name)
def test_from_nothing_to_active_and_again(host, fake, python):
    given = {"server_url": fake.url, "ip": f"{NET}.1", "labels": {"zone": "a b"}, "timeout": 120}
    dry, _ = host.apply(test=True, python=python, **given)
    assert (dry["result"], dry["changes"]) == (None, JOINED), dry["comment"]
    assert names(host) == []
    assert [seen for seen in fake.journal if seen.method != "GET"] == []
    told = []
    real, said = host.apply(python=python, **given)
    told.append(said)
    assert (real["result"], real["changes"]) == (True, JOINED), real["comment"]
    assert names(host) == ["rancher-agent"]
    began = host.client.inspect_container("rancher-agent")["State"]["StartedAt"]
    again, said = host.apply(python=python, **given)
    told.append(said)
    assert (again["result"], again["changes"]) == (True, {}), again["comment"]
    assert host.client.inspect_container("rancher-agent")["State"]["StartedAt"] == began
    (row,) = [row for row in fake.show()["hosts"] if not row.get("hidden")]
    assert (row["ip"], row["labels"]["zone"]) == (f"{NET}.1", "a b")
    host.client.stop("rancher-agent", timeout=1)
    started, said = host.apply(python=python, **given)
    told.append(said)
    assert started["result"] is True, started["comment"]
    assert started["changes"]["agent"] == {"old": "stopped", "new": "running"}
    variables = host.client.inspect_container("rancher-agent")["Config"]["Env"]
    secrets = [each.partition("=")[2] for each in variables if re.search("SECRET_KEY=", each)]
    secrets += token_of(fake)
    assert len(secrets) >= 2
    log = (host.folder / "minion.log").read_text()
    for secret in secrets:
        assert secret not in "".join(told) + log


@pytest.mark.parametrize("python", LINES, ids=lambda path: path.parents[1].name)
def test_with_a_registration_url_alone(host, fake, python):
    token = fake.add_token(state="active")
    text = fake.world.token_text(fake.world.tokens[token["id"]])
    agent = {"registration_url": f"{fake.url}/v1/scripts/{text}"}
    real, said = host.apply(agent, python=python, timeout=120)
    assert (real["result"], real["changes"]) == (True, {"agent": JOINED["agent"]}), real["comment"]
    assert "Not checked, as that takes API keys" in real["comment"]
    again, more = host.apply(agent, python=python, timeout=120)
    assert (again["result"], again["changes"]) == (True, {}), again["comment"]
    assert text not in said + more + (host.folder / "minion.log").read_text()


def test_a_bootstrap_that_cannot_reach_the_server_ends_soon(host, fake):
    # Whoever asks from inside a container is turned away, as by a firewall.
    real = fake.answer

    def answer(request):
        ours = request.headers.get("user-agent") == "rancher-salt"
        return real(request) if ours else Answer(503, b"", "text/html")

    fake.answer = answer
    start = time.monotonic()
    ret, _ = host.apply(server_url=fake.url, ip=f"{NET}.1", timeout=240)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "from inside a container" in ret["comment"]
    assert "is not accessible (The requested URL returned error: 503)" in ret["comment"]
    assert time.monotonic() - start < 100, "the bootstrap alone would take ten minutes"
    assert names(host) == []
    (text,) = token_of(fake)
    assert text not in ret["comment"]


def test_removed_in_rancher_and_registered_anew(host, fake):
    given = {"server_url": fake.url, "ip": f"{NET}.1", "timeout": 120}
    assert host.apply(**given)[0]["result"] is True
    fake.change("1h1", state="removed")
    host.await_log("rancher-agent", "re-register this agent")
    ret, _ = host.apply(**given)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "the server does not know this agent any more" in ret["comment"]
    # The way out of the message, as an operator would copy it.
    (commands,) = re.findall("`([^`]+)`", ret["comment"])
    host.shell(commands)
    ret, _ = host.apply(**given)
    assert (ret["result"], ret["changes"]) == (True, JOINED), ret["comment"]
    assert "It is host 1h2" in ret["comment"]


def test_what_a_bootstrap_left_that_was_ended_while_it_looked_at_the_host(host, fake):
    given = {"server_url": fake.url, "ip": f"{NET}.1", "timeout": 120}
    ret, _ = host.apply(**given)
    assert ret["result"] is True, ret["comment"]
    look = host.client.create_container(IMAGE, command=["inspect-host"])["Id"]
    changes = {"bootstrap": {"old": "left over", "new": "removed"}}
    dry, _ = host.apply(test=True, **given)
    assert (dry["result"], dry["changes"]) == (None, changes)
    assert len(names(host)) == 2
    ret, _ = host.apply(**given)
    assert (ret["result"], ret["changes"]) == (True, changes)
    assert names(host) == ["rancher-agent"], look
    again, _ = host.apply(**given)
    assert (again["result"], again["changes"]) == (True, {})


def test_killed_while_the_bootstrap_runs(host, fake):
    fake.add_token(state="active")
    fake.fail("slow-body", times=1, method="POST", path="register", value=0.1)
    given = {"server_url": fake.url, "ip": f"{NET}.1", "timeout": 120}
    argv = []
    run = subprocess.run

    def popen(words, **options):
        argv.append(words)
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        until = time.monotonic() + 120
        while "rancher-agent-bootstrap" not in names(host) and time.monotonic() < until:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        raise KeyboardInterrupt

    subprocess.run = popen
    try:
        with pytest.raises(KeyboardInterrupt):
            host.apply(**given)
    finally:
        subprocess.run = run
    assert argv
    ret, _ = host.apply(**given)
    assert ret["result"] is True, ret["comment"]
    assert names(host) == ["rancher-agent"]
    again, _ = host.apply(**given)
    assert (again["result"], again["changes"]) == (True, {})
    assert len([row for row in fake.show()["hosts"] if not row.get("hidden")]) == 1


@pytest.fixture
def blind_host(tmp_path):
    """A Docker whose containers do not see their own cgroup: as on cgroup v2."""
    host = agent_host.Host(tmp_path, blind=True)
    try:
        host.load_image()
        yield host
    finally:
        host.close()


def test_an_agent_that_cannot_find_itself_is_told_by_its_first_words(blind_host):
    """The original fails there for ever, and a run waited 600 s for it."""
    host = blind_host
    with FakeRancher(host=f"{NET}.1", clock=Clock(running=True)) as fake:
        fake.configure(liveness=True, address_seconds=0.0)
        began = time.monotonic()
        ret, _ = host.apply(server_url=fake.url, ip=f"{NET}.1", timeout=180)
        assert ret["result"] is False
        assert "the agent cannot find its own container, as always on cgroup v2" in ret["comment"]
        assert "systemd.unified_cgroup_hierarchy=0" in ret["comment"]
        assert time.monotonic() - began < 120
        assert "Failed to find container id" in host.client.logs("rancher-agent").decode()
