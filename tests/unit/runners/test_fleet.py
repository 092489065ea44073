"""What the operator calls, over a fleet of fakes; more of it in the tests of the private files."""

import pytest


def test_apply_works_in_batches_on_everybody(world):
    report = world.fleet.apply("common,docker", batch=3)
    assert report == {
        "done": dict.fromkeys(world.members, "changed: docker"),
        "failed": {},
        "left": [],
    }
    assert world.log == ["apply common,docker a1,a2,a3", "apply common,docker s1"]
    assert not world.failed


def test_apply_works_on_a_role_and_dry(world):
    world.fleet.apply(["server"], role="server", test=True)
    assert world.log == ["dry server s1"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"target": "x*"}, "no minion is known that matches 'x*'"),
        ({"batch": 0}, "batch is 0, allowed: a whole number, or 1% to 100%"),
    ],
)
def test_wrong_words_are_an_answer(world, words, reason):
    assert world.fleet.apply("common", **words)["failed"] == {"all": reason}
    assert world.failed and world.log == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"sls": "common.conntrak"}, "serves no SLS 'common.conntrak'"),
        ({"sls": "common", "role": "agnt"}, "role is 'agnt', allowed: common, server, agent"),
    ],
)
def test_a_typing_error_was_a_success(world, words, reason):
    assert reason in world.fleet.apply(**words)["failed"]["all"]
    assert world.failed and world.log == []
