import re
import shutil
import subprocess

import pytest
import yaml
from fakes import ROOT
from hypothesis import given
from hypothesis import strategies as st

import _docker_flags as docker

CASES = yaml.safe_load((ROOT / "tests/unit/cases/docker_flags.yaml").read_text())


def cases(kind):
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["name"])


def found(words):
    return [[flag["key"], flag["flag"], flag["value"]] for flag in docker.parse(words)]


@cases("flags")
def test_flags_are_known_by_their_keys(case):
    assert found(case["words"]) == case["flags"]


@cases("programs")
def test_the_daemon_is_found_behind_a_shell(case):
    words = docker.program(case["words"])
    assert words == case["program"]
    assert docker.old_command(words) == case["old"]


@cases("reasons")
def test_what_keeps_a_daemon_from_starting(case):
    flags = docker.parse(case["words"])
    upstream = tuple(case["upstream"]) if "upstream" in case else None
    reasons = docker.reasons(flags, case.get("keys", []), case.get("socket", True), upstream)
    assert reasons == case["reasons"]


NAMES = st.sampled_from(["storage-driver", "data-root", "log-level", "group", "pidfile"])
VALUES = st.text(st.sampled_from([*'ab-=/ "$']), max_size=8)
SHORT = {name: letter for letter, name in docker._SHORT.items()}


@given(st.lists(st.tuples(NAMES, VALUES, st.integers(0, 3)), max_size=5), st.booleans())
def test_every_spelling_says_the_same(given_, debug):
    words = ["dockerd", *["-D"] * debug]
    for name, value, spelling in given_:
        short = SHORT.get({"data-root": "graph"}.get(name, name))
        if spelling == 0:
            words += [f"--{name}={value}"]
        elif spelling == 1 or short is None:
            words += [f"--{name}", value]
        elif spelling == 2 or not value or value.startswith("="):
            words += [f"-{short}", value]
        else:
            words += [f"-{short}{value}"]
    flags = docker.parse(words)
    assert [flag["key"] for flag in flags] == ["debug"] * debug + [name for name, _, _ in given_]
    assert [flag["value"] for flag in flags if flag["key"] != "debug"] == [
        value for _, value, _ in given_
    ]


@given(st.lists(st.text(max_size=10), max_size=8))
def test_no_words_stop_the_reader(words):
    for flag in docker.parse(words):
        assert 0 <= flag["at"] < len(words)


def test_the_program_of_this_machine_agrees_which_flags_take_a_value():
    if not shutil.which("dockerd"):
        pytest.skip("no dockerd")
    text = subprocess.run(
        ["dockerd", "--help"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    # A flag with a value has the value's kind after one space, then at least two.
    lines = re.findall(r"^ +(?:-(\w), )?--([a-z0-9-]+)( [a-z-]+)?(?:  |$)", text, re.M)
    assert len(lines) > 50
    for short, name, kind in lines:
        assert (name in docker._SWITCHES) is (not kind), name
        assert not short or docker._SHORT[short] == name
