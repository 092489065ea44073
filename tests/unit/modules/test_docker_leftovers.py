import pytest
import yaml
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _docker_leftovers as docker
import _host

CASES = yaml.safe_load((ROOT / "tests/unit/cases/docker_leftovers.yaml").read_text())


def cases(kind):
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["name"])


@cases("find")
def test_what_must_go(case):
    keys = ["storage-driver", "storage-opts", "log-driver"]
    upstream = tuple(case["upstream"]) if "upstream" in case else None
    found = docker.find(case["files"], keys, case.get("socket", True), upstream)
    assert found == case["found"]


@cases("fixed")
def test_flags_that_stay(case):
    found = docker.fixed_flags(case["files"], case.get("moved", []), case.get("socket", True))
    assert {flag["key"]: flag["flag"] for flag in found} == case["flags"]


@pytest.fixture
def etc(tmp_path, monkeypatch, replace):
    """The module with its paths below tmp_path."""
    module, ran = docker, []
    replace(_host, run=lambda argv, timeout=60, accept=(0,): ran.append(argv))
    monkeypatch.setattr(module, "_ETC", str(tmp_path))
    return module, tmp_path, ran


def test_a_file_is_moved_beside_itself_and_never_over_another(etc, monkeypatch):
    module, path, _ = etc
    names = set()
    for text in ("one", "two", "three"):
        (path / "docker").write_text(text)
        names.add(module.move(str(path / "docker")))
        assert not (path / "docker").exists()
    assert len(names) == 3
    assert {text.read_text() for text in path.glob("docker.before-*")} == {"one", "two", "three"}


def test_a_file_that_cannot_be_moved_is_an_error(etc):
    module, path, _ = etc
    with pytest.raises(CommandExecutionError, match="could not be moved"):
        module.move(str(path / "absent"))


def test_docker_storage_setup_is_seen_by_its_link_and_disabled(etc):
    module, path, ran = etc
    assert not module.storage_setup_enabled()
    (path / "multi-user.target.wants").mkdir()
    (path / "multi-user.target.wants/docker-storage-setup.service").symlink_to("/nowhere")
    assert module.storage_setup_enabled()
    module.disable_storage_setup()
    assert ran == [["systemctl", "disable", "docker-storage-setup.service"]]
