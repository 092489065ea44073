"""
Which unit tests say the same on every line of Salt, so that running them on one is enough.

Those of a private file, when both reach nothing of Salt but its exceptions. What Salt's loader
loads (faces, states, runners, beacons, pillars) is tried on every line.
"""

import ast
import functools
import re

from fakes import ROOT

FOLDERS = [ROOT / name for name in ("tests", "tests/kits", "salt/_modules", "salt/_runners")]
# In a string as well: some are imported by name, or by a process of their own.
SALT = re.compile(r"(?<![\w./-])salt\.(?!exceptions\b)\w+|from salt import")


def same(test):
    """Whether the file `test` is one of those."""
    folder, name = ROOT / f"salt/_{test.parent.name}", test.name.removeprefix("test_")
    private = (folder / f"_{name}").exists() and not (folder / name).exists()
    return private and not reaches(test)


def reaches(path):
    """What the file, and what it imports of ours, names of Salt that may differ."""
    found, seen = {path}, set()
    while left := found - seen:
        seen |= left
        found |= {file for each in left for name in _imports(each) for file in _files(name)}
    return {name for each in found for name in SALT.findall(each.read_text())}


@functools.cache
def _imports(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@functools.cache
def _files(name):
    places = [folder.joinpath(*name.split(".")) for folder in FOLDERS]
    paths = [path for place in places for path in (place.with_suffix(".py"), place / "__init__.py")]
    return [path for path in paths if path.exists()]
