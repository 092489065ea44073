"""Which host is this machine: by its label, else by name and address, never by a shared name."""

import pytest

import _rancher_agent_match as match

ME = {"id": "a1", "names": ["node1", "node1.example.test"], "addresses": ["192.0.2.11"]}
NAME = "node1.example.test"


def row(number=1, **fields):
    known = {
        "id": f"1h{number}",
        "hostname": NAME,
        "ip": "192.0.2.11",
        "state": "active",
        "agent_state": "active",
        "labels": {},
    }
    return {**known, **fields}


def label(value):
    return {"labels": {"rancher.salt.id": value}}


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], (None, None)),
        ([row()], ("1h1", "name and address")),
        ([row(hostname="NODE1")], ("1h1", "name and address")),
        ([row(ip="192.0.2.99")], ("1h1", "name")),
        ([row(ip=None)], ("1h1", "name")),
        ([row(hostname=None)], (None, None)),
        ([row(hostname="node2")], (None, None)),
        ([row(1, ip="192.0.2.98"), row(2, ip="192.0.2.99")], (None, None)),
        ([row(1, ip="192.0.2.98"), row(2)], ("1h2", "name and address")),
        ([row(1), row(2)], (None, None)),
        ([row(1, state="reconnecting"), row(2)], ("1h2", "name and address")),
        ([row(1, agent_state="disconnected"), row(2)], ("1h2", "name and address")),
        ([row(1, state="reconnecting"), row(2, state="disconnected")], (None, None)),
        ([row(1), row(2, hostname="other", ip="x", **label("a1"))], ("1h2", "label")),
        ([row(1, **label("b2"))], (None, None)),
        ([row(1, **label("b2")), row(2, ip="192.0.2.99")], (None, None)),
        ([row(1, ip="x", **label("a1")), row(2, **label("a1"))], ("1h2", "label")),
        ([row(1, state="removed", **label("a1"))], (None, None)),
        ([row(1, state="purged"), row(2)], ("1h2", "name and address")),
    ],
)
def test_find(rows, found):
    answer = match.find(rows, ME)
    assert ((answer["row"] or {}).get("id"), answer["by"]) == found


def test_twins_are_told():
    """Of two rows with one name and address one was active, and the advice was to wipe the state."""
    answer = match.find([row(1, state="reconnecting"), row(2), row(3, hostname="other")], ME)
    assert [one["id"] for one in answer["twins"]] == ["1h1", "1h2"]
    assert match.find([row(1)], ME)["twins"] == []


def test_without_an_id_a_label_means_another_machine():
    assert match.find([row(**label("a1"))], {**ME, "id": None})["row"] is None


def test_with_id():
    assert match.with_id({"zone": "a"}, "a1") == {"zone": "a", "rancher.salt.id": "a1"}


@pytest.mark.parametrize(
    ("fields", "stranger"),
    [
        ({}, False),
        ({"ip": "192.0.2.99"}, False),
        ({"hostname": "renamed"}, False),
        ({"hostname": "other", "ip": "192.0.2.99"}, True),
        # A new host has no address for half a minute; it was called a copy.
        ({"hostname": "other", "ip": None}, False),
        # Behind a gateway, under the short or the long name.
        ({"hostname": "node1.other.test", "ip": "192.0.2.99"}, False),
        ({"hostname": None, "ip": "192.0.2.99"}, True),
    ],
)
def test_is_stranger(fields, stranger):
    assert match.is_stranger(row(**fields), ME) is stranger


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "active"),
        ({"agent_state": None}, "active"),
        # v1 keeps `state`, v2-beta replaces it.
        ({"agent_state": "disconnected"}, "disconnected"),
        ({"state": "reconnecting", "agent_state": "reconnecting"}, "reconnecting"),
        ({"state": "inactive"}, "inactive"),
        ({"state": None}, "unknown"),
    ],
)
def test_status(fields, status):
    assert match.status(row(**fields)) == status


def test_described():
    assert match.described(row()) == "1h1 (node1.example.test, 192.0.2.11, active)"
    assert "no address yet" in match.described(row(ip=None))


def test_status_of_none():
    assert match.status(None) == "not registered"
