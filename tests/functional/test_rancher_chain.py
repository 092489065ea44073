"""
Server, token, bootstrap, active host: one chain through a real Docker daemon and a real registry.

The images are stand-ins (tests/stand_ins), which do what the originals do.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest
from stand_ins import build, root

from functional import agent_host, rancher_host

pytestmark = pytest.mark.root
DRIVER = pathlib.Path(__file__).with_name("rancher_chain.py")


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Everything that happened to one host, in order."""
    lacking = [
        *rancher_host.missing(),
        *(["docker-registry"] if not shutil.which("docker-registry") else []),
    ]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    # In there is no network to fetch its packages from.
    root.ensure(build.CACHE)
    namespace = ["unshare", "--mount", "--net", "--propagation", "private"]
    made = [pathlib.Path(place) for place in agent_host.PRIVATE if not pathlib.Path(place).is_dir()]
    for place in made:
        place.mkdir()
    done = subprocess.run(
        [*namespace, sys.executable, DRIVER, tmp_path_factory.mktemp("chain")],
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    for place in made:
        place.rmdir()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


def changes(report):
    return {name: state["changes"] for name, state in report.items() if state["changes"]}


RUNS = ("dry", "first", "second", "stopped", "upgrade", "after the upgrade", "agent gone")


@pytest.mark.parametrize("run", RUNS)
def test_no_state_fails(history, run):
    assert [state["comment"] for state in history[run].values() if state["result"] is False] == []


def test_the_dry_run_names_the_changes_of_the_run(history):
    assert changes(history["dry"]) == changes(history["first"])
    assert set(changes(history["first"])) == {"running", "ready", "registered"}


@pytest.mark.parametrize("run", ["second", "after the upgrade"])
def test_a_further_run_changes_nothing(history, run):
    assert changes(history[run]) == {}


@pytest.mark.parametrize("moment", ["hosts", "hosts after the upgrade", "hosts after that"])
def test_there_is_one_host_and_it_is_active(history, moment):
    (host,) = history[moment]
    assert (host["id"], host["state"]) == ("1h1", "active")
    assert host["agent_state"] in ("active", None)
    # The address of a new host comes with a later ping.
    assert host["ip"] in (history["address"], None)
    assert host["labels"]["zone"] == "a b&c=ä"


def test_the_bootstrap_leaves_only_the_agent(history):
    names = sorted(name for each in history["containers"] for name in each)
    assert names == ["/rancher-agent", "/rancher-server"]
    assert history["agent"]["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_a_stopped_agent_is_started_and_not_registered_again(history):
    assert set(changes(history["stopped"])) == {"registered"}
    assert "bootstrap" not in changes(history["stopped"])["registered"]


def test_an_upgrade_replaces_the_server_alone_and_loses_nothing(history):
    made = changes(history["upgrade"])
    assert set(made) == {"running", "ready"}
    assert made["running"]["image"] == {
        "old": "rancher/server:v1.6.29",
        "new": "rancher/server:v1.6.30",
    }


def test_an_agent_that_is_gone_comes_back_as_the_same_host(history):
    assert set(changes(history["agent gone"])) == {"registered"}
