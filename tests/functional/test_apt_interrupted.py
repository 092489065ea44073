"""apt and dpkg ended by SIGKILL in their middle: the next run completes what they left."""

import json

import pytest

from . import hosts

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(hosts.missing()), reason=str(hosts.missing())),
]
COMPLETED = {"dpkg": {"old": "interrupted", "new": "completed"}}
WANTED = json.dumps({"rancher": {"packages": {"install": ["lvm2", "gdisk"]}}})
# Ends both as soon as dpkg's log has the words.
KILL = """
rm -f /var/log/dpkg.log; touch /var/log/dpkg.log
setsid apt-get -qy install lvm2 gdisk >/tmp/apt.log 2>&1 </dev/null &
until grep -q "$1" /var/log/dpkg.log; do :; done
pkill -9 -x apt-get; pkill -9 -x dpkg; pkill -9 -x dpkg-deb
wait
"""


APT = ("apt-get", "-qy", "-o", "DPkg::Lock::Timeout=60")


@pytest.fixture
def host(tmp_path):
    line = hosts.environment("3006.28")
    with hosts.Network(tmp_path) as network, hosts.Host(tmp_path, network, line) as bare:
        bare.carry_tree()
        yield bare


def apply(host, test=False):
    argv = [f"{host.salt}/bin/salt-call", "--out=json", "--log-level=quiet", "state.apply"]
    argv += ["common.packages", f"test={test}", f"pillar={WANTED}"]
    states = json.loads(host.must(argv, timeout=300))["local"]
    return {state["__id__"]: (state["result"], state["changes"]) for state in states.values()}


# What dpkg's log says when it has just begun with it.
MOMENTS = [
    "status half-installed lvm2", "status unpacked lvm2", "status half-configured dmeventd", "status installed dmeventd",
]  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_apt_needed_a_hand(host, moment):
    for _ in range(5):
        host.must(["sh", "-c", KILL, "sh", moment], timeout=120)
        # On a busy machine a killed dpkg holds its lock a moment longer.
        barred = host.run([*APT, "install", "gdisk"], timeout=100)
        if "dpkg was interrupted" in barred.stderr:
            break
        # Or the kill came when all was done.
        host.must([*APT, "purge", "gdisk", "lvm2", "dmeventd"], timeout=120)
    assert "dpkg was interrupted" in barred.stderr
    dry = apply(host, test=True)
    assert dry["packages-finished"] == (None, COMPLETED)
    real = apply(host)
    assert real["packages-finished"] == (True, COMPLETED)
    assert {name: changes for name, (_, changes) in dry.items()} == {
        name: changes for name, (_, changes) in real.items()
    }
    assert all(result is True for result, _ in real.values())
    assert host.must(["dpkg", "--audit"]) == ""
    assert all(again == (True, {}) for again in apply(host).values())
