"""
A fleet on this machine: a real master, real minions of both Salt lines, the double of Rancher;
stand-ins for what the roles do on a host. Whole hosts: tests/vm/test_deploy.py.
"""

import contextlib
import os
import re
import signal
import socket
import time

import attr
import pytest
from fake_rancher import FakeRancher
from fake_rancher.world import Clock
from fleet_kit import Fleet
from lab.process import wait_until

from functional.hosts import environment

ACCESS, SECRET = "0A1B2C3D4E5F60718293", "onlyTheMasterKnowsThisSecretKey000000000"
NAMES = ("a1", "a2", "a3")


@pytest.fixture(scope="module")
def daemons(salt_factories):
    with Fleet(salt_factories, ("s1", *NAMES)) as made:
        yield made


@pytest.fixture
def rancher(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with FakeRancher(clock=Clock(running=True)) as fake:
        fake.add_key(ACCESS, SECRET)
        fake.configure(access_control=True, seconds=0.5)
        yield fake


def pillars(fake, **over):
    """`over` by minion id: what its stand-in is told."""
    agent = {"server_url": fake.url, "registered_timeout": 40}
    found = {
        name: {
            "rancher": {"roles": ["agent"], "hostname": f"{name}.example.test", "agent": agent},
            "standin": over.get(name, {}),
        }
        for name in NAMES
    }
    found["s1"] = {"rancher": {"roles": ["server"]}, "standin": over.get("s1", {})}
    found["MASTER"] = {"rancher": {"agent": {"access_key": ACCESS, "secret_key": SECRET}}}
    return found


@pytest.fixture
def fleet(daemons, rancher):
    """Gives the fleet of one server and three agents, on which nothing was done yet."""

    def begin(**over):
        daemons.renew(pillars(rancher, **over))
        return daemons

    return begin


def report(states, name):
    found = dict(states[name]["changes"]["return"])
    assert found.pop("retcode", 0) == bool(found["failed"])
    return found


def hosts(fake):
    return {row["hostname"].partition(".")[0]: row["state"] for row in fake.show()["hosts"]}


def files_with(folder, text):
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError), open(os.path.join(place, name), "rb") as file:
                if text.encode() in file.read():
                    found.append(os.path.join(place, name))
    return found


def test_deploy_and_again_and_no_secret_on_the_way(fleet, rancher):
    it = fleet()
    with it.listening() as events:
        states, code = it.orchestrate("orch.deploy", fleet={"batch": 2})
        assert code == 0 and all(row["result"] for row in states.values()), states
        assert set(report(states, "common-applied")["done"]) == {"s1", *NAMES}
        assert set(report(states, "servers-applied")["done"]) == {"s1"}
        assert list(report(states, "servers-ready")["done"]) == [rancher.url]
        done = report(states, "agents-registered")
        assert set(done["done"]) == set(NAMES) and not done["failed"] and not done["left"]
        assert hosts(rancher) == dict.fromkeys(NAMES, "active")

        again, code = it.orchestrate("orch.deploy", fleet={"batch": 2})
        assert code == 0
        for name in ("common-applied", "servers-applied", "agents-registered"):
            assert set(report(again, name)["done"].values()) == {"nothing to change"}
        assert it.notes("a1") == ["begin common", "end common", "begin agent", "end agent"]

        # What a `pillar=` argument would do, so that the search below is known to find it.
        it.salt("a1", "state.apply", "common", 'pillar={"x": "CANARY-IN-ARGUMENTS"}')

        (token,) = rancher.show()["tokens"]
        token = rancher.world.token_text(token).partition(":")[0]
        jobs = it.home / "cache/jobs"
        canary = "CANARY-IN-ARGUMENTS"
        wait_until(lambda: files_with(jobs, canary), timeout=60, what="the job cache")
        wait_until(lambda: canary in events.read_text(), timeout=60, what="the events")
        assert "agents-registered" in events.read_text() or "fleet.register" in events.read_text()
        for secret in (token, SECRET):
            assert files_with(jobs, secret) == []
            assert secret not in events.read_text()
            for log in it.folder.glob("*/logs/*"):
                assert secret not in log.read_text()
        assert files_with(it.home / "cache", token) == []
        # Salt 3008 caches every pillar that the master compiles, its own too, for root's eyes.
        assert set(files_with(it.home / "cache", SECRET)) <= {f"{it.home}/cache/pillar/fleet.p"}
        for name in ("s1", *NAMES):
            assert files_with(it.folder / name, SECRET) == []
            assert files_with(it.folder / name, token) == []
        assert os.listdir(it.folder / "handover") == []
        assert (it.folder / "handover").stat().st_mode & 0o077 == 0
        keys = it.salt("*", "pillar.keys", "rancher:agent")
        assert "access_key" not in str(keys) and "registration_url" not in str(keys)


def test_it_stops_at_the_first_batch_with_a_failure(fleet, rancher):
    it = fleet(a2={"broken": ["common"]})
    states, code = it.orchestrate("orch.deploy", fleet={"batch": 1})
    assert code != 0
    assert report(states, "common-applied") == {
        "done": {"a1": "changed: common-made"},
        "failed": {"a2": "common-made: common is broken here"},
        "left": ["a3", "s1"],
    }
    for name in ("servers-applied", "servers-ready", "agents-registered"):
        assert states[name]["result"] is False
        assert states[name]["comment"].startswith("One or more requisite failed")
    assert it.notes("a3") == it.notes("s1") == []
    assert rancher.show()["hosts"] == []

    it.pillars(pillars(rancher))
    states, code = it.orchestrate("orch.deploy", fleet={"batch": 1})
    assert code == 0 and hosts(rancher) == dict.fromkeys(NAMES, "active")


def test_a_preview_and_a_host_that_nobody_named(fleet, rancher):
    it = fleet()
    told = pillars(rancher, a2={"broken": ["common"]})
    del told["a3"]["rancher"]["roles"]
    it.pillars(told)
    states, code = it.orchestrate("orch.deploy", "test=True", fleet={"batch": 2})
    assert code == 0 and list(states) == ["deploy-previewed"]
    lines = states["deploy-previewed"]["comment"].split("\n")
    assert lines[1:] == [
        "common, batch 1 of 2: a1, a2",
        "  a1: would change: common-made",
        "  a2: would change: common-made",
        "common, batch 2 of 2: s1",
        "  s1: would change: common-made",
        "server, one at a time: s1",
        f"wait until {rancher.url} answers",
        "agent, batch 1 of 1: a1, a2",
        "left out: a3: its pillar lists no rancher:roles",
    ]
    assert [it.notes(name) for name in ("s1", *NAMES)] == [[]] * 4

    told = pillars(rancher)
    del told["a3"]["rancher"]["roles"]
    it.pillars(told)
    states, code = it.orchestrate("orch.deploy", fleet={"batch": 2})
    assert code == 0
    assert report(states, "common-applied")["left_out"] == {
        "a3": "its pillar lists no rancher:roles"
    }
    assert it.notes("a3") == [] and hosts(rancher) == dict.fromkeys(("a1", "a2"), "active")
    for words in (["rancher_salt.comon"], ["rancher_salt.common", "role=agnt"]):
        answer, code = it.runner("fleet.apply", *words)
        assert code != 0 and words[-1].partition("=")[2] in answer["failed"]["all"]


@pytest.mark.long
def test_a_host_that_is_down_is_named_and_nothing_follows(fleet, rancher):
    it = fleet()
    it.minions["a2"].terminate()
    states, code = it.orchestrate("orch.deploy", fleet={"batch": 2})
    assert code != 0
    found = report(states, "common-applied")
    assert found["done"] == {"a1": "changed: common-made"}
    assert found["failed"] == {"a2": "does not answer; is it up, and its minion running?"}
    assert found["left"] == ["a3", "s1"]


@pytest.mark.parametrize("where", ["begin common", "begin agent"])
def test_killed_in_the_middle_and_started_again(fleet, rancher, where):
    slow = {name: {"seconds": 2} for name in NAMES}
    it = fleet(**slow)
    run = it.begin("orch.deploy", fleet={"batch": 2})
    wait_until(lambda: where in it.notes("a1"), timeout=120, what=where)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert "a3" not in hosts(rancher)

    states, code = it.orchestrate("orch.deploy", fleet={"batch": 2})
    assert code == 0, states
    assert hosts(rancher) == dict.fromkeys(NAMES, "active")
    assert len(rancher.show()["hosts"]) == len(NAMES), "a host was registered twice"
    for name in NAMES:
        assert it.notes(name).count("end agent") == 1
    assert os.listdir(it.folder / "handover") == []


@pytest.mark.long
def test_docker_is_upgraded_host_by_host(fleet, rancher):
    it = fleet()
    it.orchestrate("orch.deploy")
    it.runner("fleet.apply", "docker", "role=agent")
    it.salt("*", "saltutil.sync_modules")
    for row in rancher.show()["hosts"]:
        rancher.add_instance(row["id"], "web", service="1s1")
    asked = len(rancher.journal)
    newer = {name: {"version": 2} for name in NAMES}
    newer["a2"] = {"version": 2, "broken": ["docker"]}
    it.pillars(pillars(rancher, **newer))
    states, code = it.orchestrate("orch.upgrade_docker")
    assert code != 0
    assert report(states, "docker-upgraded") == {
        "done": {"a1": "changed: docker-made; started again: web"},
        "failed": {"a2": "docker-made: docker is broken here"},
        "left": ["a3"],
    }
    assert hosts(rancher) == {"a1": "active", "a2": "inactive", "a3": "active"}
    actions = [one.query.get("action") for one in rancher.journal[asked:]]
    actions = [action for action in actions if action]
    assert actions == ["deactivate", "evacuate", "activate", "deactivate", "evacuate"]
    left = {row["hostname"][:2]: len(row["instances"]) for row in rancher.show()["hosts"]}
    # Made again by their service, each time on another host.
    assert left["a2"] == 0 and sum(left.values()) == 3
    assert it.notes("a1")[-1] == "start again ['c1']"

    newer["a2"] = {"version": 2}
    it.pillars(pillars(rancher, **newer))
    # Nobody makes this one again: emptying the host would remove it.
    (third,) = [row["id"] for row in rancher.show()["hosts"] if row["hostname"][:2] == "a3"]
    rancher.add_instance(third, "data", native=True)
    states, code = it.orchestrate("orch.upgrade_docker", fleet={"batch": 2})
    assert code == 0, states
    assert hosts(rancher) == dict.fromkeys(NAMES, "active")
    said = report(states, "docker-upgraded")["done"]["a3"]
    assert "stayed in place, no service makes again: data (started without Rancher)" in said
    names = {one["name"] for row in rancher.show()["hosts"] for one in row["instances"]}
    assert names == {"web", "data"}
    states, code = it.orchestrate("orch.upgrade_docker", fleet={"batch": 3})
    assert set(report(states, "docker-upgraded")["done"].values()) == {"nothing to change"}


def test_the_database_password_is_rotated_account_first(fleet, rancher):
    it = fleet(s1={"broken": ["database"]})
    states, code = it.orchestrate("orch.rotate_database_password")
    assert code != 0 and states["servers-restarted"]["result"] is False
    assert it.notes("s1") == ["begin database"]
    it.pillars(pillars(rancher))
    states, code = it.orchestrate("orch.rotate_database_password")
    assert code == 0
    assert report(states, "servers-restarted")["done"] == {
        "s1": "changed: container-made, server-ready"
    }
    done = [note for note in it.notes("s1") if note.startswith("end")]
    assert done == ["end database", "end container", "end ready"]
    assert it.notes("a1") == []


@pytest.mark.long
def test_a_host_moves_to_another_project_and_leaves(fleet, rancher):
    other = rancher.add_project("Other")["id"]
    it = fleet()
    it.orchestrate("orch.deploy")
    moved = pillars(rancher)
    moved["a1"]["rancher"]["agent"] = {**moved["a1"]["rancher"]["agent"], "project": "Other"}
    it.pillars(dict(moved))
    report, code = it.runner("fleet.move", "a1", "Default")
    assert code == 0 and report["failed"] == {}, report
    rows = [row for row in rancher.show()["hosts"] if row["hostname"].startswith("a1")]
    assert [(row["project"], row["state"]) for row in rows] == [
        ("1a5", "removed"),
        (other, "active"),
    ]
    again, code = it.runner("fleet.move", "a1", "Default")
    assert code == 0 and again["done"] == {"a1": "nothing to change"}

    refused, code = it.runner("fleet.remove", "a1")
    assert code != 0 and "take that out first" in refused["failed"]["a1"]
    moved = pillars(rancher)
    moved["a1"]["rancher"] = {**moved["a1"]["rancher"], "roles": []}
    moved["a1"]["rancher"]["agent"] = {"server_url": rancher.url, "project": "Other"}
    it.pillars(dict(moved))
    report, code = it.runner("fleet.remove", "a1")
    assert code == 0 and report["done"] == {"a1": "changed: agent-absent"}, report
    rows = [row["state"] for row in rancher.show()["hosts"] if row["hostname"][:2] == "a1"]
    assert rows == ["removed", "removed"]
    report, code = it.runner("fleet.remove", "a1")
    assert code == 0 and report["done"] == {"a1": "nothing to change"}


@pytest.mark.long
@pytest.mark.parametrize("line", ["3008.3"], indirect=True)
def test_a_newer_master_deploys_older_minions(salt_factories, rancher):
    older = attr.evolve(salt_factories, scripts_dir=environment("3006.28") / "bin")
    with Fleet(salt_factories, ["s1", *NAMES], pillars(rancher), of_minions=older) as it:
        _, code = it.orchestrate("orch.deploy")
        assert code == 0 and hosts(rancher) == dict.fromkeys(NAMES, "active")


@pytest.mark.long
@pytest.mark.parametrize("line", ["3006.28"], indirect=True)
def test_without_the_ext_pillar_it_says_so(salt_factories, rancher):
    with Fleet(salt_factories, ["a1"], pillars(rancher), ext_pillar=[]) as it:
        it.runner("state.orchestrate", "orch.sync")
        answer, code = it.runner("fleet.register")
        assert code != 0
        assert re.search("lacks ext_pillar: rancher_handover", answer["failed"]["all"])


@pytest.mark.long
def test_the_table_and_the_mine(fleet, rancher):
    it = fleet()
    told = pillars(rancher)
    told["*"] = {"mine_functions": {"capacity.facts": []}}
    it.pillars(told)
    rancher.add_host("a1.example.test")
    it.salt("*", "saltutil.refresh_pillar", "wait=True")
    it.salt("*", "saltutil.sync_modules")
    it.runner("state.orchestrate", "orch.sync")
    it.minions["a2"].terminate()
    found, code = it.runner("fleet.status")
    assert code == 0
    heads, *rows = found["hosts"]
    rows = {row[0]: dict(zip(heads, row, strict=True)) for row in rows}
    assert set(rows) == {"s1", *NAMES}
    assert rows["a1"]["rancher"] == "active" and rows["s1"]["rancher"] == "-"
    assert "a2: no answer" in found["why"]
    assert "a3: Rancher lists no host 'a3.example.test'" in found["why"]

    for name in NAMES:
        told[name]["rancher"]["agent"]["server_url"] = "http://127.0.0.1:9"
    it.pillars(told)
    start = time.monotonic()
    found, code = it.runner("fleet.status")
    assert time.monotonic() - start < 60
    assert [row[-1] for row in found["hosts"][1:]] == ["see below"] * 3 + ["-"]

    it.salt("a1", "mine.update")
    mine = it.salt("s1", "mine.get", "a1", "capacity.facts")["s1"]["a1"]
    assert mine["roles"] == ["common", "agent"] and mine["rancher_server"] == rancher.url


def test_the_table_with_rancher_down_took_minutes_and_cut_off_why(fleet, rancher):
    it = fleet()
    told = pillars(rancher)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # One refuses, one takes the connection and says nothing, for two projects.
        port = silent.getsockname()[1]
        places = {"a1": ("9", "P"), "a2": (port, "P"), "a3": (port, "Q")}
        for name, (at, project) in places.items():
            agent = {"server_url": f"http://127.0.0.1:{at}", "project": project}
            told[name]["rancher"]["agent"] = agent
        it.pillars(told)
        it.runner("state.orchestrate", "orch.sync")
        it.salt("*", "saltutil.sync_modules")
        began = time.monotonic()
        shown = it.shown("fleet.status")
        took = time.monotonic() - began
    # 10 s for each server, 1 s for each further project of it; the rest is Salt's own start.
    print(f"fleet.status took {took:.1f} s")
    assert took < 90
    assert max(map(len, shown.splitlines())) <= 100
    words = " ".join(shown.replace("|", " ").split())
    assert words.count("see below") == 3
    assert (
        "a1: http://127.0.0.1:9: waited 10 s for an answer: connection refused; does the " in words
    )
    for name, seconds in (("a2", 10), ("a3", 1)):
        assert f"{name}: http://127.0.0.1:{port}: waited {seconds} s for an answer: no " in words


MEASURES = """
import os
def measures():
    with open(os.path.join(__opts__["cachedir"], "full")) as file:
        return {"pool_data": float(file.read()), "pool_metadata": None, "conntrack": None}
"""


@pytest.mark.long
def test_the_beacon_tells_that_a_pool_fills_up(salt_factories, rancher):
    told = pillars(rancher)
    told["a1"]["beacons"] = {"rancher_capacity": [{"pool_data": 85}, {"interval": 1}]}
    it = Fleet(salt_factories, ["a1"], told)
    (it.folder / "roots/_modules/capacity.py").write_text(MEASURES)
    full = it.folder / "a1/cache/full"
    full.parent.mkdir()
    full.write_text("50")
    with it, it.listening() as events:
        it.salt("a1", "saltutil.sync_all")
        tag = "salt/beacon/a1/rancher_capacity/pool_data"
        time.sleep(5)
        assert tag not in events.read_text()
        full.write_text("87.5")
        wait_until(lambda: tag in events.read_text(), timeout=60, what="the beacon's event")
        time.sleep(4)
        assert events.read_text().count(tag) == 1
        assert '"state": "over"' in events.read_text() and "87.5" in events.read_text()
        full.write_text("50")
        wait_until(lambda: events.read_text().count(tag) == 2, timeout=60, what="the way back")
