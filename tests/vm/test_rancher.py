"""
Two bare machines become a Rancher server, its database a real MariaDB, and a member of its cluster.

The images are stand-ins (see tests/stand_ins); dockerd, the registry and the database are real.
"""

import json
import time

import pytest
from lab.process import wait_until

# Password generators know no mercy. The ends are what is looked for: no quoting changes them.
NASTY = "$HOME '\"#{{ grains.id }}%s %20äß€\\"
FIRST, SECOND = f"K7xfirst{NASTY}q9Wfirst", f"K7xsecond{NASTY}q9Wsecond"
ADMIN = f"K7xadmin{NASTY}q9Wadmin"
MARKS = [f"{end}{which}" for which in ("first", "second", "admin") for end in ("K7x", "q9W")]
SLOW = 2400  # seconds; the machine below may have other guests, too
# All processes' command lines, every few seconds.
WATCH = "while :; do cat /proc/[0-9]*/cmdline; echo; sleep 2; done 2>/dev/null | tr '\\0' ' ' > /var/tmp/seen"


@pytest.fixture(scope="module")
def history(pair):
    """Everything that happened to the two, in order."""
    pair.database.start()
    pair.database.sql("CREATE USER keeper@'%%' IDENTIFIED BY %s", ADMIN)
    pair.database.sql("GRANT ALL ON *.* TO keeper@'%' WITH GRANT OPTION")
    settle(pair, FIRST)
    events = pair.master.listen()
    past = {"pair": pair}
    try:
        # Debug, where the secrets go: everything that Salt could ever write down.
        pair.guest.write("/etc/salt/minion.d/debug.conf", "log_level_logfile: debug\n")
        pair.guest.must(["systemctl", "restart", "--no-block", "salt-minion"])
        for guest in pair.guests.values():
            guest.must(["systemd-run", "--quiet", "bash", "-c", WATCH], timeout=300)
        wait_until(
            lambda: pair.guest.ssh("grep -q DEBUG /var/log/salt/minion")[0] == 0,
            timeout=600,
            what="restart",
        )
        pair.wait_for_minions(600)
        past["first"] = pair.call_all("state.apply", timeout=SLOW)
        past["hosts"] = hosts(pair)
        past["second"] = pair.call_all("state.apply", timeout=SLOW)
        pair.database.sql("ALTER USER rancher@'%%' IDENTIFIED BY %s", SECOND)
        settle(pair, SECOND)
        past["rotation, dry"] = only(pair, "server1", "server", test=True)
        past["rotation"] = only(pair, "server1", "server")
        past["active after the rotation"] = wait_for_active(pair)
        past["after the rotation"] = only(pair, "server1", "server")
        pair.reboot()
        past["active after the reboot"] = wait_for_active(pair)
        past["after the reboot"] = pair.call_all("state.apply", timeout=SLOW)
    finally:
        events.stop()
    past["events"] = events.log.read_text(errors="replace")
    return past


def settle(pair, password):
    """The pillar: one server with a database, one member."""
    address = pair.address("server1")
    database = {
        "host": pair.database.host,
        "port": pair.database.port,
        "name": "rancher",
        "user": "rancher",
    }
    server = {
        "database": {**database, "password": password},
        "database_admin": {"user": "keeper", "password": ADMIN},
        "ready_timeout": SLOW,
    }
    agent = {
        "server_url": f"http://{address}:8080",
        "ip": pair.address("node1"),
        "labels": {"zone": "a b"},
        "registered_timeout": SLOW,
    }
    pair.master.pillar(
        {"rancher": {"docker": {"daemon": pair.registry.daemon}}},
        {
            "server1": {"rancher": {"roles": ["server"], "server": server}},
            "node1": {"rancher": {"roles": ["agent"], "agent": agent}},
        },
    )


def only(pair, name, *sls, **kwargs):
    return {name: pair.master.call(name, "state.apply", sls, timeout=SLOW, **kwargs)}


def hosts(pair):
    url = f"http://{pair.address('server1')}:8080"
    return pair.master.call("node1", "rancher.hosts", [url], timeout=300)


def wait_for_active(pair, timeout=600):
    """The hosts, once all of them are active; or what they were when the time was over."""
    deadline = time.monotonic() + timeout
    while True:
        found = hosts(pair)
        # Of an agent that was never lost Rancher knows no state; a lost one's is the host's.
        states = {host["state"] for host in found} if isinstance(found, list) else None
        if states == {"active"} or time.monotonic() > deadline:
            return found
        time.sleep(5)


def failures(reports):
    """What failed, on which machine; a report that is no report as it is."""
    found = []
    for name, report in reports.items():
        assert isinstance(report, dict), f"{name}: {report}"
        found += [
            f"{name}, {state['__id__']}: {state['comment']}"
            for state in report.values()
            if state["result"] is False
        ]
    return found


def changes(reports):
    return {
        f"{name}, {state['__id__']}": state["changes"]
        for name, report in reports.items()
        for state in report.values()
        if state["changes"]
    }


RUNS = ["first", "second", "rotation, dry", "rotation", "after the rotation", "after the reboot"]


@pytest.mark.parametrize("run", RUNS)
def test_no_state_fails(history, run):
    assert failures(history[run]) == []


@pytest.mark.parametrize("run", ["second", "after the rotation", "after the reboot"])
def test_a_further_run_changes_nothing(history, run):
    assert changes(history[run]) == {}


@pytest.mark.parametrize(
    "moment", ["hosts", "active after the rotation", "active after the reboot"]
)
def test_the_member_is_active_in_the_project(history, moment):
    (host,) = history[moment]
    assert host["state"] == "active" and host["agent_state"] in ("active", None)
    assert host["hostname"] == "node1.example.test"
    # The address of a new host comes with a later ping.
    early = (None,) if moment == "hosts" else ()
    assert host["ip"] in (history["pair"].address("node1"), *early)
    assert host["labels"]["zone"] == "a b"
    assert host["id"] == history["hosts"][0]["id"]


def test_the_server_keeps_its_world_in_the_database(history):
    rows = history["pair"].database.sql("SELECT world FROM rancher.stand_in")
    assert "node1.example.test" in rows[0][0]


def test_the_first_run_made_what_it_says(history):
    made = changes(history["first"])
    for name in (
        "server1, rancher-server-running",
        "server1, rancher-server-ready",
        "node1, rancher-agent-registered",
    ):
        assert name in made


def test_a_rotated_password_replaces_the_container_and_shows_as_changed(history):
    dry, made = changes(history["rotation, dry"]), changes(history["rotation"])
    assert dry == made
    assert made["server1, rancher-server-running"]["password"]["new"] == "changed"
    inside = history["pair"].guest.must("docker inspect -f '{{json .Config.Env}}' rancher-server")
    assert f"CATTLE_DB_CATTLE_PASSWORD={SECOND}" in json.loads(inside)


def test_the_server_answers(history):
    pair = history["pair"]
    assert pair.guest.must("busybox wget -qO- http://127.0.0.1:8080/ping") == "pong\n"


@pytest.mark.parametrize("mark", MARKS)
def test_no_secret_in_any_report_or_event(history, mark):
    assert mark not in json.dumps({run: history[run] for run in RUNS}, ensure_ascii=False)
    assert len(history["events"]) > 10000
    assert mark not in history["events"]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("name", ["server1", "node1"])
def test_no_secret_in_log_cache_or_process_list_of_a_host(history, name, mark):
    guest = history["pair"].guests[name]
    places = "/var/log /var/cache/salt/minion/proc /var/tmp/seen /tmp /etc/docker"
    assert "salt-minion" in guest.must("grep -m1 -o salt-minion /var/tmp/seen")
    assert guest.ssh(f"grep -rlaF {mark} {places}", timeout=300)[1] == ""


@pytest.mark.parametrize("mark", MARKS)
def test_no_secret_in_job_cache_or_log_of_the_master(history, mark):
    directory = history["pair"].master.directory
    # The pillar itself, and Salt's own cache of it, are where they belong.
    files = [directory / "master.log", directory / "master.out"]
    jobs = [path for path in (directory / "cache/jobs").rglob("*") if path.is_file()]
    assert jobs
    for path in files + jobs:
        assert not path.exists() or mark.encode() not in path.read_bytes(), path
