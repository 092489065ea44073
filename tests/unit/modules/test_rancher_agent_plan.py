"""What is left to do, and what forbids it; pure. Whole runs: test_rancher_agent."""

import pytest
from salt.exceptions import CommandExecutionError

import _rancher_agent_plan as plan

WANT = {
    "server_url": "http://rancher.example.test:8080",
    "registration_url": None,
    "authority": None,
    "ip": None,
    "labels": {},
    "proxy": None,
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
    "proxy": {},
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
    "twins": [],
    "closed": [],
    "elsewhere": None,
    "unsure": None,
    "silent": None,
    "asked": True,
}
PROXY = {"http_proxy": "http://u:secret@p:3128", "https_proxy": None, "no_proxy": ""}
TWIN = {**ROW, "id": "1h2", "state": "reconnecting", "agent_state": "reconnecting"}
FORGOTTEN = plan.complaint(["ERROR: Please re-register this agent"])
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
        ({}, {"proxy": PROXY}, {"proxy": {"old": "another", "new": "as in the settings"}}),
        (agent(proxy={"http_proxy": "http://u:secret@p:3128"}), {"proxy": PROXY}, {}),
        (agent(proxy=None), {"proxy": PROXY}, {}),
        (agent(proxy={"http_proxy": "http://own:1"}), {}, {}),
    ],
)
def test_plan(seen, want, changes):
    assert plan.plan({**MEMBER, **seen}, {**WANT, **want}) == changes


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (agent(genuine=False), "is not the agent"),
        ({"row": {**ROW, "hostname": "other", "ip": "192.0.2.99"}}, "take turns as one host"),
        ({"row": None, "elsewhere": "the server http://old:80"}, "belongs to the server"),
        ({"row": None, **agent(complaint="DNS")}, "DNS"),
        ({"row": None, **agent(complaint=FORGOTTEN)}, "run `docker rm"),
        ({"row": None, **agent(age=1300.0)}, "runs since 21 min"),
    ],
)
def test_refusals(seen, words):
    with pytest.raises(CommandExecutionError) as caught:
        plan.plan({**MEMBER, **seen}, WANT)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        # It runs and does not complain: healthy, in a project that these keys do not see.
        ({"row": None, **agent(age=1300.0)}, "an administrator's keys"),
        ({"row": None, "twins": [ROW, TWIN], **agent(age=1300.0)}, "Rancher lists 2 hosts"),
        ({"row": None, "twins": [ROW, TWIN], **agent(complaint=FORGOTTEN)}, "lists 2 hosts"),
        # Rancher still lists it: its project or its agent was deactivated.
        (
            {"row": {**ROW, "state": "disconnected"}, **agent(complaint=FORGOTTEN)},
            "yet Rancher lists host 1h1 (node1, 192.0.2.11, disconnected)",
        ),
    ],
)
def test_no_advice_to_wipe_what_may_be_a_healthy_hosts(seen, words):
    """The advice was `rm -rf` of the state in all of these."""
    with pytest.raises(CommandExecutionError) as caught:
        plan.plan({**MEMBER, **seen}, WANT)
    assert words in str(caught.value)
    assert "rm -rf" not in str(caught.value) and "docker rm" not in str(caught.value)


@pytest.mark.parametrize("seen", [{"asked": False}, {"closed": ["1a7 (Old), which is inactive"]}])
def test_where_not_all_was_seen_the_first_advice_is_to_look(seen):
    with pytest.raises(CommandExecutionError) as caught:
        plan.plan({**MEMBER, "row": None, **seen, **agent(complaint=FORGOTTEN)}, WANT)
    text = str(caught.value)
    assert text.index("look in Rancher") < text.index("If none is, run")
    assert ("Not looked at: 1a7 (Old), which is inactive" in text) == ("closed" in seen)


def test_a_new_host_without_an_address_was_called_a_copy():
    """Its address comes after half a minute, and it had registered under its long name."""
    row = {**ROW, "hostname": "another-spelling", "ip": None, "agent_state": None}
    assert plan.plan({**MEMBER, "row": row}, WANT) == {}
    assert plan.notes({**MEMBER, "row": row}, WANT) == [
        "It is host 1h1, another-spelling (no address yet)"
    ]


def test_the_password_of_a_proxy_is_in_no_change():
    assert "secret" not in repr(plan.plan(MEMBER, {**WANT, "proxy": PROXY}))


def test_a_stranger_whose_agent_is_gone_was_this_machine():
    row = {**ROW, "hostname": "old-name", "ip": "192.0.2.99", "agent_state": "disconnected"}
    changes = plan.plan({**MEMBER, "agent": None, "row": row}, WANT)
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
        # Of a host with cgroup v2, on which a run waited ten minutes for nothing.
        (
            [
                'time="2023-02-22T03:26:28Z" level=fatal msg="Failed to find container id:\\n0::/\\n"'
            ],
            "systemd.unified_cgroup_hierarchy=0",
        ),
    ],
)
def test_complaint(lines, words):
    found = plan.complaint(lines)
    assert found is None if words is None else words in found


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"agent": None}, "does not keep running"),
        ({"row": None}, "lists no host that is this machine (node1, 192.0.2.11)"),
        ({"row": {**ROW, "state": "error"}}, "shows host 1h1 (node1, 192.0.2.11, error)"),
        ({"row": None, "twins": [ROW, TWIN]}, "lists 2 hosts with this machine's name"),
    ],
)
def test_missing(seen, words):
    text = plan.missing({**MEMBER, **seen}, WANT)
    assert words in text
    assert text.startswith("this host was not active after 600 s")


def test_notes():
    assert plan.notes(MEMBER, WANT) == ["It is host 1h1, node1 (192.0.2.11)"]
    far = {**MEMBER, "by": "name", "row": {**ROW, "ip": "172.17.0.1", "state": "inactive"}}
    notes = plan.notes(far, {**WANT, "labels": {"zone": "a"}})
    for words in (
        "172.17.0.1 is not an address",
        "It is inactive",
        "differ from rancher:agent:labels",
    ):
        assert any(words in note for note in notes)
    twins = plan.notes({**MEMBER, "twins": [ROW, TWIN]}, WANT)[0]
    assert twins == (
        "Rancher lists 2 hosts with this machine's name and address: 1h1 (node1, 192.0.2.11, "
        "active), 1h2 (node1, 192.0.2.11, reconnecting). Look which one is this machine, and "
        "remove the other one in Rancher"
    )
    unsure = plan.notes({**MEMBER, "unsure": "http://other:80", "row": None}, WANT)
    assert unsure[0].startswith("Its agent reports to http://other:80, not to")
    silent = {**MEMBER, "row": None, "silent": "connection refused"}
    assert "connection refused" in plan.notes(silent, WANT)[0]
    assert "takes API keys" in plan.notes({**silent, "asked": False}, WANT)[1]
