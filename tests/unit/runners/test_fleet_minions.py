import contextlib

import pytest
import salt.client
from salt.exceptions import SaltClientError

import _fleet_minions as minions

OPTS = {"gather_job_timeout": 10}


class Client:
    """Stands in for salt.client.LocalClient; `answers` is one for each question."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def cmd(self, tgt, fun, arg, **more):
        self.asked.append((tgt, fun, arg, more["kwarg"]))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def ask(monkeypatch):
    def prepare(*answers):
        client = Client(*answers)
        monkeypatch.setattr(
            salt.client, "get_local_client", lambda **_: contextlib.nullcontext(client)
        )
        monkeypatch.setattr(minions, "_PAUSE", 0)
        return client

    return prepare


def test_call_tells_who_did_not_answer(ask):
    client = ask({"a1": {"ret": True}, "a2": False})
    assert minions.call(OPTS, ["a1", "a2", "a3"], "test.ping", x=1) == {
        "a1": {"ret": True},
        "a2": False,
        "a3": False,
    }
    assert client.asked == [(["a1", "a2", "a3"], "test.ping", [], {"x": 1})]


def test_the_words_of_salt_3008_for_no_answer_are_none(ask):
    # A run waited an hour for a host that was down, taking these words for a busy one's list.
    words = {"out": "no_return", "ret": "Minion did not return. [No response]", "retcode": 1}
    ask({"a1": words})
    assert minions.idle(OPTS, ["a1"]) == {
        "a1": "does not answer; is it up, and its minion running?"
    }


def test_a_minion_that_cannot_tell_its_runs(ask):
    ask({"a1": {"ret": "'saltutil.is_running' is not available."}})
    assert "gave no list of its runs" in minions.idle(OPTS, ["a1"])["a1"]


def test_call_to_nobody_asks_nobody(ask):
    client = ask()
    assert minions.call(OPTS, [], "test.ping") == {} and client.asked == []


def test_a_master_that_is_down(ask):
    ask(SaltClientError("no route"), SaltClientError("no route"))
    assert minions.call(OPTS, ["a1"], "test.ping") == {
        "a1": {"ret": "the master could not send it: no route"}
    }


def test_idle_waits_for_a_state_run(ask):
    busy = {"ret": [{"fun": "state.apply", "pid": 1}]}
    client = ask({"a1": busy, "a2": {"ret": []}}, {"a1": busy}, {"a1": {"ret": []}})
    assert minions.idle(OPTS, ["a1", "a2"]) == {}
    assert [tgt for tgt, *_ in client.asked] == [["a1", "a2"], ["a1"], ["a1"]]


def test_idle_gives_up_and_names_who_is_down(ask):
    ask({"a1": {"ret": [{"pid": 1}]}, "a2": False})
    assert minions.idle(OPTS, ["a1", "a2"], limit=0) == {
        "a1": "another state run did not end in 0 s",
        "a2": "does not answer; is it up, and its minion running?",
    }


@pytest.mark.parametrize("test", [True, False])
def test_apply(ask, test):
    state = {
        "x": {"result": None if test else True, "changes": {"a": 1}, "__id__": "id", "comment": ""}
    }
    client = ask({"a1": {"ret": []}, "a2": False}, {"a1": {"ret": state}})
    assert minions.apply(OPTS, ["a1", "a2"], ["common", "docker"], test=test) == {
        "a1": {"done": "would change: id" if test else "changed: id"},
        "a2": {"failed": "does not answer; is it up, and its minion running?"},
    }
    more = {"test": True} if test else {}
    assert client.asked[1] == (["a1"], "state.apply", ["common,docker"], more)


def test_facts_hold_no_secret():
    secrets = {"access_key": "KEY", "secret_key": "SECRET", "registration_url": "http://TOKEN"}
    pillar = {
        "rancher": {
            "roles": ["agent"],
            "server": {"database": {"password": "PASSWORD"}},
            "agent": {"server_url": "http://r", **secrets},
        }
    }
    found = minions._facts("a1", pillar)
    assert found["registration_given"] is True and found["hostname"] == "a1"
    for secret in ("KEY", "SECRET", "TOKEN", "PASSWORD"):
        assert secret not in str(found)


@pytest.mark.parametrize(
    "pillar", [{}, {"rancher": None}, {"rancher": 5}, {"rancher": {"roles": None}}]
)
def test_facts_of_a_strange_pillar(pillar):
    found = minions._facts("a1", pillar)
    assert (found["roles"], found["server_url"], found["hostname"]) == ([], None, "a1")


def test_roles():
    members = {"a": {"roles": ["agent"]}, "s": {"roles": ["server"]}, "c": {"roles": []}}
    assert minions.with_role(members, "agent") == ["a"]
    assert (
        minions.with_role(members, None) == minions.with_role(members, "common") == ["a", "s", "c"]
    )
