import contextlib

import pytest
import salt.client
from salt.exceptions import SaltClientError, SaltInvocationError

import _fleet_minions as minions

OPTS = {"gather_job_timeout": 10}
# A minion that says that it still works, for ever.
HUNG = object()


class Client:
    """Stands in for salt.client.LocalClient; `answers` is one for each question."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def run_job(self, tgt, fun, arg, tgt_type, kwarg, listen):
        self.asked.append((tgt, fun, arg, kwarg))
        self.answer = self.answers.pop(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"jid": "1", "minions": list(tgt)}

    def get_iter_returns(self, jid, minions, block, **more):
        for name, answer in self.answer.items():
            yield None
            if answer is HUNG:
                while True:
                    yield None
            if answer is not False:
                yield {name: answer}


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
    "pillar",
    [
        {},
        {"rancher": None},
        {"rancher": 5},
        {"rancher": {"roles": None}},
        {"rancher": {"roles": "agent", "agent": "x", "server": [1]}},
        {"rancher": {"roles": {"agent": 1}, "agent": {"registered_timeout": "10 min"}}},
    ],
)
def test_facts_of_a_strange_pillar(pillar):
    found = minions._facts("a1", pillar)
    assert (found["roles"], found["server_url"], found["hostname"]) == ([], None, "a1")


def test_roles():
    members = {"a": {"roles": ["agent"]}, "s": {"roles": ["server"]}, "c": {"roles": ["common"]}}
    assert minions.with_role(members, "agent") == ["a"]
    assert minions.with_role(members, None) == ["a", "s", "c"]
    assert minions.with_role(members, "common") == ["a", "s", "c"]


def test_a_hung_minion_was_waited_for_without_a_word(ask, monkeypatch):
    """And without an end; the others' answers were lost with it."""
    clock = iter(range(0, 10**6, 30))
    monkeypatch.setattr(minions.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(minions, "_LOOK", 0)
    words = []
    monkeypatch.setattr(minions.log, "warning", lambda text, *args: words.append(text % args))
    done = {"ret": {"x": {"result": True, "changes": {}, "comment": ""}}}
    ask({"a1": {"ret": []}, "a2": {"ret": []}}, {"a1": done, "a2": HUNG})
    found = minions.apply(OPTS, ["a1", "a2"], ["common"], limit=300)
    assert found["a1"] == {"done": "nothing to change"}
    assert found["a2"]["failed"].startswith("no end of state.apply common after 300 s; ")
    assert words[-1] == "after 300 s still at work: a2" and len(set(words)) == 5


@pytest.mark.parametrize("answer", [None, 7, "text", [], {"ret": None}, {"jid": 1}, {"ret": "x"}])
def test_a_strange_list_of_runs(ask, answer):
    ask({"a1": answer, "a2": {"ret": []}})
    assert list(minions.idle(OPTS, ["a1", "a2"])) in (["a1"], [])


@pytest.mark.parametrize("role", ["agnt", "", 5, "Agent"])
def test_a_misspelt_role_was_an_empty_success(role):
    with pytest.raises(SaltInvocationError, match="allowed: common, server, agent"):
        minions.with_role({}, role)


class Files:
    """As salt.fileserver.Fileserver."""

    def __init__(self, opts):
        pass

    def envs(self):
        return ["base", "prod"]

    def file_list(self, load):
        shop = ["web/init.sls", "motd"]
        return ["common.sls", "common/conntrack.sls"] if load["saltenv"] == "prod" else shop


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("common.conntrak", "'common.conntrak'; did you mean common.conntrack?"),
        ("motd", "serves no SLS 'motd'$"),
    ],
)
def test_a_misspelt_sls_was_an_empty_success(monkeypatch, name, words):
    monkeypatch.setattr(minions.salt.fileserver, "Fileserver", Files)
    with pytest.raises(SaltInvocationError, match=words):
        minions.unknown_sls(OPTS, ["common", name])
    minions.unknown_sls(OPTS, ["common", "common.conntrack", "web"])


def test_a_host_that_nobody_gave_a_role_became_a_docker_host():
    facts = {
        "node1": minions._facts("node1", {"rancher": {"roles": ["common"]}}),
        "mail1": minions._facts("mail1", {}),
        "mail2": minions._facts("mail2", {"_errors": ["Rendering SLS\nfailed"]}),
    }
    assert minions.with_role(facts, None) == minions.with_role(facts, "common") == ["node1"]
    assert minions.without_role(facts) == {
        "mail1": "its pillar lists no rancher:roles",
        "mail2": "its pillar could not be compiled: Rendering SLS failed",
    }
