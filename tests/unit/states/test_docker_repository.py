import functools

import pytest

import _docker_repository

OFFICIAL = {
    "baseurl": "https://download.docker.com/linux/centos/7/$basearch/stable",
    "gpgkey": "https://download.docker.com/linux/centos/gpg",
}


@pytest.fixture
def run(state, replace):
    return functools.partial(_run, state, replace)


def _run(state, replace, test, repository, have=None):
    host = {"want": _docker_repository.rpm_options(OFFICIAL), "have": have or {}, "key": None}
    calls = []

    def status(salt, grains, repository):
        _docker_repository.checked(repository)
        return dict(host)

    def configure(salt, grains, repository, changes):
        calls.append(sorted(changes))
        host["have"] = host["want"]

    replace(_docker_repository, status=status, configure=configure)
    told = {"docker_repository.new": "a run before"}
    ret = state("docker_repository", test, __context__=told).configured("docker", repository)
    # The package after it reads whether what is on offer can be known.
    assert told["docker_repository.new"] is bool(ret["changes"])
    return ret, calls


@pytest.mark.parametrize("test", [True, False])
def test_a_new_repository(test, run):
    ret, calls = run(test, OFFICIAL)
    assert ret["changes"]["gpgcheck"] == {"old": None, "new": "1"}
    assert ret["result"] is (None if test else True)
    assert len(calls) == (0 if test else 1)


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("repository", [None, OFFICIAL], ids=["the host's own", "configured"])
def test_nothing_to_do(test, repository, run):
    ret, calls = run(test, repository, _docker_repository.rpm_options(OFFICIAL))
    assert ret["result"] is True and ret["changes"] == {} and calls == []


@pytest.mark.parametrize("test", [True, False])
def test_a_bad_setting_changes_nothing(test, run):
    ret, calls = run(test, {**OFFICIAL, "gpgcheck": False})
    assert ret["result"] is False and ret["changes"] == {} and calls == []
    assert "rancher:docker:repository:gpgcheck is not a setting" in ret["comment"]
