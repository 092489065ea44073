import pytest
from fakes import Salt, load
from salt.exceptions import CommandExecutionError

POOL = {
    "data_percent": 41.0,
    "metadata_percent": 2.0,
    "next_extension_fits": True,
    "health": "ok",
}
TABLE = {"count": 1, "max": 131072, "buckets": 32768, "percent": 12.5}


def capacity(pool=POOL, table=TABLE, docker=0, agent="Up 3 hours", tool=True, pillar=None):
    asked = []

    def given(value):
        if isinstance(value, Exception):
            raise value
        return value

    def run(argv, timeout=60, accept=(0,)):
        text = "20.10.24\n" if argv[1] == "version" else agent
        return {"retcode": docker, "stdout": text, "stderr": ""}

    def look(group, name):
        asked.append((group, name))
        return given(pool)

    calls = {
        "_thinpool.status": look,
        "_conntrack.usage": lambda: given(table),
        "_host.tool": lambda name: f"/usr/bin/{name}" if tool else None,
        "_host.run": run,
    }
    module = load("capacity", Salt(calls), __pillar__={"rancher": pillar or {}})
    module.asked = asked
    return module


def test_a_host():
    found = capacity().status()
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


def test_the_pool_is_that_of_the_pillar():
    module = capacity(pillar={"thin_pool": {"volume_group": "vg0", "name": "pool"}})
    module.status()
    capacity_of_default = capacity()
    capacity_of_default.status()
    assert (module.asked, capacity_of_default.asked) == (
        [("vg0", "pool")],
        [("docker", "thinpool")],
    )


def test_a_bare_host():
    found = capacity(pool=None, table=None, tool=False).status()
    assert {key for key, value in found.items() if value is None} == set(found) - {
        "hostname",
        "problems",
    }


def test_what_cannot_be_looked_at_is_named_and_the_rest_is_there():
    found = capacity(pool=CommandExecutionError("LVM doubts its own lists")).status()
    assert found["problems"] == ["LVM doubts its own lists"]
    assert (found["pool_data_percent"], found["conntrack_percent"]) == (None, 12.5)


def test_a_docker_that_is_down():
    found = capacity(docker=1).status()
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
def test_the_agent(text, state):
    assert capacity()._status(text) == state
    assert capacity(agent=text).status()["agent"] == state


def test_measures():
    assert capacity().measures() == {"pool_data": 41.0, "pool_metadata": 2.0, "conntrack": 12.5}
    assert capacity(pool=None, table=None).measures() == dict.fromkeys(capacity().MEASURES)
    trouble = capacity(CommandExecutionError("no lvs"), CommandExecutionError("no proc")).measures()
    assert trouble == {"pool_data": "no lvs", "pool_metadata": "no lvs", "conntrack": "no proc"}


def test_facts_hold_no_secret():
    secrets = {"access_key": "KEY", "secret_key": "SECRET", "registration_url": "http://TOKEN"}
    pillar = {
        "roles": ["agent"],
        "agent": {"server_url": "http://r:8080", "project": "Default", **secrets},
        "server": {"database": {"password": "PASSWORD"}},
    }
    facts = capacity(pillar=pillar).facts()
    assert facts.pop("hostname")
    assert facts == {
        "roles": ["common", "agent"],
        "rancher_server": "http://r:8080",
        "rancher_project": "Default",
        "docker": "20.10.24",
        "storage": "thin pool",
        "conntrack_max": 131072,
    }
