"""Which project is meant, over real sockets."""

import pytest
from fake_rancher import FakeRancher
from rancher_kit import ACCESS, SECRET, Kit
from salt.exceptions import CommandExecutionError

import _rancher_project


def test_the_default_project(fake, rancher):
    assert rancher.project(fake.url) == "1a5"
    fake.add_project("Second")
    fake.change("1a5", name="Renamed")
    assert rancher.project(fake.url) == "1a5"


def test_a_project_by_id_or_exact_name(fake, rancher):
    second = fake.add_project("default")["id"]
    named_like_an_id = fake.add_project("1a5")["id"]
    assert rancher.project(fake.url, second) == second
    assert rancher.project(fake.url, "default") == second
    assert rancher.project(fake.url, "Default") == "1a5"
    assert rancher.project(fake.url, "1a5") == "1a5", "an id goes before a name"
    assert named_like_an_id != "1a5"
    assert Kit({"project": "default"}).rancher.project(fake.url) == second
    assert Kit({"project": "default"}).rancher.project(fake.url, "Default") == "1a5"


def test_a_project_whose_name_is_a_number(fake, rancher):
    number = fake.add_project("2024")["id"]
    assert rancher.project(fake.url, 2024) == number


def test_the_only_project_without_a_default(fake, rancher):
    fake.change("1a5", state="removed")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url)
    assert "shows no project at all; create one" in str(caught.value)
    only = fake.add_project("Production")["id"]
    assert rancher.project(fake.url) == only
    fake.add_project("Staging")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url)
    assert str(caught.value) == (
        "there is more than one project: 1a6 (Production), 1a7 (Staging); "
        "set rancher:agent:project to the id of the right one"
    )


def test_an_unknown_project_lists_the_candidates(fake, rancher):
    fake.add_project("Production")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url, "production")
    assert str(caught.value) == (
        f"{fake.url} shows no project 'production', but: 1a5 (Default), 1a6 (Production); "
        "set rancher:agent:project to one of them, or take other API keys"
    )


def test_two_projects_of_one_name(fake, rancher):
    fake.add_project("Twin")
    fake.add_project("Twin", uuid="other")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url, "Twin")
    assert "more than one project named 'Twin': 1a6 (Twin), 1a7 (Twin)" in str(caught.value)


def test_an_administrator_reaches_the_projects_of_others(fake):
    other = fake.add_project("Other")["id"]
    fake.add_key(ACCESS, SECRET, projects=["1a5"])
    fake.configure(access_control=True)
    rancher = Kit({"access_key": ACCESS, "secret_key": SECRET}).rancher
    assert rancher.project(fake.url, other) == other
    assert rancher.project(fake.url, "Other") == other
    assert rancher.project(fake.url) == "1a5"


def test_a_key_of_one_project(fake):
    other = fake.add_project("Other")["id"]
    fake.add_key(ACCESS, SECRET, project=other)
    fake.configure(access_control=True)
    rancher = Kit({"access_key": ACCESS, "secret_key": SECRET}).rancher
    assert rancher.project(fake.url) == other
    assert rancher.registration(fake.url)["id"] == "1c1"
    with pytest.raises(CommandExecutionError, match=r"shows no project '1a5', but: 1a6 \(Other\)"):
        rancher.project(fake.url, "1a5")


def test_access_control(fake, rancher):
    assert rancher.project(fake.url, access_key="no", secret_key="such") == "1a5", "off: any key"
    fake.configure(access_control=True)
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url)
    assert str(caught.value) == (
        f"{fake.url}: the server wants API keys; set pillar rancher:agent:access_key and "
        "secret_key (HTTP 401: Unauthorized)"
    )
    with pytest.raises(CommandExecutionError, match="does not know these API keys"):
        rancher.project(fake.url, access_key="no", secret_key="such")


def test_an_administrator_who_is_a_member_of_no_project(fake, rancher):
    """Its list was empty, and the advice was to create a project."""
    fake.change("1a5", foreign=True)
    assert rancher.project(fake.url) == "1a5"
    queries = [(seen.path, seen.query) for seen in fake.journal]
    assert queries == [("/v2-beta/projects", {}), ("/v2-beta/projects", {"all": "true"})]


def test_an_administrator_keeps_to_the_projects_it_is_a_member_of(fake, rancher):
    fake.change("1a5", foreign=True)
    own = fake.add_project("Own")["id"]
    assert rancher.project(fake.url) == own
    assert rancher.project(fake.url, "Default") == "1a5"


def test_the_same_in_api_v1():
    with FakeRancher(versions=("v1",)) as fake:
        fake.change("1a5", foreign=True)
        assert Kit().rancher.project(fake.url) == "1a5"


@pytest.mark.parametrize("name", ["project", "registration", "hosts"])
def test_an_inactive_project_is_named_and_not_the_keys(fake, rancher, name):
    """The server says 403 for all that is in it; the message blamed the API keys."""
    fake.change("1a5", state="inactive")
    with pytest.raises(CommandExecutionError) as caught:
        getattr(rancher, name)(fake.url)
    assert "project 1a5 (Default) is inactive; activate it in Rancher" in str(caught.value)
    assert "keys" not in str(caught.value)


def test_a_name_with_a_line_break_is_one_line(fake, rancher):
    fake.change("1a5", state="inactive", name="De\nfault\x1b[31m")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url)
    assert "1a5 (De?fault?[31m) is inactive" in str(caught.value)


def test_the_keys_of_an_inactive_project(fake):
    """The server says 401 for them; they may be right all the same."""
    fake.add_key(ACCESS, SECRET, project="1a5")
    fake.configure(access_control=True)
    kit = Kit({"access_key": ACCESS, "secret_key": SECRET})
    assert kit.rancher.project(fake.url) == "1a5"
    fake.change("1a5", state="inactive")
    with pytest.raises(CommandExecutionError, match="project's own keys end with it when it is"):
        kit.rancher.project(fake.url)


@pytest.mark.parametrize(
    ("name", "number"), [("1c7", 7), ("1ph11", 11), ("1a5", 5), ("x", 0), ("1c", 0), ("", 0)]
)
def test_number_of_an_id(name, number):
    assert _rancher_project.number({"id": name}) == number
