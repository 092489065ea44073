"""The embedded database's disk comes late, not at all, and back: through real boots of a host."""

import pytest
from lab.process import wait_until

pytestmark = pytest.mark.vm

DIRECTORY, NAME = "/data/rancher/mysql", "rancher-server"
LATE = "/etc/systemd/system/late.service"
# What data.mount waits for: as a log that takes long to replay, or a slow array.
SLOW = """[Unit]
DefaultDependencies=no
Before=data.mount

[Service]
Type=oneshot
ExecStart=/bin/sleep 45

[Install]
RequiredBy=data.mount
"""
# Without the unit's order: as on a host of which somebody took the drop-in away.
UNITS = "/etc/systemd/system/docker.service.d"
BARE = f"systemctl stop docker.socket docker; mkdir /root/kept; mv {UNITS}/*rancher* /root/kept"
AGAIN = f"mv /root/kept/* {UNITS}; systemctl daemon-reload; systemctl enable late.service"


@pytest.fixture(scope="module")
def history(furnished):
    """One server with the embedded database on its data disk, and what it found after each boot."""
    lab = furnished
    lab.registry.start()
    server = {"ready_timeout": 900}
    settings = {"docker": {"daemon": lab.registry.daemon}, "server": server}
    settings["data_disk"] = {"device": "/dev/disk/by-id/virtio-data"}
    lab.master.pillar({"rancher": settings})
    lab.fresh()
    guest, past = lab.guest, {}

    def apply(name, **options):
        past[name] = lab.call("state.apply", "server", timeout=2400, **options)

    def look(name):
        past[f"{name}, container"] = guest.ssh(
            f"timeout 60 docker inspect -f {STATE} {NAME}", timeout=300
        )[1]
        past[f"{name}, files"] = guest.ssh(f"ls {DIRECTORY}", timeout=60)[1].split()
        past[f"{name}, disk"] = guest.ssh("findmnt -no SOURCE /data", timeout=60)[1].strip()
        past[f"{name}, docker"] = guest.ssh("systemctl is-active docker", timeout=60)[1].strip()
        past[f"{name}, world"] = guest.ssh(f"stat -c %i {DIRECTORY}/cattle.json", timeout=60)[1]

    def booted():
        answer = guest.ssh("systemctl is-system-running", timeout=60)[1].strip()
        return answer in ("running", "degraded")

    def boot(with_disk):
        guest.must("sync", timeout=120)
        guest.power_off()
        guest.disks = dict(DISKS) if with_disk else {"pool": DISKS["pool"]}
        guest.start()
        guest.wait_for_boot(900)
        lab.wait_for_minions(900)
        # Also with the mounts that the boot does not need.
        wait_until(booted, timeout=900, what="end of the boot", every=2)

    DISKS = dict(guest.disks)
    apply("first")
    look("before")
    try:
        boot(with_disk=False)
        look("missing")
        apply("missing")
        guest.must(f"{BARE}; systemctl daemon-reload; systemctl start docker", timeout=600)
        look("missing, without the order")
        guest.write(LATE, SLOW)
        guest.must(AGAIN, timeout=120)
        boot(with_disk=True)
    finally:
        guest.disks = DISKS
    look("late")
    apply("late")
    return past


STATE = "'{{.State.Running}} {{.State.Error}}'"


def changes(report):
    assert isinstance(report, dict), report
    return {state["__id__"]: state["changes"] for state in report.values() if state["changes"]}


def failures(report):
    assert isinstance(report, dict), report
    return {
        state["__id__"]: state["comment"] for state in report.values() if state["result"] is False
    }


@pytest.mark.parametrize("run", ["first", "late"])
def test_no_state_fails(history, run):
    assert failures(history[run]) == {}


def test_a_further_run_changes_nothing(history):
    assert changes(history["late"]) == {}


def test_a_late_disk_brings_its_database_back(history):
    assert history["late, disk"] == history["before, disk"]
    assert history["late, world"] == history["before, world"] != ""


def test_the_server_runs(history):
    assert history["late, container"].split() == ["true"]


@pytest.mark.parametrize("moment", ["missing", "missing, without the order"])
def test_no_empty_database_is_made_in_its_place(history, moment):
    assert history[f"{moment}, disk"] == "" and history[f"{moment}, files"] == []


def test_docker_does_not_start_without_the_disk(history):
    assert history["missing, docker"] != "active"


def test_a_docker_that_starts_all_the_same_does_not_start_the_server(history):
    assert history["missing, without the order, docker"] == "active"
    running, _, error = history["missing, without the order, container"].partition(" ")
    assert running == "false" and "rancher-salt/data/rancher/mysql.database" in error


def test_a_run_without_the_disk_starts_nothing(history):
    words = failures(history["missing"])["docker-suitable"]
    assert "docker.service did not start: it waits for /data, not mounted now" in words
    assert "rancher-server-running" not in changes(history["missing"])
