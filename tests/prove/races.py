"""
Two runs at once on one host: real processes over one disk. Never do their steps mix, one of
them does the work, and the other one waits for it or says who is at work.
"""

import contextlib
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from fakes import PYTHONPATH

import _converge

from . import lying_tools, refusals

SECTION = "races"
ROUNDS = 5
# Programs that change something; each notes when it begins and ends, and takes its time.
ACTS = {
    "data disk": ("parted", "mkfs.ext4", "mount"),
    "thin pool": ("parted", "pvcreate", "vgcreate", "lvcreate"),
}
SHIM = """#!/bin/sh
echo "begin $PPID {name}" >> {log}
sleep {pause}
{real} "$@"
code=$?
echo "end $PPID {name}" >> {log}
exit $code
"""


class Runs:
    """A disk, and processes that each make one run over it."""

    def __init__(self, role, folder, stack):
        self.role, self.folder = role, folder
        self.subject = lying_tools.Disk(role, folder, stack)
        self.log = folder / "log"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in ACTS[role]:
            real, path = (
                shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin"),
                self.bin / name,
            )
            path.write_text(SHIM.format(name=name, log=self.log, real=real, pause=0.4))
            path.chmod(0o755)

    def begin(self, test=False, wait=30):
        argv = [sys.executable, "-W", "ignore", "-m", "prove.races", self.role, str(self.folder)]
        argv += [self.subject.disk.path, str(int(test)), str(wait)]
        paths = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PYTHONPATH": PYTHONPATH,
        }
        environment = {**os.environ, **paths}
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )

    def mixed(self):
        """Steps that began while another process was in the middle of one."""
        inside, found = None, []
        for line in self.log.read_text().splitlines() if self.log.exists() else ():
            word, pid, name = line.split()
            if word == "begin":
                if inside and inside != pid:
                    found.append(f"{name} of {pid} while {inside} was at work")
                inside = pid
            else:
                inside = None
        return found

    def steps(self):
        return [
            line.split()[2]
            for line in self.log.read_text().splitlines()
            if line.startswith("begin")
        ]

    def wait_for(self, count):
        """Until so many steps have begun."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.log.exists() and len(self.steps()) >= count:
                return
            time.sleep(0.05)
        raise AssertionError(f"no {count} steps within a minute")


def answer(process):
    return json.loads(process.communicate(timeout=180)[0])


def both_at_once(runs):
    first, second = runs.begin(), runs.begin()
    answers = [answer(first), answer(second)]
    yield from runs.mixed()
    for said in answers:
        if not (runs.subject.done(said) or "another run is changing this host" in said["comment"]):
            yield said["comment"]
    if not any(map(runs.subject.done, answers)):
        yield "nobody did the work"
    if len([s for s in runs.steps() if s not in ("parted", "lvcreate")]) != len(
        {s for s in runs.steps() if s not in ("parted", "lvcreate")}
    ):
        yield f"done twice: {runs.steps()}"


def impatient(runs):
    first = runs.begin()
    runs.wait_for(1)
    said = answer(runs.begin(wait=0))
    if said["result"] is not False or said["changes"]:
        yield f"the second did not stop: {said}"
    if f"(pid {first.pid}," not in said["comment"] or "\n" in said["comment"]:
        yield f"does not name pid {first.pid}: {said['comment']}"
    if not runs.subject.done(answer(first)):
        yield "the first did not end well"
    yield from runs.mixed()


def killed(runs):
    first = runs.begin()
    runs.wait_for(2)
    first.kill()
    first.wait()
    said = answer(runs.begin())
    if not runs.subject.done(said):
        yield f"after the kill: {said['comment']}"


def dry(runs):
    first = runs.begin()
    runs.wait_for(1)
    began = time.monotonic()
    said = answer(runs.begin(test=True))
    if "another run" in said["comment"]:
        yield "the dry run waited for the lock"
    if not runs.subject.done(answer(first)):
        yield "the first did not end well"
    if time.monotonic() - began > 120:
        yield "took too long"


KINDS = {
    "two at once": both_at_once,
    "a second one that does not wait": impatient,
    "a second one after the first was killed": killed,
    "a dry run in the middle of a run": dry,
}


def cases():
    for role in ACTS:
        for kind in KINDS:
            yield from ((role, kind, number) for number in range(1, ROUNDS + 1))


def attempt(role, kind):
    with refusals.own_lvm() as folder, contextlib.ExitStack() as stack:
        return list(KINDS[kind](Runs(role, folder, stack)))


def jobs():
    for role, kind, number in cases():
        yield f"{role}: {kind}, round {number}", functools.partial(attempt, role, kind)


def worker(role, folder, device, test, wait):
    """One run, in a process of its own."""
    state = refusals.ROLES[role](pathlib.Path(folder))
    state.tree.over.append((_converge, {"LOCK": f"{folder}/lock", "WAIT": int(wait)}))
    print(json.dumps(state.apply(device, test=bool(int(test)))))


if __name__ == "__main__":
    worker(*sys.argv[1:])
