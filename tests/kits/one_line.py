"""
Which unit tests say the same on every line of Salt, so that running them on one is enough.

Those of a private file, when both name nothing of Salt but its exceptions. What they import may:
other private files are tried on every line by tests of their own. So is what Salt's loader loads
(faces, states, runners, beacons, pillars).
"""

import ast
import functools
import re

from fakes import ROOT

FOLDERS = [ROOT / name for name in ("tests", "tests/kits", "salt/_modules", "salt/_runners")]
# In a string as well: some are imported by name, or by a process of their own.
SALT = re.compile(r"(?<![\w./-])salt\.(?!exceptions\b)\w+|from salt import")


def same(test):
    """Whether the file `test`, or one in a folder `test_x`, is one of those."""
    place = test.parent if test.parent.name.startswith("test_") else test
    folder, name = ROOT / f"salt/_{place.parent.name}", place.stem.removeprefix("test_")
    subject = folder / f"_{name}.py"
    private = subject.exists() and not (folder / f"{name}.py").exists()
    return private and not reaches(test, subject)


def reaches(test, subject):
    """What the test, the private file and what else of ours they import name of Salt."""
    found, seen = {test, subject}, set()
    while left := found - seen:
        seen |= left
        found |= {file for each in left for name in _imports(each) for file in _files(name)}
        found -= {file for file in found - {subject} if _has_its_own(file)}
    return {name for each in found for name in SALT.findall(each.read_text())}


def _has_its_own(file):
    """Whether a private file has a test of its own, which says whether it may differ."""
    test = ROOT / f"tests/unit/{file.parent.name.removeprefix('_')}/test{file.name}"
    private = file.is_relative_to(ROOT / "salt") and file.name.startswith("_")
    return private and (test.exists() or test.with_suffix("").exists())


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
