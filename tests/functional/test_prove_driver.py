"""The driver that holds and kills runs in the guest, here, over a tree of three harmless states."""

import concurrent.futures
import contextlib
import json
import os
import shlex
import subprocess
import sys
import time

import pytest
from lab.process import LabError, wait_until
from prove import host as prove_host
from prove.host import Host

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="the driver is root in the guest, too"),
]


class Local:
    """What `Host` asks of a guest, from a shell of this machine."""

    def ssh(self, command, *, timeout=60, input=None):
        line = command if isinstance(command, str) else shlex.join(map(str, command))
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, timeout=timeout, input=input
        )
        return done.returncode, done.stdout, done.stderr

    def must(self, command, *, timeout=60, input=None):
        code, out, err = self.ssh(command, timeout=timeout, input=input)
        if code:
            raise LabError(f"{command}: {out}{err}")
        return out

    def write(self, path, text, mode="0644"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)


class Lab:
    def __init__(self):
        self.guest = Local()


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A driver that waits for orders, over its own tree and Salt."""
    tree, folder = tmp_path / "tree", tmp_path / "runs"
    for name in ("PYTHON", "TREE", "FOLDER"):
        value = {"PYTHON": sys.executable, "TREE": str(tree), "FOLDER": str(folder)}[name]
        monkeypatch.setattr(prove_host, name, value)
    (tree / "salt/_states").mkdir(parents=True)
    out = tmp_path / "out"
    states = {
        "first": {"file.managed": [{"name": f"{out}/one"}, {"contents": "1"}, {"makedirs": True}]},
        "second": {"slow.done": [{"name": f"{out}/two"}, {"require": [{"file": "first"}]}]},
        "third": {"slow.told": [{"name": "of the second"}, {"watch": [{"slow": "second"}]}]},
    }
    (tree / "salt/probe.sls").write_text("#!json\n" + json.dumps(states))
    (tree / "salt/_states/slow.py").write_text(
        "import os, subprocess\n"
        "def done(name):\n"
        "    there = os.path.exists(name)\n"
        "    changes = {} if there else {'file': {'old': None, 'new': name}}\n"
        "    ret = {'name': name, 'changes': changes, 'comment': '', 'result': True}\n"
        "    if __opts__['test'] and not there: return {**ret, 'result': None}\n"
        "    if not there:\n"
        "        argv = ['bash', '-c', f'sleep 4 & wait; touch {name}.new']\n"
        "        assert subprocess.Popen(argv).wait() == 0\n"
        "        os.replace(name + '.new', name)\n"
        "    return ret\n"
        "def told(name):\n"
        "    return {'name': name, 'changes': {}, 'comment': '', 'result': True}\n"
        "def mod_watch(name, sfun):\n"
        "    result = None if __opts__['test'] else True\n"
        "    return {**told(name), 'changes': {sfun: name}, 'result': result}\n"
    )
    for name in ("guest_driver.py", "family.py"):
        text = (prove_host.HERE / name).read_text()
        # Everything here lies in /tmp, and this machine's Salt has no configuration.
        text = text.replace('"/tmp/", ', "").replace('root_dir="/",', f'root_dir="{tmp_path}",')
        text = text.replace("/etc/salt/minion", f"{tmp_path}/minion")
        (tree / name.replace("guest_driver", "driver")).write_text(text)
    (tmp_path / "minion").write_text(f"id: it\nroot_dir: {tmp_path}\n")
    made = Host(Lab())
    made.folder, made.out = str(folder), out
    made.guest.write(f"{folder}/pillar/top.sls", "{}")
    made.start_driver("probe")
    driver = int(made.guest.must(f"pgrep -f {tree}/driver.py | head -n 1"))
    yield made
    os.kill(driver, 9)


def names(out):
    return sorted(os.listdir(out)) if out.exists() else []


def test_a_run_is_recorded_held_and_killed(host):
    # A dry run changes nothing, and names the changes.
    dry, _ = host.apply(test=True)
    assert names(host.out) == []
    assert [state["result"] for state in dry.values()] == [None, None, None]
    # The last one only because of what it watches.
    assert list(dry.values())[-1]["changes"] == {"told": "of the second"}
    # Held in front of the process, then killed there with all its children.
    run = host.order("apply", test=False, hold=True)
    seen = []
    while (point := host.held(run))["what"].split()[0] != "bash":
        seen.append(point["what"])
        host.go(run)
    assert point["when"] == "before" and any("mkdir" in what for what in seen)
    host.kill(run)
    assert names(host.out) == ["one"]
    # In the middle of the process: its child is gone, too, and writes nothing later.
    run = host.order("apply", test=False, hold=True)
    while host.held(run)["what"].split()[0] != "bash":
        host.go(run)
    host.go(run, "middle 0.3")
    host.gone(run)
    time.sleep(5)
    assert names(host.out) == ["one"]
    # Recorded, it goes on undisturbed.
    run = host.order("apply", test=False, record=True)
    report, _ = host.answer(run)
    assert all(state["result"] for state in report.values())
    with open(f"{host.folder}/{run}.points") as lines:
        points = [point for line in lines if "/out/two" in (point := json.loads(line))["what"]]
    assert [(p["when"], p["what"].split()[0]) for p in points] == [
        ("before", "bash"),
        ("after", "bash"),
        ("before", "replace"),
        ("after", "replace"),
    ]
    assert points[1]["took"] >= 4
    again, _ = host.apply()
    assert not any(state["changes"] for state in again.values())


def _opened(pipe):
    """A descriptor of the pipe, None as long as nobody reads there."""
    with contextlib.suppress(OSError):
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)


def test_a_pipe_that_is_closed_without_a_word_lets_nothing_go_on(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(prove_host.HERE)
    from prove.guest_driver import Points

    path = tmp_path / "run1"
    os.mkfifo(f"{path}.go")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        word = pool.submit(Points(str(path), hold=True).reach, "before", "parted")
        open(f"{path}.go", "w").close()
        # Who goes on does not open it again.
        again = wait_until(
            lambda: word.done() or _opened(f"{path}.go"), timeout=60, what="the other side"
        )
        assert again is not True, "it went on"
        with os.fdopen(again, "w") as pipe:
            pipe.write("on\n")
        assert word.result(timeout=60) == "on"
