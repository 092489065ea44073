"""Where the server's stand-in keeps its world, and what it says when it cannot."""

import os
import shutil
import socket

import pytest
from fake_rancher import FakeRancher
from fake_rancher.world import WallClock, World
from lab.services import Database

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


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    if not shutil.which("mariadbd"):
        pytest.skip("mariadbd is not installed: `make setup` does it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory = tmp_path_factory.mktemp("db")
    database = Database(directory / "db", directory, port=port)
    database.start()
    database.sql("CREATE DATABASE cattle CHARACTER SET utf8 COLLATE utf8_general_ci")
    database.sql("CREATE USER cattle@'%%' IDENTIFIED BY %s", "p$ '\"#ä")
    database.sql("GRANT ALL ON cattle.* TO cattle@'%'")
    yield database
    database.stop()


def external(database, user="cattle", password="p$ '\"#ä", name="cattle"):
    return store.External("127.0.0.1", database.port, name, user, password, timeout=5)


def test_a_database_keeps_the_world(database):
    first = external(database)
    first.open()
    assert first.load() is None
    first.save(WORLD)
    second = external(database)
    second.open()
    assert second.load() == WORLD


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "no"}, "Access denied for user 'cattle'@.* \\(using password: YES\\)"),
        ({"name": "other"}, "Access denied for user .* to database 'other'"),
    ],
)
def test_a_refusal_is_worth_another_try(database, wrong, words):
    with pytest.raises(store.NotYet, match=words):
        external(database, **wrong).open()


def test_a_user_without_rights_ends_the_start(database):
    database.sql("CREATE USER reader@'%' IDENTIFIED BY 'x'")
    database.sql("GRANT SELECT ON cattle.* TO reader@'%'")
    with pytest.raises(store.Failed, match="DatabaseException: .*command denied"):
        external(database, "reader", "x").open()


def test_a_lock_that_was_left_ends_the_start(database):
    external(database).open()
    database.sql("UPDATE cattle.DATABASECHANGELOGLOCK SET LOCKED = 1, LOCKEDBY = 'somebody'")
    try:
        with pytest.raises(store.Failed, match="Currently locked by somebody"):
            external(database).open()
    finally:
        database.sql("UPDATE cattle.DATABASECHANGELOGLOCK SET LOCKED = 0")


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
