"""The registration script: judged before the agent's bootstrap would wait for it."""

import logging

import pytest
from clocks import Waits
from fake_rancher import FakeRancher
from salt.exceptions import CommandExecutionError

import _rancher_agent_script as pure
import _rancher_http

TOKEN = "0123456789ABCDEF0123:1546214400000:abcDEF0123456789abcDEF01234"
URL = f"http://rancher.example.test:8080/v1/scripts/{TOKEN}"
GOOD = '#!/bin/sh\nexport DETECTED_CATTLE_AGENT_IP="1.2.3.4"\nexport CATTLE_URL="http://rancher.example.test:8080/v1"\n'
DATE, AT = "Tue, 05 May 2020 08:00:00 GMT", 1588665600


def answer(**known):
    good = {"problem": None, "status": 200, "kind": "other", "body": GOOD, "date": DATE}
    return {**good, **known}


def test_what_is_no_secret_of_a_url():
    assert pure.base(URL) == "http://rancher.example.test:8080/v1"
    assert pure.base("http://r/v2-beta/projects/1a5/scripts/x") == "http://r/v2-beta/projects/1a5"


@pytest.mark.parametrize(
    "text",
    [
        f"GET {URL} failed",
        f"KEY={TOKEN}",
        TOKEN.replace(":", "%3A"),
        f"it redirects to http://elsewhere.example.test/v1/scripts/{TOKEN[:30]}",
    ],
)
def test_the_token_is_hidden(text):
    shown = pure.hidden(text, URL)
    assert "***" in shown
    assert TOKEN[:20] not in shown


def test_hidden_leaves_the_rest():
    assert pure.hidden("nothing in here", URL) == "nothing in here"
    assert pure.hidden("a text", "http://rancher.example.test") == "a text"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://Rancher.Example.test/v1", "http://rancher.example.test:80"),
        ("https://rancher.example.test", "https://rancher.example.test:443"),
        ("http://192.0.2.1:8080/v1/scripts/x", "http://192.0.2.1:8080"),
    ],
)
def test_origin(url, origin):
    assert pure.origin(url) == origin


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:8080", True),
        ("http://127.0.1.1/v1", True),
        ("https://[::1]:8080", True),
        ("http://0.0.0.0:8080", True),
        ("http://localhost.example.test", False),
        ("http://192.0.2.127", False),
    ],
)
def test_loopback(url, loopback):
    assert pure.is_loopback(url) is loopback


def test_server():
    assert pure.server(GOOD) == "http://rancher.example.test:8080/v1"
    assert pure.server("#!/bin/sh\nexport CATTLE_URL='https://r/v1'\n") == "https://r/v1"
    assert pure.server("<html>") is None


def test_a_good_script():
    assert pure.refusal(URL, answer(), AT, AT + 1) is None


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"status": 404, "problem": "there is no such thing"}, "knows no such registration token"),
        ({"status": None, "problem": "connection refused"}, "8080/v1: connection refused"),
        ({"kind": "html", "body": "<html>"}, "gives no registration script but html"),
        ({"kind": "json", "body": {"type": "error"}}, "gives no registration script but json"),
        ({"body": GOOD.replace("rancher.", "other.")}, "insists that they agree"),
        ({"body": GOOD.replace("rancher.example.test", "localhost")}, "means the agent itself"),
    ],
)
def test_what_is_wrong_with_a_script(spoilt, words):
    problem = pure.refusal(URL, answer(**spoilt), AT, AT + 1)
    assert words in problem
    assert TOKEN not in problem


def test_a_url_of_version_2_may_differ():
    # The agent compares only when the URL ends in /v1.
    url = f"http://192.0.2.1:8080/v2-beta/projects/1a5/scripts/{TOKEN}"
    assert pure.refusal(url, answer(), AT, AT + 1) is None


@pytest.mark.parametrize(
    ("where", "refused"),
    [
        ("http://a:8080/v1", "http://a:8080/v1"),
        # The form that the API gives for v1, which the agent cuts off in front of the project.
        ("http://a:8080/v1/projects/1a5", "http://a:8080/v1"),
        ("http://b:8080/v1/projects/1a5", None),
        ("http://b:8080/v1", None),
        ("http://a:8080/v2-beta/projects/1a5", None),
        # Its sed finds the first /v1, also where a name begins so.
        ("http://v1-rancher/v2-beta/projects/1a5", "http://v1"),
    ],
)
def test_the_agents_own_look_at_the_registration_host(where, refused):
    """A v1 URL with a project was let through, and refused by the agent after minutes."""
    problem = pure.wrong_url(where, "http://b:8080/v1")
    assert (problem or "None").startswith(
        f"the registration URL begins with {refused}, but" if refused else "None"
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (AT, AT + 1, None),
        (AT - 100, AT - 99, None),
        (AT + 100, AT + 101, None),
        (AT - 400, AT + 5, None),
        (AT + 500, AT + 501, "500 s ahead of"),
        (AT - 501, AT - 500, "500 s behind"),
    ],
)
def test_clock(before, after, words):
    problem = pure.clock(DATE, before, after)
    assert problem is None if words is None else words in problem


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_server_that_does_not_tell_the_time(date):
    assert pure.clock(date, AT, AT) is None


@pytest.fixture
def module(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(pure, "is_loopback", lambda url: False)
    monkeypatch.setattr(pure, "PAUSE", 0.02)
    return pure


def url_of(fake):
    return f"{fake.url}/v1/scripts/{fake.world.token_text(fake.world.add_token(state='active'))}"


def test_fetch(module):
    with FakeRancher() as fake:
        assert module.server(module.fetch(url_of(fake))) == f"{fake.url}/v1"


def test_fetch_waits_for_a_server_that_starts(module):
    with FakeRancher() as fake:
        url = url_of(fake)
        fake.slow_start([["refuse", 0.2], ["502", 0.2]])
        assert module.fetch(url, timeout=20).startswith("#!/bin/sh")


def test_fetch_is_bounded(module, monkeypatch):
    clock = Waits()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "PAUSE", 10)
    clock.pace = 0
    with FakeRancher() as fake:
        url = url_of(fake)
        fake.set_stage("refuse")
        with pytest.raises(CommandExecutionError, match="connection refused"):
            module.fetch(url, timeout=60)
        assert clock.monotonic() == 60


def test_an_inactive_token_is_asked_for_once(module):
    with FakeRancher() as fake:
        url = url_of(fake)
        fake.change("1c1", state="inactive")
        with pytest.raises(CommandExecutionError, match="HTTP 404"):
            module.fetch(url)
        assert len(fake.journal) == 1


def test_the_debug_log_does_not_show_the_token(module, caplog):
    caplog.set_level(logging.DEBUG)
    with FakeRancher() as fake:
        url = url_of(fake)
        module.fetch(url)
        _rancher_http.exchange("GET", f"{fake.url}/ping")
    assert "GET /ping" in caplog.text, "the library does log, and again afterwards"
    assert url.rpartition("/")[2] not in caplog.text
