import json
import os

import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _docker_daemon_json as docker
import _docker_data
import _docker_storage
import _docker_unit
import _host

POOL = {"device": "/dev/vdc", "volume_group": "docker", "name": "thinpool"}
NO_POOL = {**POOL, "device": None}


def wanted(*settings, installed="", kernel="6.1.0"):
    return docker.wanted(kernel, lambda name: installed, *settings)


@pytest.fixture
def files(replace):
    """The files that tell the daemon something on its command line: path to text."""
    found = {}
    replace(_docker_unit, read=lambda: dict(found))
    replace(_host, read=found.get)
    return found


CONFIG = {"storage-driver": "overlay2", "log-driver": "json-file"}


@pytest.mark.parametrize(
    ("have", "changes"),
    [
        (
            None,
            {
                "storage-driver": {"old": None, "new": "overlay2"},
                "log-driver": {"old": None, "new": "json-file"},
            },
        ),
        ({**CONFIG}, {}),
        (
            {**CONFIG, "log-driver": "journald", "dns": ["8.8.8.8"]},
            {
                "log-driver": {"old": "journald", "new": "json-file"},
                "dns": {"old": ["8.8.8.8"], "new": None},
            },
        ),
    ],
    ids=["no file", "as it is", "an operator's own key goes, and is named"],
)
def test_each_key_is_reported(have, changes):
    text = docker.render(have) if have is not None else None
    assert docker.plan(text, CONFIG) == changes


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}}'])
def test_a_file_that_is_no_object_is_replaced(text):
    changes = docker.plan(text, CONFIG)
    assert changes["daemon.json"]["old"] == "not a JSON object"


def test_the_same_settings_in_another_form_are_a_change_of_form_only():
    changes = docker.plan(json.dumps(CONFIG), CONFIG)
    assert changes == {"daemon.json": {"old": "formatted otherwise", "new": "formatted"}}


def test_a_changed_secret_shows_as_changed():
    old, new = (
        {"proxies": {"http-proxy": "http://u:hunter2@p"}},
        {"proxies": {"http-proxy": "http://u:hunter3@p"}},
    )
    changes = docker.plan(docker.render(old), new)
    assert changes["proxies"]["new"] == "changed" and "hunter" not in repr(changes)


def test_the_text_is_the_same_for_the_same_settings():
    assert docker.render({"a": 1, "b": 2}) == docker.render({"b": 2, "a": 1})


def test_the_file_that_was_there_is_kept(tmp_path):
    path = tmp_path / "daemon.json"
    path.write_text("old")
    copies = {docker.keep(str(path)), docker.keep(str(path))}
    assert len(copies) == 2
    for copy in copies:
        assert _host.read(copy) == "old" and os.stat(copy).st_mode & 0o777 == 0o600
        assert not copy.endswith((".conf", ".service", ".json"))


def test_the_pool_makes_the_driver(files):
    found = wanted("docker.io", None, {"debug": True}, POOL)
    assert found["config"]["storage-driver"] == "devicemapper"
    assert found["config"]["debug"] is True
    assert found["pool"] == "/dev/mapper/docker-thinpool"


@pytest.mark.parametrize("pool", [None, NO_POOL])
def test_without_a_pool_it_is_overlay2(pool, files):
    found = wanted("docker.io", None, None, pool)
    assert found["config"] == {"storage-driver": "overlay2"}
    assert found["pool"] is None and found["leftovers"] == {}


def test_the_installed_docker_counts_when_no_version_is_asked_for(files):
    kernel = "3.10.0-1160.el7.x86_64"
    found = wanted("docker-ce", installed="17.06.2.ce-1.el7.centos", kernel=kernel)
    assert found["upstream"] == (17, 6, 2)
    assert found["config"]["storage-opts"] == ["overlay2.override_kernel_check=true"]


def test_what_is_moved_aside_conflicts_no_more(files):
    drop_in = "/etc/systemd/system/docker.service.d/own.conf"
    files[drop_in] = "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --log-driver=journald\n"
    found = wanted("docker-ce", None, {"log-driver": "json-file"})
    assert list(found["leftovers"]) == [drop_in]


def test_a_flag_of_the_packaged_unit_cannot_be_set_again(files):
    files["/lib/systemd/system/docker.service"] = "[Service]\nExecStart=/usr/sbin/dockerd -H fd://"
    with pytest.raises(SaltInvocationError, match="hosts is also given as -H by docker.service"):
        wanted("docker.io", None, {"hosts": ["tcp://127.0.0.1:2375"]})


def test_every_problem_has_its_line(files):
    with pytest.raises(SaltInvocationError) as caught:
        wanted("docker.io", None, {"debug": "yes", "mtu": "x"})
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("config", "unit", "root"),
    [
        (None, "", "/var/lib/docker"),
        ('{"data-root": "/data/docker"}', "", "/data/docker"),
        ('{"graph": "/data/docker/"}', "", "/data/docker"),
        ("{", "", "/var/lib/docker"),
        (None, "ExecStart=/usr/bin/dockerd -g /data/docker", "/data/docker"),
        (None, "ExecStart=/usr/bin/docker daemon --graph /data/docker", "/data/docker"),
        (None, "ExecStart=/usr/bin/dockerd --config-file=/srv/own.json", "/srv/docker"),
        (
            None,
            "ExecStart=/usr/bin/dockerd $O\nEnvironment=O=--data-root=/data/docker",
            "/data/docker",
        ),
    ],
    ids=["default", "file", "its old name", "garbage", "-g", "1.10", "another file", "variable"],
)
def test_where_dockers_data_is_before_the_run(config, unit, root, files):
    files["/lib/systemd/system/docker.service"] = f"[Service]\n{unit}\n"
    files["/srv/own.json"] = '{"data-root": "/srv/docker"}'
    if config:
        files["/etc/docker/daemon.json"] = config
    found = wanted("docker-ce")
    assert found["was"]["root"] == root
    stays = "dockerd -g" in unit or "$O" in unit
    assert found["will"]["root"] == ("/data/docker" if stays else "/var/lib/docker")


def test_a_flag_that_stays_counts_as_the_data_root(files):
    drop_in = "/etc/systemd/system/docker.service.d/own.conf"
    files[drop_in] = "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --data-root=/data/docker\n"
    found = wanted("docker-ce", "3:20.10.24-1")
    assert found["leftovers"] == {}
    assert found["was"]["root"] == found["will"]["root"] == "/data/docker"


def place(root="/var/lib/docker", driver="overlay2"):
    return {"base": root, "root": root, "driver": driver, "remap": None}


def looked_at(replace, **seen):
    """The roots that were asked for."""
    asked = []
    nothing = {"layers": {}, "device_set": False, "loop": False}
    replace(_docker_storage, status=lambda root: asked.append(root) or {**nothing, **seen})
    return asked


def test_data_is_looked_at_where_docker_keeps_it(replace):
    asked = looked_at(replace, layers={"aufs": 2})
    want = {"was": place("/data"), "will": place("/data"), "config": {"storage-driver": "overlay2"}}
    with pytest.raises(CommandExecutionError, match="holds 2 layers of aufs"):
        docker.check_data(want, NO_POOL)
    assert asked == ["/data"]


def test_data_that_fits_the_pool(replace):
    looked_at(replace)
    replace(
        _docker_storage, pool=lambda group, name: {"path": "/x", "used": 0, "transaction_id": 0}
    )
    config = {"storage-driver": "devicemapper"}
    docker.check_data({"was": place(), "will": place(), "config": config}, POOL)


def test_data_that_a_change_would_hide_is_refused(replace):
    def check(was, will):
        raise CommandExecutionError(f"{was['root']} to {will['root']}")

    replace(_docker_data, check=check)
    want = {"was": place("/a"), "will": place("/b"), "config": {"storage-driver": "overlay2"}}
    with pytest.raises(CommandExecutionError, match="/a to /b"):
        docker.check_data(want)


class Program:
    """A dockerd on the command line."""

    def __init__(self, version, retcode=0):
        self.version, self.retcode, self.read = version, retcode, []

    def __call__(self, argv, timeout=60, accept=(0,)):
        if argv == ["dockerd", "--version"]:
            return {"retcode": 0, "stdout": f"Docker version {self.version}, build x", "stderr": ""}
        assert argv[:2] == ["dockerd", "--validate"]
        path = argv[2].partition("=")[2]
        with open(path) as handle:
            self.read.append(handle.read())
        return {"retcode": self.retcode, "stdout": "", "stderr": f"unable to use {path}:\n no key"}


@pytest.fixture
def program(replace):
    """Install a daemon's program, or none."""

    def install(run):
        replace(_host, run=run, tool=lambda name: run and f"/usr/bin/{name}")

    return install


def test_the_daemon_itself_checks_the_text(program):
    dockerd = Program("24.0.7")
    program(dockerd)
    docker.validate("{}", (24, 0, 7))
    assert dockerd.read == ["{}"]


def test_what_the_daemon_refuses_is_told(program):
    program(Program("24.0.7", retcode=1))
    with pytest.raises(SaltInvocationError) as caught:
        docker.validate("{}")
    assert "unable to use daemon.json: no key; the file was not touched" in str(caught.value)


@pytest.mark.parametrize(
    ("run", "upstream"),
    [(None, None), (Program("20.10.24+dfsg1"), None), (Program("24.0.7"), (24, 0, 9))],
    ids=["no program", "one that cannot", "one that will be replaced"],
)
def test_no_answer_from_a_program_that_is_none(run, upstream, program):
    program(run)
    docker.validate("{", upstream)
    assert not run or run.read == []


# -- as they are found ---------------------------------------------------------------------------


def found_host(files, tmp_path, daemon_json=None, drop_in=None):
    """A host whose data root of before, below tmp_path, holds a container."""
    root = tmp_path / "docker"
    (root / "containers/c1").mkdir(parents=True)
    (root / "overlay2").mkdir()
    files["/lib/systemd/system/docker.service"] = (
        "[Service]\nEnvironmentFile=-/etc/default/docker\n"
        "ExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"
    )
    if daemon_json:
        files["/etc/docker/daemon.json"] = json.dumps({"data-root": str(root), **daemon_json})
    if drop_in:
        path = "/etc/systemd/system/docker.service.d/old.conf"
        files[path] = f"[Service]\n{drop_in.replace('ROOT', str(root))}\n"
    return str(root)


@pytest.mark.parametrize(
    ("daemon_json", "drop_in"),
    [
        ({"storage-driver": "overlay2", "log-driver": "json-file"}, None),
        (None, "ExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// -s overlay2 -g ROOT"),
        (None, "ExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// -s overlay2 --graph=ROOT"),
        (
            None,
            "ExecStart=\nExecStart=/usr/sbin/dockerd -s overlay2 \\\n  # x \\\n --data-root ROOT",
        ),
        (None, "Environment='DOCKER_OPTS=-s overlay2 -gROOT'"),
    ],
    ids=["daemon.json", "-g beside -s", "--graph", "--data-root after a comment", "Environment"],
)
def test_the_data_root_of_before_is_not_dropped(daemon_json, drop_in, files, tmp_path, replace):
    root = found_host(files, tmp_path, daemon_json, drop_in)
    replace(_docker_storage, entries=_entries_below(tmp_path))
    found = wanted("docker.io", "20.10.24+dfsg1-1")
    with pytest.raises(CommandExecutionError) as caught:
        docker.check_data(found)
    assert f"Docker's data is in {root}" in str(caught.value)
    assert f"Set rancher:docker:daemon to {{data-root: {root}}}" in str(caught.value)
    # The way out: then nothing of it is lost.
    found = wanted("docker.io", "20.10.24+dfsg1-1", {"data-root": root})
    docker.check_data(found)
    assert found["will"]["root"] == root


def test_a_user_mapping_on_a_pool_is_found_again(files, tmp_path, replace):
    # The second run looked beside it, and advised to remove the pool.
    (tmp_path / "231072.231072/devicemapper/metadata").mkdir(parents=True)
    meta = tmp_path / "231072.231072/devicemapper/metadata/deviceset-metadata"
    meta.write_text('{"BaseDeviceUUID": "aa"}')
    files["/etc/subuid"] = files["/etc/subgid"] = "dockremap:231072:65536\n"
    files[str(meta)] = meta.read_text()
    settings = {"userns-remap": "default", "data-root": str(tmp_path)}
    files["/etc/docker/daemon.json"] = json.dumps({**settings, "storage-driver": "devicemapper"})
    pool = {"path": "/dev/mapper/docker-thinpool", "used": 9, "transaction_id": 4}
    replace(_docker_storage, pool=lambda group, name: pool)
    docker.check_data(wanted("docker.io", "20.10.24", settings, POOL), POOL)
    with pytest.raises(CommandExecutionError) as caught:
        docker.check_data(wanted("docker.io", "20.10.24", {"data-root": str(tmp_path)}, POOL), POOL)
    assert "`find / -name deviceset-metadata`" in str(caught.value)
    assert "remove" not in str(caught.value)


def _entries_below(tmp_path):
    """As on a host that has nothing else than this."""
    real = _docker_storage.entries
    return lambda path: real(path) if path.startswith(str(tmp_path)) else None
