import functools

import pytest

import _docker_group


@pytest.fixture
def run(state, replace):
    return functools.partial(_run, state, replace)


def _run(state, replace, test, members, users=None, works=True):
    host = {"members": members}
    calls = []

    def apply(salt, name, users, seen):
        calls.append(users)
        if works:
            host["members"] = [*(host["members"] or []), *users]

    def status(name, users):
        others = sorted({*(host["members"] or [])} - {*users})
        return {**host, "users": ["ann", "bob"], "others": others}

    replace(_docker_group, status=status, apply=apply)
    return state("docker_group", test).present("docker", users), calls


@pytest.mark.parametrize("test", [True, False])
def test_the_dry_run_names_what_the_run_does(test, run):
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
def test_nothing_to_do(test, users, run):
    ret, calls = run(test, ["ann", "bob"], users)
    assert ret["result"] is True and ret["changes"] == {} and calls == []


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize(
    ("users", "words"),
    [
        (
            ["ann"],
            "does not name bob, and nobody is taken out of the group docker: `gpasswd -d bob",
        ),
        ([], "does not name ann, bob, and nobody is taken out"),
        (["ann", "bob"], None),
    ],
)
def test_a_user_taken_out_of_the_settings_stayed_without_a_word(test, users, words, run):
    ret, calls = run(test, ["ann", "bob"], users)
    assert (ret["result"], ret["changes"], calls) == (True, {}, [])
    assert words in ret["comment"] if words else "gpasswd" not in ret["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_an_unknown_user_changes_nothing(test, run):
    ret, calls = run(test, None, ["eve"])
    assert ret["result"] is False and ret["changes"] == {} and calls == []
    assert "rancher:docker:users names eve" in ret["comment"]


def test_a_step_without_effect_is_a_failure(run):
    ret, _ = run(False, [], ["ann"], works=False)
    assert ret["result"] is False and ret["changes"] == {}
