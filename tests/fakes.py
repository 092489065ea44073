"""
Load the tree's modules without a Salt loader, and fake what they call.

`load("swapfile")` imports `_modules/swapfile.py`; `load_state("swapfile")` the state.
`Salt({...})` is a `__salt__` in which an unexpected function is a failure and every
fake of one of our own functions must accept the call that the real one would.
"""

import importlib.util
import inspect
import os
import pathlib
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFAULTS = yaml.safe_load((ROOT / "salt/settings/defaults.yaml").read_text())
LOCK = os.path.join(tempfile.gettempdir(), f"rancher-salt-{os.getpid()}.lock")
GOOD_PILLAR = yaml.safe_load((ROOT / "tests/pillar/good.yaml").read_text())["rancher"]


def load(name, salt=None, **dunders):
    """Import ``_modules/<name>.py`` fresh, with the given dunders set."""
    return _load("_modules", name, salt, dunders)


def load_state(name, salt=None, test=False, **dunders):
    """Import ``_states/<name>.py`` fresh; ``test`` becomes ``__opts__["test"]``."""
    return _load("_states", name, salt, {"__opts__": {"test": test}, **dunders})


def load_runner(name, salt=None, **dunders):
    """Import ``_runners/<name>.py`` fresh, as the master's loader would."""
    return _load("_runners", name, salt, {"__context__": {}, **dunders})


def _load(folder, name, salt, dunders):
    path = ROOT / folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{folder}.{name}", path)
    module = importlib.util.module_from_spec(spec)
    module.__salt__ = salt if salt is not None else Salt({})
    for key, value in dunders.items():
        setattr(module, key, value)
    spec.loader.exec_module(module)
    if name == "converge":
        # Tests that run at the same time must not wait for each other.
        module.LOCK = LOCK
    return module


class Salt(dict):
    """A ``__salt__`` of fakes: unknown names fail, wrong arguments fail."""

    def __init__(self, functions):
        super().__init__({name: _checked(name, fake) for name, fake in functions.items()})

    def __missing__(self, name):
        raise AssertionError(f"unexpected call: __salt__[{name!r}]")


def _checked(name, fake):
    module, _, function = name.partition(".")
    if (ROOT / "_modules" / f"{module}.py").exists():
        real = inspect.signature(getattr(load(module), function))
    elif (ROOT / "_runners" / f"{module}.py").exists():
        real = inspect.signature(getattr(load_runner(module), function))
    else:
        return fake

    def call(*args, **kwargs):
        real.bind(*args, **kwargs)
        return fake(*args, **kwargs)

    return call
