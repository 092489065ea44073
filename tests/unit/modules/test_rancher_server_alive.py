"""Whether another server uses the database; its rows are those of cattle's cluster_membership."""

import contextlib
import itertools
import json
import types

import pytest
from salt.exceptions import CommandExecutionError

import _rancher_server_alive as alive

DATABASE = {"host": "db", "port": 3306, "name": "cattle", "user": "cattle", "password": "s3cret"}
ALONE = json.dumps({"advertiseAddress": "127.0.0.1:9345", "httpPort": 8080, "clustered": False})


class Table:
    """`beats`: by server the heartbeats that one look after the other finds; the last one stays."""

    def __init__(self, beats, there=True):
        self.beats, self.there, self.looks, self.config = beats, there, 0, ALONE

    def ask(self, sql, *values):
        if "information_schema" in sql:
            assert values == ("cattle", "cluster_membership")
            return [(int(self.there),)]
        assert sql == "SELECT uuid, heartbeat, config FROM `cattle`.cluster_membership"
        look, self.looks = self.looks, self.looks + 1
        return [
            (uuid, beats[min(look, len(beats) - 1)], self.config)
            for uuid, beats in self.beats.items()
            if beats[min(look, len(beats) - 1)] is not None
        ]


@pytest.fixture
def look(monkeypatch):
    # Each look a second later, at once.
    clock = types.SimpleNamespace(monotonic=itertools.count().__next__, sleep=lambda seconds: None)
    monkeypatch.setattr(alive, "time", clock)

    def look(table, own=0):
        def connect(host, port, user, password):
            assert (host, password) == ("db", "s3cret")
            return contextlib.nullcontext(table.ask)

        monkeypatch.setattr(alive._database_client, "connect", connect)
        ours = {"rancher-salt.role": "server"}
        listed = [{"Id": "ours", "Labels": ours, "Status": "Up 1 day"}] * own
        # Of a server that does not run, of one with its own database, and of somebody else.
        listed += [{"Id": "ours", "Labels": ours, "Status": "Exited (0)"}]
        listed += [{"Id": "embedded", "Labels": ours, "Status": "Up 1 day"}]
        listed += [{"Id": "theirs", "Labels": None, "Status": "Up 1 second"}]
        boxes = {
            "ours": {"Config": {"Env": ["CATTLE_DB_CATTLE_MYSQL_HOST=db"]}},
            "embedded": {"Config": {"Env": None}},
        }
        monkeypatch.setattr(alive._docker_engine, "containers", lambda: listed)
        monkeypatch.setattr(alive._docker_engine, "container", boxes.get)
        alive.check(DATABASE)
        return table.looks

    return look


def test_a_database_that_no_server_ever_used(look):
    assert look(Table({}, there=False)) == 0


def test_no_row_needs_one_look(look):
    assert look(Table({})) == 1


def test_a_server_that_was_killed_left_its_row(look):
    assert look(Table({"a": [100]})) == alive.LIMIT + 1


def test_a_server_that_lives(look):
    """A second one waited for ever to become master, or joined a cluster that nobody had set up."""
    with pytest.raises(CommandExecutionError) as caught:
        look(Table({"a": [100, 100, 105], "dead": [7]}))
    assert "cattle on db is in use now by another Rancher server" in str(caught.value)
    assert "it says 127.0.0.1:9345, HTTP port 8080" in str(caught.value)
    assert "s3cret" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_server_that_comes_while_we_look(look):
    with pytest.raises(CommandExecutionError, match="another Rancher server"):
        look(Table({"dead": [7], "new": [None, 100]}))


def test_nothing_of_ours_runs_where_docker_gives_no_answer(look, monkeypatch):
    table = Table({"a": [1, 2]})
    look(table, 1)
    monkeypatch.setattr(alive._docker_engine, "containers", lambda: pytest.fail("asked"))
    table.looks = 0
    with pytest.raises(CommandExecutionError, match="another Rancher server"):
        alive.check(DATABASE, blind=True)


@pytest.mark.parametrize("own", [1, 2])
def test_our_own_server_is_no_stranger(look, own):
    assert look(Table({"a": [100, 105]}), own) == 1


def test_another_one_beside_our_own(look):
    with pytest.raises(CommandExecutionError, match="more than this Rancher server"):
        look(Table({"a": [1, 2], "b": [1, 1, 2]}), 1)


@pytest.mark.parametrize("config", [None, "", "{}", "[]", "no json"])
def test_a_row_that_does_not_say_where(look, config):
    table = Table({"a": [1, 2]})
    table.config = config
    with pytest.raises(CommandExecutionError, match="it does not say where it is"):
        look(table)
