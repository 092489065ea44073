"""The state over its face and the private file; Docker is a fake."""

import pytest
from fakes import state_over

import _rancher_member
import rancher_member

LEFT = {
    "containers": [{"id": "3", "name": "rancher-agent"}],
    "volumes": [],
    "staying": ["web-1"],
    "state": True,
}
NOTHING = {"containers": [], "volumes": [], "staying": [], "state": False}


@pytest.fixture
def configure_loader_modules():
    return {rancher_member: {"__pillar__": {}}}


def absent(test, pillar=None):
    rancher_member.__pillar__.update(pillar or {})
    return state_over(rancher_member, test).absent("rancher-agent")


@pytest.fixture
def seen(monkeypatch):
    found = [LEFT]
    monkeypatch.setattr(_rancher_member, "observe", lambda: found[-1])
    return found


@pytest.mark.parametrize("test", [True, False])
def test_it_tells_the_same_dry_and_real(test, seen, monkeypatch):
    applied = []

    def apply(before, changes):
        applied.append(list(changes))
        seen.append({**NOTHING, "staying": LEFT["staying"]})

    monkeypatch.setattr(_rancher_member, "apply", apply)
    ret = absent(test)
    assert ret["changes"] == {
        "containers": {"old": "rancher-agent", "new": None},
        "state directory": {"old": "/var/lib/rancher/state", "new": None},
    }
    assert ret["result"] is (None if test else True)
    assert ret["comment"].endswith("Containers that Rancher started stay, and run on: web-1")
    assert applied == ([] if test else [["containers", "state directory"]])
    seen.append(NOTHING)
    assert absent(test)["changes"] == {}


@pytest.mark.parametrize("test", [True, False])
def test_a_host_that_is_an_agent_by_its_pillar_is_refused(test, seen, monkeypatch):
    """Its agent and state went, and the next highstate made it a new host."""
    monkeypatch.setattr(_rancher_member, "apply", lambda *_: pytest.fail("applied"))
    ret = absent(test, {"rancher": {"roles": ["agent"]}})
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "rancher:roles still gives this host the role agent" in ret["comment"]
    seen.append(NOTHING)
    assert absent(test, {"rancher": {"roles": ["server"]}})["result"] is True
