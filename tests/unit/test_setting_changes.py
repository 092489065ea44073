"""
Each setting takes a stand: what becomes of a host when it changes. Kept in step with
defaults.yaml, so that a new setting needs a row; what the rows name is there.
"""

import pytest
import yaml
from fake_conntrack import Machine
from fakes import DEFAULTS, ROOT

import _settings

CHANGES = yaml.safe_load((ROOT / "tests/unit/cases/setting_changes.yaml").read_text())
ROWS = [(name, row) for name, rows in CHANGES.items() for row in rows]
RUN = [(name, row) for name, row in ROWS if "by" in row]
OUTCOMES = {"happens", "refused", "noted", "next"}


def names(rows):
    return [f"{name}: {row['old']} -> {row['new']}" for name, row in rows]


def leaves(tree, path=""):
    for key, value in tree.items():
        # A mapping that is empty, or may be null, is one setting.
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}{key}:")
        else:
            yield f"{path}{key}"


def rule(name):
    found = _settings.SCHEMA
    for key in name.split(":"):
        found = found[key]
    return found


def test_every_setting_takes_a_stand():
    assert list(CHANGES) == list(leaves(DEFAULTS))


@pytest.mark.parametrize(("name", "row"), ROWS, ids=names(ROWS))
def test_a_row_is_whole(name, row):
    assert row["old"] != row["new"]
    for value in (row["old"], row["new"]):
        assert _settings._check(f"rancher:{name}", value, rule(name)) == []
    assert row["then"] in OUTCOMES
    assert ("why" in row) == (row["then"] == "next"), "only these need a reason"
    assert row["then"] == "next" or "shown" in row or "by" in row
    if "shown" in row:
        path, _, test = row["shown"].partition("::")
        assert f"\ndef {test}(" in (ROOT / "tests" / path).read_text()


@pytest.mark.parametrize(("name", "row"), RUN, ids=names(RUN))
def test_what_a_row_says_is_what_becomes_of_the_host(tmp_path, name, row):
    machine, key = Machine(tmp_path), name.partition(":")[2]
    machine.load_module("nf_conntrack")
    machine.state(test=False, **{key: row["old"]})
    before = machine.tree()
    dry = machine.state(test=True, **{key: row["new"]})
    assert machine.tree() == before
    made = machine.state(test=False, **{key: row["new"]})
    assert made["changes"] == dry["changes"]
    assert bool(made["changes"]) == (row["then"] == "happens")
    for ret in (dry, made):
        assert row.get("words", "") in ret["comment"]
    assert machine.state(test=False, **{key: row["new"]})["changes"] == {}
