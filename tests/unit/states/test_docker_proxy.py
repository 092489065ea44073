"""The state over its face; the files themselves: tests/unit/modules/test_docker_proxy.py."""

import pytest
from fakes import state_over

import _docker_proxy
import docker_proxy

PROXY = {"http_proxy": "http://me:s3cret@proxy:3128"}


@pytest.fixture
def configure_loader_modules():
    return {docker_proxy: {"__pillar__": {"rancher": {"docker": {"proxy": PROXY}}}}}


@pytest.mark.parametrize("test", [True, False])
def test_it_reads_the_pillar_and_shows_no_value(test, monkeypatch, tmp_path):
    monkeypatch.setattr(_docker_proxy, "DROP_IN", str(tmp_path / "proxy.conf"))
    monkeypatch.setattr(_docker_proxy, "VARIABLES", str(tmp_path / "proxy.env"))
    monkeypatch.setattr(_docker_proxy._docker_service, "reload", lambda: None)
    ret = state_over(docker_proxy, test).present("docker")
    assert ret["changes"] == {"proxy": {"old": "absent", "new": "as in the settings"}}
    assert ret["result"] is (None if test else True)
    assert "s3cret" not in repr(ret)
    assert (tmp_path / "proxy.env").exists() is not test
