"""
Clock jumps: a host's clock goes a day ahead or back, between two runs and in the middle of one.
The server keeps the right time. Waiting has a clock of its own; a wrong one is said.
"""

import contextlib
import functools
import pathlib
import subprocess
import tempfile
import threading
import time

from agent_kit import Kit

import _converge
import _rancher_agent
import _rancher_agent_bootstrap
import _rancher_agent_host
import _rancher_agent_script
import _rancher_api

from . import many_agents

SECTION = "clock jumps"
WAITING = (
    _rancher_agent,
    _rancher_agent_bootstrap,
    _rancher_agent_host,
    _rancher_agent_script,
    _rancher_api,
)
JUMPS = {"a day ahead": 86400, "a day back": -86400}


@contextlib.contextmanager
def joining():
    """A host that is about to join, and `set_clock`; every case is a process of its own."""
    real, off = time.time, [0]
    time.time = lambda: real() + off[0]
    with many_agents.Server() as server, tempfile.TemporaryDirectory(prefix="prove-") as folder:
        kit = Kit(server, pathlib.Path(folder), many_agents.Patch, timeout=60)
        _converge.LOCK = f"{folder}/lock"
        # The kit hands in a clock that counts what is slept; here it is about the real one.
        for module in WAITING:
            module.time = time
        with subprocess.Popen(["sleep", "600"]) as agent:
            # What the kernel knows of the agent's process.
            kit.docker.pid = agent.pid
            try:
                yield kit, functools.partial(off.__setitem__, 0)
            finally:
                agent.kill()


def before_the_first_run(jump):
    with joining() as (kit, set_clock):
        set_clock(jump)
        said = kit.run()
        if said["result"] is not False or "clock" not in said["comment"] or "\n" in said["comment"]:
            yield f"said: {said['comment']}"
        if kit.docker.changes() or said["changes"]:
            yield f"began: {kit.docker.changes()}"
        set_clock(0)
        yield from converges(kit, ["agent", "host"])


def while_it_waits(jump):
    with joining() as (kit, set_clock):
        began = kit.docker.began

        def late(name):
            set_clock(jump)
            began(name)

        kit.docker.began = late
        yield from converges(kit, ["agent", "host"])


def between_two_runs(jump):
    with joining() as (kit, set_clock):
        yield from converges(kit, ["agent", "host"])
        set_clock(jump)
        yield from converges(kit, [])


def back_and_forth(jump):
    """At every moment another time."""
    with joining() as (kit, set_clock):
        over = threading.Event()

        def swing():
            while not over.wait(0.01):
                set_clock(jump if time.monotonic() % 0.04 < 0.02 else 0)

        began = kit.docker.began

        def late(name):
            threading.Thread(target=swing, daemon=True).start()
            began(name)

        kit.docker.began = late
        try:
            yield from converges(kit, ["agent", "host"])
        finally:
            over.set()


def while_it_waits_for_another_run(jump):
    with joining() as (kit, set_clock):
        free = _converge.fcntl.flock
        looks = []

        def flock(handle, how):
            if how == _converge.fcntl.LOCK_UN:
                return free(handle, how)
            looks.append(1)
            set_clock(jump * (len(looks) % 2))
            if len(looks) < 5:
                raise BlockingIOError
            return free(handle, how)

        _converge.fcntl = type(
            "fcntl", (), {"flock": flock, "LOCK_EX": 2, "LOCK_NB": 4, "LOCK_UN": 8}
        )
        set_clock(0)
        said = kit.run()
        if said["result"] is not True and "clock" not in said["comment"]:
            yield f"said: {said['comment']}"
        _converge.fcntl.flock = free
        set_clock(0)
        yield from converges(kit, None)


def converges(kit, changes):
    began = time.monotonic()
    said = kit.run()
    if said["result"] is not True or changes not in (None, sorted(said["changes"])):
        yield f"{list(said['changes'])} {said['comment']}"
    if time.monotonic() - began > 30:
        yield f"took {time.monotonic() - began:.0f} s"
    again = kit.run()
    if (again["result"], again["changes"]) != (True, {}):
        yield f"a further run: {again['comment']}"


CASES = {
    "before the first run": before_the_first_run,
    "while it waits": while_it_waits,
    "between two runs": between_two_runs,
    "back and forth while it waits": back_and_forth,
    "while it waits for another run": while_it_waits_for_another_run,
}


def cases():
    return [(name, jump) for name in CASES for jump in JUMPS]


def jobs():
    for name, jump in cases():
        yield f"{name}, {jump}", functools.partial(tried, name, jump)


def tried(name, jump):
    return list(CASES[name](JUMPS[jump]))
