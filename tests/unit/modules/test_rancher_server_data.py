import os

import pytest
from salt.exceptions import CommandExecutionError

import _rancher_server_data as data


def seen(**more):
    return {"path": "/d", "owner": None, "empty": True, "database": False, **more}


def test_look(tmp_path):
    path = str(tmp_path / "mysql")
    assert data.look(path) == seen(path=path)
    os.mkdir(path)
    mine = [os.getuid(), os.getgid()]
    assert data.look(path) == seen(path=path, owner=mine)
    (tmp_path / "mysql/ibdata1").touch()
    assert data.look(path) == seen(path=path, owner=mine, empty=False, database=True)
    with pytest.raises(CommandExecutionError, match="is no directory; nothing was changed"):
        data.look(path + "/ibdata1")


def test_what_is_left_to_do():
    new = "/d of 102:105"
    assert data.plan(seen()) == {"data directory": {"old": None, "new": new}}
    assert data.plan(seen(owner=[0, 0])) == {"data directory": {"old": "0:0", "new": new}}
    assert data.plan(seen(owner=[102, 105])) == {}
    assert data.plan(seen(owner=[102, 105], empty=False, database=True)) == {}


def test_files_of_another_owner_are_not_touched():
    with pytest.raises(CommandExecutionError) as caught:
        data.plan(seen(owner=[0, 0], empty=False))
    assert "belongs to 0:0" in str(caught.value) and "`chown -R 102:105 /d`" in str(caught.value)


@pytest.mark.skipif(os.getuid() != 0, reason="giving a directory away takes root")
def test_prepare(tmp_path):
    path = tmp_path / "a/b"
    data.prepare(str(path))
    data.prepare(str(path))
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (102, 105, 0o700)
    assert path.parent.stat().st_uid == 0


def test_prepare_where_a_file_is_in_the_way(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(CommandExecutionError, match="could not be made"):
        data.prepare(str(tmp_path / "a/b"))
