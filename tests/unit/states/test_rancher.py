"""The states with their modules over an imitated Docker; dry run and run of every scenario."""

import functools

import pytest
from fake_docker import Containers
from fake_mysql import Server
from salt.exceptions import CommandExecutionError

import _port_use
import _rancher_project
import _rancher_server_alive
import _rancher_server_data
import _rancher_server_wait

NAME, V1, V2 = "rancher-server", "rancher/server:v1", "rancher/server:v2"
DIRECTORY = "/data/rancher/mysql"
SECRET = "p$'\" #{{ x }}%ü"

both = pytest.mark.parametrize("test", [True, False], ids=["dry", "real"])


class Host:
    def __init__(self, replace, state, password=None, **more):
        self.load, self.context = state, {}
        self.docker = Containers((V1, V2)).install(replace)
        self.server = Server(**{"password": password or "", **more}).install(replace)
        self.pillar = {"host": "db", "password": password} if password else None
        self.directory = self.link = self.listener = None
        self.answers, self.waited, self.others = True, [], None
        replace(_rancher_server_data, look=self.look)
        replace(_rancher_server_data, prepare=self.prepare, protect=self.protect)
        replace(_port_use, listener=lambda port: self.listener)
        replace(_rancher_server_alive, check=self.alone)
        replace(_rancher_project, ready=self.ready)
        replace(_rancher_server_wait, until_ready=self.wait)

    def look(self, path):
        known = path == DIRECTORY and self.directory is not None
        return {
            "path": path,
            "owner": [102, 105] if known else None,
            "empty": not known,
            "database": known,
            "folder": known,
            "label": None,
            "mark": "",
            "link": self.link,
            "leads": known and self.link is not None,
        }

    def alone(self, database, blind=False):
        if self.others:
            raise CommandExecutionError(self.others)

    def prepare(self, path, confining=False):
        self.directory = path

    def protect(self, path):
        self.link = f"{path}/mysql/.."

    def wait(self, pillar, name, url, limit):
        self.waited.append((name, url, limit))
        if self.answers == "never":
            raise CommandExecutionError(f"{name}: it says STARTUP FAILED")
        self.answers = True
        return 7

    def ready(self, pillar, url, ca_certificate=None, timeout=10):
        return {"ready": self.answers is True, "reason": "connection refused"}

    def state(self, test):
        pillar = {"rancher": {"server": {"database": self.pillar}}}
        return self.load("rancher", test, __pillar__=pillar, __context__=self.context)

    def running(self, test, image=V1, **more):
        return self.state(test).server_running(NAME, image, data_directory=DIRECTORY, **more)


@pytest.fixture
def make_host(replace, state):
    return functools.partial(Host, replace, state)


def told(ret, test, changes):
    assert ret["changes"] == changes, ret["comment"]
    assert ret["result"] is (None if test and changes else True)
    assert SECRET not in repr(ret)


def refused(ret, host, words):
    assert ret["result"] is False and ret["changes"] == {} and words in ret["comment"]
    assert host.docker.log == [] and SECRET not in repr(ret)


@both
def test_from_nothing(make_host, test):
    host = make_host()
    host.docker.images.clear()
    told(
        host.running(test),
        test,
        {
            "pulled": {"old": None, "new": V1},
            "data directory": {"old": None, "new": f"{DIRECTORY} of 102:105"},
            "container": {"old": None, "new": "running"},
        },
    )
    assert bool(host.docker.log) is not test
    if not test:
        host.docker.log.clear()
        told(host.running(False), False, {})
        assert host.docker.log == []


@both
def test_a_new_tag(make_host, test):
    host = make_host()
    host.running(False)
    host.docker.log.clear()
    told(
        host.running(test, V2),
        test,
        {
            "image": {"old": V1, "new": V2},
            "container": {"old": "running", "new": "replaced"},
        },
    )
    assert bool(host.docker.log) is not test


@both
def test_a_second_server_on_one_database_joined_a_cluster_that_nobody_set_up(make_host, test):
    host = make_host(SECRET)
    host.others = "cattle on db is in use now by another Rancher server"
    ret = host.running(test)
    assert (ret["result"], ret["changes"], ret["comment"]) == (False, {}, host.others)
    assert host.docker.log == []


@both
def test_a_rotated_password(make_host, test):
    host = make_host(SECRET)
    host.running(False)
    host.docker.log.clear()
    host.pillar["password"] = host.server.password = "new" + SECRET
    told(
        host.running(test),
        test,
        {
            "password": {"old": "(not shown)", "new": "changed"},
            "container": {"old": "running", "new": "replaced"},
        },
    )
    assert bool(host.docker.log) is not test
    if not test:
        given = host.docker.all[NAME]["Config"]
        assert f"CATTLE_DB_CATTLE_PASSWORD=new{SECRET}" in given["Env"]
        assert SECRET not in repr(given["Labels"])
        told(host.running(False), False, {})


@both
def test_stopped(make_host, test):
    host = make_host()
    host.running(False)
    host.docker.stop(NAME)
    told(host.running(test), test, {"container": {"old": "exited", "new": "running"}})


@both
def test_the_image_only(make_host, test):
    host = make_host()
    told(host.running(test, start=False), test, {})
    host.docker.images.clear()
    told(host.running(test, start=False), test, {"pulled": {"old": None, "new": V1}})
    assert host.docker.all == {}


@both
def test_the_database_is_looked_at_before_a_container_is_made(make_host, test):
    host = make_host(SECRET, charset=("latin1", "latin1_swedish_ci"))
    refused(host.running(test), host, "rancher:server:database:name: database cattle is in latin1")


@both
def test_and_not_while_all_is_well(make_host, test):
    host = make_host(SECRET)
    host.running(False)
    host.server.asked.clear()
    told(host.running(test), test, {})
    assert host.server.asked == []


@both
def test_an_unsupported_database_server_is_said_and_used(make_host, test):
    host = make_host(SECRET, version="10.11.6-MariaDB")
    ret = host.running(test)
    told(ret, test, {"container": {"old": None, "new": "running"}})
    assert "Rancher 1.6 does not support this database server, 10.11.6-MariaDB" in ret["comment"]


@both
def test_a_taken_port(make_host, test):
    host = make_host()
    host.listener = "nginx (pid 9)"
    refused(host.running(test), host, "rancher:server:port 8080 is in use by nginx (pid 9)")


def test_a_dry_run_before_docker_is_there(make_host):
    host = make_host(SECRET)
    host.docker.importable = False
    ret = host.running(True)
    told(
        ret,
        True,
        {"pulled": {"old": None, "new": V1}, "container": {"old": None, "new": "running"}},
    )
    assert "Docker does not answer yet" in ret["comment"]
    assert "The database was not looked at" in ret["comment"]


def test_a_dry_run_in_which_the_database_comes_before(make_host):
    host = make_host(SECRET, charset=None)
    host.context["rancher_database.coming"] = True
    ret = host.running(True)
    told(ret, True, {"container": {"old": None, "new": "running"}})
    assert "The database comes with" in ret["comment"]
    # Never in a real run.
    assert host.running(False)["result"] is False


# -- server_ready --------------------------------------------------------------------------------

READY = {"server": {"old": "not ready", "new": "ready"}}


@both
def test_ready_already(make_host, test):
    host = make_host()
    told(host.state(test).server_ready(NAME), test, {})
    assert host.waited == []


@both
def test_not_ready_yet(make_host, test):
    host = make_host()
    host.answers = False
    told(host.state(test).server_ready(NAME, port=80, timeout=9), test, READY)
    assert host.waited == ([] if test else [(NAME, "http://127.0.0.1:80", 9)])


@both
def test_what_answers_before_a_replacement_is_not_what_will_answer(make_host, test):
    host = make_host()
    host.running(False)
    host.context.clear()
    host.running(test, V2)
    told(host.state(test).server_ready(NAME), test, READY)
    told(host.state(test).server_ready(NAME), test, {})


def test_one_that_cannot_start(make_host):
    host = make_host()
    host.answers = "never"
    ret = host.state(False).server_ready(NAME)
    assert ret["result"] is False and ret["changes"] == {}
    assert "rancher-server: it says STARTUP FAILED" in ret["comment"]


@both
def test_one_that_an_operator_starts(make_host, test):
    host = make_host()
    host.answers = False
    ret = host.state(test).server_ready(NAME, start=False)
    told(ret, test, {})
    assert host.waited == [] and "started by an operator" in ret["comment"]
