import pytest
from fakes import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

converge = load("converge")
WANT = {"size": 2, "active": True}


class Thing:
    """Something with two properties; `breaks_at` names the one that cannot be set."""

    def __init__(self, breaks_at=None, lies=False, **have):
        self.have, self.breaks_at, self.lies = have, breaks_at, lies
        self.writes = 0

    def observe(self):
        return dict(self.have)

    def plan(self, seen):
        return {
            key: {"old": seen.get(key), "new": value}
            for key, value in WANT.items()
            if seen.get(key) != value
        }

    def apply(self, _seen, changes):
        for key, change in changes.items():
            self.writes += 1
            if key == self.breaks_at:
                raise CommandExecutionError("the disk is full")
            if not self.lies:
                self.have[key] = change["new"]


def run(thing, test, **more):
    arguments = {"observe": thing.observe, "plan": thing.plan, "apply": thing.apply, **more}
    return converge.run("it", "Thing", test=test, **arguments)


@pytest.mark.parametrize("test", [True, False])
def test_nothing_to_do(test):
    thing = Thing(**WANT)
    assert run(thing, test) == {
        "name": "it",
        "result": True,
        "changes": {},
        "comment": "Thing is already correct",
    }
    assert thing.writes == 0


def test_a_dry_run_predicts_what_the_run_does():
    thing = Thing(size=1)
    predicted = run(thing, test=True)
    assert (predicted["result"], thing.writes) == (None, 0)
    assert predicted["comment"] == "Thing would change: size, active"
    actual = run(thing, test=False)
    assert actual["result"] is True
    assert actual["changes"] == predicted["changes"]
    assert actual["comment"] == "Thing changed: size, active"
    assert run(thing, test=False)["changes"] == {}


def test_a_partial_failure_reports_what_really_changed():
    ret = run(Thing(size=1, breaks_at="active"), test=False)
    assert ret["result"] is False
    assert ret["changes"] == {"size": {"old": 1, "new": 2}}
    assert ret["comment"] == "Thing could not be completed: the disk is full. Changed so far: size"


def test_a_step_without_effect_is_a_failure():
    ret = run(Thing(lies=True), test=False)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert (
        "still to do after every step succeeded: size, active. Changed so far: nothing"
        in (ret["comment"])
    )


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("where", ["observe", "plan"])
@pytest.mark.parametrize("error", [CommandExecutionError, SaltInvocationError])
def test_a_refusal_changes_nothing(where, error, test):
    def refuse(*_args):
        raise error("Refusing to touch /dev/sda")

    thing = Thing()
    ret = run(thing, test, **{where: refuse})
    assert ret == {
        "name": "it",
        "result": False,
        "changes": {},
        "comment": "Refusing to touch /dev/sda",
    }
    assert thing.writes == 0


def test_what_cannot_be_looked_at_afterwards_is_not_claimed():
    thing = Thing()
    looks = iter([{}])

    def observe():
        try:
            return next(looks)
        except StopIteration:
            raise CommandExecutionError("`lvs` gave no answer") from None

    ret = run(thing, test=False, observe=observe)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "`lvs` gave no answer. Under way were: size, active" in ret["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_notes_stand_in_every_comment(test):
    ret = run(Thing(**WANT), test, notes=lambda seen: [f"size is {seen['size']}"])
    assert ret["comment"] == "Thing is already correct. size is 2"
