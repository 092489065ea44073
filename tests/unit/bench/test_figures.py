"""Medians, aims, and the table that shows whether they are met."""

import pytest
from bench.figures import Aim, Cost, flatness, markdown, median, no_op_aims, repeated


def test_the_median_is_that_of_each_part():
    assert median([Cost(1, 9), Cost(2, 7), Cost(30, 8)]) == Cost(2, 8)


@pytest.mark.parametrize(
    ("found", "at_least", "met"),
    [(1.5, False, "yes"), (1.51, False, "**no**"), (1.5, True, "yes"), (1.49, True, "**no**")],
)
def test_an_aim_is_met_or_not(found, at_least, met):
    row = Aim("x", found, 1.5, at_least).row()
    assert row[2:] == ["at least 1.5" if at_least else "at most 1.5", met]


def costs(part):
    seconds = {
        ("minion", "ping"): 1,
        ("minion", "common"): 2,
        ("salt-call", "ping"): 1,
        ("salt-call", "common"): 1.4,
        ("salt-ssh", "ping"): 4,
        ("salt-ssh", "common"): 5,
        ("ansible", "common"): 20,
        ("mitogen", "common"): 7,
        ("pyinfra", "common"): 2.5,
    }
    other = {"wall": "cpu", "cpu": "wall"}[part]
    return {key: Cost(**{part: value, other: 0}) for key, value in seconds.items()}


@pytest.mark.parametrize("part", ["wall", "cpu"])
def test_the_aims_compare_a_way_with_its_floor_and_with_ansible(part):
    aims = {aim.what: (aim.found, aim.met) for aim in no_op_aims(costs(part), part)}
    assert aims == {
        "no-op over test.ping, minion": (2, False),
        "no-op over test.ping, salt-call": (1.4, True),
        "no-op over test.ping, salt-ssh": (1.25, True),
        "pipelined Ansible over minion": (10, True),
        "mitogen over minion": (3.5, True),
        "mitogen over salt-ssh": (1.4, False),
        "salt-ssh over pyinfra": (2, False),
        "minion over pyinfra": (0.8, True),
    }


def test_a_fleet_is_as_flat_as_its_worst_size():
    # One minion alone bears the master's whole share.
    assert flatness({1: 9.0, 5: 1.0, 20: 0.9, 100: 1.15}) == pytest.approx(0.15)


def test_a_table_is_readable_as_text():
    assert markdown(["way", "s"], [["minion", 1], ["x", 12.5]]).splitlines() == [
        "| way    | s    |",
        "|--------|------|",
        "| minion | 1    |",
        "| x      | 12.5 |",
    ]


def test_one_run_is_no_median():
    assert repeated(1) == "One run each"
    assert repeated(3, "bare host") == "Medians of 3 bare hosts"
