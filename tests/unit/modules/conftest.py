"""Rancher's modules before the double."""

import pytest
from fake_rancher import FakeRancher
from rancher_kit import Kit


@pytest.fixture
def fake(monkeypatch):
    """A server whose clock moves with each request, so that waiting is soon over."""
    monkeypatch.setenv("no_proxy", "*")
    with FakeRancher() as fake:
        fake.configure(per_request=0.5)
        yield fake


@pytest.fixture(scope="module")
def rancher():
    return Kit().rancher
