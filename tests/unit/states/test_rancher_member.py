import pytest
from fakes import Salt, load, load_state

LEFT = {"containers": [{"id": "3", "name": "rancher-agent"}], "volumes": [], "state": True}
NOTHING = {"containers": [], "volumes": [], "state": False}
CONVERGE, MEMBER = load("_converge"), load("_rancher_member")


@pytest.mark.parametrize("test", [True, False])
def test_it_tells_the_same_dry_and_real(test, tmp_path, monkeypatch):
    monkeypatch.setattr(CONVERGE, "LOCK", str(tmp_path / "lock"), raising=False)
    seen, applied = [LEFT], []

    def apply(before, changes):
        applied.append(list(changes))
        seen.append(NOTHING)

    calls = {
        "_converge.run": CONVERGE.run,
        "_rancher_member.observe": lambda: seen[-1],
        "_rancher_member.plan": MEMBER.plan,
        "_rancher_member.apply": apply,
    }
    state = load_state("rancher_member", Salt(calls), test=test)
    ret = state.absent("rancher-agent")
    assert ret["changes"] == {
        "containers": {"old": "rancher-agent", "new": None},
        "state directory": {"old": "/var/lib/rancher/state", "new": None},
    }
    assert ret["result"] is (None if test else True)
    assert applied == ([] if test else [["containers", "state directory"]])
    seen.append(NOTHING)
    assert state.absent("rancher-agent")["changes"] == {}
