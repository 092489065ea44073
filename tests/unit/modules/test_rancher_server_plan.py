import functools

import pytest
from fake_docker import Containers
from salt.exceptions import CommandExecutionError

import _rancher_server_data
import _rancher_server_plan

NAME, IMAGE, DIRECTORY = "rancher-server", "rancher/server:v1", "/data/rancher/mysql"
SECRET = "p$'\"= #{{ x }}%ü"
DATABASE = {"host": "db", "port": 3306, "name": "cattle", "user": "cattle", "password": SECRET}
GUARDED = f"{DIRECTORY}/mysql/.."
EMPTY = {"path": DIRECTORY, "owner": None, "empty": True, "database": False, "folder": False}
EMPTY = {**EMPTY, "label": None, "mark": None, "link": None, "leads": False}
THERE = {**EMPTY, "owner": [102, 105], "empty": False, "database": True, "folder": True}
THERE = {**THERE, "link": GUARDED, "leads": True}


class Host:
    """Imitated containers; `paths` is what is found in directories."""

    def __init__(self, replace, database=None, **paths):
        self.docker, self.database = Containers().install(replace), database
        self.paths = {DIRECTORY: EMPTY, **paths}
        self.mounted = None
        self.coming = False
        replace(_rancher_server_data, look=self.look, comes=lambda path: self.coming)
        replace(_rancher_server_data, inside=lambda pid, mount_point: self.mounted)

    def look(self, path):
        return {**EMPTY, **self.paths.get(path, {}), "path": path}

    def want(self, image=IMAGE, port=8080, start=True):
        pillar = {"rancher": {"server": {"database": self.database}}}
        return _rancher_server_plan.wanted(pillar, image, port, start, DIRECTORY)

    def make(self, want=None, ours=True, bound=True, state="running"):
        """A container as the replacement makes it, or as an operator did."""
        want = want or self.want()
        source = DIRECTORY if bound == "bind" else f"/var/lib/rancher-salt{DIRECTORY}.database"
        mounts = [(source, "/var/lib/mysql")] if want["directory"] and bound else None
        self.docker.create(
            NAME,
            want["image"],
            environment=want["environment"],
            mounts=mounts,
            ports={8080: want["port"]},
            labels={"rancher-salt.role": "server"} if ours else None,
            restart="unless-stopped",
        )
        self.docker.all[NAME]["State"]["Status"] = state

    def plan(self, want=None, test=False):
        want = want or self.want()
        return _rancher_server_plan.plan(NAME, _rancher_server_plan.observe(NAME, want, test), want)

    def refusal(self, want=None):
        with pytest.raises(CommandExecutionError) as caught:
            self.plan(want)
        text = str(caught.value)
        assert "\n" not in text and "othing was changed" in text and SECRET not in text
        return text


@pytest.fixture
def make_host(replace):
    return functools.partial(Host, replace)


def test_the_environment_of_an_external_database():
    # No MYSQL_ in the names of user and password: with it, both are silently ignored.
    assert _rancher_server_plan.environment(DATABASE) == {
        "CATTLE_DB_CATTLE_MYSQL_HOST": "db",
        "CATTLE_DB_CATTLE_MYSQL_PORT": "3306",
        "CATTLE_DB_CATTLE_MYSQL_NAME": "cattle",
        "CATTLE_DB_CATTLE_USERNAME": "cattle",
        "CATTLE_DB_CATTLE_PASSWORD": SECRET,
    }
    assert _rancher_server_plan.environment(None) == {}


def test_from_nothing(make_host):
    host = make_host()
    host.docker.images.clear()
    assert host.plan() == {
        "pulled": {"old": None, "new": IMAGE},
        "data directory": {"old": None, "new": f"{DIRECTORY} of 102:105"},
        "container": {"old": None, "new": "running"},
    }


def test_with_an_external_database_no_directory_is_looked_at(make_host):
    assert make_host(DATABASE).plan() == {"container": {"old": None, "new": "running"}}


@pytest.mark.parametrize("database", [None, DATABASE])
def test_what_is_current_stays(make_host, database):
    host = make_host(database, **{DIRECTORY: THERE})
    host.make()
    assert host.plan() == {}
    # An image that was removed from the host meanwhile is not pulled for its own sake.
    host.docker.images.clear()
    assert host.plan() == {}


def test_somebody_elses_container_that_is_right_is_left_alone(make_host):
    host = make_host(**{DIRECTORY: THERE})
    host.make(ours=False)
    assert host.plan() == {}


@pytest.mark.parametrize("state", ["created", "exited", "paused", "dead"])
def test_what_does_not_run_is_started(make_host, state):
    host = make_host(**{DIRECTORY: THERE})
    host.make(state=state)
    assert host.plan() == {"container": {"old": state, "new": "running"}}


def test_what_restarts_is_the_business_of_server_ready(make_host):
    host = make_host(**{DIRECTORY: THERE})
    host.make(state="restarting")
    assert host.plan() == {}


def test_a_new_tag_and_a_tag_that_means_another_image(make_host):
    host = make_host(**{DIRECTORY: THERE})
    host.make()
    assert host.plan(host.want("rancher/server:v2")) == {
        "pulled": {"old": None, "new": "rancher/server:v2"},
        "image": {"old": IMAGE, "new": "rancher/server:v2"},
        "container": {"old": "running", "new": "replaced"},
    }
    host.docker.images[IMAGE] = "sha256:" + "9" * 64
    assert host.plan()["image"] == {"old": "sha256:rancher/serv", "new": "sha256:999999999999"}


def test_another_port_and_another_restart_policy(make_host):
    host = make_host(**{DIRECTORY: THERE})
    host.make()
    assert host.plan(host.want(port=80))["port"] == {"old": 8080, "new": 80}
    host.docker.all[NAME]["HostConfig"]["RestartPolicy"]["Name"] = "always"
    assert host.plan()["restart"] == {"old": "always", "new": "unless-stopped"}


def test_a_rotated_password_is_told_and_not_shown(make_host):
    host = make_host(DATABASE)
    host.make()
    host.database = {**DATABASE, "password": "other" + SECRET}
    changes = host.plan()
    assert changes == {
        "password": {"old": "(not shown)", "new": "changed"},
        "container": {"old": "running", "new": "replaced"},
    }
    assert SECRET not in repr(changes)


def test_another_database_is_told_in_words(make_host):
    host = make_host(DATABASE)
    host.make()
    host.database = {**DATABASE, "host": "db2", "user": "x"}
    words = {"old": "cattle@db:3306/cattle", "new": "x@db2:3306/cattle"}
    assert host.plan()["database"] == words
    host.database = None
    assert host.plan()["database"]["new"] == f"embedded, {DIRECTORY}"
    assert "password" not in host.plan()


def test_the_image_only(make_host):
    host = make_host()
    host.docker.images.clear()
    assert host.plan(host.want(start=False)) == {"pulled": {"old": None, "new": IMAGE}}
    host = make_host()
    host.make(host.want("rancher/server:v1", port=99), ours=False, state="exited")
    assert host.plan(host.want(start=False)) == {}


def test_what_an_interrupted_run_left(make_host):
    host = make_host(**{DIRECTORY: THERE})
    host.make()
    host.docker.all[NAME + ".salt-old"] = host.docker.all[NAME]
    assert host.plan() == {"left by an interrupted run": {"old": [NAME + ".salt-old"], "new": None}}


def test_a_database_in_an_anonymous_volume_is_never_left_behind(make_host):
    volume = "/var/lib/docker/volumes/abc/_data"
    host = make_host(**{volume: {**THERE, "path": volume}})
    host.make(ours=False, bound=False)
    text = host.refusal()
    assert "has its database in the volume abcabcabcabc" in text
    assert f"`cp -a {volume}/. {DIRECTORY}/`" in text and "`docker stop rancher-server`" in text


def test_nor_one_on_the_host_when_the_setting_moves(make_host):
    host = make_host(**{"/old": {**THERE, "path": "/old"}})
    host.make()
    host.docker.all[NAME]["Mounts"] = [{"Source": "/old", "Destination": "/var/lib/mysql"}]
    assert "has its database in the directory, /old" in host.refusal()
    # Moved by the operator: then the way is free.
    host.paths[DIRECTORY] = THERE
    assert host.plan()["database"] == {"old": "embedded, /old", "new": f"embedded, {DIRECTORY}"}


def test_what_this_host_does_not_show_may_be_a_database(make_host):
    host = make_host()
    host.make(ours=False, bound=False)
    assert "has its database in the volume" in host.refusal()


def test_a_foreign_container_is_not_replaced(make_host):
    host = make_host(DATABASE)
    host.make(host.want(port=81), ours=False)
    text = host.refusal()
    assert "was not made by this state and differs in port" in text
    assert "`docker rename rancher-server rancher-server-before`" in text


def test_a_foreign_one_with_data_before_an_external_database(make_host):
    host = make_host(**{DIRECTORY: THERE})
    host.make(ours=False)
    host.database = DATABASE
    assert f"Its database is in {DIRECTORY}: bring that along." in host.refusal()


def test_a_dry_run_before_docker_is_there(make_host):
    host = make_host()
    host.docker.importable = False
    assert host.plan(test=True) == {
        "pulled": {"old": None, "new": IMAGE},
        "data directory": {"old": None, "new": f"{DIRECTORY} of 102:105"},
        "container": {"old": None, "new": "running"},
    }


# -- the database that is expected ----------------------------------------------------------------


def test_a_container_on_another_directory_than_the_one_that_is_there(make_host, replace):
    host = make_host(**{DIRECTORY: THERE})
    host.make()
    host.mounted = [1, 2]
    replace(_rancher_server_data, same=lambda path, mounted: mounted == [1, 3])
    replace(_rancher_server_data, differing=lambda name, seen, mounted: "nothing was changed, no")
    assert host.refusal() == "nothing was changed, no"
    host.mounted = [1, 3]
    assert host.plan() == {}


def test_an_empty_database_is_not_started_in_the_place_of_ours(make_host):
    host = make_host(**{DIRECTORY: {**EMPTY, "link": GUARDED}})
    assert "an empty database would be started" in host.refusal()
    host.make(state="exited")
    assert "an empty database would be started" in host.refusal()


def test_nor_by_a_container_of_a_time_before_the_link(make_host):
    host = make_host()
    host.make(bound="bind", state="exited")
    host.docker.all[NAME]["State"]["StartedAt"] = "2026-01-01T00:00:00Z"
    assert f"ran with its database in {DIRECTORY}, which holds none now" in host.refusal()
    host.docker.all[NAME]["State"]["StartedAt"] = "0001-01-01T00:00:00Z"
    assert host.plan()["container"] == {"old": "exited", "new": "replaced"}


def test_a_bind_that_docker_would_make_is_replaced_when_it_is_ours(make_host):
    host = make_host(**{DIRECTORY: {**THERE, "link": None, "leads": False}})
    host.make(bound="bind")
    assert host.plan() == {
        "bind": {
            "old": f"{DIRECTORY}, made when missing",
            "new": f"{DIRECTORY}, only when it is there",
        },
        "container": {"old": "running", "new": "replaced"},
    }
    host = make_host(**{DIRECTORY: {**THERE, "link": None, "leads": False}})
    host.make(bound="bind", ours=False)
    assert host.plan() == {}


def test_a_database_that_came_after_the_start_is_protected_from_now_on(make_host):
    host = make_host(**{DIRECTORY: {**THERE, "link": DIRECTORY}})
    host.make()
    new = f"{DIRECTORY}, only with its database"
    assert host.plan() == {"bind": {"old": DIRECTORY, "new": new}}


@pytest.mark.parametrize("bound", ["bind", "link"])
def test_a_dry_run_before_the_step_that_mounts_the_disk(make_host, bound):
    host = make_host(**{DIRECTORY: {**EMPTY, "link": GUARDED if bound == "link" else None}})
    host.make(bound=bound, state="exited", ours=bound == "link")
    host.docker.all[NAME]["State"]["StartedAt"] = "2026-01-01T00:00:00Z"
    host.coming = True
    assert host.plan(test=True) == {"container": {"old": "exited", "new": "running"}}
    if bound == "link":
        assert "an empty database would be started" in host.refusal(), "in a run it is mounted now"


def test_a_dry_run_that_would_make_the_container_anew_on_a_disk_that_comes(make_host):
    host = make_host(**{DIRECTORY: {**EMPTY, "link": GUARDED}})
    host.coming = True
    assert host.plan(test=True) == {"container": {"old": None, "new": "running"}}
