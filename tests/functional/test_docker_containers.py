"""What ran is started again, on a real Docker daemon that was stopped and started meanwhile."""

import pytest

import _docker_containers
import _docker_engine
import _rancher_role

from .test_rancher_agent import IMAGE, host, pytestmark  # noqa: F401 - fixtures

SLEEP = {"entrypoint": ["sleep", "1000"]}


@pytest.fixture
def engine(host):  # noqa: F811
    for each in host.client.containers(all=True):
        host.client.remove_container(each["Id"], force=True, v=True)
    return host


def at(engine, function, *args):
    with _docker_engine.at({"docker.url": f"unix://{engine.path('/run/docker.sock')}"}):
        return function(*args)


def test_after_a_restart_of_the_daemon_everything_runs_that_ran(engine):
    client = engine.client
    policy = client.create_host_config(restart_policy={"Name": "always"})
    client.create_container(IMAGE, name="service", host_config=policy, **SLEEP)
    client.create_container(IMAGE, name="by-hand", **SLEEP)
    client.create_container(IMAGE, name="never-ran", **SLEEP)
    client.create_container(IMAGE, name="removed-meanwhile", **SLEEP)
    for name in ("service", "by-hand", "removed-meanwhile"):
        client.start(name)
    before = at(engine, _docker_containers.running)
    assert [one["name"] for one in before] == ["by-hand", "removed-meanwhile", "service"]
    engine.restart()
    engine.client.remove_container("removed-meanwhile", force=True)
    # Docker itself starts only what its policy says.
    assert [one["name"] for one in at(engine, _docker_containers.running)] == ["service"]
    ids = [one["id"] for one in before]
    assert at(engine, _docker_containers.start_again, ids) == ["by-hand"]
    assert [one["name"] for one in at(engine, _docker_containers.running)] == ["by-hand", "service"]
    assert at(engine, _docker_containers.start_again, ids) == []


def test_what_runs_for_a_role_that_was_taken_away_is_named_until_it_is_stopped(engine):
    client = engine.client

    def named(*roles):
        found = at(engine, _rancher_role.notes, roles, "node1")
        return [line.split()[1] for line in found]

    assert named() == []
    for name in ("rancher-agent", "rancher-server", "rancher-server-2"):
        client.create_container(IMAGE, name=name, **SLEEP)
        client.start(name)
    assert named("common") == ["rancher-server", "rancher-agent"]
    assert named("agent") == ["rancher-server"]
    assert named("agent", "server") == []
    # As the line itself says.
    client.stop("rancher-server", timeout=1)
    assert named("common") == ["rancher-agent"]
