"""
Kill anywhere, the roles: `server` and `agent` over a real Docker daemon and a double of
Rancher's API. A run is ended by SIGKILL in front of and behind every call that changes something
there, behind every process and every file that it renames, and in the middle of what takes its
time. Then one normal run must do the rest.
"""

import contextlib
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from fakes import PYTHONPATH
from functional import agent_host, rancher_host

from prove import requested

SECTION = "kills of roles"
# One daemon, one name for a container.
WORKERS = 1
# Such a call is also ended in its middle; the others are over at once.
LONG = "/start"
SERVER, AGENT = "rancher-server", "rancher-agent"


class Runner:
    """A process beside the daemon that loads Salt once and makes each run in a fork."""

    def __init__(self, host):
        argv = ["nsenter", f"--target={host.daemon.pid}", "--mount", sys.executable, "-W", "ignore"]
        environment = {**os.environ, "PYTHONPATH": PYTHONPATH, "no_proxy": "*", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [*argv, "-m", "prove.kills_of_roles", str(host.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, it, test=False, number=0, how="", seconds=0.0, options=None, patience=None):
        """
        Its report by id, what it went through, and whether it was killed. ``options`` are the
        minion's, ``patience`` the most seconds that Docker may be silent.
        """
        order = {"pillar": it.pillar, "chunks": it.chunks(), "test": test}
        order |= {"number": number, "how": how, "seconds": seconds}
        order |= {"options": options or {}, "patience": patience}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


class Server:
    """From nothing to a server that answers, or from one version to the next."""

    def __init__(self, host, folder, runner, old=None):
        self.host, self.runner = host, runner
        self.data = folder / "mysql"
        self.port, self.image = rancher_host.free_port(), "rancher/server:v1"
        self.pillar = {}
        if old:
            self.runner.run(self)
            self.image = "rancher/server:v2"

    def chunks(self):
        running = {"name": SERVER, "image": self.image, "port": self.port}
        running["data_directory"] = str(self.data)
        ready = {"name": SERVER, "port": self.port, "timeout": 60}
        return [
            {
                "state": "rancher",
                "fun": "server_running",
                "__id__": "running",
                "order": 1,
                **running,
            },
            {"state": "rancher", "fun": "server_ready", "__id__": "ready", "order": 2, **ready},
        ]

    def wrong(self):
        names = containers(self.host)
        if names != [SERVER]:
            yield f"containers: {names}"
        else:
            found = self.host.client.inspect_container(SERVER)
            if found["Config"]["Image"] != self.image or not found["State"]["Running"]:
                yield f"{found['Config']['Image']} is {found['State']['Status']}"

    def precious(self):
        """The files of the database; the same, not others of these names."""
        found = self.data.iterdir() if self.data.exists() else ()
        return {(path.name, path.stat().st_ino) for path in found}

    def close(self):
        """Nothing beside its containers."""


class Agent:
    """From nothing to an active member."""

    def __init__(self, host, folder, runner):
        from fake_rancher import FakeRancher
        from fake_rancher.world import Clock

        self.host, self.runner, self.pillar = host, runner, {}
        self.fake = FakeRancher(host=f"{agent_host.NET}.1", clock=Clock(running=True))
        self.fake.__enter__()
        self.fake.configure(liveness=True)

    def chunks(self):
        agent = {"name": AGENT, "server_url": self.fake.url, "ip": f"{agent_host.NET}.1"}
        agent |= {"labels": {"zone": "a"}, "timeout": 120}
        return [
            {"state": "rancher", "fun": "agent_registered", "__id__": "agent", "order": 1, **agent}
        ]

    def wrong(self):
        if containers(self.host) != [AGENT]:
            yield f"containers: {containers(self.host)}"
        hosts = [
            (row["id"], row["state"]) for row in self.fake.show()["hosts"] if not row.get("hidden")
        ]
        if [state for _, state in hosts] != ["active"]:
            yield f"hosts in Rancher: {hosts}"

    def precious(self):
        """What makes the agent this host and no other."""
        found = self.host.path("/var/lib/rancher/state").rglob("*")
        return {(path.name, path.read_text()) for path in found if path.is_file()}

    def close(self):
        self.fake.__exit__(None, None, None)


SUBJECTS = {
    "server": Server,
    "server, another version": functools.partial(Server, old=True),
    "agent": Agent,
}


def containers(host):
    return sorted(each["Names"][0].lstrip("/") for each in host.client.containers(all=True))


def clear(host):
    for each in host.client.containers(all=True):
        host.client.remove_container(each["Id"], force=True, v=True)


def lacking():
    """What this machine has not and a daemon of its own needs, in words."""
    names = {*agent_host.missing(), *rancher_host.missing()}
    return f"not installed: {', '.join(sorted(names))}" if names else None


@contextlib.contextmanager
def stage():
    """A host with the images, and what makes runs on it."""
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        host = agent_host.Host(pathlib.Path(folder))
        try:
            host.load_image()
            for tag in ("v1", "v2"):
                rancher_host.make_image(host.client, tag)
            runner = Runner(host)
            yield host, runner
            runner.close()
        finally:
            host.close()


@contextlib.contextmanager
def fresh(subject, host, runner):
    """A host without anything of ours on it, and what the subject needs before."""
    clear(host)
    for path in sorted(host.path("/var/lib/rancher").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        it = subject(host, pathlib.Path(folder), runner)
        try:
            yield it
        finally:
            it.close()


def moments(points):
    """(number, how, seconds, what): behind a point and in front of the next is one moment."""
    yield 1, "front", 0.0, points[0]["what"]
    for point in points:
        if point["when"] == "after":
            if point["what"].endswith(LONG):
                yield point["number"] - 1, "in the middle", point["took"] / 2, point["what"]
            yield point["number"], "behind", 0.0, point["what"]


def unwell(report):
    """What the states of a run complain of."""
    if report is None:
        return ["the run ended without a report"]
    return [state["comment"] for state in report.values() if state["result"] is not True]


def untrue(dry, real):
    """Where a dry run did not tell what the run made."""
    if "agent" in real:
        # What the killed run had started in Docker went on by itself, between the two.
        more = {*real["agent"]["changes"]} - {*dry["agent"]["changes"]}
        if more:
            yield f"not foretold: {sorted(more)}"
    elif dry["running"]["changes"] != real["running"]["changes"]:
        yield f"predicted {dry['running']['changes']}, made {real['running']['changes']}"


def attempt(name, host, runner, number, how, seconds):
    with fresh(SUBJECTS[name], host, runner) as it:
        if not runner.run(it, number=number, how=how, seconds=seconds)["killed"]:
            yield "the run was not killed"
        before = it.precious()
        dry, real, again = (runner.run(it, test)["report"] for test in (True, False, False))
        failed = unwell(real)
        if failed:
            yield f"the next run: {failed[0]}"
        if not failed:
            yield from untrue(dry, real)
        if unwell(again) or any(state["changes"] for state in again.values()):
            yield f"a further run: {[state['comment'] for state in again.values()]}"
        yield from it.wrong()
        if before - it.precious():
            yield f"lost: {before - it.precious()}"


def jobs():
    if words := lacking():
        yield "server and agent", lambda: {"problems": [], "skipped": words}
        return
    with stage() as (host, runner):
        for name, subject in SUBJECTS.items():
            with fresh(subject, host, runner) as it:
                done = runner.run(it)
                problems = [*it.wrong(), *unwell(done["report"])]
            yield f"{name}: not disturbed", functools.partial(list, problems)
            for number, how, seconds, what in moments(done["points"]):
                act = functools.partial(attempt, name, host, runner, number, how, seconds)
                yield f"{name} {number:02d} {how}: {requested.plain(what)}", act


# --- In the process beside the daemon ---


def one(opts, folder, order):
    """In the fork: carry the order out."""
    import deadly
    import guest_driver

    guest_driver.NOT_OURS = ("/var/cache/salt", "/proc/", "/dev/", "/run/rancher-salt")
    tree = guest_driver.Tree({**opts, **order["options"], "pillar": {"rancher": order["pillar"]}})
    tree.chunks = order["chunks"]
    if order["patience"]:
        hurry(order["patience"])
    if not order["test"]:
        requested.watch(
            deadly.Deadly(f"{folder}/now", order["number"], order["how"], order["seconds"])
        )
    report = tree.apply(order["test"])
    shown = {each["__id__"]: each for each in report.values()}
    handle = os.open(f"{folder}/now.json", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(handle, json.dumps(shown, default=str).encode())


def hurry(seconds):
    import docker

    client = docker.APIClient
    docker.APIClient = lambda timeout, **more: client(timeout=min(timeout, seconds), **more)


def worker(folder):
    import salt.config
    import salt.loader

    opts = salt.config.minion_config(f"{folder}/conf/minion")
    opts["grains"] = salt.loader.grains(opts)
    for line in sys.stdin:
        for name in ("now.json", "now.points"):
            pathlib.Path(folder, name).unlink(missing_ok=True)
        pid = os.fork()
        if not pid:
            os.dup2(2, 1)
            try:
                one(opts, folder, json.loads(line))
            finally:
                # Its threads and Salt's must not keep it.
                os.kill(os.getpid(), signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        report, points = (pathlib.Path(folder, name) for name in ("now.json", "now.points"))
        answer = {"killed": killed, "report": None, "points": []}
        if report.exists():
            answer["report"] = json.loads(report.read_text())
        if points.exists():
            answer["points"] = [json.loads(each) for each in points.read_text().splitlines()]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    worker(sys.argv[1])
