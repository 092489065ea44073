"""
The server's container on a real Docker daemon, its database on a real MariaDB.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess

import docker
import pytest

from functional import rancher_host
from functional.rancher_host import MariaDB, Minion, dockerd, free_port, make_image

pytestmark = pytest.mark.root
NAME = "rancher-server"
LINKS = "/var/lib/rancher-salt"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    if lacking := rancher_host.missing():
        pytest.skip(f"not installed: {', '.join(lacking)}")
    with dockerd(tmp_path_factory.mktemp("dockerd")) as client:
        for tag in ("v1", "v2"):
            make_image(client, tag)
        for mode in ("slow", "fatal", "loop", "nodb"):
            make_image(client, mode, mode)
        yield client


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory, api):
    server = MariaDB(tmp_path_factory.mktemp("mariadb"))
    yield server
    server.stop()


class Host:
    """One host with its settings; `apply` runs the two states as the steps do."""

    def __init__(self, api, minion, base):
        self.api, self.minion, self.base = api, minion, base
        self.port, self.directory = free_port(), base / "data/mysql"
        self.settings = {"image": "rancher/server:v1", "ready_timeout": 60}

    def external(self, mariadb, password, **more):
        database = {"host": mariadb.host, "port": mariadb.port, "password": password, **more}
        self.settings["database"] = database

    def apply(self, test=False, level="quiet", ready=True, admin=False):
        self.minion.pillar(self.settings)
        running = {"name": NAME, "image": self.settings["image"], "port": self.port}
        running["data_directory"] = str(self.directory)
        running["start"] = self.settings.get("start", True)
        states = {"running": {"rancher.server_running": [{k: v} for k, v in running.items()]}}
        if admin:
            states = {"database": {"rancher_database.present": [{"name": "rancher"}]}, **states}
        if ready:
            keys = {"name": NAME, "port": self.port, "timeout": self.settings["ready_timeout"]}
            options = [{key: value} for key, value in keys.items()]
            options.append({"require": [{"rancher": "running"}]})
            states["ready"] = {"rancher.server_ready": options}
        return self.minion.apply(states, test, level)

    def container(self, name=NAME):
        return self.api.inspect_container(name)

    def names(self):
        return sorted(each["Names"][0][1:] for each in self.api.containers(all=True))


@pytest.fixture
def host(api, tmp_path):
    yield Host(api, Minion(tmp_path / "minion", api.rancher_host_sock), tmp_path)
    for each in api.containers(all=True):
        api.remove_container(each["Id"], force=True, v=True)
    for path in (pathlib.Path(LINKS), *reversed([*pathlib.Path(LINKS).rglob("*")])):
        if path.is_symlink() and str(tmp_path) in str(path):
            path.unlink()


def changes(report):
    return {key: state["changes"] for key, state in report.items() if state["changes"]}


def comment(report, key="running"):
    return report[key]["comment"]


def assert_well(report):
    wrong = [state["comment"] for state in report.values() if state["result"] is not True]
    assert not wrong, wrong


def converge(host, **options):
    """Dry run, run, second run: the same changes, then none."""
    dry = host.apply(test=True, **options)
    assert all(state["result"] is not False for state in dry.values()), dry
    report = host.apply(**options)
    assert_well(report)
    assert changes(report) == changes(dry)
    again = host.apply(**options)
    assert_well(again)
    assert changes(again) == {}
    return report


def refused(host, *words, **options):
    """Dry and real: refused with these words, nothing changed."""
    before = host.names()
    for test in (True, False):
        report = host.apply(test=test, ready=False, **options)
        assert report["running"]["result"] is False and report["running"]["changes"] == {}
        for word in words:
            assert word in comment(report), comment(report)
        assert "\n" not in comment(report)
    assert host.names() == before
    return comment(report)


def test_from_nothing_to_pong(host):
    report = converge(host)
    assert changes(report) == {
        "running": {
            "data directory": {"old": None, "new": f"{host.directory} of 102:105"},
            "container": {"old": None, "new": "running"},
        },
        "ready": {"server": {"old": "not ready", "new": "ready"}},
    }
    status = host.directory.stat()
    assert (status.st_uid, status.st_gid) == (102, 105)
    made = host.container()
    assert made["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert (host.directory / "starts").read_text() == "start\n"


def test_a_new_tag_replaces_the_container_and_keeps_the_data(host):
    host.apply()
    before = host.container()["Id"]
    host.settings["image"] = "rancher/server:v2"
    report = converge(host)
    assert changes(report)["running"] == {
        "image": {"old": "rancher/server:v1", "new": "rancher/server:v2"},
        "container": {"old": "running", "new": "replaced"},
    }
    assert host.container()["Id"] != before and host.names() == [NAME]
    assert (host.directory / "starts").read_text() == "start\nstart\n"


def test_stopped_by_an_operator_or_paused(host):
    host.apply()
    host.api.stop(NAME, timeout=0)
    assert changes(converge(host))["running"]["container"] == {"old": "exited", "new": "running"}
    host.api.pause(NAME)
    assert changes(converge(host))["running"]["container"] == {"old": "paused", "new": "running"}


def test_the_image_only(host):
    host.settings["start"] = False
    report = converge(host, ready=False)
    assert changes(report) == {} and host.names() == []


def test_an_image_from_a_registry(host, tmp_path):
    if not shutil.which("docker-registry"):
        pytest.skip("not installed: docker-registry")
    with rancher_host.registry(tmp_path) as address:
        image = f"{address}/rancher/server:v3"
        make_image(host.api, "v3")
        host.api.tag("rancher/server:v3", f"{address}/rancher/server", "v3")
        assert "error" not in host.api.push(f"{address}/rancher/server", tag="v3")
        host.api.remove_image(image)
        host.api.remove_image("rancher/server:v3")
        host.settings.update(image=image, start=False)
        report = converge(host, ready=False, level="info")
        assert changes(report) == {"running": {"pulled": {"old": None, "new": image}}}
        assert host.names() == []
        log = (host.minion.base / "minion.log").read_text()
        assert f"pulling {image}" in log and f"pulled {image}: 1 layers in" in log
        host.settings["image"] = f"{address}/rancher/server:v4"
        dry = host.apply(test=True, ready=False)
        assert dry["running"]["changes"], (
            "that there is no such tag shows only when it is asked for"
        )
        report = host.apply(ready=False)
        assert report["running"]["result"] is False and report["running"]["changes"] == {}
        assert "v4: manifest for " in comment(report)
        assert "there is no such tag in that registry" in comment(report)
    report = host.apply(ready=False)
    assert "the registry does not answer; check its address and port" in comment(report)
    host.api.remove_image(image)


def test_a_foreign_container_under_the_name(host):
    make_image(host.api, "foreign")
    host.api.tag("rancher/server:foreign", "somebody/nginx", "1")
    host.api.create_container("somebody/nginx:1", name=NAME)
    refused(host, "was not made by this state and differs in", "somebody/nginx:1", "docker rename")
    host.api.remove_image("somebody/nginx:1", force=True)


def test_a_port_that_is_taken(host):
    name = pathlib.Path("/proc/self/comm").read_text().strip()
    with socket.create_server(("0.0.0.0", host.port)):
        refused(host, f"port {host.port} is in use by {name}", f"pid {os.getpid()}")
    other = host.api.create_container(
        "rancher/server:v1",
        name="other",
        ports=[8080],
        host_config=host.api.create_host_config(port_bindings={8080: host.port}),
    )
    host.api.start(other)
    refused(host, f"port {host.port} is in use by container other")


def test_a_database_in_an_anonymous_volume_is_never_left_behind(host):
    made = host.api.create_container(
        "rancher/server:v1",
        name=NAME,
        ports=[8080],
        host_config=host.api.create_host_config(
            port_bindings={8080: host.port}, restart_policy={"Name": "unless-stopped"}
        ),
    )
    host.api.start(made)
    rancher_host.await_("its database", 20, lambda: list(volume(host).glob("ibdata1")))
    text = refused(host, "has its database in the volume", "To move it: `docker stop")
    # The way out of the message, word by word.
    source = volume(host)
    for command in text.split("`")[1::2]:
        if command.startswith("docker stop"):
            host.api.stop(NAME, timeout=0)
        elif command.startswith("docker rename"):
            host.api.rename(*command.split()[2:])
        else:
            subprocess.run(command.split(), check=True, timeout=20)
    assert_well(host.apply())
    assert (host.directory / "starts").read_text() == "start\nstart\n"
    assert source.is_dir() and host.names() == [NAME, f"{NAME}-before"]


def volume(host):
    (mount,) = [m for m in host.container()["Mounts"] if m["Destination"] == "/var/lib/mysql"]
    return pathlib.Path(mount["Source"])


def test_files_of_somebody_else_in_the_data_directory(host):
    host.directory.mkdir(parents=True)
    (host.directory / "ibdata1").write_text("x")
    refused(host, "belongs to 0:0", f"chown -R 102:105 {host.directory}")
    assert host.directory.stat().st_uid == 0


@pytest.mark.parametrize("image", ["fatal", "loop", "nodb"])
def test_a_server_that_cannot_start_is_told_early(host, mariadb, image):
    secret = "p$'\" #{{ x }}%ü"
    mariadb.clean()
    mariadb.prepare(secret)
    host.external(mariadb, secret)
    host.settings["image"] = f"rancher/server:{image}"
    host.settings["ready_timeout"] = 600
    report = host.apply()
    assert report["running"]["result"] is True, report
    assert report["ready"]["result"] is False
    words = {
        "fatal": "the server says that it cannot start. Its log: ",
        # Docker tells the code of the last end between two starts only.
        "loop": r"times and was restarted(, with exit code 3)?\. Its log: ",
        "nodb": "could not use its database for",
    }
    assert re.search(words[image], comment(report, "ready")), comment(report, "ready")
    assert secret not in host.minion.output
    assert report["ready"]["duration"] < 60_000


def test_a_server_that_is_never_ready(host):
    host.settings.update(image="rancher/server:slow", ready_timeout=20)
    report = host.apply()
    assert "it did not answer within 20 s: the connection was closed" in comment(report, "ready")
    assert "Its log: start slow" in comment(report, "ready")


# All steps, and a failure at each, are in the unit tests of _rancher_server_replace.
@pytest.mark.parametrize("step", ["create", "rename", "rename2"])
def test_killed_anywhere_the_next_run_converges(host, step):
    """What a replacement leaves that was killed after this step."""
    host.apply()
    host.settings["image"] = "rancher/server:v2"
    reached = ["create", "stop", "rename", "rename2", "start"].index(step)
    config = host.api.create_host_config(
        binds=[f"{LINKS}{host.directory}.database:/var/lib/mysql"],
        port_bindings={8080: host.port},
        restart_policy={"Name": "unless-stopped"},
    )
    host.api.create_container(
        "rancher/server:v2",
        name=f"{NAME}.salt-new",
        ports=[8080],
        labels={"rancher-salt.role": "server"},
        host_config=config,
    )
    if reached >= 1:
        host.api.stop(NAME, timeout=0)
    if reached >= 2:
        host.api.rename(NAME, f"{NAME}.salt-old")
    if reached >= 3:
        host.api.rename(f"{NAME}.salt-new", NAME)
    if reached >= 4:
        host.api.start(NAME)
    converge(host)
    assert host.names() == [NAME]
    assert host.container()["Config"]["Image"] == "rancher/server:v2"
    assert (host.directory / "starts").read_text().count("start") == 2


# -- a data directory whose file system comes late, goes, or is another one -----------------------


@pytest.fixture
def disk(host):
    """A file system that can be mounted where the data directory is, and unmounted."""

    class Disk:
        place = host.directory.parent
        kept = host.base / "disk"

        def mount(self):
            subprocess.run(["mount", "--bind", self.kept, self.place], check=True, timeout=20)

        def unmount(self):
            subprocess.run(["umount", "--lazy", self.place], check=True, timeout=20)

    disk = Disk()
    disk.kept.mkdir()
    disk.place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk.kept], check=True, timeout=20)
    disk.mount()
    yield disk
    subprocess.run(["umount", "--lazy", "--recursive", disk.place], check=False, timeout=20)
    subprocess.run(["umount", "--lazy", disk.kept], check=True, timeout=20)


def restart(host):
    """As Docker does at boot; gives what it says when it cannot."""
    host.api.stop(NAME, timeout=0)
    try:
        host.api.start(NAME)
    except docker.errors.APIError as exc:
        return str(exc.explanation)
    return None


def starts(directory):
    return (directory / "starts").read_text().count("start")


@pytest.mark.parametrize("left", ["nothing", "an empty directory", "another database"])
def test_no_empty_database_is_started_while_the_disk_is_missing(host, disk, left):
    assert_well(host.apply())
    (bind,) = host.container()["HostConfig"]["Mounts"]
    assert bind["Type"] == "bind" and host.container()["HostConfig"]["Binds"] is None
    host.api.stop(NAME, timeout=0)
    disk.unmount()
    if left != "nothing":
        host.directory.mkdir()
        os.chown(host.directory, 102, 105)
    if left == "another database":
        (host.directory / "mysql").mkdir()
    assert "does not exist" in restart(host)
    words = {
        "nothing": "is not there, although the server's database was in it",
        "an empty directory": "holds no database, although the server's database was in it",
        "another database": "holds a database, but is on another file system",
    }
    refused(host, words[left], f"`rm {LINKS}{host.directory}.database`")
    assert [*host.directory.glob("*")] == [*host.directory.glob("mysql")]
    disk.mount()
    assert changes(converge(host))["running"]["container"] == {"old": "exited", "new": "running"}
    assert starts(host.directory) == 2


def test_an_empty_database_by_the_words_of_the_message(host, disk):
    assert_well(host.apply())
    host.api.stop(NAME, timeout=0)
    disk.unmount()
    text = refused(host, "an empty database would be started")
    (command,) = [each for each in text.split("`")[1::2] if each.startswith("rm ")]
    subprocess.run(command.split(), check=True, timeout=20)
    converge(host)
    assert starts(host.directory) == 1


def bound(host):
    """The container of a tree that bound the directory itself."""
    host.directory.mkdir()
    os.chown(host.directory, 102, 105)
    made = host.api.create_container(
        "rancher/server:v1",
        name=NAME,
        ports=[8080],
        labels={"rancher-salt.role": "server"},
        host_config=host.api.create_host_config(
            binds=[f"{host.directory}:/var/lib/mysql:z"],
            port_bindings={8080: host.port},
            restart_policy={"Name": "unless-stopped"},
        ),
    )
    host.api.start(made)
    rancher_host.await_("its database", 20, (host.directory / "starts").exists)


def test_a_container_of_before_is_replaced_and_keeps_its_data(host, disk):
    bound(host)
    assert changes(converge(host))["running"] == {
        "bind": {
            "old": f"{host.directory}, made when missing",
            "new": f"{host.directory}, only when it is there",
        },
        "container": {"old": "running", "new": "replaced"},
    }
    assert starts(host.directory) == 2


def test_one_that_was_started_before_its_disk_was_there(host, disk):
    bound(host)
    disk.unmount()
    assert restart(host) is None, "such a bind is made when it is missing"
    rancher_host.await_("an empty database", 20, (host.directory / "starts").exists)
    disk.mount()
    text = refused(
        host, f"container {NAME} works on a directory of ", f"{host.directory} is now tmpfs"
    )
    assert f"`docker restart {NAME}`" in text
    host.api.restart(NAME, timeout=0)
    converge(host)
    assert starts(disk.kept / "mysql") == 3


def test_one_whose_database_is_hidden_by_a_mount(host, disk):
    disk.unmount()
    assert_well(host.apply())
    disk.mount()
    refused(
        host, f"container {NAME} works on a directory of ", f"unmount what hides {host.directory}"
    )
    disk.unmount()
    assert changes(converge(host)) == {}


def test_one_that_died_while_its_disk_was_missing(host, disk):
    bound(host)
    host.api.stop(NAME, timeout=0)
    disk.unmount()
    refused(host, f"ran with its database in {host.directory}, which holds none now")
    disk.mount()
    converge(host)
    assert starts(host.directory) == 2
