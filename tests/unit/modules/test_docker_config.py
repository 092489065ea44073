import pytest
import yaml
from fakes import ROOT

import _docker_config as docker

CASES = yaml.safe_load((ROOT / "tests/unit/cases/docker_config.yaml").read_text())
POOL = "/dev/mapper/docker-thinpool"


def cases(kind):
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["name"])


@cases("compose")
def test_what_belongs_into_the_file(case):
    upstream = tuple(case["upstream"]) if "upstream" in case else None
    config = docker.compose(
        case.get("settings", {}), case.get("pool"), case.get("kernel", ""), upstream
    )
    assert config == case["config"]


@pytest.mark.parametrize("options", ["dm.basesize=20G", [1], ["dm.basesize"]])
def test_storage_options_that_cannot_be_merged_are_left_for_the_check(options):
    config = docker.compose({"storage-opts": options}, POOL, "6.1.0")
    assert config["storage-opts"] == options
    assert docker.problems(config, POOL)


@cases("problems")
def test_what_a_daemon_would_refuse(case):
    pool, kernel = POOL if case.get("pool") else None, case.get("kernel", "6.1.0")
    config = docker.compose(case["config"], pool, kernel)
    found = docker.problems(config, pool, kernel, case.get("flags"))
    assert len(found) == (1 if "problem" in case else 0), found
    assert all(line.startswith(case["problem"]) and "\n" not in line for line in found)


def test_every_problem_is_named_at_once():
    assert len(docker.problems({"debug": 1, "mtu": "x", "storage-driver": "overlay2"})) == 2


@pytest.mark.parametrize(
    "secret",
    [
        {"splunk-token": "hunter2"},
        {"nested": {"gelf-password": "hunter2"}},
        ["http://user:hunter2@proxy:3128"],
        ["splunk-token=hunter2"],
    ],
)
def test_a_secret_is_not_shown(secret):
    assert "hunter2" not in repr(docker.shown(secret))
