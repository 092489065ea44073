"""A server and the modules of one host that is to join it."""

import pytest
from agent_kit import Kit
from fake_rancher import FakeRancher


@pytest.fixture
def fake():
    """A server whose clock moves with each request, so that waiting is soon over."""
    with FakeRancher() as fake:
        fake.configure(per_request=0.5)
        yield fake


@pytest.fixture
def make(fake, tmp_path, monkeypatch):
    def make(agent=None, **given):
        return Kit(fake, tmp_path, monkeypatch, agent, **given)

    return make
