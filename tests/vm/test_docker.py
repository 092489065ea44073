"""Docker on a real host: with leftovers of an older one, after a killed run, with wrong settings."""

import json

import pytest

pytestmark = pytest.mark.vm

DROP_INS = "/etc/systemd/system/docker.service.d"
OLD_UNIT = "[Service]\nExecStart=\nExecStart=/usr/bin/docker daemon -H fd://\n"
PROXY = "[Service]\nEnvironment=HTTP_PROXY=http://127.0.0.1:3128\n"
SLOW = "[Service]\nExecStartPre=/bin/sleep 20\n"
POOL = {"device": "/dev/disk/by-id/virtio-pool"}
RUNS = ["dry", "first", "second", "after the kill", "stopped", "coming up, dry", "coming up"]
DOCKER = {"daemon": {"log-driver": "json-file"}, "users": ["deployer"]}


@pytest.fixture(scope="module")
def history(lab):
    """Everything that happened to one host, in order."""
    lab.master.pillar({})
    lab.fresh()
    guest = lab.guest
    guest.must("useradd deployer")
    guest.write(f"{DROP_INS}/old.conf", OLD_UNIT)
    guest.write(f"{DROP_INS}/proxy.conf", PROXY)
    guest.write("/etc/default/docker", 'DOCKER_OPTS="--storage-driver=vfs"\n')
    past = {}

    def apply(name, docker, pool=POOL, test=False, sls="docker"):
        lab.master.pillar({"rancher": {"docker": {**DOCKER, **docker}, "thin_pool": pool}})
        past[name] = lab.call("state.apply", sls, test=test)

    apply("dry", {}, test=True)
    apply("first", {})
    past["info"] = guest.must("docker info 2>&1")
    apply("second", {})
    # As if a run had been killed between the new file and the restart.
    changed = {"daemon": {"log-driver": "json-file", "debug": True}}
    apply("file only", changed, sls="docker.configured")
    past["debug before"] = debug(guest)
    apply("after the kill, dry", changed, test=True)
    apply("after the kill", changed)
    past["debug after"] = debug(guest)
    past["file"] = guest.must("cat /etc/docker/daemon.json")
    # An image makes the pool's data worth keeping.
    guest.must("docker import /srv/busybox.tar busybox", timeout=120)
    apply("wrong", {"daemon": {"log-driver": "json-file", "log-opts": {"max-file": 3}}})
    apply("no pool any more", changed, pool={"device": None})
    guest.must("systemctl stop docker.socket docker.service")
    apply("stopped, dry", changed, test=True)
    apply("stopped", changed)
    # As if a run had been killed that was waiting for the daemon.
    guest.must("systemctl stop docker.socket docker.service")
    guest.write("/run/systemd/system/docker.service.d/slow.conf", SLOW)
    guest.must("systemctl daemon-reload; systemctl start --no-block docker.service")
    apply("coming up, dry", changed, test=True)
    apply("coming up", changed)
    return past


def debug(guest):
    return guest.must("docker info --format '{{.Debug}}'").strip()


def changes(report):
    assert isinstance(report, dict), report
    return {state["__id__"]: state["changes"] for state in report.values() if state["changes"]}


def failures(report):
    assert isinstance(report, dict), report
    return {
        state["__id__"]: state["comment"] for state in report.values() if state["result"] is False
    }


@pytest.mark.parametrize("run", RUNS)
def test_no_state_fails(history, run):
    assert failures(history[run]) == {}


@pytest.mark.parametrize(
    ("dry", "real"),
    [("dry", "first"), ("after the kill, dry", "after the kill"), ("stopped, dry", "stopped")],
)
def test_the_dry_run_names_what_the_run_does_to_docker(history, dry, real):
    predicted, made = (
        {key: value for key, value in changes(history[run]).items() if key.startswith("docker-")}
        for run in (dry, real)
    )
    assert predicted == made != {}


def test_leftovers_are_aside_and_the_proxy_stays(history, lab):
    made = changes(history["first"])["docker-leftovers-cleared"]
    assert sorted(made) == ["/etc/default/docker", f"{DROP_INS}/old.conf"]
    names = lab.guest.must(f"ls {DROP_INS} /etc/default")
    assert "proxy.conf" in names and "old.conf.before-" in names and "docker.before-" in names
    assert "HTTP Proxy: http://127.0.0.1:3128" in history["info"]


def test_the_daemon_runs_on_the_pool_from_its_first_start(history, lab):
    assert "Storage Driver: devicemapper" in history["info"]
    assert "Pool Name: docker-thinpool" in history["info"]
    assert "overlay2" not in lab.guest.must("ls /var/lib/docker")
    assert "deployer" in lab.guest.must("getent group docker")
    assert "docker.io" in lab.guest.must("apt-mark showhold")


def test_a_second_run_changes_nothing(history):
    assert changes(history["second"]) == {}


def test_a_run_killed_before_the_restart_converges(history):
    assert (history["debug before"], history["debug after"]) == ("false", "true")
    made = changes(history["after the kill"])
    assert made == {"docker-daemon-running": {"daemon": {"old": "running", "new": "restarted"}}}


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("wrong", "rancher:docker:daemon:log-opts:max-file is 3; allowed: a text"),
        ("no pool any more", "layers of devicemapper, and overlay2 would not see them"),
    ],
)
def test_what_cannot_work_changes_nothing(history, lab, run, words):
    report = history[run]
    assert words in failures(report)["docker-suitable"]
    assert not [key for key in changes(report) if key.startswith("docker-")]
    assert json.loads(history["file"])["debug"] is True
    assert lab.guest.must("cat /etc/docker/daemon.json") == history["file"]


def test_a_stopped_daemon_is_started_again(history):
    assert changes(history["stopped"])["docker-daemon-running"] == {
        "daemon": {"old": "stopped", "new": "running"}
    }


def test_a_daemon_that_is_coming_up_is_awaited(history):
    # "Stopped" was foretold of it, and by the time of the run it was up.
    assert changes(history["coming up, dry"]) == changes(history["coming up"]) == {}
