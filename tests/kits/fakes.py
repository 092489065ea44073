"""What every test may need: where the tree is, its defaults, and its states without Salt's loader."""

import functools
import importlib.util
import os
import pathlib
import sys
import tempfile

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
GOOD_PILLAR = yaml.safe_load((ROOT / "tests/pillar/good.yaml").read_text())["rancher"]


@functools.cache
def imported(path):
    """A file of `salt/` by its path: a plain import of a state's name is the face."""
    return copy(path)


def copy(path, **dunders):
    """The same, with a memory of its own and these dunders."""
    name = path.rpartition("/")[2]
    spec = importlib.util.spec_from_file_location(name, ROOT / f"salt/{path}.py")
    module = importlib.util.module_from_spec(spec)
    vars(module).update(dunders)
    spec.loader.exec_module(module)
    return module


def state_over(face, test):
    """The state of the same name, as Salt calls it."""
    name = face.__name__
    file = imported(f"_states/{name}")
    file.__salt__ = {f"{name}.{each}": value for each, value in vars(face).items()}
    file.__opts__ = {"test": test}
    return file


class Killed(BaseException):
    """The run ended here; no clean-up code sees it, as after SIGKILL."""
