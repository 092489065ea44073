"""A process that runs for months takes new private files after a sync, as it takes new faces."""

import os
import shutil
import sys

import pytest
from fakes import ROOT

FACE = "from _fresh import checked\nimport _told_by_a_test\nsaid = _told_by_a_test.WORD\n"
NAMES = ("_fresh", "_told_by_a_test", "_also_of_a_test")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """As the loader has it: the folder is on the path while a face is loaded."""
    shutil.copy(ROOT / "salt/_modules/_fresh.py", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = {name: sys.modules.pop(name, None) for name in NAMES}
    yield tmp_path
    for name, module in before.items():
        sys.modules.pop(name, None)
        if module:
            sys.modules[name] = module


def write(folder, word, second):
    path = folder / "_told_by_a_test.py"
    path.write_text(f"import _also_of_a_test\nWORD = {word!r}\n")
    (folder / "_also_of_a_test.py").write_text("")
    os.utime(path, (second, second))


def load():
    face = {}
    exec(FACE, face)
    return face["said"]


def test_the_stale_copy_of_a_long_running_minion(folder):
    write(folder, "old", 1_000_000_000)
    assert load() == "old"
    write(folder, "new", 1_000_000_100)
    assert load() == "new"


def test_what_did_not_change_is_not_imported_again(folder):
    write(folder, "old", 1_000_000_000)
    load()
    first = sys.modules["_told_by_a_test"]
    load()
    assert sys.modules["_told_by_a_test"] is first


def test_a_file_that_came_and_one_that_went_count_as_a_change(folder):
    write(folder, "old", 1_000_000_000)
    load()
    first = sys.modules["_told_by_a_test"]
    (folder / "_more_of_a_test.py").write_text("")
    load()
    second = sys.modules["_told_by_a_test"]
    assert second is not first
    (folder / "_more_of_a_test.py").unlink()
    load()
    assert sys.modules["_told_by_a_test"] is not second


def test_private_files_of_other_folders_stay(folder):
    write(folder, "old", 1_000_000_000)
    load()
    other = sys.modules["_thread"], sys.modules["_collections_abc"]
    write(folder, "new", 1_000_000_100)
    load()
    assert (sys.modules["_thread"], sys.modules["_collections_abc"]) == other


def test_nothing_else_is_to_be_had_from_it():
    with pytest.raises(ImportError):
        exec("from _fresh import something", {})
