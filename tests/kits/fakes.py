"""
Load the tree's modules without a Salt loader, and fake what they call.

`load("_swapfile")` imports `salt/_modules/_swapfile.py`; `load_state("swapfile")` the state.
`Salt({...})` is a `__salt__` in which an unexpected function is a failure and every
fake of one of our own functions must accept the call that the real one would.
"""

import functools
import inspect
import os
import pathlib
import sys
import tempfile
import types

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
# As the loader does it while it loads a module of that folder.
sys.path[:0] = [str(ROOT / "salt" / folder) for folder in ("_modules", "_runners")]
# For the environment of a test's own programs.
PYTHONPATH = ":".join(
    str(ROOT / each)
    for each in ("tests", "tests/kits", "tests/prove", "salt/_modules", "salt/_runners")
)
DEFAULTS = yaml.safe_load((ROOT / "salt/rancher_salt/settings/defaults.yaml").read_text())
LOCK = os.path.join(tempfile.gettempdir(), f"rancher-salt-{os.getpid()}.lock")
# As the loader does it: one for all modules.
CONTEXT = {}
GOOD_PILLAR = yaml.safe_load((ROOT / "tests/pillar/good.yaml").read_text())["rancher"]


def load(name, salt=None, **dunders):
    """Import ``_modules/<name>.py`` fresh, with the given dunders set."""
    return _load("_modules", name, salt, dunders)


def load_state(name, salt=None, test=False, **dunders):
    """Import ``_states/<name>.py`` fresh; ``test`` becomes ``__opts__["test"]``."""
    dunders = {"__opts__": {"test": test}, **dunders}
    return _load("_states", name, _Faces(salt, dunders), dunders)


def load_runner(name, salt=None, **dunders):
    """Import ``_runners/<name>.py`` fresh, as the master's loader would."""
    return _load("_runners", name, salt, {"__context__": {}, **dunders})


def _load(folder, name, salt, dunders):
    path = ROOT / folder / f"{name}.py"
    module = types.ModuleType(f"{folder}.{name}")
    salt = salt if salt is not None else Salt({})
    known = {"__context__": CONTEXT, "__salt__": salt}
    vars(module).update(known, __file__=str(path), **dunders)
    exec(_code(path), vars(module))  # as the loader does, but compiled once for all tests
    for each, value in list(vars(module).items()):
        if isinstance(value, types.ModuleType) and (ROOT / folder / f"{each}.py").exists():
            vars(module)[each] = _Private(value, salt)
    if name == "_converge":
        # Tests that run at the same time must not wait for each other.
        module.LOCK = LOCK
    return module


class _Private:
    """A private file as its importer sees it: functions are the fakes, the rest is as it is."""

    def __init__(self, real, salt):
        self.real, self.salt = real, salt

    def __getattr__(self, name):
        value, full = getattr(self.real, name), f"{self.real.__name__}.{name}"
        # They change nothing.
        pure = full in ("_host.lines", "_host.selinux_labels")
        return self.salt[full] if inspect.isfunction(value) and not pure else value


class _Faces(dict):
    """What a state finds in ``__salt__``: the fakes, and the real faces over the same fakes."""

    def __init__(self, salt, dunders):
        super().__init__(salt if salt is not None else {})
        self.salt, self.dunders = salt, dunders

    def __missing__(self, name):
        module, _, function = name.partition(".")
        if not (ROOT / "_modules" / f"{module}.py").exists():
            return self.salt[name]
        return getattr(load(module, self.salt, **self.dunders), function)


@functools.cache
def _code(path):
    return compile(path.read_text(), str(path), "exec")


class Killed(BaseException):
    """The run ended here; no clean-up code sees it, as after SIGKILL."""


class Salt(dict):
    """A ``__salt__`` of fakes: unknown names fail, wrong arguments fail."""

    def __init__(self, functions):
        super().__init__({name: _checked(name, fake) for name, fake in functions.items()})

    def __missing__(self, name):
        raise AssertionError(f"unexpected call: __salt__[{name!r}]")


@functools.cache
def _signature(name):
    """Of one of our own functions; None for another."""
    module, _, function = name.partition(".")
    for folder, loaded in (("_modules", load), ("_runners", load_runner)):
        if (ROOT / folder / f"{module}.py").exists():
            return inspect.signature(getattr(loaded(module), function))
    return None


def _checked(name, fake):
    real = _signature(name)
    if real is None:
        return fake

    def call(*args, **kwargs):
        real.bind(*args, **kwargs)
        return fake(*args, **kwargs)

    return call
