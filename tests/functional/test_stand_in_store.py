"""The server's stand-in with an external database, a real MariaDB."""

import shutil
import socket
import threading

import pytest
from lab.services import Database
from salt.exceptions import CommandExecutionError
from unit.stand_ins.programs import load

import _rancher_server_alive

store = load("store")
WORLD = {"hosts": [["ä", []]]}


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


def test_a_second_server_is_refused_while_the_first_one_checks_in(database, monkeypatch):
    """The table is that of cattle v0.183.83; the look is the tree's own, over a real connection."""
    settings = {"host": "127.0.0.1", "port": database.port, "name": "cattle"}
    settings |= {"user": "cattle", "password": "p$ '\"#ä"}
    monkeypatch.setattr(_rancher_server_alive, "PAUSE", 0.2)
    monkeypatch.setattr(_rancher_server_alive, "LIMIT", 2)
    server = external(database)
    server.open()
    database.sql("DELETE FROM cattle.cluster_membership")
    _rancher_server_alive.check(settings, blind=True)
    server.check_in("one")
    # Killed: its row stays, its heart does not beat.
    _rancher_server_alive.check(settings, blind=True)
    over = threading.Event()

    def beat():
        while not over.wait(0.1):
            server.check_in("one")

    living = threading.Thread(target=beat, daemon=True)
    living.start()
    monkeypatch.setattr(_rancher_server_alive, "LIMIT", 60)
    try:
        with pytest.raises(CommandExecutionError) as caught:
            _rancher_server_alive.check(settings, blind=True)
    finally:
        over.set()
        living.join()
    assert "cattle on 127.0.0.1 is in use now by another Rancher server" in str(caught.value)
    assert "it says 127.0.0.1:9345, HTTP port 8080" in str(caught.value)
