"""What the agent's stand-in decides."""

import pytest
from fake_rancher import documents

from .programs import load

bootstrap = load("bootstrap")


@pytest.mark.parametrize("ip", ["10.0.3.12", "192.0.2.1"])
def test_usable_addresses(ip):
    assert bootstrap.usable(ip)


@pytest.mark.parametrize(
    "ip",
    ["127.0.0.1", "127.9.9.9", "0.0.0.0", "255.255.255.255", "node1", "10.0.3", "1.2.3.256", ""],
)
def test_unusable_addresses(ip):
    assert not bootstrap.usable(ip)


@pytest.mark.parametrize(
    ("url", "ip", "words"),
    [
        ("http://h:8080/v1/scripts/t", "127.0.0.1", "Invalid CATTLE_AGENT_IP (127.0.0.1)"),
        ("http://localhost:8080/v1/scripts/t", None, "cannot contain localhost"),
        ("http://127.0.0.1/v1/scripts/t", "10.0.3.12", "cannot contain localhost"),
    ],
)
def test_what_is_refused_before_anybody_is_asked(url, ip, words):
    assert words in bootstrap.complaint(url, {"CATTLE_AGENT_IP": ip} if ip else {})


def test_a_good_call_is_not_refused():
    assert bootstrap.complaint("http://10.0.3.11:8080/v1/scripts/t", {}) is None


def test_the_script_of_the_double_is_understood():
    found = bootstrap.exports(documents.script("A:1:b", "http://h/v1", "192.0.2.7"))
    assert found == {
        "CATTLE_REGISTRATION_ACCESS_KEY": "registrationToken",
        "CATTLE_REGISTRATION_SECRET_KEY": "A:1:b",
        "CATTLE_URL": "http://h/v1",
        "DETECTED_CATTLE_AGENT_IP": "192.0.2.7",
    }


@pytest.mark.parametrize("text", [documents.HTML, "", '#!/bin/sh\nexport OTHER="1"\n'])
def test_another_page_is_no_script(text):
    assert bootstrap.exports(text) is None


def test_the_url_of_the_server_must_be_the_one_given():
    given = "http://one:8080/v1/scripts/t"
    assert bootstrap.mismatch(given, "http://one:8080/v1") is None
    assert "does not match given URL" in bootstrap.mismatch(given, "http://two:8080/v1")
    given = "http://one:8080/v1/projects/1a5/scripts/t"
    assert "does not match given URL" in bootstrap.mismatch(given, "http://two:8080/v1")
    # Of v2-beta the original does not look.
    assert bootstrap.mismatch("http://one/v2-beta/projects/1a5/scripts/t", "http://two/v1") is None


def test_labels_are_decoded_and_the_first_counts():
    assert bootstrap.labels("a=b%20c&a=d&e=") == {"a": "b c", "e": ""}
    assert bootstrap.labels(None) == {}


def test_the_token_is_shown_unless_the_url_is_of_api_v1():
    assert bootstrap.shown("http://h:8080/v1/scripts/SECRET") == "http://h:8080/v1"
    assert bootstrap.shown("http://h/v1/projects/1a5/scripts/SECRET") == "http://h/v1"
    assert bootstrap.shown("http://h/v2-beta/projects/1a5/scripts/S").endswith("/scripts/S")
