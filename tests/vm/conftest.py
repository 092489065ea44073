"""Real hosts for every test here: guests and their master, the guests bare again on demand."""

import os
import pathlib

import pytest
import salt.version
import ways_table
from lab import Lab, Recipe
from lab.image import PACKAGES

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="session")
def lab():
    """
    The lab of this session; its guest is in the state that the last test left.

    Master and guest have the Salt of the Python that runs the tests.
    """
    name, line = os.environ.get("LAB_NAME", "test"), salt.version.__version__
    recipe = Recipe(salt=line)
    with Lab(name if recipe == Recipe() else f"{name}-{line}", recipe=recipe) as running:
        yield running


@pytest.fixture(scope="session")
def furnished():
    """A lab whose image has the packages, for tests of everything else: apt takes its minutes."""
    name = os.environ.get("LAB_NAME", "test")
    recipe = Recipe(salt=salt.version.__version__, installed=PACKAGES)
    with Lab(f"{name}-furnished", recipe=recipe, cgroup=1) as running:
        yield running


@pytest.fixture(scope="session")
def pair():
    """Two guests on one network, for a server and a member of its cluster; bare at first."""
    name = os.environ.get("LAB_NAME", "test")
    recipe = Recipe(installed=PACKAGES)
    with Lab(f"{name}-pair", guests=["server1", "node1"], recipe=recipe, cgroup=1) as running:
        running.registry.start()
        yield running


@pytest.fixture
def bare(lab):
    """A guest that was just booted, with an empty pillar and a minion that never synced."""
    lab.master.pillar({})
    return lab.fresh()


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.vm)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    given = getattr(item, "funcargs", {})
    lab = given.get("lab") or given.get("furnished") or given.get("pair")
    if lab and report.failed:
        report.sections.append(("consoles of the guests", lab.consoles()))
    return report


def pytest_terminal_summary(terminalreporter):
    ways_table.write(terminalreporter)
