"""
The whole way on real hosts: deploy, killed and started again, Docker changed in service, a host
removed. Two guests, the tree's own roles, the stand-ins for Rancher's images.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from lab import Lab
from lab.master import Master
from lab.process import wait_until

SALT_RUN = pathlib.Path(sys.prefix) / "bin/salt-run"
POOL = {"device": "/dev/disk/by-id/virtio-pool"}


@pytest.fixture(scope="module")
def lab():
    plain = Master.settings

    def with_handover(self):
        handover = [{"rancher_handover": str(self.directory / "handover")}]
        # A guest without hardware support needs its time to say that it is still at work.
        return {**plain(self), "ext_pillar": handover, "timeout": 60, "gather_job_timeout": 60}

    name = os.environ.get("LAB_NAME", "test") + "-deploy"
    Master.settings = with_handover
    try:
        with Lab(name, guests=("server", "agent1"), cgroup=1) as running:
            running.registry.start()
            # Containers do not read /etc/hosts: an address.
            running.server = f"http://{running.address('server')}:8080"
            # The master is not on the guests' network: it takes the server for its HTTP proxy.
            running.proxy = f"http://127.0.0.1:{running.guests['server'].publish(8080)}"
            yield running
    finally:
        Master.settings = plain


def settings(lab, roles=("agent",), **docker):
    daemon = {**lab.registry.daemon, **docker}
    everybody = {"docker": {"daemon": daemon}, "agent": {"server_url": lab.server}}
    return {
        "server": {
            "rancher": {**everybody, "roles": ["server"], "hostname": "server.example.test"}
        },
        "agent1": {
            "rancher": {
                **everybody,
                "roles": list(roles),
                "hostname": "agent1.example.test",
                "thin_pool": POOL,
            }
        },
    }


def salt_run(lab, *words):
    """Arguments and environment of `salt-run`."""
    proxy = {"http_proxy": lab.proxy, "no_proxy": ""}
    argv = [SALT_RUN, "-c", lab.master.config.parent, *words]
    return {"args": argv, "env": {**os.environ, **proxy}}


def run(lab, *words, timeout=3000):
    given = salt_run(lab, "--out=json", *words)
    done = subprocess.run(**given, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


def orchestrate(lab, sls):
    answer, code = run(lab, "state.orchestrate", sls)
    ((_, states),) = answer["data"].items()
    assert isinstance(states, dict), states
    found = {row["__id__"]: row["changes"].get("return") for row in states.values()}
    return found, code


def hosts(lab):
    rows = lab.master.call("agent1", "rancher.hosts", [lab.server], timeout=300)
    return {row["hostname"]: row["state"] for row in rows}


def test_a_fleet_from_bare_to_gone(lab):
    lab.master.pillar({}, settings(lab))
    given = salt_run(lab, "state.orchestrate", "orch.deploy")
    with open(lab.directory / "killed.log", "w") as out:
        killed = subprocess.Popen(**given, stdout=out, stderr=out, start_new_session=True)
    docker = "/etc/docker/daemon.json"
    wait_until(
        lambda: lab.guests["agent1"].ssh(f"test -e {docker}", timeout=60)[0] == 0,
        timeout=1800,
        what=docker,
        every=5,
    )
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    states, code = orchestrate(lab, "orch.deploy")
    assert code == 0, states
    assert hosts(lab) == {"agent1.example.test": "active"}
    states, code = orchestrate(lab, "orch.deploy")
    assert code == 0, states
    for name in ("common-applied", "servers-applied", "agents-registered"):
        assert set(states[name]["done"].values()) == {"nothing to change"}, states
    assert os.listdir(lab.master.directory / "handover") == []

    found, _ = run(lab, "fleet.status")
    heads, *rows = found["hosts"]
    row = next(dict(zip(heads, row, strict=True)) for row in rows if row[0] == "agent1")
    assert (row["rancher"], row["next"]) == ("active", "fits") and "why" not in found

    lab.master.pillar({}, settings(lab, debug=True))
    states, code = orchestrate(lab, "orch.upgrade_docker")
    assert code == 0, states
    assert "docker-daemon" in states["docker-upgraded"]["done"]["agent1"]
    assert hosts(lab) == {"agent1.example.test": "active"}

    pool = lab.guests["agent1"].must("lvs --noheadings -o lv_uuid docker/thinpool")
    lab.master.pillar({}, settings(lab, roles=(), debug=True))
    report, code = run(lab, "fleet.remove", "agent1")
    assert code == 0, report
    assert hosts(lab) == {}
    left = lab.guests["agent1"].must("docker ps -aq; docker volume ls -q; ls /var/lib/rancher")
    assert "state" not in left and "rancher" not in left
    assert lab.guests["agent1"].must("lvs --noheadings -o lv_uuid docker/thinpool") == pool
    report, code = run(lab, "fleet.remove", "agent1")
    assert code == 0 and report["done"] == {"agent1": "nothing to change"}, report
