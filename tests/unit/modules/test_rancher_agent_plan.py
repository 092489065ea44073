"""What is left to do, and what forbids it; pure. Whole runs: test_rancher_agent."""

import pytest
from fakes import Salt, load
from salt.exceptions import CommandExecutionError

MATCH = load("_rancher_agent_match")
PLAN = load(
    "rancher_agent_plan",
    Salt(
        {
            "_rancher_agent_match.status": MATCH.status,
            "_rancher_agent_match.is_stranger": MATCH.is_stranger,
        }
    ),
)
WANT = {
    "server_url": "http://rancher.example.test:8080",
    "registration_url": None,
    "authority": None,
    "ip": None,
    "labels": {},
    "timeout": 600,
}
ME = {"id": "a1", "names": ["node1"], "addresses": ["192.0.2.11"]}
ROW = {
    "id": "1h1",
    "hostname": "node1",
    "ip": "192.0.2.11",
    "state": "active",
    "agent_state": "active",
    "labels": {},
}
AGENT = {
    "genuine": True,
    "running": True,
    "url": "http://rancher.example.test:8080/v1",
    "ip": None,
    "age": 60.0,
    "outdated": False,
    "complaint": None,
}
MEMBER = {
    "agent": AGENT,
    "leftover": False,
    "authority": None,
    "me": ME,
    "row": ROW,
    "by": "label",
    "elsewhere": None,
    "silent": None,
    "asked": True,
}
RUNS = {"old": "absent", "new": "running"}
ACTIVE = {"old": "not registered", "new": "active"}


def agent(**fields):
    return {"agent": {**AGENT, **fields}}


@pytest.mark.parametrize(
    ("seen", "want", "changes"),
    [
        ({}, {}, {}),
        ({"agent": None, "row": None}, {}, {"agent": RUNS, "host": ACTIVE}),
        ({"agent": None, "row": None, "asked": False}, {}, {"agent": RUNS}),
        ({"row": None}, {}, {"host": ACTIVE}),
        ({"row": None, "asked": False}, {}, {}),
        (agent(running=False), {}, {"agent": {"old": "stopped", "new": "running"}}),
        (agent(outdated=True), {}, {"agent": {"old": "running", "new": "restarted"}}),
        (
            {"leftover": True},
            {},
            {"bootstrap": {"old": "left over", "new": "removed"}},
        ),
        (
            {"authority": "old"},
            {"authority": "new"},
            {
                "authority": {"old": "another", "new": "as in the settings"},
                "agent": {"old": "running", "new": "restarted"},
            },
        ),
        ({"authority": "of the operator"}, {}, {}),
        ({}, {"ip": "192.0.2.11"}, {}),
        (agent(ip="192.0.2.11"), {"ip": "192.0.2.11"}, {}),
        (
            agent(ip="1.2.3.4"),
            {"ip": "192.0.2.11"},
            {"ip": {"old": "1.2.3.4", "new": "192.0.2.11"}},
        ),
        ({}, {"ip": "1.2.3.4"}, {"ip": {"old": "192.0.2.11", "new": "1.2.3.4"}}),
        (
            {"row": {**ROW, "state": "reconnecting"}},
            {},
            {"host": {"old": "reconnecting", "new": "active"}},
        ),
        ({"row": {**ROW, "state": "inactive"}}, {}, {}),
        (agent(complaint="old news"), {}, {}),
    ],
)
def test_plan(seen, want, changes):
    assert PLAN.plan({**MEMBER, **seen}, {**WANT, **want}) == changes


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (agent(genuine=False), "is not the agent"),
        ({"row": {**ROW, "hostname": "other", "ip": "192.0.2.99"}}, "take turns as one host"),
        ({"row": None, "elsewhere": "the server http://old:80"}, "belongs to the server"),
        ({"row": None, **agent(complaint="re-register")}, "re-register"),
        ({"row": None, **agent(age=1300.0)}, "runs since 21 min"),
    ],
)
def test_refusals(seen, words):
    with pytest.raises(CommandExecutionError) as caught:
        PLAN.plan({**MEMBER, **seen}, WANT)
    assert words in str(caught.value)


def test_a_stranger_whose_agent_is_gone_was_this_machine():
    row = {**ROW, "hostname": "old-name", "ip": "192.0.2.99", "agent_state": "disconnected"}
    changes = PLAN.plan({**MEMBER, "agent": None, "row": row}, WANT)
    assert changes == {"agent": RUNS, "host": {"old": "disconnected", "new": "active"}}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], None),
        (["level=info msg=Connected"], None),
        (
            ["ERROR: Credentials are no longer valid, please re-register this agent"],
            "does not know",
        ),
        (["ERROR: Please re-register this agent", "more"], "does not know"),
        (["INFO: DNS Checking loopback IP address 127.0.0.0/8 in /etc/resolv.conf"], "resolv.conf"),
        (["client version 1.22 is too old. Minimum supported API version is 1.24"], "below 25"),
    ],
)
def test_complaint(lines, words):
    found = PLAN.complaint(lines)
    assert found is None if words is None else words in found


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"agent": None}, "does not keep running"),
        ({"row": None}, "lists no host that is this machine (node1, 192.0.2.11)"),
        ({"row": {**ROW, "state": "error"}}, "shows host 1h1 as error"),
    ],
)
def test_in_vain(seen, words):
    text = PLAN.in_vain({**MEMBER, **seen}, WANT)
    assert words in text
    assert text.startswith("waited 600 s in vain")


def test_notes():
    assert PLAN.notes(MEMBER, WANT) == ["It is host 1h1, node1 (192.0.2.11)"]
    far = {**MEMBER, "by": "name", "row": {**ROW, "ip": "172.17.0.1", "state": "inactive"}}
    notes = PLAN.notes(far, {**WANT, "labels": {"zone": "a"}})
    for words in (
        "172.17.0.1 is not an address",
        "It is inactive",
        "differ from rancher:agent:labels",
    ):
        assert any(words in note for note in notes)
    silent = {**MEMBER, "row": None, "silent": "connection refused"}
    assert "connection refused" in PLAN.notes(silent, WANT)[0]
    assert "takes API keys" in PLAN.notes({**silent, "asked": False}, WANT)[1]
