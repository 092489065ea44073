import pytest
import yaml
from fakes import ROOT

import _docker_flags as docker

CASES = yaml.safe_load((ROOT / "tests/unit/cases/docker_flags.yaml").read_text())


def cases(kind):
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["name"])


@cases("flags")
def test_flags_are_known_by_their_keys(case):
    assert docker.parse_flags(case["words"]) == case["flags"]


@cases("units")
def test_a_unit(case):
    assert docker.parse_unit(case["text"]) == {
        "commands": case["commands"],
        "files": case["files"],
    }


@cases("variables")
def test_a_file_of_variables(case):
    assert docker.parse_variables(case["text"]) == case["variables"]


@cases("reasons")
def test_what_keeps_a_daemon_from_starting(case):
    found = docker.reason(case["words"], case.get("keys", []), case.get("socket", True))
    assert found is None if case["reason"] is None else found.startswith(case["reason"])
