"""What an operator is shown of a fleet of fakes."""

import fcntl

import export_kit
from fleet_world import NOTHING, member

import fleet


def test_status_is_one_row_for_each(world):
    world.members["mail1"] = member()
    answer = world.fleet.status()
    assert answer["outputter"] == "table"
    head, *rows = answer["data"]["hosts"]
    assert head[:3] == ["minion", "pool %", "meta %"] and head[-1] == "rancher"
    assert [row[0] for row in rows] == ["a1", "a2", "a3", "s1"]
    assert [row[-1] for row in rows] == ["active", "active", "active", "-"]
    world.members.clear()
    assert world.fleet.status()["data"] == {"hosts": [head]}


def test_a_preview_changes_nothing(world):
    world.members["mail1"] = member()
    world.dry = {"a1": NOTHING, "a2": {"failed": "no disk"}}
    lines = world.fleet.preview(batch=3)
    assert {entry.split()[0] for entry in world.log} == {"dry"}
    assert "  a1: nothing to change" in lines and "  a2: FAILS: no disk" in lines
    assert "server, one at a time: s1" in lines and "wait until http://r:8080 answers" in lines
    assert lines[-2:] == [
        "agent, batch 1 of 1: a1, a2, a3",
        "left out: mail1: its pillar lists no rancher:roles",
    ]
    assert world.fleet.preview(target="x*") == ["no minion is known that matches 'x*'"]
    assert world.failed


def conversing(world, monkeypatch, found="http://own:8080"):
    """`Rancher.conversation` over the recorded server; notes the URL."""

    def conversation(url):
        world.log.append(f"converse {url() if callable(url) else url}")
        return export_kit.recorded()

    world.told = []
    monkeypatch.setattr(fleet.log, "warning", world.told.append)
    monkeypatch.setattr(world, "conversation", conversation, raising=False)


def test_an_export_returns_counts_and_no_secret(world, monkeypatch, tmp_path):
    conversing(world, monkeypatch)
    report = fleet.export(str(tmp_path / "out"))
    assert report["failed"] == {} and not world.failed
    assert report["done"]["services"] == 30 and report["done"]["containers"] == 40
    assert report["done"]["folder"] == str(tmp_path / "out")
    assert world.log == ["converse http://r:8080"]
    # Where whoever waits sees it, and the runner's own output stays one document.
    assert world.told[-1] == "Default: 10 of 10 stacks written"
    assert "REPLACED" not in repr((report, world.told))


def test_an_export_from_a_server_that_is_named(world, monkeypatch, tmp_path):
    conversing(world, monkeypatch)
    report = fleet.export(str(tmp_path / "out"), project="Default", stack="shop", url="http://x")
    assert report["done"]["stacks"] == 1
    assert world.log == ["converse http://x"]


def test_an_export_does_not_guess_between_two_servers(world, monkeypatch, tmp_path):
    conversing(world, monkeypatch)
    world.members["a1"]["server_url"] = "http://other"
    report = fleet.export(str(tmp_path / "out"))
    assert report["failed"] == {
        "all": "the pillars of the minions name these Rancher servers: http://other, http://r:8080; "
        "give one as url="
    }
    assert world.failed and not (tmp_path / "out").exists()


def test_an_export_beside_a_roll_out(world, monkeypatch, tmp_path):
    conversing(world, monkeypatch)
    with open(tmp_path / "fleet.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert fleet.export(str(tmp_path / "out"))["done"]["stacks"] == 10


def test_a_relative_folder_is_refused(world, monkeypatch):
    conversing(world, monkeypatch)
    assert "give an absolute path" in fleet.export("out")["failed"]["all"]
