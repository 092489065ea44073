"""What agent_registered refuses, in a dry run as in a real one, before anything is started."""

import re

import pytest
from agent_kit import ADDRESS, NAME
from rancher_kit import ACCESS, SECRET

import _docker_engine

from .checks import joins, refuses


@pytest.mark.parametrize("stage", ["absent", "member"])
def test_a_copied_state_directory(make, stage):
    kit = make()
    kit.registered(hostname="node2.example.test", ip="192.0.2.12")
    if stage == "absent":
        del kit.docker.containers["rancher-agent"]
    refuses(
        kit,
        "host 1h1 (node2.example.test, 192.0.2.12, active) carries this machine's id",
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


@pytest.mark.parametrize("host", ["http://rancher.example.test:8080", "rancher.example.test:8080"])
def test_the_same_server_by_its_registration_host(make, fake, host):
    """Stored without a scheme, the tree took its own server for a foreign one."""
    fake.configure(api_host=host)
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
    said = refuses(kit, "rancher-agent runs since 60 min", "lists no host", NAME, ADDRESS)
    assert "rm -rf" not in said, "it may be healthy, in a project that these keys do not see"


def test_two_rows_of_this_machine_of_which_one_is_active(make, fake):
    """ "lists no host that is this machine", and the advice to wipe the state."""
    kit = make()
    kit.docker.add_agent(f"{fake.url}/v1", age=3630)
    fake.add_host(NAME, ip=ADDRESS, agent_state="reconnecting")
    fake.add_host(NAME, ip=ADDRESS)
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, {}), ret["comment"]
    assert "Rancher lists 2 hosts with this machine's name and address: 1h1" in ret["comment"]
    assert "It is host 1h2" in ret["comment"]


def test_two_rows_of_this_machine_of_which_none_is_active(make, fake):
    kit = make()
    kit.docker.add_agent(f"{fake.url}/v1", age=3630)
    for state in ("reconnecting", "disconnected"):
        fake.add_host(NAME, ip=ADDRESS, agent_state=state)
    said = refuses(kit, "Rancher lists 2 hosts with this machine's name and address")
    assert "rm -rf" not in said


def test_a_project_of_others_that_only_an_administrator_sees(make, fake):
    """Its hosts were taken for unknown, and told to reset themselves."""
    other = fake.add_project("Theirs", foreign=True)["id"]
    kit = make()
    kit.registered(project=other)
    kit.docker.add_agent(f"{fake.url}/v1", age=3630)
    refuses(kit, "belongs to project Theirs (1a6) as host 1h1", "it is not moved")


def test_what_was_not_looked_at_is_named(make, fake):
    fake.add_project("Old", state="inactive")
    kit = make()
    kit.docker.add_agent(f"{fake.url}/v1", age=3630)
    refuses(kit, "Not looked at: 1a6 (Old), which is inactive")


def test_an_inactive_project(make, fake):
    fake.change("1a5", state="inactive")
    refuses(make(), "project 1a5 (Default) is inactive; activate it in Rancher")


CGROUP_2 = {
    "ServerVersion": "20.10.24",
    "CgroupVersion": "2",
    "CgroupDriver": "systemd",
    "SecurityOptions": ["name=cgroupns"],
}
HOST_NAMESPACE = {"default-cgroupns-mode": "host"}


def test_cgroup_v2(make):
    """The run ended after 600 s with "does not keep running"."""
    kit = make()
    kit.docker.info_said = CGROUP_2
    refuses(
        kit,
        "this host has cgroup v2 alone",
        "finds `0::/`",
        "systemd.unified_cgroup_hierarchy=0",
        "{default-cgroupns-mode: host}",
    )


def test_cgroup_v2_that_the_same_run_makes_right(make):
    kit = make()
    kit.docker.info_said = CGROUP_2
    kit.pillar["rancher"]["docker"] = {"daemon": HOST_NAMESPACE}
    assert kit.run(test=True)["result"] is None
    # The run itself looks at what Docker says then.
    ret = kit.run()
    assert ret["result"] is False and "cgroup v2 alone" in ret["comment"]
    kit.docker.info_said = {**CGROUP_2, "SecurityOptions": []}
    joins(make())


def test_cgroup_v2_in_a_dry_run_before_there_is_docker(make, monkeypatch):
    kit = make()
    for function in ("available", "answers"):
        monkeypatch.setattr(_docker_engine, function, lambda: False)
    kit.cgroup_is_unified = True
    ret = kit.run(test=True)
    assert ret["result"] is False and "cgroup v2 alone" in ret["comment"]
    kit.pillar["rancher"]["docker"] = {"daemon": HOST_NAMESPACE}
    assert kit.run(test=True)["result"] is None


def test_a_member_on_cgroup_v2_is_told_by_its_log(make, fake):
    kit = make()
    line = 'time="2023-02-22T03:26:28Z" level=fatal msg="Failed to find container id:\\n0::/\\n"'
    kit.docker.add_agent(f"{fake.url}/v1", says=[line], running=False)
    refuses(kit, "the agent cannot find its own container", "systemd.unified_cgroup_hierarchy=0")


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
    assert kit.run(test=True)["result"] is False
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "may not see or make registration tokens" in ret["comment"]
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
