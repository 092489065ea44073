import os
import pathlib

import pytest
from salt.exceptions import CommandExecutionError

import _rancher_server_data as data

root = pytest.mark.skipif(os.getuid() != 0, reason="giving a directory away takes root")


def seen(**more):
    known = {"path": "/d", "owner": None, "empty": True, "database": False, "folder": False}
    return {**known, "label": None, "mark": None, "link": None, "leads": False, **more}


THERE = seen(owner=[102, 105], empty=False, database=True, folder=True)
GUARDED = "/.rancher-salt-0a/../d/mysql/.."


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """A data directory that is not there yet, with its link below another folder."""
    monkeypatch.setattr(data, "LINKS", str(tmp_path / "links"))
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk/mysql"


def make(directory):
    (directory / "mysql").mkdir(parents=True)
    (directory / "ibdata1").touch()


def test_look(directory):
    path = str(directory)
    assert data.look(path) == seen(path=path)
    directory.mkdir()
    mine = [os.getuid(), os.getgid()]
    assert data.look(path) == seen(path=path, owner=mine, mark="")
    make_files = (directory / "ibdata1", directory / "mysql")
    make_files[0].touch()
    assert data.look(path) == seen(path=path, owner=mine, mark="", empty=False, database=True)
    make_files[1].mkdir()
    assert data.look(path)["folder"] is True
    with pytest.raises(CommandExecutionError, match="is no directory; nothing was changed"):
        data.look(f"{path}/ibdata1")


def test_what_is_left_to_do():
    new = "/d of 102:105"
    assert data.plan(seen()) == {"data directory": {"old": None, "new": new}}
    assert data.plan(seen(owner=[0, 0])) == {"data directory": {"old": "0:0", "new": new}}
    assert data.plan(seen(owner=[102, 105])) == {}
    assert data.plan(THERE) == {}


@pytest.mark.parametrize(
    ("label", "confining", "change"),
    [
        (None, False, {}),
        ("default_t", False, {}),
        ("container_file_t", True, {}),
        ("svirt_sandbox_file_t", True, {}),
        ("default_t", True, {"label": {"old": "default_t", "new": "svirt_sandbox_file_t"}}),
    ],
)
def test_a_label_with_which_a_confined_server_may_write(label, confining, change):
    assert data.plan({**THERE, "label": label}, confining) == change


def test_files_of_another_owner_are_not_touched():
    with pytest.raises(CommandExecutionError) as caught:
        data.plan(seen(owner=[0, 0], empty=False))
    assert "belongs to 0:0" in str(caught.value) and "`chown -R 102:105 /d`" in str(caught.value)


@root
def test_prepare(tmp_path):
    path = tmp_path / "a/b"
    data.prepare(str(path))
    data.prepare(str(path))
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (102, 105, 0o700)
    assert path.parent.stat().st_uid == 0


@root
def test_prepare_sets_the_label_for_a_docker_with_selinux(tmp_path, monkeypatch, replace):
    ran = []
    replace(data._host, run=lambda argv, timeout=60, accept=(0,): ran.append(argv))
    replace(data, _label=lambda path: "default_t")
    data.prepare(str(tmp_path / "a"), True)
    assert ran == [["chcon", "-R", "-t", "svirt_sandbox_file_t", "-l", "s0", str(tmp_path / "a")]]


def test_prepare_where_a_file_is_in_the_way(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(CommandExecutionError, match="could not be made"):
        data.prepare(str(tmp_path / "a/b"))


# -- the link -------------------------------------------------------------------------------------


def test_link_and_directory_name_each_other():
    assert data.link("/data/rancher/mysql") == "/var/lib/rancher-salt/data/rancher/mysql.database"
    assert data.linked(data.link("/data/rancher/mysql")) == "/data/rancher/mysql"
    assert data.linked("/data/rancher/mysql") is None and data.linked(None) is None


def protect(directory):
    data.protect(str(directory))
    return pathlib.Path(data.link(str(directory)))


def test_the_link_of_a_directory_without_a_database_leads_to_it(directory):
    directory.mkdir()
    assert protect(directory).samefile(directory)
    found = data.look(str(directory))
    assert data.protected(found) and not data.expected(found) and found["mark"] == ""


def test_the_link_of_a_database_leads_nowhere_without_it(directory):
    make(directory)
    link = protect(directory)
    assert link.samefile(directory)
    found = data.look(str(directory))
    assert data.protected(found) and data.expected(found)
    directory.rename(directory.with_name("away"))
    assert not link.exists()
    directory.mkdir()
    assert not link.exists(), "as Docker would have made it"
    (directory / "mysql").mkdir()
    assert link.exists()


def test_another_file_system_with_a_database_is_not_the_one(directory):
    make(directory)
    link = protect(directory)
    (mark,) = directory.parent.glob(".rancher-salt-*")
    mark.rmdir()
    assert (directory / "mysql").is_dir() and not link.exists()
    with pytest.raises(CommandExecutionError, match="is on another file system than"):
        data.insist(data.look(str(directory)))
    with pytest.raises(CommandExecutionError, match="is on another file system than"):
        protect(directory)
    link.unlink()
    assert protect(directory).samefile(directory)


def test_the_mark_is_made_once_for_a_file_system(directory):
    for path in (directory, directory.with_name("second")):
        make(path)
        protect(path)
        protect(path)
    assert len(list(directory.parent.glob(".rancher-salt-*"))) == 1


def test_a_link_follows_when_a_database_comes(directory):
    directory.mkdir()
    protect(directory)
    make_folder = directory / "mysql"
    make_folder.mkdir()
    assert not data.protected(data.look(str(directory)))
    assert protect(directory).samefile(directory)
    assert data.protected(data.look(str(directory)))


def test_what_is_no_link_is_not_replaced(directory):
    directory.mkdir()
    link = pathlib.Path(data.link(str(directory)))
    link.mkdir(parents=True)
    with pytest.raises(CommandExecutionError, match="could not be read as a link"):
        protect(directory)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (seen(link=GUARDED), "/d is not there, although the server's database was in it: an empty"),
        (seen(link=GUARDED, owner=[102, 105]), "/d holds no database, although the server's"),
        ({**THERE, "link": GUARDED}, "/d holds a database, but is on another file system"),
    ],
)
def test_an_empty_database_is_never_started_in_the_place_of_ours(found, words):
    with pytest.raises(CommandExecutionError) as caught:
        data.insist(found)
    text = str(caught.value)
    assert words in text and "othing was changed" in text and "\n" not in text
    assert "`rm /var/lib/rancher-salt/d.database`, then apply again" in text


@pytest.mark.parametrize(
    "found", [seen(), seen(link="/d"), THERE, {**THERE, "link": GUARDED, "leads": True}]
)
def test_what_is_no_reason_to_refuse(found):
    data.insist(found)


# -- what a container has mounted -----------------------------------------------------------------

TABLE = """21 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
99 21 8:17 / /data rw,relatime shared:1 - xfs /dev/sdb1 rw
"""


def test_what_this_process_has_mounted():
    assert data.inside(os.getpid(), "/proc") == [os.stat("/proc").st_dev, os.stat("/proc").st_ino]


@pytest.mark.parametrize("pid", [None, 2**22 + 1])
def test_a_process_that_is_gone(pid):
    assert data.inside(pid, "/var/lib/mysql") is None


def test_a_process_of_another_machine_with_that_number():
    assert data.inside(os.getpid(), "/not/mounted") is None


def test_a_file_system_in_words():
    assert data.file_system(os.makedev(8, 17), TABLE) == "/dev/sdb1"
    assert (
        data.file_system(os.makedev(8, 1), TABLE)
        == "a file system that is mounted nowhere any more"
    )


@pytest.mark.parametrize(
    ("found", "way"),
    [
        (THERE, "`docker restart web`"),
        ({**THERE, "link": GUARDED, "leads": True}, "`docker restart web`"),
        ({**THERE, "link": GUARDED}, "unmount what hides /"),
        (seen(owner=[0, 0]), "unmount what hides /"),
    ],
)
def test_two_databases_are_told_with_a_way_out(found, way, replace):
    replace(data._host, read=lambda path: TABLE)
    text = data.differing("web", {**found, "path": "/"}, [os.makedev(8, 17), 7])
    assert text.startswith("container web works on a directory of /dev/sdb1, but / is now ")
    assert way in text and "Nothing was changed" in text and "\n" not in text


@pytest.mark.parametrize(
    ("planned", "mounted", "coming"),
    [
        (["/", "/data"], ["/"], True),
        (["/", "/data"], ["/", "/data"], False),
        (["/", "/data", "/data/rancher"], ["/", "/data"], True),
        (["/", "/dat", "none"], ["/"], False),
        (["/"], ["/"], False),
    ],
)
def test_a_file_system_that_fstab_mounts_and_that_is_not_mounted_yet(
    replace, planned, mounted, coming
):
    replace(data._fstab, entries=lambda: [{"file": each} for each in planned])
    replace(data._disk_kernel, mounts=lambda: [{"point": each} for each in mounted])
    assert data.comes("/data/rancher/mysql") is coming


def test_what_a_dry_run_could_not_look_at():
    assert data.notes(None) == data.notes(THERE) == data.notes({**THERE, "coming": False}) == []
    (note,) = data.notes({**THERE, "coming": True})
    assert note == "/d was not looked at: its file system is not mounted yet"
