import pytest
from fakes import Salt, load, load_state

OFFICIAL = {
    "baseurl": "https://download.docker.com/linux/centos/7/$basearch/stable",
    "gpgkey": "https://download.docker.com/linux/centos/gpg",
}
module = load("_docker_repository")


def run(test, repository, have=None):
    host = {"want": module.rpm_options(OFFICIAL), "have": have or {}, "key": None}
    calls = []

    def status(repository):
        module.checked(repository)
        return dict(host)

    def configure(repository, changes):
        calls.append(sorted(changes))
        host["have"] = host["want"]

    salt = {
        "_converge.run": load("_converge").run,
        "_docker_repository.status": status,
        "_docker_repository.plan": module.plan,
        "_docker_repository.configure": configure,
    }
    state = load_state("docker_repository", Salt(salt), test)
    return state.configured("docker", repository), calls


@pytest.mark.parametrize("test", [True, False])
def test_a_new_repository(test):
    ret, calls = run(test, OFFICIAL)
    assert ret["changes"]["gpgcheck"] == {"old": None, "new": "1"}
    assert ret["result"] is (None if test else True)
    assert len(calls) == (0 if test else 1)


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("repository", [None, OFFICIAL], ids=["the host's own", "configured"])
def test_nothing_to_do(test, repository):
    ret, calls = run(test, repository, module.rpm_options(OFFICIAL))
    assert ret["result"] is True and ret["changes"] == {} and calls == []


@pytest.mark.parametrize("test", [True, False])
def test_a_bad_setting_changes_nothing(test):
    ret, calls = run(test, {**OFFICIAL, "gpgcheck": False})
    assert ret["result"] is False and ret["changes"] == {} and calls == []
    assert "rancher:docker:repository:gpgcheck is not a setting" in ret["comment"]
