import contextlib
import fcntl
import json
import os
import pathlib
import stat

import pytest
from fakes import Killed
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _export_write as writes

FILES = {"REPORT.md": "# shop\n", "kubernetes/service-web.yaml": "a: é\n"}


def state(folder):
    """Every file below, with its bytes, its inode and its times."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        seen = path.lstat()
        found[str(path)] = (path.is_file() and path.read_bytes(), seen.st_ino, seen.st_mtime_ns)
    return found


def test_files_are_whole_and_ours_alone(tmp_path):
    folder = tmp_path / "shop"
    assert writes.folder(str(folder), FILES) == {"written": 2, "removed": 0}
    assert (folder / "kubernetes/service-web.yaml").read_text() == "a: é\n"
    for path in [folder, *folder.rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    assert sorted(json.loads((folder / "index.json").read_text())) == sorted(FILES)


def test_a_second_run_touches_nothing(tmp_path):
    writes.folder(str(tmp_path / "shop"), FILES)
    before = state(tmp_path)
    assert writes.folder(str(tmp_path / "shop"), FILES) == {"written": 0, "removed": 0}
    assert state(tmp_path) == before


def test_what_is_no_longer_needed_goes_and_what_is_not_ours_stays(tmp_path):
    folder = tmp_path / "shop"
    writes.folder(str(folder), FILES)
    (folder / "notes.md").write_text("mine")
    assert writes.folder(str(folder), {"REPORT.md": "# other\n"}) == {"written": 1, "removed": 1}
    assert sorted(os.listdir(folder)) == ["REPORT.md", "index.json", "notes.md"]
    assert writes.remove(str(folder)) == 1
    assert os.listdir(folder) == ["notes.md"]


def test_a_file_that_somebody_changed_stops_the_export(tmp_path):
    folder = tmp_path / "shop"
    writes.folder(str(folder), FILES)
    (folder / "REPORT.md").write_text("# shop, with my notes\n")
    before = state(tmp_path)
    assert writes.edited(str(folder)) == ["REPORT.md"]
    with pytest.raises(CommandExecutionError, match="REPORT.md was changed since the last export"):
        writes.refuse_edited([str(folder)])
    with pytest.raises(CommandExecutionError, match="is not of this export, or was changed"):
        writes.folder(str(folder), {"REPORT.md": "# new\n"})
    assert state(tmp_path) == before


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "REPORT.md").write_text("mine")
    with pytest.raises(CommandExecutionError, match="is not of this export"):
        writes.folder(str(folder), FILES)
    assert (folder / "REPORT.md").read_text() == "mine"
    assert not (folder / "kubernetes").exists()


@pytest.mark.parametrize("after", range(1, 8))
def test_a_killed_export_can_go_on(tmp_path, monkeypatch, after):
    """Killed before any rename or unlink: the next run ends with the same files."""
    folder = str(tmp_path / "shop")
    writes.folder(folder, {"REPORT.md": "# old\n", "old.yaml": "a: 1\n"})
    left = [after]

    def counted(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] <= 0:
                raise Killed
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(writes.os, "rename", counted(os.rename))
        patch.setattr(writes.os, "unlink", counted(os.unlink))
        with contextlib.suppress(Killed):
            writes.folder(folder, FILES)
    writes.folder(folder, FILES)
    assert sorted(json.loads((tmp_path / "shop/index.json").read_text())) == sorted(FILES)
    whole = [path for path in (tmp_path / "shop").rglob("*.*") if not path.name.startswith(".")]
    assert sorted(str(path.relative_to(tmp_path / "shop")) for path in whole) == sorted(
        [*FILES, "index.json"]
    )


def test_no_link_is_followed(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "shop"
    outside.mkdir()
    folder.symlink_to(outside)
    with pytest.raises(CommandExecutionError, match="is no directory"):
        writes.folder(str(folder), FILES)
    folder.unlink()
    folder.mkdir()
    (folder / "kubernetes").symlink_to(outside)
    with pytest.raises(CommandExecutionError, match="is no directory"):
        writes.folder(str(folder), FILES)
    (folder / "kubernetes").unlink()
    (folder / "REPORT.md").unlink(missing_ok=True)
    (outside / "target").write_text("mine")
    (folder / "index.json").unlink()
    (folder / "REPORT.md").symlink_to(outside / "target")
    with pytest.raises(CommandExecutionError, match="is no plain file"):
        writes.folder(str(folder), FILES)
    assert (outside / "target").read_text() == "mine"
    assert os.listdir(outside) == ["target"]


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b"])
def test_an_index_names_nothing_outside(tmp_path, name):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/index.json").write_text(json.dumps({name: []}))
    with pytest.raises(CommandExecutionError, match="is no index of an export"):
        writes.folder(str(tmp_path / "shop"), FILES)


def test_an_index_that_is_none(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/index.json").write_text("{")
    with pytest.raises(CommandExecutionError, match="is no index of an export"):
        writes.folder(str(tmp_path / "shop"), FILES)


def test_two_exports_at_once(tmp_path):
    with writes.alone(str(tmp_path / "out")) as path:
        assert path == str(tmp_path / "out")
        with pytest.raises(CommandExecutionError, match="another export into"):
            writes.alone(path).__enter__()
    with writes.alone(path):
        pass
    handle = os.open(path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


@pytest.mark.parametrize("path", ["", "out", None])
def test_only_an_absolute_path(path):
    with pytest.raises(SaltInvocationError, match="give an absolute path"), writes.alone(path):
        pass


def test_texts_that_are_no_utf8(tmp_path):
    assert writes.folder(str(tmp_path / "x"), {"a": "\ud800"}) == {"written": 1, "removed": 0}
    assert writes.folder(str(tmp_path / "x"), {"a": "\ud800"}) == {"written": 0, "removed": 0}
