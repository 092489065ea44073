import json
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


@pytest.fixture(scope="module")
def helped():
    """(short, long, kind of value) of every flag of this machine's daemon."""
    if not shutil.which("dockerd"):
        pytest.skip("no dockerd")
    text = subprocess.run(
        ["dockerd", "--help"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    # A flag with a value has the value's kind after one space, then at least two.
    found = re.findall(r"^ +(?:-(\w), )?--([a-z0-9-]+)(?: ([a-z-]+))?(?:  |$)", text, re.M)
    assert len(found) > 50
    return found


def test_a_real_daemon_agrees_which_flags_take_a_value(helped):
    for short, name, kind in helped:
        assert (name in docker._SWITCHES) is (not kind), name
        assert not short or docker._SHORT[short] == name


# A value of each kind for the command line, and one for the file where it is not a list or the same.
VALUE = {
    **{"string": "x", "list": "x=y", "int": "1", "": "true", "ip": "10.1.2.3", "bytes": "64m"},
    **{"map": "a=b", "runtime": "a=/b", "ulimit": "nofile=1:2"},
    "pool-options": "base=10.0.0.0/16,size=24",
}
IN_FILE = {
    **{"int": 1, "": True, "map": {"a": "b"}, "runtime": {"a": {"path": "/b"}}},
    "ulimit": {"nofile": {"Name": "nofile", "Hard": 2, "Soft": 1}},
    "pool-options": [{"base": "10.0.0.0/16", "size": 24}],
}
OWN = {
    **{"dns": "10.1.2.3", "dns-search": "example.org", "host": "unix:///nowhere/sock"},
    **{"metrics-addr": "127.0.0.1:1", "registry-mirror": "https://m.example.org"},
    **{"insecure-registry": "r:5", "node-generic-resource": "a=1", "log-level": "info"},
}
NOT_IN_FILE = [
    "config-file",
    "containerd-plugins-namespace",
    "cri-containerd",
    "help",
    "rootless",
    "validate",
    "version",
]


def test_a_real_daemon_names_the_same_collisions(helped, tmp_path):
    config, argv, names = {}, ["dockerd"], []
    for _, name, kind in helped:
        if name not in NOT_IN_FILE:
            value = OWN.get(name, VALUE[kind])
            inside = [value] if kind == "list" else IN_FILE.get(kind, value)
            config[docker._KEYS.get(name, name)] = inside
            argv.append(f"--{name}={value}")
            names.append(name)
    (tmp_path / "daemon.json").write_text(json.dumps(config))
    argv.append(f"--config-file={tmp_path}/daemon.json")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "both as a flag and in the configuration file" in done.stderr
    theirs = set(re.findall(r"(?:: |, )([a-z0-9-]+): \(from flag", done.stderr))
    ours = {flag["key"] for flag in docker.parse(argv) if docker.collides(flag)}
    assert theirs == ours - {"config-file"} and len(theirs) > 50
