import pytest
from fakes import Salt, load, load_state

group = load("_docker_group")


def run(test, members, users=None, works=True):
    host = {"members": members}
    calls = []

    def apply(name, users, seen):
        calls.append(users)
        if works:
            host["members"] = [*(host["members"] or []), *users]

    salt = {
        "_converge.run": load("_converge").run,
        "_docker_group.status": lambda name, users: {**host, "users": ["ann", "bob"]},
        "_docker_group.plan": group.plan,
        "_docker_group.apply": apply,
    }
    return load_state("docker_group", Salt(salt), test).present("docker", users), calls


@pytest.mark.parametrize("test", [True, False])
def test_the_dry_run_names_what_the_run_does(test):
    ret, calls = run(test, None, ["ann"])
    assert ret["changes"] == {
        "group docker": {"old": None, "new": "system group"},
        "user ann": {"old": None, "new": "in group docker"},
    }
    assert ret["result"] is (None if test else True)
    assert calls == ([] if test else [["ann"]])
    assert "next login" in ret["comment"]


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("users", [None, [], ["ann"]])
def test_nothing_to_do(test, users):
    ret, calls = run(test, ["ann", "bob"], users)
    assert ret["result"] is True and ret["changes"] == {} and calls == []


@pytest.mark.parametrize("test", [True, False])
def test_an_unknown_user_changes_nothing(test):
    ret, calls = run(test, None, ["eve"])
    assert ret["result"] is False and ret["changes"] == {} and calls == []
    assert "rancher:docker:users names eve" in ret["comment"]


def test_a_step_without_effect_is_a_failure():
    ret, _ = run(False, [], ["ann"], works=False)
    assert ret["result"] is False and ret["changes"] == {}
