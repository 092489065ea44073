"""Docker's proxies: two files, no value in any output, no change that a restart could miss."""

import os
import stat

import pytest
from fakes import state_over

import _docker_proxy
import docker_proxy

PROXY = {"http_proxy": "http://me:s3cret@proxy:3128", "https_proxy": None, "no_proxy": "10.0.0.0/8"}
TEXT = '# Managed by Salt.\nHTTP_PROXY="http://me:s3cret@proxy:3128"\nNO_PROXY="10.0.0.0/8"\n'


@pytest.fixture
def configure_loader_modules():
    return {docker_proxy: {"__pillar__": {}}}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The reloads that systemd was asked for."""
    reloads = []
    monkeypatch.setattr(_docker_proxy, "DROP_IN", str(tmp_path / "docker.service.d/proxy.conf"))
    monkeypatch.setattr(_docker_proxy, "VARIABLES", str(tmp_path / "docker/proxy.env"))
    monkeypatch.setattr(_docker_proxy._docker_service, "reload", lambda: reloads.append(1))
    return reloads


def run(proxy, test=False):
    docker_proxy.__pillar__["rancher"] = {"docker": {"proxy": proxy}}
    ret = state_over(docker_proxy, test).present("docker")
    assert "s3cret" not in repr(ret)
    return ret


def both(proxy, changes):
    """Dry run, run, and one more: the same changes, then none."""
    dry, real, again = run(proxy, test=True), run(proxy), run(proxy)
    assert (dry["changes"], real["changes"], again["changes"]) == (changes, changes, {})
    assert [ret["result"] for ret in (dry, real, again)] == [None if changes else True, True, True]


def read(path):
    with open(path, encoding="utf-8") as source:
        return source.read()


def test_there_changed_and_taken_away(files):
    both(None, {})
    assert not os.path.exists(_docker_proxy.DROP_IN)
    both(PROXY, {"proxy": {"old": "absent", "new": "as in the settings"}})
    assert read(_docker_proxy.VARIABLES) == TEXT
    assert stat.S_IMODE(os.stat(_docker_proxy.VARIABLES).st_mode) == 0o600
    assert f"EnvironmentFile={_docker_proxy.VARIABLES}\n" in read(_docker_proxy.DROP_IN)
    other = {**PROXY, "http_proxy": "http://other:3128"}
    both(other, {"proxy": {"old": "another", "new": "as in the settings"}})
    both(None, {"proxy": {"old": "another", "new": "absent"}})
    assert not os.path.exists(_docker_proxy.VARIABLES)
    assert read(_docker_proxy.DROP_IN) == "# Managed by Salt.\n"
    assert len(files) == 3


def test_other_variables_make_the_drop_in_new(files):
    """A daemon is restarted for a drop-in that is newer than its start, and for nothing else."""
    run(PROXY)
    os.utime(_docker_proxy.DROP_IN, (1, 1))
    os.utime(_docker_proxy.VARIABLES, (1, 1))
    run({**PROXY, "no_proxy": None})
    assert os.stat(_docker_proxy.DROP_IN).st_mtime > 1


def test_killed_between_the_two_files(files):
    run(PROXY)
    os.utime(_docker_proxy.DROP_IN, (1, 1))
    both(PROXY, {"proxy": {"old": "another", "new": "as in the settings"}})


@pytest.mark.parametrize("proxy", [None, {}, dict.fromkeys(_docker_proxy.NAMES)])
def test_no_proxy_is_no_file(proxy):
    assert _docker_proxy.variables(proxy) is None
