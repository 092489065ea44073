import os

import pytest

import _docker_unit as docker

ETC, LIB = "/etc/systemd/system/docker.service", "/usr/lib/systemd/system/docker.service"


def words(files, assumed=None):
    return [word for word, _ in docker.compose(files, assumed)["words"]]


def unit(command):
    return f"[Service]\nExecStart={command}\n"


def override(command):
    return f"[Service]\nExecStart=\nExecStart={command}\n"


def test_the_unit_of_etc_wins():
    files = {LIB: unit("/usr/bin/dockerd -D"), ETC: unit("/opt/dockerd")}
    assert words(files) == ["/opt/dockerd"]
    assert words({LIB: files[LIB]}) == ["/usr/bin/dockerd", "-D"]


def test_drop_ins_count_by_name_and_etc_wins_over_run_and_lib():
    files = {
        LIB: unit("/usr/bin/dockerd"),
        f"{LIB}.d/b.conf": override("/b/lib"),
        "/run/systemd/system/docker.service.d/b.conf": override("/b/run"),
        f"{ETC}.d/a.conf": override("/a/etc"),
    }
    assert docker.units(files)[1:] == [
        f"{ETC}.d/a.conf",
        "/run/systemd/system/docker.service.d/b.conf",
    ]
    assert words(files) == ["/b/run"]
    files[f"{ETC}.d/b.conf"] = ""
    assert words(files) == ["/a/etc"], "masked"


def test_every_word_has_its_file():
    files = {
        LIB: "[Service]\nEnvironmentFile=-/etc/default/docker\n"
        "ExecStart=/usr/bin/dockerd -H fd:// $DOCKER_OPTS ${ONE} --label=${ONE}\n",
        f"{ETC}.d/a.conf": '[Service]\nEnvironment="DOCKER_OPTS=-s vfs" ONE=1\n',
        "/etc/default/docker": "ONE='a b'\n",
    }
    assert docker.compose(files)["words"] == [
        ("/usr/bin/dockerd", LIB),
        ("-H", LIB),
        ("fd://", LIB),
        ("-s", f"{ETC}.d/a.conf"),
        ("vfs", f"{ETC}.d/a.conf"),
        ("a b", "/etc/default/docker"),
        ("--label=a b", LIB),
    ]
    flags = [(flag["key"], flag["path"]) for flag in docker.flags(docker.compose(files))]
    assert flags == [
        ("hosts", LIB),
        ("storage-driver", f"{ETC}.d/a.conf"),
        ("labels", LIB),
    ]


def test_a_file_of_variables_wins_over_the_unit_and_an_empty_line_takes_them_back():
    files = {
        LIB: "[Service]\nEnvironmentFile=/etc/*.env\nEnvironment=A=unit\nExecStart=/d $A\n",
        "/etc/x.env": "A=x",
        "/etc/y.env": "A=y",
    }
    assert words(files) == ["/d", "y"]
    files[f"{ETC}.d/a.conf"] = "[Service]\nEnvironmentFile=\n"
    assert words(files) == ["/d", "unit"]
    files[f"{ETC}.d/b.conf"] = "[Service]\nEnvironment=\n"
    assert words(files) == ["/d"]


def test_a_unit_that_is_yet_to_come_may_read_every_variable():
    files = {f"{ETC}.d/a.conf": "[Service]\nEnvironment='ANY=-s vfs' HTTP_PROXY=http://p\n"}
    assert words(files) == []
    assert words(files, ["dockerd"]) == ["dockerd", "-s", "vfs", "http://p"]
    old = {LIB: unit("/usr/bin/docker daemon -g /data $ANY"), **files}
    assert words(old) == ["/usr/bin/docker", "daemon", "-g", "/data", "-s", "vfs"]
    assert words(old, ["dockerd"]) == ["dockerd", "-s", "vfs", "http://p"]
    assert docker.compose(old)["old"] == {LIB: "docker daemon"}


def test_the_units_own_name_in_a_path():
    files = {
        LIB: "[Service]\nEnvironmentFile=/etc/%p/%N.env\nExecStart=/d $A 100%%\n",
        "/etc/docker/docker.env": "A=1",
    }
    assert words(files) == ["/d", "1", "100%"]


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(docker, "_FOLDERS", (str(tmp_path / "etc"), str(tmp_path / "lib")))
    monkeypatch.setattr(docker, "VARIABLES", (str(tmp_path / "default"),))
    folder = tmp_path / "etc/systemd/system/docker.service.d"
    folder.mkdir(parents=True)
    return tmp_path, folder


def test_only_files_that_are_there_are_read(host):
    base, folder = host
    assert docker.read() == {}
    (folder / "a.conf").write_text(f"[Service]\nEnvironmentFile={base}/*.env\n")
    (folder / "a.conf.before-20200101T000000Z").write_text("B")
    (base / "default").mkdir()
    (base / "one.env").write_text("A=1")
    assert sorted(docker.read()) == [f"{folder}/a.conf", f"{base}/one.env"]


def test_a_drop_in_that_is_masked_is_empty(host):
    _, folder = host
    os.symlink(os.devnull, folder / "a.conf")
    assert docker.read() == {f"{folder}/a.conf": ""}


@pytest.mark.parametrize(
    ("path", "pattern", "named"),
    [
        ("/etc/docker/a.env", "/etc/docker/*.env", True),
        ("/etc/docker/a.env", "/etc//docker/a.env", True),
        ("/etc/docker/a.env", "/etc/*.env", False),
        ("/etc/docker/.a.env", "/etc/docker/*.env", False),
        ("/etc/docker/.a.env", "/etc/docker/.*.env", True),
    ],
)
def test_a_star_is_no_slash(path, pattern, named):
    assert docker._named(path, pattern) is named


def test_of_one_file_named_twice_the_later_line_counts():
    files = {
        LIB: "[Service]\nEnvironmentFile=/a\nEnvironmentFile=/b\nExecStart=/d $A\n",
        f"{ETC}.d/a.conf": "[Service]\nEnvironmentFile=/a\n",
        "/a": "A=a",
        "/b": "A=b",
    }
    assert words(files) == ["/d", "a"]
