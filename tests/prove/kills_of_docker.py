"""
Kill anywhere, Docker: the step `docker` on whole hosts with systemd, from bare to a daemon that
runs with our configuration. For each point a fresh host; apt is ended in its middle, too.
"""

import contextlib
import functools
import json
import pathlib
import re
import shutil
import tempfile

from fakes import ROOT
from functional import hosts

from .kills_of_roles import unwell

SECTION = "kills of docker"
# Ended in their middle, too.
LONG = ("apt-get -q -y install", "systemctl start docker")
STEP = "docker"
SETTINGS = {"docker": {"daemon": {"log-driver": "json-file"}}}
# What is there before the run, beside a bare system.
SUBJECTS = {
    "from bare": None,
    "another configuration, at rest": "systemctl disable --now docker.socket docker.service",
}
OTHER = {"docker": {"daemon": {"log-driver": "local"}}}
SHARES = (20, 50, 80)


class Host:
    """A bare host with the tree on it, in a process tree of its own."""

    def __init__(self, host):
        self.host = host
        shutil.copytree(ROOT / "salt", host.path("/srv/tree/salt"))
        for name in ("guest_driver", "family", "deadly", "one_run"):
            text = (ROOT / f"tests/prove/{name}.py").read_text()
            host.write(f"/srv/prove/{name}.py", text)
        host.write("/srv/prove/pillar/top.sls", "base: {'*': [it]}\n")
        host.write("/etc/salt/minion", "id: node1\n")

    def pillar(self, settings):
        text = "#!json\n" + json.dumps({"rancher": settings})
        self.host.write("/srv/prove/pillar/it.sls", text)

    def run(self, test=False, **point):
        """Its report, None when it was killed, and what it went through."""
        found = [self.host.path(f"/srv/prove/now.{kind}") for kind in ("json", "points")]
        for path in found:
            path.unlink(missing_ok=True)
        order = json.dumps({"step": STEP, "test": test, **point})
        argv = [f"{self.host.salt}/bin/python", "-W", "ignore", "/srv/prove/one_run.py", order]
        done = self.host.run(argv, timeout=600)
        report, points = (path.read_text() if path.exists() else "" for path in found)
        self.said = (done.stdout + done.stderr)[-600:]
        lines = [json.loads(line) for line in points.splitlines()]
        return json.loads(report) if report else None, lines


@contextlib.contextmanager
def fresh(name):
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        folder = pathlib.Path(folder)
        line = hosts.environment("3006.28")
        with hosts.Network(folder) as network, hosts.Host(folder, network, line) as bare:
            it = Host(bare)
            if SUBJECTS[name]:
                it.pillar(OTHER)
                it.run()
                bare.must(["sh", "-c", SUBJECTS[name]])
            it.pillar(SETTINGS)
            yield it


def moments(points):
    """Behind a point and in front of the next is one moment."""
    yield 1, "front", 0.0, points[0]["what"]
    for point in points:
        if point["when"] == "after":
            for share in SHARES if point["what"].startswith(LONG) else ():
                seconds = share / 100 * point["took"]
                yield point["number"] - 1, f"at {share} %", seconds, point["what"]
            yield point["number"], "behind", 0.0, point["what"]


def attempt(name, number, how, seconds):
    middle = how.startswith("at ")
    with fresh(name) as it:
        how_now = "in the middle" if middle else how
        report, _ = it.run(number=number, how=how_now, seconds=seconds)
        if report is None or not middle or seconds < 0.05:
            yield from judge(it, report)
            return
    # It was over sooner than when it was recorded.
    yield from attempt(name, number, how, seconds / 2)


def judge(it, report):
    if report is not None:
        yield "the run was not killed"
    dry, real, again = (it.run(test)[0] for test in (True, False, False))
    if unwell(real):
        yield f"the next run: {unwell(real)[0]} {it.said if real is None else ''}"
    elif unfulfilled(dry, real):
        yield f"foretold otherwise: {unfulfilled(dry, real)}"
    if unwell(again) or any(state["changes"] for state in again.values()):
        yield f"a further run: {[*unwell(again), again and changes(again)]}"
    if "json-file" not in it.host.run(["docker", "info", "-f", "{{.LoggingDriver}}"]).stdout:
        yield "Docker does not run with our configuration"
    if it.host.run(["dpkg", "--audit"]).stdout:
        yield "dpkg is not content"


def changes(report):
    return {name: state["changes"] for name, state in report.items() if state["changes"]}


def unfulfilled(dry, real):
    """Where what was foretold and what was made differ; both are there."""
    return [name for name in real if not dry or dry[name]["changes"] != real[name]["changes"]]


def jobs():
    if hosts.missing():
        yield "docker", lambda: {"problems": [], "skipped": str(hosts.missing())}
        return
    for name in SUBJECTS:
        with fresh(name) as it:
            report, points = it.run()
            problems = unwell(report)
        yield f"{name}: not disturbed", functools.partial(list, problems)
        for number, how, seconds, what in moments(points) if points else ():
            act = functools.partial(attempt, name, number, how, seconds)
            yield f"{name} {number:02d} {how}: {plain(what)}", act


def plain(what):
    """Without the time in a name."""
    return re.sub(r"\.before-\w+", ".before-TIME", what).replace("|", "/")
