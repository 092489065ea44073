"""What every unit test may ask for: dunders as Salt's loader sets them, and fakes that fit."""

import functools
import importlib
import inspect

import one_line
import pytest
from fakes import LOCK, state_over
from hypothesis import settings

import _converge

# A busy machine is no finding, and a run finds what the run before it found.
settings.register_profile("unit", deadline=None, derandomize=True)
settings.load_profile("unit")


def pytest_addoption(parser):
    parser.addoption(
        "--another-line",
        action="store_true",
        help="leave out what says the same on every line of Salt (tests/kits/one_line.py)",
    )


def pytest_ignore_collect(collection_path, config):
    if config.getoption("another_line", False) and collection_path.suffix == ".py":
        return one_line.same(collection_path) or None
    return None


@pytest.fixture(autouse=True)
def own_lock(monkeypatch):
    """Tests that run at the same time must not wait for each other."""
    monkeypatch.setattr(_converge, "LOCK", LOCK)


@pytest.fixture
def replace(monkeypatch):
    """Put fakes into a module; a call that the real function would not take fails."""

    def put(module, **fakes):
        for name, fake in fakes.items():
            monkeypatch.setattr(module, name, _fitting(getattr(module, name), fake))

    return put


def _fitting(real, fake):
    if not callable(real) or isinstance(real, type):
        return fake
    signature = inspect.signature(real)

    @functools.wraps(real)
    def call(*args, **kwargs):
        signature.bind(*args, **kwargs)
        return fake(*args, **kwargs)

    return call


@pytest.fixture
def state(monkeypatch):
    """Give a state over its real face: ``state("docker_group", test=True, __salt__={...})``."""

    def get(name, test, **dunders):
        face = importlib.import_module(name)
        known = {"__salt__": {}, "__grains__": {}, "__context__": {}, "__opts__": {"test": test}}
        for each, value in {**known, **dunders}.items():
            monkeypatch.setattr(face, each, value, raising=False)
        return state_over(face, test)

    return get


@pytest.fixture
def pool_host(replace, state):
    """Make a host for the thin pool; the modules see the one that was made last."""
    from fake_pool import Host

    return lambda kind=Host, **settings: kind(replace, state, **settings)
