"""A token as the double gives it, over real sockets, and the address that agents report to."""

import itertools
import threading

import pytest
from fake_rancher import FakeRancher
from rancher_kit import ACCESS, SECRET, Kit
from salt.exceptions import CommandExecutionError

import _rancher_registration


def posts(fake):
    return [seen for seen in fake.journal if seen.method == "POST"]


def test_a_token_is_created_and_awaited(fake, rancher):
    token = rancher.registration(fake.url)
    assert token["id"] == "1c1" and token["image"] == "rancher/agent:v1.2.11"
    assert token["url"].startswith(f"{fake.url}/v2-beta/projects/1a5/scripts/")
    assert token["command"].startswith("sudo docker run --rm --privileged ")
    assert token["command"].endswith(token["url"])
    assert len(posts(fake)) == 1


def test_an_active_token_is_used_again(fake, rancher):
    fake.configure(restless_tokens=True)
    for state in ("inactive", "active", "active"):
        fake.add_token(state=state)
    tokens = [rancher.registration(fake.url) for _ in range(2)]
    assert [token["id"] for token in tokens] == ["1c2", "1c2"]
    assert tokens[0]["url"] != tokens[1]["url"], "the text changes, the token does not"
    assert posts(fake) == []


def test_only_looking_creates_no_token(fake, rancher):
    fake.add_token(state="inactive")
    assert rancher.registration(fake.url, create=False) is None
    assert posts(fake) == []
    active = fake.add_token(state="active")["id"]
    assert rancher.registration(fake.url, create=False)["id"] == active
    assert posts(fake) == []


def test_inactive_tokens_are_no_use(fake, rancher):
    fake.add_token(state="inactive")
    assert rancher.registration(fake.url)["id"] == "1c2"


def test_a_token_that_somebody_else_asked_for_is_awaited(fake, rancher):
    fake.add_token()
    assert rancher.registration(fake.url)["id"] == "1c1"
    assert posts(fake) == []


def test_a_token_of_somebody_else_that_is_stuck_is_not_awaited_for_ever(fake, monkeypatch):
    fake.configure(token_mode="stuck")
    fake.add_token()
    fake.configure(token_mode="normal")
    monkeypatch.setattr(_rancher_registration, "STUCK", 0.1)
    assert Kit().rancher.registration(fake.url)["id"] == "1c2"


def test_active_but_not_yet_filled(fake, rancher):
    fake.configure(token_mode="incomplete")
    assert rancher.registration(fake.url)["image"] == "rancher/agent:v1.2.11"
    assert len(posts(fake)) == 1


def test_a_token_that_never_becomes_active(fake, rancher):
    fake.configure(token_mode="stuck")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.registration(fake.url, timeout=0.4)
    assert str(caught.value) == (
        f"{fake.url}: waited 0.4 s for a registration token of project 1a5: "
        "1c1 is registering; the server's log knows more"
    )
    assert len(posts(fake)) == 1


def test_a_token_in_error(fake, rancher):
    fake.configure(token_mode="error")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.registration(fake.url)
    assert str(caught.value) == (
        "the server could not activate registration token 1c1: "
        "Failed to find a handler; see the server's log"
    )


def test_a_token_in_error_from_last_week_is_no_obstacle(fake, rancher):
    fake.configure(token_mode="error")
    fake.add_token()
    fake.advance(60)
    fake.configure(token_mode="normal")
    assert rancher.registration(fake.url)["id"] == "1c2"


@pytest.mark.parametrize("kind", ["close", "500", "truncated", "cut-json"])
def test_a_lost_answer_makes_no_second_token(fake, rancher, kind):
    fake.fail(kind, times=1, method="POST", after=True)
    assert rancher.registration(fake.url)["id"] == "1c1"
    assert len(posts(fake)) == 1


def test_conflicts_are_tried_again(fake, rancher):
    fake.fail("409", times=2, method="POST")
    assert rancher.registration(fake.url)["id"] == "1c1"
    assert len(posts(fake)) == 3


@pytest.mark.parametrize("role", ["readonly", "restricted"])
def test_a_reader_gets_no_token(fake, role):
    """The server says 404, and so did we: "there is no such thing"."""
    fake.add_token(state="active")
    fake.add_key(ACCESS, SECRET, role=role, projects=["1a5"])
    fake.configure(access_control=True)
    with pytest.raises(CommandExecutionError) as caught:
        Kit({"access_key": ACCESS, "secret_key": SECRET}).rancher.registration(fake.url)
    assert str(caught.value) == (
        f"{fake.url}: these API keys may not see or make registration tokens of project 1a5 "
        "(Default), the server shows none (HTTP 404); take API keys of an owner or a member of the "
        "project"
    )


@pytest.mark.parametrize("same", [True, False])
def test_api_host_decides_on_the_url(fake, rancher, same):
    host = fake.url if same else "https://rancher.example.test"
    fake.configure(api_host=host)
    assert rancher.registration(fake.url)["url"].startswith(f"{host}/v1/scripts/")


def test_many_hosts_at_once_share_a_few_tokens(fake):
    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(Kit().rancher.registration(fake.url, timeout=20))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8 and all(token["command"] for token in results)


def test_a_server_older_than_1_2(rancher):
    with FakeRancher(versions=("v1",)) as fake:
        fake.configure(per_request=0.5)
        fake.add_host("node1", agent_state="disconnected")
        assert rancher.project(fake.url) == "1a5"
        token = rancher.registration(fake.url)
        assert token["image"] == "rancher/agent:v1.0.2"
        assert token["url"].startswith(f"{fake.url}/v1/projects/1a5/scripts/")
        host = rancher.hosts(fake.url)[0]
        assert (host["state"], host["agent_state"]) == ("active", "disconnected")


def token(number, state="active", filled=True, transitioning="no"):
    text = "x" if filled else None
    return {
        "id": f"1c{number}",
        "state": state,
        "transitioning": transitioning,
        **dict.fromkeys(("command", "image", "registrationUrl"), text),
    }


@pytest.mark.parametrize(
    ("tokens", "made", "patient", "step", "which"),
    [
        ([], None, True, "create", None),
        ([token(10), token(9)], None, True, "use", "1c9"),
        ([token(1, "inactive")], None, True, "create", None),
        ([token(1, filled=False)], None, True, "wait", "1c1"),
        ([token(1, "registering", False, "yes")], None, True, "wait", "1c1"),
        ([token(1, "registering", False, "yes")], None, False, "create", None),
        ([token(1, "registering", False, "yes")], "1c1", False, "wait", "1c1"),
        ([token(1, "registering", False, "error")], None, True, "create", None),
        ([token(1, "registering", False), token(2, "activating", False)], "1c1", 0, "wait", "1c1"),
        ([token(3)], "1c1", True, "use", "1c3"),
    ],
)
def test_next_step(tokens, made, patient, step, which):
    for order in itertools.permutations(tokens):
        found, row = _rancher_registration._next_step(list(order), made, patient)
        assert (found, row and row["id"]) == (step, which)


# Host Registration URL


@pytest.mark.parametrize(
    ("stored", "known"),
    [
        (None, None),
        ("", None),
        ("http://rancher.example.test", "http://rancher.example.test"),
        ("https://rancher.example.test", "https://rancher.example.test"),
        # The server prefixes it; compared bare, it was taken for a foreign server.
        ("rancher.example.test:8080", "http://rancher.example.test:8080"),
        ("localhost:8080", "http://localhost:8080"),
    ],
)
def test_registration_host(fake, stored, known):
    fake.configure(api_host=stored)
    assert _rancher_registration.host(Kit().connect(fake.url)) == known


@pytest.mark.parametrize("kind", ["404", "html"])
def test_a_server_that_does_not_show_that_setting(fake, kind):
    fake.fail(kind, path="settings")
    assert _rancher_registration.host(Kit().connect(fake.url)) is None


@pytest.mark.parametrize(
    ("kind", "words"), [("500", "failed inside"), ("401", "wants API keys"), ("403", "an owner")]
)
def test_could_not_look_was_taken_for_not_set(fake, kind, words):
    fake.fail(kind, path="settings")
    with pytest.raises(CommandExecutionError, match=words):
        _rancher_registration.host(Kit().connect(fake.url))
