import json

import pytest
from salt.exceptions import CommandExecutionError

import _docker_data as docker
import _fstab
import _host


def place(root, driver="overlay2", remap=None):
    return docker.place(
        {"data-root": root, "storage-driver": driver, "userns-remap": remap}, [], ids
    )


def ids(remap):
    return {"default": "231072.231072"}.get(remap)


@pytest.mark.parametrize(
    ("config", "flags", "root"),
    [
        ({}, [], "/var/lib/docker"),
        ({"data-root": "/a/"}, [], "/a"),
        ({"graph": "/a"}, [], "/a"),
        ({"data-root": ["/a"], "graph": 5, "userns-remap": True}, [], "/var/lib/docker"),
        ({}, [{"key": "data-root", "value": "/a"}, {"key": "data-root", "value": "/b"}], "/b"),
        ({"data-root": "/a"}, [{"key": "data-root", "value": "/b"}], "/a"),
        ({"userns-remap": "default"}, [], "/var/lib/docker/231072.231072"),
        ({}, [{"key": "userns-remap", "value": "default"}], "/var/lib/docker/231072.231072"),
    ],
    ids=[
        "default",
        "file",
        "old name",
        "garbage",
        "the last flag",
        "file and flag",
        "mapping",
        "mapping flag",
    ],
)
def test_where_data_is(config, flags, root):
    assert docker.place(config, flags, ids)["root"] == root


def test_a_mapping_that_is_yet_to_be_made_has_no_data(tmp_path):
    found = docker.place({"data-root": str(tmp_path), "userns-remap": "eve"}, [], ids)
    assert docker.contents(found["root"]) == {"containers": {}, "volumes": set(), "images": {}}


@pytest.mark.parametrize(
    ("text", "names", "number"),
    [
        ("ann:100000:65536\ndockremap:231072:65536\n", ["dockremap"], 231072),
        ("dockremap:300000:65536\ndockremap:231072:65536\n", ["dockremap"], 231072),
        ("998:165536:65536\n", ["dockremap", "998"], 165536),
        ("dockremap:x:65536\n#\ndockremap:1\n", ["dockremap"], None),
        (None, ["dockremap"], None),
    ],
    ids=["one", "the lowest", "by number", "garbage", "no file"],
)
def test_the_numbers_of_a_mapping(text, names, number):
    assert docker.lowest(text, names) == number


@pytest.mark.parametrize(
    ("remap", "found"),
    [
        ("default", "231072.300000"),
        ("root", "1.2"),
        ("0:0", "1.2"),
        ("root:dockremap", "1.2"),
        ("daemon:dockremap", "7.300000"),
        ("eve", None),
    ],
)
def test_the_folder_of_a_mapping(remap, found, replace):
    files = {
        "/etc/subuid": "dockremap:231072:65536\nroot:1:65536\ndaemon:7:1\n",
        "/etc/subgid": "dockremap:300000:65536\nroot:2:65536\n",
    }
    replace(_host, read=files.get)
    assert docker.mapped(remap) == found


class Root:
    """A data root with whatever is asked for."""

    def __init__(self, path):
        self.path = path

    def container(self, one, driver="overlay2"):
        folder = self.path / "containers" / one
        folder.mkdir(parents=True)
        (folder / "config.v2.json").write_text(json.dumps({"Driver": driver}))
        return self

    def volume(self, name):
        (self.path / "volumes" / name / "_data").mkdir(parents=True)
        (self.path / "volumes/metadata.db").write_text("")
        return self

    def image(self, one, driver="overlay2"):
        folder = self.path / "image" / driver / "imagedb/content/sha256"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / one).write_text("{}")
        return self


@pytest.fixture
def roots(tmp_path):
    (tmp_path / "old").mkdir()
    return Root(tmp_path / "old"), Root(tmp_path / "new")


def checked(was, will):
    with pytest.raises(CommandExecutionError) as caught:
        docker.check(was, will)
    message = str(caught.value)
    assert "nothing was changed" in message and "\n" not in message
    assert "remove" not in message and "rm " not in message
    return message


def test_a_data_root_that_is_left_behind_is_refused(roots):
    old, new = roots
    old.container("c1").container("c2").volume("data").image("i1")
    message = checked(place(str(old.path)), place(str(new.path)))
    assert f"Docker's data is in {old.path} and would be looked for in {new.path}" in message
    assert "2 containers, 1 volume and 1 image would not be seen" in message
    assert f"Set rancher:docker:daemon to {{data-root: {old.path}}} to keep using them" in message
    assert f"copy the data to {new.path} (`cp -a`)" in message


def test_dockers_own_root_that_is_left_behind_is_refused(roots, monkeypatch):
    old, new = roots
    monkeypatch.setattr(docker, "ROOT", str(old.path))
    old.volume("data")
    message = checked(docker.place({}, [], ids), place(str(new.path)))
    assert "1 volume would not be seen" in message
    assert "Take data-root out of rancher:docker:daemon to keep using them" in message


def test_a_copy_of_the_data_is_enough(roots):
    old, new = roots
    for root in roots:
        root.container("c1").volume("data").image("i1")
    new.container("c2")
    docker.check(place(str(old.path)), place(str(new.path)))
    old.container("c3")
    assert "1 container would not be seen" in checked(place(str(old.path)), place(str(new.path)))


def test_an_empty_root_and_the_same_root_are_no_matter(roots):
    old, new = roots
    docker.check(place(str(old.path)), place(str(new.path)))
    old.container("c1")
    (old.path.parent / "link").symlink_to(old.path)
    docker.check(place(str(old.path)), place(str(old.path.parent / "link")))


def test_a_mapping_that_hides_the_data_is_refused_and_the_way_back_too(roots):
    old, _ = roots
    old.container("c1")
    message = checked(place(str(old.path)), place(str(old.path), remap="default"))
    assert "Take userns-remap out of rancher:docker:daemon" in message and "copy" not in message
    mapped = Root(old.path / "231072.231072").container("c9")
    assert f"looked for in {mapped.path}" in message
    message = checked(place(str(old.path), remap="default"), place(str(old.path)))
    assert "Set rancher:docker:daemon to {userns-remap: default}" in message


def test_a_driver_that_hides_containers_is_refused_though_it_has_layers(roots):
    old, _ = roots
    old.container("c1", "aufs").image("i1", "aufs").image("i2", "overlay2")
    message = checked(place(str(old.path), "aufs"), place(str(old.path), "overlay2"))
    assert f"Docker's data is in {old.path}, driver aufs, and" in message
    assert "1 container and 1 image would not be seen" in message
    assert "{storage-driver: aufs}" in message and "copy" not in message


def test_what_an_earlier_driver_left_is_not_lost_now(roots):
    old, _ = roots
    old.container("c1", "aufs").image("i1", "aufs")
    docker.check(place(str(old.path), "overlay2"), place(str(old.path), "overlay2"))


def test_a_root_whose_disk_is_not_mounted_is_not_empty(replace, tmp_path):
    replace(_fstab, entries=lambda: [{"file": "/"}, {"file": f"{tmp_path}/"}, {"file": "swap"}])
    with pytest.raises(CommandExecutionError, match=f"`mount {tmp_path}`, then apply again"):
        docker.check(place(f"{tmp_path}/docker"), place("/var/lib/docker"))


def test_the_daemons_own_variable_counted_less_than_its_file():
    """Docker 20.10 itself: "Setting the storage driver from the $DOCKER_DRIVER environment variable"."""
    flag = {"name": "storage-driver", "key": "storage-driver", "flag": "DOCKER_DRIVER"}
    flags = [{**flag, "value": "vfs", "at": None, "path": "/etc/default/docker"}]
    found = docker.place({"storage-driver": "overlay2"}, flags, lambda remap: None)
    assert found["driver"] == "vfs"
