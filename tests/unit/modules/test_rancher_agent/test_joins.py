"""agent_registered on a host that joins, is a member already, or was one: dry, real, again."""

import inspect
import re
import subprocess

import docker
from agent_kit import ADDRESS, BOOTSTRAP, NAME, Client, Kit
from fake_rancher import FakeRancher
from fake_rancher.certificates import Authority

import _rancher_agent_host

from .checks import JOINED, joins

REAL_CLIENT = docker.APIClient


def test_the_fake_has_the_real_signatures():
    for name, function in inspect.getmembers(Client, inspect.isfunction):
        if name in ("__init__", "close", "send") or name.startswith("_"):
            continue
        real = inspect.signature(getattr(REAL_CLIENT, name))
        # The SDK's decorators hide nothing here but the exact names of start and restart.
        assert [*real.parameters] == [*inspect.signature(function).parameters], name


def test_an_empty_host_joins(make, fake):
    kit = make()
    comment = joins(kit)
    # Its address comes with a later ping.
    assert "It is host 1h1, node1.example.test (no address yet)" in comment
    fake.advance(60)
    assert "It is host 1h1, node1.example.test (192.0.2.11)" in kit.run()["comment"]
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
    kit.fake.advance(60)
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
        age = _rancher_agent_host.agent()["age"]
        process.kill()
    assert 0 <= age < 60


def test_an_agent_that_is_being_upgraded_is_waited_for(make):
    kit = make()
    kit.registered()
    agent = kit.docker.containers.pop("rancher-agent")
    kit.docker.containers["rancher-agent-upgrade"] = {
        "Config": {"Cmd": ["upgrade"]},
        "State": {"Running": True},
    }
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
    fake.advance(60)
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


def test_proxies_reach_the_agent_and_may_change(make, fake, caplog):
    caplog.set_level("DEBUG")
    # The double listens at 127.0.0.1, for which no proxy is asked.
    proxy = {"http_proxy": "http://me:s3cret@proxy.example.test:3128", "no_proxy": "10.0.0.0/8"}
    kit = make({"proxy": proxy})
    joins(kit)
    variables = dict(
        each.split("=", 1) for each in kit.docker.containers["rancher-agent"]["Config"]["Env"]
    )
    assert variables["http_proxy"] == variables["HTTP_PROXY"] == proxy["http_proxy"]
    assert variables["no_proxy"] == "10.0.0.0/8"
    kit.docker.calls.clear()
    kit.pillar["rancher"]["agent"]["proxy"] = {"http_proxy": "http://me:s3cret@other:3128"}
    changes = {"proxy": {"old": "another", "new": "as in the settings"}}
    said = joins(kit, changes)
    assert "s3cret" not in caplog.text + said


def test_a_member_whose_address_is_right_needs_no_docker_that_could_bootstrap(make):
    """Only a bootstrap speaks to Docker with the client of 2016."""
    kit = make(ip=ADDRESS)
    kit.registered()
    kit.docker.version_said = {"Version": "25.0.3", "ApiVersion": "1.44", "MinAPIVersion": "1.24"}
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, {}), ret["comment"]
