"""What ran over a restart of Docker; the daemon is a fake."""

import pytest

import _docker_change
import _docker_containers
import _docker_engine
import docker_containers

LISTED = [
    {"Id": "c2", "Names": ["/web"], "Status": "Up 3 days"},
    {"Id": "c1", "Names": ["/db"], "Status": "Up 2 seconds (Paused)"},
    {"Id": "c3", "Names": ["/job"], "Status": "Exited (0) 3 minutes ago"},
    {"Id": "c4", "Names": None, "Status": "Created"},
]


@pytest.fixture
def configure_loader_modules():
    return {docker_containers: {}}


@pytest.fixture
def started(monkeypatch):
    found = []
    boxes = {"c3": {"Name": "/job"}, "c4": {}}
    monkeypatch.setattr(_docker_engine, "containers", lambda: LISTED)
    monkeypatch.setattr(_docker_engine, "container", boxes.get)
    monkeypatch.setattr(_docker_change, "start", found.append)
    return found


def test_running(started):
    assert docker_containers.running() == [
        {"id": "c1", "name": "db"},
        {"id": "c2", "name": "web"},
    ]


def test_only_what_does_not_run_is_started(started):
    # c9 was removed meanwhile.
    assert docker_containers.start_again(["c1", "c2", "c3", "c4", "c9"]) == ["c4", "job"]
    assert started == ["c3", "c4"]


def test_nothing_to_start(started):
    assert _docker_containers.start_again([]) == []
