"""
Many agents: a hundred hosts join one server at the same moment, each a process of its own with
a Docker daemon that is imitated; the server is the double, over real connections.
"""

import functools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from agent_kit import Kit
from fakes import PYTHONPATH

import _converge
import _rancher_agent

from .jobs import FORK

SECTION = "many agents"
WORKERS = 1
COUNT = 100
CASES = {
    "the first ones, no token yet": [],
    "a token is there": [("add_token", {"state": "active"})],
    "the server fails 40 times in between": [
        ("fail", {"kind": "503", "times": 40, "method": "GET"})
    ],
}


class Patch:
    """What `Kit` asks of pytest, in a process that ends with it."""

    setattr = staticmethod(setattr)

    @staticmethod
    def setenv(name, value):
        os.environ[name] = value


class Server:
    """The double in a process of its own."""

    def __enter__(self):
        with socket.socket() as one, socket.socket() as other:
            for each in (one, other):
                each.bind(("127.0.0.1", 0))
            ports = [str(each.getsockname()[1]) for each in (one, other)]
        argv = [sys.executable, "-m", "fake_rancher", "--host", "127.0.0.1", "--port", ports[0]]
        environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
        self.process = subprocess.Popen(
            [*argv, "--control-port", ports[1]], stdout=subprocess.PIPE, text=True, env=environment
        )
        self.url, self.control = (f"http://127.0.0.1:{port}" for port in ports)
        self.process.stdout.readline()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def knob(self, name, given=None):
        body = None if given is None else json.dumps(given).encode()
        with urllib.request.urlopen(f"{self.control}/{name}", body, timeout=60) as answer:  # noqa: S310
            return json.load(answer)


def host(server, folder, number, barrier, out):
    """One host: it joins at the signal, and runs once more when all have joined."""
    folder.mkdir()
    kit = Kit(server, folder, Patch, timeout=240)
    name, address = f"node{number}.example.test", f"10.0.{number // 250}.{number % 250 + 1}"
    kit.docker.hostname, kit.docker.address = name, address
    kit.addresses, kit.names = [address], {name}
    _converge.LOCK = str(folder / "lock")
    # As a fleet: nobody looks a hundred times a second.
    _rancher_agent.PAUSES = (0.5, 1)
    answers = []
    for _ in range(2):
        barrier.wait(300)
        said = kit.run()
        answers.append((said["result"], sorted(said["changes"]), said["comment"]))
    out.put((number, answers))


def attempt(knobs, count=COUNT):
    with Server() as server, tempfile.TemporaryDirectory(prefix="prove-") as folder:
        for name, given in knobs:
            server.knob(name, given)
        barrier, out = FORK.Barrier(count), FORK.Queue()
        hosts = [
            FORK.Process(target=host, args=(server, pathlib.Path(folder, str(n)), n, barrier, out))
            for n in range(count)
        ]
        for each in hosts:
            each.start()
        answers = {}
        deadline = time.monotonic() + 600
        while len(answers) < count and time.monotonic() < deadline:
            try:
                number, said = out.get(timeout=5)
            except Exception:  # noqa: BLE001 - Empty, of a module that is no part of the interface
                if not any(each.is_alive() for each in hosts):
                    break
                continue
            answers[number] = said
        for each in hosts:
            each.terminate()
            each.join()
        yield from judge(answers, server.knob("show")["hosts"], count)


def judge(answers, rows, count):
    if len(answers) < count:
        yield f"{count - len(answers)} hosts gave no answer"
    for number, ((first, changes, said), (again, more, words)) in sorted(answers.items()):
        if first is not True or changes != ["agent", "host"]:
            yield f"node{number}: {changes} {said}"
        elif again is not True or more:
            yield f"node{number}, a further run: {more} {words}"
    rows = [row for row in rows if not row.get("hidden")]
    names = [row["hostname"] for row in rows]
    for name in sorted({f"node{number}.example.test" for number in range(count)} ^ {*names}):
        yield f"lost or unknown: {name}"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"twice: {name}"
    if {row["state"] for row in rows} != {"active"}:
        yield f"states: {sorted({row['state'] for row in rows})}"


def jobs():
    for name, knobs in CASES.items():
        yield f"{COUNT} at once: {name}", functools.partial(attempt, knobs)
