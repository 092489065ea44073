"""Where the server's stand-in keeps its world, and what it says when it cannot."""

import os

import pytest
from fake_rancher import FakeRancher
from fake_rancher.world import WallClock, World

from .programs import load

store = load("store")
WORLD = {"hosts": [["ä", []]]}


@pytest.fixture
def embedded(tmp_path):
    said = []
    data = tmp_path / "mysql"
    data.mkdir()
    # The owner as whom the tests run: changing it is root's.
    made = store.Embedded(data, (os.geteuid(), os.getegid()), said.append)
    made.said = said
    return made


def test_a_fresh_directory_becomes_a_database(embedded):
    embedded.open()
    assert embedded.load() is None
    assert "Importing schema" in embedded.said
    embedded.save(WORLD)
    assert store.Embedded(embedded.directory).load() == WORLD


def test_a_second_start_imports_nothing(embedded):
    embedded.open()
    embedded.save(WORLD)
    embedded.said.clear()
    embedded.open()
    assert embedded.said == ["Starting MySQL", "Setting up database"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
def test_files_of_another_owner_stop_it(tmp_path):
    (tmp_path / "ibdata1").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(store.Failed, match=r"Can't create/write to file '.*' \(Errcode: 13\)"):
        store.Embedded(tmp_path, say=lambda text: None).open()
    assert (os.geteuid(), os.getegid()) == (0, 0)


class Absent:
    """A store that is there at the third look, or never."""

    def __init__(self, needs):
        self.needs = needs

    def open(self):
        self.needs -= 1
        if self.needs:
            raise store.NotYet("Connection refused")


def test_patience_is_loud_and_pays(capsys):
    said, slept = [], []
    store.patiently(Absent(3), lambda *words: said.append(words), tries=5, sleep=slept.append)
    text = "Failed to get connection to database, will retry for 5 minutes"
    assert said == [("ERROR", "LazyJDBCSource", text)] * 2 and slept == [1, 1]
    assert capsys.readouterr().out.count("java.sql.SQLException: Connection refused") == 1


def test_patience_ends():
    with pytest.raises(store.Failed, match="Connection refused"):
        store.patiently(Absent(-1), lambda *_: None, tries=3, sleep=lambda _: None)


def test_a_world_that_was_kept_goes_on():
    kept = []
    with FakeRancher(clock=WallClock(), keep=lambda world: kept.append(world.dump())) as fake:
        fake.configure(liveness=True, access_control=True)
        fake.add_key("a", "s", project="1a5")
        fake.add_token(state="active")
        known = fake.world.register("machine", "1a5", "192.0.2.1", {})
        fake.world.ping(known, "192.0.2.1", {"hostname": "node1"})
        data = store.json.loads(store.json.dumps(fake.world.dump()))
    world = World(WallClock())
    world.liveness = True
    world.restore(data)
    assert store.json.loads(store.json.dumps(world.dump())) == data
    again = world.agent_of(known["accessKey"], known["secretKey"])
    assert again["host"] is world.hosts["1h1"]
    assert world.add_host("node2")["id"] == "1h2"
    assert world.keys["a"].project == "1a5"
    # A copy: what the new world does is not done to what was kept.
    world.settings["api.host"] = "http://h"
    assert data["settings"]["api.host"] is None
