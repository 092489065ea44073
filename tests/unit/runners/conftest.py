"""The fleet of fakes."""

import pytest
from fleet_world import World


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)
