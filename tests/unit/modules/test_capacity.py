import pytest
from salt.exceptions import CommandExecutionError

import _conntrack_size
import _host
import _thinpool
import capacity

POOL = {
    "data_percent": 41.0,
    "metadata_percent": 2.0,
    "next_extension_fits": True,
    "health": "ok",
}
TABLE = {"count": 1, "max": 131072, "buckets": 32768, "percent": 12.5}


@pytest.fixture
def configure_loader_modules():
    return {capacity: {"__pillar__": {}}}


@pytest.fixture
def host(replace):
    """Lay a host below the module; gives it, with the pools that are asked for."""

    def given(value):
        if isinstance(value, Exception):
            raise value
        return value

    def lay(pool=POOL, table=TABLE, docker=0, agent="Up 3 hours", tool=True, pillar=None):
        asked = []

        def run(argv, timeout=60, accept=(0,)):
            text = "20.10.24\n" if argv[1] == "version" else agent
            return {"retcode": docker, "stdout": text, "stderr": ""}

        def look(group, name):
            asked.append((group, name))
            return given(pool)

        replace(_thinpool, status=look)
        replace(_conntrack_size, usage=lambda: given(table))
        replace(_host, run=run, tool=lambda name: f"/usr/bin/{name}" if tool else None)
        capacity.__pillar__["rancher"] = pillar or {}
        return asked

    return lay


def test_a_host(host):
    host()
    found = capacity.status()
    assert found.pop("hostname")
    assert found == {
        "pool_data_percent": 41.0,
        "pool_metadata_percent": 2.0,
        "pool_next_extension_fits": True,
        "pool_health": "ok",
        "conntrack_percent": 12.5,
        "conntrack_max": 131072,
        "docker": "20.10.24",
        "agent": "running",
        "problems": [],
    }


def test_the_pool_is_that_of_the_pillar(host):
    asked = host(pillar={"thin_pool": {"volume_group": "vg0", "name": "pool"}})
    capacity.status()
    assert asked == [("vg0", "pool")]
    asked = host()
    capacity.status()
    assert asked == [("docker", "thinpool")]


def test_a_bare_host(host):
    host(pool=None, table=None, tool=False)
    found = capacity.status()
    assert {key for key, value in found.items() if value is None} == set(found) - {
        "hostname",
        "problems",
    }


def test_what_cannot_be_looked_at_is_named_and_the_rest_is_there(host):
    host(pool=CommandExecutionError("LVM doubts its own lists"))
    found = capacity.status()
    assert found["problems"] == ["LVM doubts its own lists"]
    assert (found["pool_data_percent"], found["conntrack_percent"]) == (None, 12.5)


def test_a_docker_that_is_down(host):
    host(docker=1)
    found = capacity.status()
    assert (found["docker"], found["agent"]) == ("down", None)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Up 3 hours\n", "running"),
        ("Up 3 hours (Paused)", "stopped"),
        ("Exited (0) 3 days ago", "stopped"),
        ("Restarting (1) 2 seconds ago", "stopped"),
        ("Created", "stopped"),
        ("", None),
        ("\n", None),
    ],
)
def test_the_agent(host, text, state):
    host(agent=text)
    assert capacity._status(text) == state
    assert capacity.status()["agent"] == state


def test_measures(host):
    host()
    assert capacity.measures() == {"pool_data": 41.0, "pool_metadata": 2.0, "conntrack": 12.5}
    host(pool=None, table=None)
    assert capacity.measures() == dict.fromkeys(capacity.MEASURES)
    host(CommandExecutionError("no lvs"), CommandExecutionError("no proc"))
    assert capacity.measures() == {
        "pool_data": "no lvs",
        "pool_metadata": "no lvs",
        "conntrack": "no proc",
    }


def test_facts_hold_no_secret(host):
    secrets = {"access_key": "KEY", "secret_key": "SECRET", "registration_url": "http://TOKEN"}
    pillar = {
        "roles": ["agent"],
        "agent": {"server_url": "http://r:8080", "project": "Default", **secrets},
        "server": {"database": {"password": "PASSWORD"}},
    }
    host(pillar=pillar)
    facts = capacity.facts()
    assert facts.pop("hostname")
    assert facts == {
        "roles": ["common", "agent"],
        "rancher_server": "http://r:8080",
        "rancher_project": "Default",
        "docker": "20.10.24",
        "storage": "thin pool",
        "conntrack_max": 131072,
    }
