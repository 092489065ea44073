import contextlib
import logging

import pytest
from fake_docker import client
from salt.exceptions import CommandExecutionError

import _docker_engine
import _docker_pull

EVENTS = [
    {"status": "Pulling from rancher/server", "id": "v1"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "a1"},
    {"status": "Already exists", "progressDetail": {}, "id": "b2"},
    {
        "status": "Downloading",
        "progressDetail": {"current": 2_000_000, "total": 8_000_000},
        "id": "a1",
    },
    {"status": "Download complete", "progressDetail": {}, "id": "a1"},
    {"status": "Extracting", "progressDetail": {"current": 1, "total": 8_000_000}, "id": "a1"},
    {"status": "Pull complete", "progressDetail": {}, "id": "a1"},
    {"status": "Digest: sha256:abc"},
    {"status": "Status: Downloaded newer image for rancher/server:v1"},
]


@pytest.fixture
def puller(monkeypatch, replace):
    """`step` is how many seconds pass with each message."""

    def make(events, step=0.0):
        api = client(pull=iter_of(events))
        replace(_docker_engine, client=lambda doing, timeout=60: contextlib.nullcontext(api))
        now = iter(range(10**6))
        monkeypatch.setattr(_docker_pull.time, "monotonic", lambda: next(now) * step)
        return _docker_pull

    return make


def iter_of(events):
    return (event for event in events)


def test_a_pull_counts_layers(puller):
    assert puller(EVENTS).pull("rancher/server:v1") == {
        "image": "rancher/server:v1",
        "layers": 2,
        "seconds": 0,
    }


def test_progress_is_in_the_log(puller, caplog):
    with caplog.at_level(logging.INFO):
        puller(EVENTS, step=5).pull("rancher/server:v1")
    lines = [record.message for record in caplog.records]
    assert lines[0] == "pulling rancher/server:v1"
    assert "pulling rancher/server:v1: 1 of 2 layers, 2 of 8 MB, 20 s of 1800 s" in lines
    assert lines[-1].startswith("pulled rancher/server:v1: 2 layers in ")
    assert len(lines) == 2 + len(EVENTS)


def test_a_pull_without_end_is_given_up(puller):
    with pytest.raises(CommandExecutionError, match="not here within 5 s .*; apply again to go on"):
        puller(EVENTS * 100, step=1).pull("rancher/server:v1", limit=5)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("manifest for rancher/server:v9 not found: manifest unknown", "no such tag"),
        # 17.06 does not say "manifest unknown".
        ("manifest for rancher/server:v9 not found", "no such tag"),
        ("repository x not found: does not exist or no pull access", "must log in first"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "processor"),
        ("[DEPRECATION NOTICE] Docker Image manifest version 2, schema 1 support", "old form"),
        ("toomanyrequests: You have reached your pull rate limit.", "limit for this address"),
        (
            "Get https://r/v2/: proxyconnect tcp: dial tcp 10.0.0.1:3128: refused",
            "the proxy refuses",
        ),
        ("Get https://r/v2/: net/http: TLS handshake timeout", "a proxy (rancher:docker:proxy)"),
        ("Get https://r/v2/: context deadline exceeded", "a proxy"),
        ("tls: failed to verify certificate: x509: signed by unknown authority", "not trusted"),
        (
            "devmapper: Thin Pool has 9 free data blocks which is less than minimum required 16384",
            "thin pool is full",
        ),
        ("pull access denied for x, repository does not exist", "must log in first"),
        ("Get https://r/v2/: dial tcp: lookup r: no such host", "name cannot be resolved"),
        ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
        ("write /x: no space left on device", "Docker's disk is full"),
    ],
)
def test_a_refusal_has_a_way_out(puller, error, hint):
    with pytest.raises(CommandExecutionError) as caught:
        puller([{"error": error, "errorDetail": {"message": error}}]).pull("rancher/server:v9")
    assert str(caught.value).startswith(f"rancher/server:v9 could not be pulled: {error}")
    assert hint in str(caught.value)


def test_a_refusal_of_an_unknown_kind(puller):
    with pytest.raises(CommandExecutionError, match="could not be pulled: what\\?$"):
        puller([{"error": "what?"}]).pull("x")


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        # A real daemon says so in its HTTP status, not in a message.
        ("manifest unknown", "could not pull x: manifest unknown; there is no such tag in that"),
        ("no daemon answers (Connection refused)", "no daemon answers \\(Connection refused\\)$"),
    ],
)
def test_a_refusal_before_the_first_message(said, ends, replace):
    def refuse(doing, timeout=60):
        raise CommandExecutionError(f"Docker could not {doing}: {said}")

    replace(_docker_engine, client=refuse)
    with pytest.raises(CommandExecutionError, match=ends):
        _docker_pull.pull("x")
