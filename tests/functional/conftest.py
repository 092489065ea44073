"""
Salt itself by pytest-salt-factories, on both lines; the table of the ways that it is run.

The tests run in two processes, file by file: they wait for disks and daemons most of the time.
"""

import ctypes
import dataclasses
import os
import pathlib
import subprocess
import tempfile

import factories
import pytest
import ways_table
from fakes import ROOT
from saltfactories.plugins.event_listener import EventListener

from functional.hosts import environment

NEW_MOUNTS = 0x20000  # CLONE_NEWNS
# First, so that both processes come to an end at about the same time.
LONGEST = ("test_ways", "test_fleet", "test_prove", "test_killed")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in LONGEST)


def pytest_sessionstart(session):
    """
    Each of the two has its mounts for itself: a host in namespaces that its neighbour starts would
    go on with copies of them, and a disk that was unmounted here would stay in use.
    """
    if hasattr(session.config, "workerinput") and os.getuid() == 0:
        if ctypes.CDLL(None).unshare(NEW_MOUNTS):
            raise OSError("a mount namespace of its own is refused")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True, timeout=20)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        rows = [dataclasses.asdict(row) for row in ways_table.ROWS]
        session.config.workeroutput["ways"] = rows


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for row in getattr(node, "workeroutput", {}).get("ways", ()):
        ways_table.Row(**row)


def pytest_terminal_summary(terminalreporter):
    ways_table.write(terminalreporter)


@pytest.fixture(scope="session", params=factories.LINES)
def line(request):
    """Each line of Salt, for what is made with it or with `salt_factories`."""
    return request.param


@pytest.fixture(scope="session")
def event_listener():
    """As the plugin has it, which would give one to every unit test."""
    with EventListener() as listener:
        yield listener


@pytest.fixture(scope="session")
def salt_factories_default_root_dir():
    """Short: a socket's path ends at 107 characters."""
    with tempfile.TemporaryDirectory(prefix="salt-") as folder:
        yield pathlib.Path(folder)


@pytest.fixture(scope="session")
def _salt_factories_config(line):
    return factories.settings(environment(line))


@pytest.fixture
def masterless(salt_factories, tmp_path):
    """Make a minion without a master, below a folder; gives what its `salt-call` answers."""

    def make(folder=tmp_path, **config):
        own = {"file_client": "local", "file_roots": {"base": [str(ROOT / "salt")]}, **config}
        minion = salt_factories.salt_minion_daemon(
            "node1", defaults={"root_dir": folder}, overrides=own, factory_class=factories.Minion
        )
        command = minion.salt_call_cli(timeout=120)
        return lambda *words: command.run(*words, env=factories.environ()).data

    return make


@pytest.fixture
def runner(salt_factories, tmp_path):
    """Make a master that has no daemon, below `tmp_path`; gives what its `salt-run` answers."""

    def make(**config):
        master = salt_factories.salt_master_daemon(
            "m", defaults={"root_dir": tmp_path}, overrides=config, factory_class=factories.Master
        )
        # The daemon makes it.
        (tmp_path / "cache/proc").mkdir(parents=True)
        command = master.salt_run_cli(timeout=120, environ=factories.environ())

        def run(*words):
            answer = command.run(*words)
            # A text alone is not counted as data.
            return answer.stdout if answer.data is None else answer.data

        return run

    return make
