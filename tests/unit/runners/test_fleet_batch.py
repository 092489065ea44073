import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

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


# What no minion of ours sends, and another does.
STRANGE = {
    "a refusal in a dry run": (
        {
            "x": {
                "result": False,
                "__id__": "i",
                "name": "no disk",
                "comment": "If we weren't testing, this would be a failure!",
            }
        },
        "i: no disk",
    ),
    "no comment": ({"x": {"result": False}}, "a state without a name: no reason given"),
    "a comment that is None": (
        {"x": {"result": False, "comment": None, "__id__": "i"}},
        "i: no reason given",
    ),
    "a list as comment": (
        {"x": {"result": False, "comment": ["a", None], "__id__": "i"}},
        "i: a; None",
    ),
    "a dict as comment": (
        {"x": {"result": False, "comment": {"a": 1}, "__id__": "i"}},
        "i: {'a': 1}",
    ),
    "escapes": (
        {
            "x": {
                "result": False,
                "comment": "\x1b[2J\x1b]0;title\x07\x1bcdisk\r\x00 full",
                "__id__": "i",
            }
        },
        "i: disk full",
    ),
    "escapes in an id": ({"x": {"result": False, "__id__": "\x1b[31mi"}}, "i: no reason given"),
    "an id that is no text": ({"x": {"result": False, "__id__": 5}}, "5: no reason given"),
    "another result": ({"x": {"result": "no", "__id__": "i"}}, "i: no reason given"),
    "run numbers of all kinds": (
        {
            "c": {"result": False, "__run_num__": "first", "__id__": "c", "comment": "c"},
            "b": {"result": False, "__run_num__": None, "__id__": "b", "comment": "b"},
            "a": {"result": False, "__run_num__": 1, "__id__": "a", "comment": "a"},
        },
        "a: a (and 2 more)",
    ),
    "a state that is a text": (
        {"x": "failed", "y": {"result": True}},
        "{'x': 'failed', 'y': {'result': True}}",
    ),
    "None": (None, "the minion answered nothing"),
    "a number": (5, "5"),
    "bytes": (b"x", "b'x'"),
    "surrogates": ("a\udcff\u202eb", "a b"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_return_was_a_traceback_for_the_whole_fleet(name):
    returned, reason = STRANGE[name]
    assert batch.verdict({"ret": returned}) == {"failed": reason}


@pytest.mark.parametrize("answer", [{}, {"jid": "1"}, "text", 5, [1]])
def test_an_answer_that_is_no_full_return(answer):
    assert list(batch.verdict(answer)) == ["failed"]


@pytest.mark.parametrize("changes", ["x", 5, [1], {"a": object()}])
def test_changes_of_all_kinds(changes):
    assert batch.verdict({"ret": {"x": {"result": True, "changes": changes, "__id__": "i"}}}) == {
        "done": "changed: i"
    }


@pytest.mark.parametrize(
    "trouble", [CommandExecutionError("lost"), KeyError("lost"), OSError("lost")]
)
def test_one_batch_cost_what_was_known_of_the_others(trouble):
    def work(some):
        if "a2" in some:
            raise trouble
        return dict.fromkeys(some, {"done": "yes"})

    report = batch.walk([["a1"], ["a2"], ["a3"]], work)
    assert (report["done"], report["left"]) == ({"a1": "yes"}, ["a3"])
    assert "lost" in report["failed"]["a2"]
