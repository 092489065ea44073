import pytest
import yaml
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _docker_version as docker

CASES = yaml.safe_load((ROOT / "tests/unit/cases/docker_version.yaml").read_text())


def cases(kind):
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["name"])


@cases("upstream")
def test_dockers_own_version(case):
    found = docker.upstream(case["version"])
    assert found == (tuple(case["upstream"]) if case["upstream"] else None)


@pytest.mark.parametrize("nothing", ["", None])
def test_no_version_has_no_upstream(nothing):
    assert docker.upstream(nothing) is None


@cases("targets")
def test_the_packages_of_one_docker(case):
    found = docker.targets(case["package"], case["version"], case.get("epochs", True))
    assert found == case["targets"]


@cases("has_socket")
def test_the_socket_that_fd_needs(case):
    assert docker.has_socket(case["package"], case["version"]) is case["socket"]


@cases("plan")
def test_what_comes_changes_or_goes(case):
    seen = {"installed": {}, "on_offer": None, "newer_than_wanted": False, "epochs": False}
    seen |= case.get("seen", {})
    arguments = (case["package"], case.get("version"), seen, case.get("pool", False))
    if "refusal" in case:
        with pytest.raises(CommandExecutionError) as caught:
            docker.plan(*arguments)
        message = str(caught.value)
        assert message.startswith(case["refusal"])
        assert "nothing was changed" in message and "\n" not in message
    else:
        assert docker.plan(*arguments) == case["changes"]


def test_debians_docker_is_a_program_for_the_dock():
    assert "docker" not in docker.related("docker.io", None, rpm=False)
    assert "docker" in docker.related("docker-ce", None, rpm=True)
