import pytest
from salt.exceptions import SaltInvocationError

import _fleet_batch as batch

FIVE = ["a1", "a2", "a3", "a4", "a5"]


@pytest.mark.parametrize(
    ("size", "batches"),
    [
        (2, [["a1", "a2"], ["a3", "a4"], ["a5"]]),
        ("2", [["a1", "a2"], ["a3", "a4"], ["a5"]]),
        (100, [FIVE]),
        ("100%", [FIVE]),
        ("40%", [["a1", "a2"], ["a3", "a4"], ["a5"]]),
        ("1%", [[name] for name in FIVE]),
    ],
)
def test_split(size, batches):
    assert batch.split([*reversed(FIVE), "a1"], size) == batches


def test_nobody_is_no_batch():
    assert batch.split([], 3) == []


@pytest.mark.parametrize("size", [0, -1, "0%", "101%", "many", None, True, 1.5, "", "5 %"])
def test_split_refuses(size):
    with pytest.raises(SaltInvocationError, match="batch is .*, allowed: a whole number"):
        batch.split(FIVE, size)


def test_walk_stops_after_the_first_batch_with_a_failure():
    seen = []

    def work(some):
        seen.append(some)
        return {name: {"failed": "no"} if name == "a3" else {"done": "yes"} for name in some}

    report = batch.walk([["a1"], ["a2", "a3"], ["a4"], ["a5"]], work)
    assert seen == [["a1"], ["a2", "a3"]]
    assert report == {
        "done": {"a1": "yes", "a2": "yes"},
        "failed": {"a3": "no"},
        "left": ["a4", "a5"],
    }


def test_walk_names_who_was_not_begun_with_inside_a_batch():
    report = batch.walk([["a1", "a2"], ["a3"]], lambda some: {"a2": {"failed": "no"}})
    assert report == {"done": {}, "failed": {"a2": "no"}, "left": ["a1", "a3"]}


def state(number, result=True, comment="fine", changes=None):
    row = {"__run_num__": number, "__id__": f"id{number}", "result": result, "comment": comment}
    return {f"x_|-id{number}_|-n_|-f": {**row, "changes": changes or {}}}


LOST = "One or more requisite failed: common.id1"
VERDICTS = {
    "nothing": ({**state(0), **state(1)}, {"done": "nothing to change"}),
    "changes": (
        {**state(1, changes={"a": 1}), **state(0, changes={"b": 1}), **state(2)},
        {"done": "changed: id0, id1"},
    ),
    "dry": ({**state(0, None, changes={"b": 1})}, {"done": "changed: id0"}),
    "a failure and what it took along": (
        {**state(2, False, LOST), **state(1, False, "disk\nis  full"), **state(0)},
        {"failed": "id1: disk is full"},
    ),
    "two failures": (
        {**state(2, False, "two"), **state(1, False, "one")},
        {"failed": "id1: one (and 1 more)"},
    ),
    "only requisites": ({**state(2, False, LOST)}, {"failed": f"id2: {LOST}"}),
    "rendering failed": (["Rendering SLS failed:", "x"], {"failed": "Rendering SLS failed:; x"}),
    "a text": ("ERROR: no such function", {"failed": "ERROR: no such function"}),
    "nothing at all": ({}, {"failed": "the minion answered nothing"}),
    "another dict": ({"pid": 7}, {"failed": "{'pid': 7}"}),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name):
    returned, expected = VERDICTS[name]
    assert batch.verdict({"ret": returned, "retcode": 0}) == expected


def test_verdict_of_a_dry_run():
    answer = {"ret": state(0, None, changes={"b": 1})}
    assert batch.verdict(answer, dry=True) == {"done": "would change: id0"}


def test_no_answer():
    assert batch.verdict(False) == {
        "failed": "no answer: it is down, or was cut off during the run"
    }


def test_a_long_reason_is_cut():
    (text,) = batch.verdict({"ret": "x" * 5000}).values()
    assert len(text) < 500 and text.endswith("...")
