"""The state agent_registered: real modules, a real HTTP double, a fake Docker; dry and real."""

import inspect
import logging
import re
import subprocess
import time

import docker
import pytest
from agent_kit import ADDRESS, BOOTSTRAP, IMAGE, NAME, Client, Killed, Kit
from fake_rancher import FakeRancher
from fake_rancher.certificates import Authority, self_signed
from rancher_kit import ACCESS, SECRET

REAL_CLIENT = docker.APIClient
JOINED = {
    "agent": {"old": "absent", "new": "running"},
    "host": {"old": "not registered", "new": "active"},
}


@pytest.fixture
def fake():
    """A server whose clock moves with each request, so that waiting is soon over."""
    with FakeRancher() as fake:
        fake.configure(per_request=0.5)
        yield fake


@pytest.fixture
def make(fake, tmp_path, monkeypatch):
    def make(agent=None, **given):
        return Kit(fake, tmp_path, monkeypatch, agent, **given)

    return make


def joins(kit, changes=JOINED):
    """Dry run, real run, second run: the same changes, then none; nothing written by the dry one."""
    posts = len(kit.posts())
    dry = kit.run(test=True)
    assert (dry["result"], dry["changes"]) == (None, changes), dry["comment"]
    assert len(kit.posts()) == posts
    assert kit.docker.changes() == []
    real = kit.run()
    assert (real["result"], real["changes"]) == (True, changes), real["comment"]
    posts, calls = len(kit.posts()), len(kit.docker.changes())
    again = kit.run()
    assert (again["result"], again["changes"]) == (True, {}), again["comment"]
    assert (len(kit.posts()), len(kit.docker.changes())) == (posts, calls)
    assert BOOTSTRAP not in kit.docker.containers
    return again["comment"]


def refuses(kit, *words):
    """Both runs say the same and touch nothing."""
    before = {path: path.read_bytes() for path in kit.folder.rglob("*") if path.is_file()}
    start = time.monotonic()
    dry, real = kit.run(test=True), kit.run()
    assert time.monotonic() - start < 20
    for ret in (dry, real):
        assert (ret["result"], ret["changes"]) == (False, {}), ret["comment"]
        assert "\n" not in ret["comment"]
    assert dry["comment"] == real["comment"]
    for each in words:
        assert each in real["comment"]
    assert kit.posts() == []
    assert kit.docker.changes() == []
    assert before == {path: path.read_bytes() for path in kit.folder.rglob("*") if path.is_file()}
    return real["comment"]


def test_the_fake_has_the_real_signatures():
    for name, function in inspect.getmembers(Client, inspect.isfunction):
        if name in ("__init__", "close", "send") or name.startswith("_"):
            continue
        real = inspect.signature(getattr(REAL_CLIENT, name))
        # The SDK's decorators hide nothing here but the exact names of start and restart.
        assert [*real.parameters] == [*inspect.signature(function).parameters], name


# the good way


def test_an_empty_host_joins(make, fake):
    comment = joins(make())
    assert "It is host 1h1, node1.example.test (192.0.2.11)" in comment
    (row,) = fake.show()["hosts"]
    assert re.fullmatch("[0-9a-f]{32}", row["labels"]["rancher.salt.id"])


def test_the_bootstrap_runs_as_rancher_says(make, monkeypatch):
    kit = make(ip="198.51.100.7", labels={"zone": "a b&c=d", "größe": "100%"})
    seen = {}
    began = kit.docker.began

    def look(name):
        seen.update(kit.docker.containers[name])
        began(name)

    kit.docker.began = look
    assert kit.run()["result"] is True
    assert seen["HostConfig"]["privileged"] is True
    assert seen["HostConfig"]["binds"] == [
        "/var/run/docker.sock:/var/run/docker.sock",
        f"{kit.folder}:/var/lib/rancher",
    ]
    variables = dict(each.split("=", 1) for each in seen["Config"]["Env"])
    assert variables["CATTLE_AGENT_IP"] == "198.51.100.7"
    assert variables["CATTLE_HOST_LABELS"].startswith(
        "zone=a%20b%26c%3Dd&gr%C3%B6%C3%9Fe=100%25&rancher.salt.id="
    )
    (row,) = kit.fake.show()["hosts"]
    assert row["labels"]["zone"] == "a b&c=d"
    assert row["labels"]["größe"] == "100%"
    assert row["ip"] == "198.51.100.7"


def test_a_member_is_left_alone(make):
    kit = make()
    kit.registered()
    for test in (True, False):
        ret = kit.run(test)
        assert (ret["result"], ret["changes"]) == (True, {}), ret["comment"]
    assert kit.posts() == []
    assert kit.docker.changes() == []


def test_an_agent_that_the_server_upgraded_is_left_alone(make):
    kit = make()
    kit.registered()
    kit.docker.containers["rancher-agent"]["Config"]["Image"] = "rancher/agent:v1.2.12"
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, {})
    assert kit.docker.changes() == []


def test_a_clock_that_jumped_made_a_new_agent_an_old_one(make):
    kit = make()
    with subprocess.Popen(["sleep", "60"]) as process:
        kit.docker.pid = process.pid
        kit.docker.add_agent("http://server", age=86400)
        age = kit.salt["rancher_agent_host.agent"]()["age"]
        process.kill()
    assert 0 <= age < 60


def test_an_agent_that_is_being_upgraded_is_waited_for(make):
    kit = make()
    kit.registered()
    agent = kit.docker.containers.pop("rancher-agent")
    kit.docker.containers["rancher-agent-upgrade"] = {"State": {"Running": True}}
    looks = []
    real = Client.inspect_container

    def inspect_container(self, container):
        looks.append(container)
        if looks.count("rancher-agent") == 3:
            kit.docker.containers["rancher-agent"] = agent
        return real(self, container)

    Client.inspect_container = inspect_container
    try:
        ret = kit.run()
    finally:
        Client.inspect_container = real
    assert (ret["result"], ret["changes"]) == (True, {})
    assert kit.docker.changes() == []


def test_a_stopped_agent_is_started(make):
    kit = make()
    kit.registered(agent_state="disconnected")
    kit.docker.containers["rancher-agent"]["State"]["Running"] = False
    kit.fake.configure(per_request=0.0)
    began = kit.docker.began

    def start(name):
        began(name)
        kit.fake.change("1h1", agent_state="active")

    kit.docker.began = start
    changes = {
        "agent": {"old": "stopped", "new": "running"},
        "host": {"old": "disconnected", "new": "active"},
    }
    joins(kit, changes)
    assert kit.docker.changes() == [("start", "rancher-agent")]


def test_a_removed_agent_is_the_same_host_again(make, fake):
    kit = make()
    assert kit.run()["result"] is True
    del kit.docker.containers["rancher-agent"]
    kit.docker.calls.clear()
    fake.change("1h1", agent_state="disconnected")
    dry = kit.run(test=True)
    assert dry["changes"]["host"] == {"old": "disconnected", "new": "active"}
    fake.change("1h1", agent_state="active")
    ret = kit.run()
    assert ret["changes"] == {"agent": JOINED["agent"]}
    assert len(fake.show()["hosts"]) == 1


def test_another_address_is_told_to_rancher(make, fake):
    kit = make()
    assert kit.run()["result"] is True
    kit.docker.calls.clear()
    kit.given["ip"] = "198.51.100.9"
    joins(kit, {"ip": {"old": ADDRESS, "new": "198.51.100.9"}})
    (row,) = fake.show()["hosts"]
    assert row["ip"] == "198.51.100.9"


def test_the_image_of_the_settings_wins(make):
    kit = make(image="registry.example.test/rancher/agent:v1.2.11")
    joins_with_pull = kit.run()
    assert joins_with_pull["result"] is True
    assert ("pull", "registry.example.test/rancher/agent:v1.2.11") in kit.docker.calls


def test_an_image_that_does_not_come(make):
    kit = make()
    kit.docker.images.clear()
    kit.docker.pull_says = [{"error": "manifest for rancher/agent:v1.2.11 not found"}]
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "rancher/agent:v1.2.11 could not be pulled: manifest" in ret["comment"]
    assert BOOTSTRAP not in kit.docker.containers
    assert not (kit.folder / "state").exists()


def test_an_authority_of_its_own(make, tmp_path, monkeypatch):
    authority = Authority()
    with FakeRancher(tls=authority.issue(["127.0.0.1"])) as fake:
        fake.configure(per_request=0.5)
        ca = tmp_path / "trust.pem"
        ca.write_text(authority.pem)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))  # for the fake bootstrap
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
        kit = Kit(fake, tmp_path / "rancher", monkeypatch, {"ca_certificate": authority.pem})
        changes = {"authority": {"old": "absent", "new": "as in the settings"}, **JOINED}
        joins(kit, changes)
        placed = kit.folder / "etc/ssl/ca.crt"
        assert placed.read_text() == authority.pem
        # Another certificate: the agent reads it at its next start.
        kit.docker.calls.clear()
        kit.pillar["rancher"]["agent"]["ca_certificate"] = authority.pem + "\n"
        changes = {
            "authority": {"old": "another", "new": "as in the settings"},
            "agent": {"old": "running", "new": "restarted"},
        }
        joins(kit, changes)
        assert kit.docker.changes() == [("restart", "rancher-agent")]


def test_killed_between_certificate_and_restart(make, tmp_path, monkeypatch):
    authority = Authority()
    with FakeRancher(tls=authority.issue(["127.0.0.1"])) as fake:
        kit = Kit(fake, tmp_path / "rancher", monkeypatch, {"ca_certificate": authority.pem})
        kit.registered()
        kit.docker.add_agent(f"{fake.url}/v1", age=500)
        placed = kit.folder / "etc/ssl/ca.crt"
        placed.parent.mkdir(parents=True)
        placed.write_text(authority.pem)
        joins(kit, {"agent": {"old": "running", "new": "restarted"}})


# matching


def test_never_by_a_name_that_two_share(make, fake):
    fake.add_host(NAME, ip="192.0.2.99", labels={"rancher.salt.id": "f" * 32})
    fake.add_host(NAME, ip="192.0.2.98")
    comment = joins(make())
    assert "It is host 1h3" in comment


def test_a_name_of_another_proves_nothing_before_the_agent_runs(make, fake):
    fake.add_host(NAME, ip="192.0.2.98")
    ret = make().run(test=True)
    assert ret["changes"] == JOINED


def test_registered_by_hand_behind_a_gateway(make, fake):
    kit = make()
    fake.add_host(NAME, ip="172.17.0.1")
    kit.docker.add_agent(f"{fake.url}/v1")
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "172.17.0.1 is not an address of this machine" in ret["comment"]


def test_registered_by_hand(make, fake):
    kit = make(labels={"zone": "b"})
    fake.add_host(NAME.upper(), ip=ADDRESS, labels={"zone": "a"})
    kit.docker.add_agent(f"{fake.url}/v1")
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "Its labels differ from rancher:agent:labels in zone" in ret["comment"]


def test_the_last_of_many_pages(make, fake):
    for number in range(250):
        fake.add_host(f"a{number}.example.test", ip="192.0.2.200")
    kit = make()
    kit.registered()
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "host 1h251" in ret["comment"]


def test_out_of_service_on_purpose(make):
    kit = make()
    kit.registered(state="inactive")
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "It is inactive: someone took it out of service in Rancher" in ret["comment"]
    assert kit.posts() == []


def test_a_removed_row_is_no_host(make):
    kit = make()
    kit.registered(state="removed")
    del kit.docker.containers["rancher-agent"]
    assert kit.run(test=True)["changes"] == JOINED


# refusals


@pytest.mark.parametrize("stage", ["absent", "member"])
def test_a_copied_state_directory(make, stage):
    kit = make()
    kit.registered(hostname="node2.example.test", ip="192.0.2.12")
    if stage == "absent":
        del kit.docker.containers["rancher-agent"]
    refuses(
        kit,
        "host 1h1, which carries this machine's id, is node2.example.test (192.0.2.12)",
        "copied",
        "rm -rf /var/lib/rancher/state",
    )


def test_another_project(make, fake):
    other = fake.add_project("Other")["id"]
    kit = make()
    kit.registered(project=other)
    refuses(kit, "belongs to project Other (1a6) as host 1h1", "it is not moved", "deactivate")


def test_another_server(make, fake):
    kit = make()
    kit.docker.add_agent("http://old.example.test:8080/v1")
    refuses(kit, "belongs to the server http://old.example.test:8080; it is not moved")


def test_the_same_server_by_its_registration_host(make, fake):
    fake.configure(api_host="http://rancher.example.test:8080")
    kit = make()
    kit.registered()
    kit.docker.add_agent("http://rancher.example.test:8080/v1")
    kit.fake.change("1h1", hidden=True)
    ret = kit.run(test=True)
    assert ret["changes"] == {"host": {"old": "not registered", "new": "active"}}


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: Credentials are no longer valid, please re-register this agent",
        "ERROR: Please re-register this agent",
    ],
)
def test_keys_that_the_server_does_not_know(make, fake, line):
    kit = make()
    kit.docker.add_agent(f"{fake.url}/v1", says=[line] * 3)
    refuses(kit, "the server does not know this agent any more", "rm -rf /var/lib/rancher/state")


def test_an_agent_that_came_to_nothing(make, fake):
    kit = make()
    kit.docker.add_agent(f"{fake.url}/v1", age=3630)
    refuses(kit, "rancher-agent runs since 60 min, yet Rancher lists no host", NAME, ADDRESS)


def test_a_container_that_only_has_the_name(make, fake):
    kit = make()
    kit.docker.add_agent(f"{fake.url}/v1", keys=False)
    refuses(kit, "the container rancher-agent is not the agent")


def test_docker_25(make, fake):
    kit = make()
    kit.docker.version_said = {"Version": "25.0.3", "ApiVersion": "1.44", "MinAPIVersion": "1.24"}
    refuses(kit, "Docker 25.0.3 understands API 1.24 and newer only", "rancher:docker:version")


@pytest.mark.parametrize("token", [True, False])
@pytest.mark.parametrize(("error", "words"), [(-600, "s ahead of"), (1300, "s behind")])
def test_the_clock(make, fake, token, error, words):
    if token:
        fake.add_token(state="active")
    fake.configure(clock_error=error)
    real = make()
    comment = refuses_up_to_a_second(real, words, "NTP")
    assert abs(int(re.search(r"is (\d+) s", comment)[1]) - abs(error)) <= 2


def refuses_up_to_a_second(kit, *words):
    dry, ret = kit.run(test=True), kit.run()
    assert [one["result"] for one in (dry, ret)] == [False, False]
    for each in words:
        assert each in dry["comment"] and each in ret["comment"]
    assert kit.posts() == [] and kit.docker.changes() == []
    return ret["comment"]


@pytest.mark.parametrize("token", [True, False])
def test_localhost(make, fake, token):
    if token:
        fake.add_token(state="active")
    fake.configure(api_host="http://localhost:8080")
    kit = make()
    if token:
        # The script of that host is not ours to fetch; the API names it all the same.
        refuses(kit, "localhost:8080")
    else:
        refuses(kit, "http://localhost:8080, which inside the agent means the agent itself")


def test_an_address_that_is_none(make):
    refuses(make(ip="127.0.0.1"), "rancher:agent:ip is '127.0.0.1'")


def test_no_server(make):
    refuses(make(server_url=None), "rancher:agent:server_url is null")


def test_keys(make, fake):
    fake.configure(access_control=True)
    fake.add_key(ACCESS, SECRET)
    refuses(make(), "the server wants API keys")
    refuses(make({"access_key": ACCESS, "secret_key": "wrong"}), "does not know these API keys")
    joins(make({"access_key": ACCESS, "secret_key": SECRET}))


def test_keys_that_only_read(make, fake):
    fake.configure(access_control=True)
    fake.add_key(ACCESS, SECRET, role="readonly", projects=["1a5"])
    kit = make({"access_key": ACCESS, "secret_key": SECRET})
    assert kit.run(test=True)["result"] is None, "only the attempt shows it"
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "gave no registration token" in ret["comment"]
    assert kit.docker.changes() == []


def test_a_project_that_is_not_there(make):
    refuses(make(project="Nowhere"), "shows no project 'Nowhere'")


def test_no_project(make, fake):
    fake.change("1a5", state="removed")
    refuses(make(), "shows no project at all")


def test_more_than_one_project(make, fake):
    fake.change("1a5", uuid="somebody-made-it")
    fake.add_project("default")
    refuses(make(), "there is more than one project: 1a5 (Default), 1a6 (default)")
    joins(make(project="default"))


def test_keys_of_another_project(make, fake):
    other = fake.add_project("Other")["id"]
    fake.configure(access_control=True)
    fake.add_key(ACCESS, SECRET, project=other)
    keys = {"access_key": ACCESS, "secret_key": SECRET}
    refuses(make(keys, project="1a5"), "shows no project '1a5', but: 1a6 (Other)")


# what happens on the way


def test_a_registration_host_that_is_ours(make, fake):
    fake.configure(api_host=fake.url)
    joins(make())
    paths = [seen.path for seen in fake.journal if "scripts" in seen.path]
    assert paths and all(path.startswith("/v1/scripts/") for path in paths)


def test_a_slow_answer_is_bounded(make, fake):
    fake.fail("slow-body", path="hosts", value=0.5)
    kit = make(timeout=1)
    start = time.monotonic()
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "no complete answer within" in ret["comment"]
    assert time.monotonic() - start < 15


def test_two_active_tokens(make, fake):
    fake.add_token(state="active")
    fake.add_token(state="active")
    kit = make()
    joins(kit)
    assert [seen.path for seen in kit.posts()] == ["/v1/register"]


@pytest.mark.parametrize("stage", ["refuse", "close", "502", "503"])
def test_a_server_that_comes_up(make, fake, stage):
    fake.set_stage(stage)
    kit = make()
    kit.modules["rancher_agent"]._patience = lambda want, absent, test: 0.3 if test else 20
    dry = kit.run(test=True)
    assert (dry["result"], dry["changes"]) == (None, JOINED)
    assert "The server does not answer as yet, the run waits for it" in dry["comment"]
    fake.slow_start([[stage, 0.4]])
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, JOINED), ret["comment"]


def test_a_server_that_never_comes_up(make, fake):
    fake.set_stage("refuse")
    kit = make(timeout=1)
    start = time.monotonic()
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "connection refused" in ret["comment"]
    assert time.monotonic() - start < 10


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


def test_a_token_that_is_stuck(make, fake):
    fake.configure(token_mode="stuck")
    kit = make(timeout=1)
    kit.modules["rancher_agent"].LOOK = 1
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "in vain for a registration token" in ret["comment"]
    assert kit.docker.changes() == []


def test_a_host_that_never_appears(make, fake):
    kit = make(timeout=1)
    fake.configure(seconds=1e6)
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {"agent": JOINED["agent"]})
    assert "Rancher lists no host that is this machine" in ret["comment"]


def test_a_host_that_stays_disconnected(make, fake):
    kit = make(timeout=1)
    kit.registered(agent_state="reconnecting")
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "Rancher shows host 1h1 as reconnecting" in ret["comment"]


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
    start = time.monotonic()
    ret = kit.run()
    assert ret["result"] is False
    assert "the server does not know this agent any more" in ret["comment"]
    assert time.monotonic() - start < 20


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
    kit = make(timeout=2 if "end within" in words else 60)
    kit.docker.says, kit.docker.exit_code = says, code
    start = time.monotonic()
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert words in ret["comment"]
    assert time.monotonic() - start < 15
    assert BOOTSTRAP not in kit.docker.containers
    kit.docker.says = None
    kit.given["timeout"] = 20
    assert kit.run()["result"] is True


@pytest.mark.parametrize("call", ["pull", "create", "start"])
def test_killed_and_run_again(make, call):
    kit = make()
    kit.docker.images.clear()
    kit.docker.dies_after = call
    # SIGKILL runs no `finally`.
    kit.modules["rancher_bootstrap"].remove, real = (lambda: None), None
    real = kit.salt["rancher_bootstrap.remove"]
    with pytest.raises(Killed):
        kit.run()
    kit.modules["rancher_bootstrap"].remove = real
    kit.docker.dies_after = None
    ret = kit.run()
    assert ret["result"] is True, ret["comment"]
    assert BOOTSTRAP not in kit.docker.containers
    assert kit.run()["changes"] == {}
    assert len([row for row in kit.fake.show()["hosts"] if not row["hidden"]]) == 1


def test_a_dry_run_on_a_bare_host(make):
    kit = make()
    for function, answer in (("available", False), ("answers", False)):
        kit.salt[f"docker_engine.{function}"] = lambda answer=answer: answer
    ret = kit.run(test=True)
    assert (ret["result"], ret["changes"]) == (None, JOINED)


def test_a_dry_run_on_a_member_whose_docker_is_down(make):
    # Docker comes up with the run, and starts the agent by itself.
    kit = make()
    assert kit.run()["result"] is True
    kit.salt["docker_engine.answers"] = lambda: False
    ret = kit.run(test=True)
    assert (ret["result"], ret["changes"]) == (True, {})


# with a registration URL alone


def script_url(fake, state="active"):
    token = fake.world.add_token(state=state)
    return f"{fake.url}/v1/scripts/{fake.world.token_text(token)}"


ALONE = {"agent": JOINED["agent"]}


def test_a_registration_url_needs_no_api(make, fake):
    kit = make({"registration_url": script_url(fake)}, server_url=None)
    comment = joins(kit, ALONE)
    assert "Not checked, as that takes API keys" in comment
    asked = {seen.path.rpartition("/")[0] for seen in fake.journal}
    assert asked == {"/v1/scripts", "/v1"}, "the script, and what the bootstrap asks"
    count = len(fake.journal)
    kit.run()
    assert len(fake.journal) == count, "a member's agent that runs asks nobody"


@pytest.mark.parametrize("test", [True, False])
def test_a_member_without_keys_whose_server_wants_some(make, fake, test):
    # Deployed by its master, which alone has the keys: every later run must leave it alone.
    kit = make()
    kit.registered()
    fake.add_key("A", "B")
    fake.configure(access_control=True)
    ret = kit.run(test=test)
    assert (ret["result"], ret["changes"]) == (True, {}), ret["comment"]
    assert "Not checked, as that takes API keys" in ret["comment"]
    kit.docker.containers["rancher-agent"]["State"]["Running"] = False
    ret = kit.run(test=test)
    assert ret["changes"] == {"agent": {"old": "stopped", "new": "running"}}, ret["comment"]


def test_the_default_image_of_a_registration_url(make, fake):
    kit = make({"registration_url": script_url(fake)})
    kit.docker.images.clear()
    assert kit.run()["result"] is True
    assert ("pull", IMAGE) in kit.docker.calls


def test_a_token_that_is_not_active(make, fake):
    kit = make({"registration_url": script_url(fake, state="inactive")})
    refuses(kit, "knows no such registration token (HTTP 404)", "Add Host")


def test_a_registration_url_that_the_agent_would_refuse(make, fake):
    fake.configure(api_host="http://rancher.example.test:8080")
    kit = make({"registration_url": script_url(fake)})
    refuses(kit, "Host Registration URL is http://rancher.example.test:8080/v1", "agree")


def test_a_registration_url_of_another_server(make, fake):
    kit = make({"registration_url": script_url(fake)})
    kit.docker.add_agent("http://old.example.test:8080/v1")
    refuses(kit, "belongs to the server http://old.example.test:8080; it is not moved")


def test_stale_keys_with_a_registration_url(make, fake):
    kit = make({"registration_url": script_url(fake)})
    kit.docker.add_agent(f"{fake.url}/v1", says=["ERROR: Please re-register this agent"])
    refuses(kit, "the server does not know this agent any more")


def test_no_registration_script(make, fake):
    fake.fail("html", path="scripts")
    kit = make({"registration_url": script_url(fake)})
    refuses(kit, "gives no registration script but html")


# certificates


@pytest.mark.parametrize(
    ("issued", "words"),
    [
        (lambda authority: self_signed(["127.0.0.1"]), "not trusted"),
        (lambda authority: authority.issue(["other.example.test"]), "has other names"),
        (lambda authority: authority.issue(["127.0.0.1"], days=(-20, -10)), "expired"),
    ],
    ids=["self-signed", "wrong name", "expired"],
)
@pytest.mark.parametrize("alone", [True, False])
def test_tls(tmp_path, monkeypatch, issued, words, alone):
    authority = Authority()
    with FakeRancher(tls=issued(authority)) as fake:
        agent = {"ca_certificate": authority.pem}
        if alone:
            agent["registration_url"] = script_url(fake)
        kit = Kit(fake, tmp_path, monkeypatch, agent)
        refuses(kit, words)


def test_a_balancer_that_does_not_tell_of_its_tls(tmp_path, monkeypatch):
    authority = Authority()
    with FakeRancher(tls=authority.issue(["127.0.0.1"]), link_scheme="http") as fake:
        fake.add_token(state="active")
        kit = Kit(fake, tmp_path, monkeypatch, {"ca_certificate": authority.pem})
        kit.modules["rancher_agent"]._patience = lambda want, absent, test: 3
        refuses(kit, "The server gives out http for its https", "X-Forwarded-Proto")


# secrets


@pytest.mark.parametrize("alone", [True, False])
def test_the_token_is_nowhere(make, fake, caplog, alone):
    caplog.set_level(logging.DEBUG)
    url = script_url(fake)
    kit = make({"registration_url": url} if alone else None)
    kit.docker.images.clear()
    told = [kit.run(test=True), kit.run(), kit.run()]
    kit.docker.says, kit.docker.exit_code = [f"ERROR: {url}", f'SECRET_KEY="{url[-30:]}"'], 1
    del kit.docker.containers["rancher-agent"]
    told.append(kit.run())
    assert told[-1]["result"] is False
    fake.fail("redirect", path="scripts", value="http://another.example.test:8080/some/where")
    told.append(kit.run())
    assert "redirects to another server" in told[-1]["comment"]
    fake.heal()
    fake.fail("close", path="scripts")
    kit.given["timeout"] = 1
    told.append(kit.run())
    token = url.rpartition("/")[2]
    text = repr(told) + caplog.text
    for secret in (token, token[:30], token[-27:], "agentsecret", "AGENTACCESS"):
        assert secret not in text
