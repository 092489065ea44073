import grp
import pwd

import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _docker_group as docker

ADDED = {"old": None, "new": "in group docker"}


@pytest.mark.parametrize(
    ("members", "users", "changes"),
    [
        (None, [], {"group docker": {"old": None, "new": "system group"}}),
        ([], [], {}),
        (["ann"], ["ann"], {}),
        (["ann"], ["bob"], {"user bob": ADDED}),
        (None, ["bob"], {"group docker": {"old": None, "new": "system group"}, "user bob": ADDED}),
    ],
    ids=["no group", "nobody asked for", "in it", "appended, nobody removed", "both"],
)
def test_what_is_missing(members, users, changes):
    assert docker.plan("docker", users, {"members": members, "users": users}) == changes


def test_a_user_that_does_not_exist_is_named():
    with pytest.raises(SaltInvocationError, match="names eve, and this host has no such user"):
        docker.plan("docker", ["ann", "eve"], {"members": [], "users": ["ann"]})


def test_what_the_host_knows(monkeypatch):
    users = {"ann": 10, "bob": 900}
    group = grp.struct_group(("docker", "x", 900, ["ann"]))
    monkeypatch.setattr(docker.grp, "getgrnam", lambda name: group)
    monkeypatch.setattr(
        docker.pwd,
        "getpwnam",
        lambda name: pwd.struct_passwd((name, "x", 1, users[name], "", "/", "")),
    )
    # bob has it as his own group, eve is nobody.
    found = docker.status("docker", ["ann", "bob", "eve"])
    assert found == {"members": ["ann", "bob"], "users": ["ann", "bob"], "others": []}
    assert docker.status("docker", ["bob", "eve"])["others"] == ["ann"]


def test_no_group_is_none_and_not_empty():
    found = docker.status("no-such-group", ["root"])
    assert found == {"members": None, "users": ["root"], "others": []}


def applied(seen, users, answer=True):
    calls = []

    def add(name, system):
        calls.append((name, system))
        return answer

    def adduser(name, user):
        calls.append((name, user))
        return answer

    docker.apply({"group.add": add, "group.adduser": adduser}, "docker", users, seen)
    return calls


def test_a_system_group_and_only_who_is_missing():
    assert applied({"members": None}, ["ann"]) == [("docker", True), ("docker", "ann")]
    assert applied({"members": ["ann"]}, ["ann", "bob"]) == [("docker", "bob")]


@pytest.mark.parametrize("members", [None, []])
def test_a_tool_that_fails_is_an_error(members):
    with pytest.raises(CommandExecutionError, match="could not be"):
        applied({"members": members}, ["ann"], answer=False)


def test_a_user_of_a_directory_is_added_under_the_name_that_logins_have(monkeypatch):
    """The directory answers to EXAMPLE\\\\Ann and ann@example.com; the group counts for `ann`."""
    entry = pwd.struct_passwd(("ann", "x", 1, 10, "", "/", ""))
    monkeypatch.setattr(docker.pwd, "getpwnam", lambda name: entry)
    group = grp.struct_group(("docker", "x", 900, []))
    monkeypatch.setattr(docker.grp, "getgrnam", lambda name: group)
    user = "EXAMPLE\\Ann"
    seen = docker.status("docker", [user])
    assert docker.plan("docker", [user], seen) == {f"user {user}": ADDED}
    assert applied(seen, [user]) == [("docker", "ann")]
    group.gr_mem.append("ann")
    seen = docker.status("docker", [user])
    assert docker.plan("docker", [user], seen) == {}
    assert seen["others"] == []
