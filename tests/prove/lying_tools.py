"""
Lying tools: every program that the disk states start is replaced by one that fails, hangs,
talks nonsense, breaks off or is missing. "Could not look" is never "nothing there".
"""

import contextlib
import functools
import os
import pathlib
import shutil
import tempfile
import time

import swap_kit
from disk_kit import MIB, must

import _host

from . import refusals

SECTION = "lying tools"
LIES = {
    "exits with 5": "exit 5",
    "exits with 5 and words": "echo 'device is busy' >&2; exit 5",
    "is killed": "kill -9 $$",
    "hangs": "sleep 60 & wait",
    "talks nonsense": "printf '\\377\\376{\"what\": [\\n\\n<html>'",
    "says half": 'out=$(REAL "$@" 2>/dev/null); printf %s "$out" | head -c $(( ${#out} / 2 ))',
    "complains and says nothing": "echo 'Input/output error' >&2",
    "says nothing": "exit 0",
    "warns and tells the truth": "echo 'WARNING: something is odd' >&2; exec REAL \"$@\"",
    "is missing": None,
}
# By state: programs that look, programs that act.
TOOLS = {
    "data disk": (("blkid", "wipefs", "partx"), ("parted", "mkfs.ext4", "mount")),
    "thin pool": (
        ("blkid", "wipefs", "partx", "lvm", "pvs", "vgs", "lvs"),
        ("parted", "pvcreate", "vgcreate", "lvcreate"),
    ),
    "swap file": (("blkid", "findmnt"), ("install", "dd", "mkswap", "swapon")),
}
# What acts succeeds with these without having done anything; its successor may be the one to fail.
IDLE = ("talks nonsense", "complains and says nothing", "says nothing")
PATIENCE = 1.5


class Disk:
    """The data disk or the thin pool before one of our runs: bare, or with somebody's ext4."""

    def __init__(self, role, folder, stack):
        size = 420 * MIB if role == "thin pool" else 80 * MIB
        self.state = refusals.ROLES[role](folder)
        self.disk = stack.enter_context(refusals._disk(folder, size=size))
        self.state.see(self.disk)
        self.tree, self.point = self.state.tree, getattr(self.state, "point", None)
        if self.point:
            stack.callback(self._unmount)

    def _unmount(self):
        while os.path.ismount(self.point):
            must("umount", self.point)

    def precious(self):
        must("mkfs.ext4", "-q", self.disk.path)

    def unknown_to_the_kernel(self):
        """Somebody's partition that only the table knows, not where ours would begin."""
        self.disk.parted("mklabel", "gpt", "mkpart", "photos", "8MiB", "60MiB")
        must("mkfs.ext4", "-q", self.disk.partitions()[0])
        must("partx", "--delete", self.disk.path)

    def under_way(self):
        """Ours, in a state in which every tool is asked."""
        if self.point:
            self.disk.parted("mklabel", "gpt")
        else:
            self.apply(test=False)

    def apply(self, test):
        return self.state.apply(self.disk.path, test)

    def done(self, answer):
        """Whether all is there that can be: without device mapper no pool is converted."""
        return answer["result"] is True or "device-mapper" in answer["comment"]

    def content(self):
        return self.disk.hash()

    @property
    def steps(self):
        return self.tree.steps

    def hurry(self):
        self.tree.over.append((_host, {"run": hurried(_host.run)}))


def hurried(real):
    return lambda argv, timeout=60, accept=(0,): real(argv, PATIENCE, accept)


class Swap:
    """A swap file on a small disk."""

    def __init__(self, _role, folder, stack):
        disk = stack.enter_context(refusals._disk(folder, size=160 * MIB))
        must("mkfs.ext4", "-q", disk.path)
        point = folder / "swapdisk"
        point.mkdir()
        must("mount", disk.path, point)
        self.machine = swap_kit.Machine(str(point / "swap/swapfile"))
        stack.callback(lambda: swap_kit.cleared(self.machine))

    def precious(self):
        os.mkdir(os.path.dirname(self.machine.path))
        with open(self.machine.path, "wb") as out:
            out.truncate(32 * MIB)
        must("mkfs.ext4", "-q", self.machine.path)

    def under_way(self):
        self.apply(test=False)
        must("swapoff", self.machine.path)

    def apply(self, test):
        return self.machine.apply("32M", test)

    def done(self, answer):
        return answer["result"] is True

    def content(self):
        path = self.machine.path
        return must("sha256sum", path) if os.path.exists(path) else None

    @property
    def steps(self):
        return self.machine.steps

    def hurry(self):
        self.machine.over.append((_host, {"run": hurried(_host.run)}))


SUBJECTS = {"data disk": Disk, "thin pool": Disk, "swap file": Swap}


@contextlib.contextmanager
def lying(subject, tool, lie):
    """In here, the program lies."""
    path, fixed = os.environ["PATH"], _host._PATH
    with tempfile.TemporaryDirectory(prefix="prove-bin-") as folder:
        folder = pathlib.Path(folder)
        if LIES[lie] is None:
            for place in (path + ":" + fixed).split(":"):
                for name in os.listdir(place) if os.path.isdir(place) else ():
                    if name != tool and not os.path.lexists(folder / name):
                        (folder / name).symlink_to(f"{place}/{name}")
            os.environ["PATH"] = _host._PATH = str(folder)
        else:
            real = shutil.which(tool, path=f"{path}:{fixed}")
            script = LIES[lie].replace("REAL", real)
            (folder / tool).write_text(f"#!/bin/sh\n{script}\n")
            (folder / tool).chmod(0o755)
            os.environ["PATH"] = f"{folder}:{path}"
        try:
            yield
        finally:
            os.environ["PATH"], _host._PATH = path, fixed


def cases():
    """(state, tool, kind of tool, lie)."""
    for role, (looks, acts) in TOOLS.items():
        for kind, tools in (("looks", looks), ("acts", acts)):
            for tool in tools:
                yield from ((role, tool, kind, lie) for lie in LIES)


def attempt(role, tool, kind, lie):
    problems = []
    starts = ["precious", "under_way"] if kind == "looks" else ["bare"]
    starts += ["unknown_to_the_kernel"] * (tool == "partx")
    for start in starts:
        with refusals.own_lvm() as folder, contextlib.ExitStack() as stack:
            subject = SUBJECTS[role](role, folder, stack)
            if start != "bare":
                getattr(subject, start)()
            check = looked if kind == "looks" else acted
            problems += [f"{start}: {words}" for words in check(subject, start, tool, lie)]
    return problems


def looked(subject, start, tool, lie):
    before = subject.content()
    answer = honest = subject.apply(test=True)
    subject.steps.clear()
    if lie == "hangs":
        subject.hurry()
    truthful = lie == "warns and tells the truth"
    with lying(subject, tool, lie):
        for test in (True, False):
            if not test and start == "under_way" and answer["changes"] == honest["changes"]:
                # The lie was the truth here, or was not needed: the run may go on.
                break
            began = time.monotonic()
            answer = subject.apply(test=test)
            took = time.monotonic() - began
            if subject.steps:
                yield f"began {subject.steps[0]}"
            if subject.content() != before:
                yield "the content changed"
            if answer["changes"] and answer["changes"] != honest["changes"]:
                yield f"the lie led to a plan: {answer['changes']}"
            if answer["result"] is not False:
                # Whatever was said, it was the truth, or it was not needed.
                if answer["changes"] != honest["changes"]:
                    yield f"result {answer['result']}: {answer['comment']}"
            elif (
                not truthful
                and answer["comment"] != honest["comment"]
                and tool not in answer["comment"]
            ):
                yield f"does not name {tool}: {answer['comment']}"
            if "\n" in answer["comment"] or "Traceback" in answer["comment"]:
                yield f"more than one line: {answer['comment']}"
            if took > 60:
                yield f"took {took:.0f} s"


def acted(subject, _start, tool, lie):
    planned = subject.apply(test=True)["changes"]
    hurried = lie == "hangs"
    if hurried:
        subject.hurry()
    began = time.monotonic()
    with lying(subject, tool, lie):
        answer = subject.apply(test=False)
    if time.monotonic() - began > 60:
        yield f"took {time.monotonic() - began:.0f} s"
    # What these say is not read, only whether they succeed.
    if lie not in ("warns and tells the truth", "says half"):
        if answer["result"] is not False:
            yield f"result {answer['result']}: {answer['comment']}"
        if (
            tool not in answer["comment"]
            and "still to do" not in answer["comment"]
            and lie not in IDLE
        ):
            yield f"does not name {tool}: {answer['comment']}"
    if "\n" in answer["comment"]:
        yield f"more than one line: {answer['comment']}"
    left = subject.apply(test=True)
    wrong = [k for k in answer["changes"] if k in left["changes"] and k in planned]
    if wrong:
        yield f"claims {wrong}, which is still to do"
    if hurried:
        return
    final = subject.apply(test=False)
    if not subject.done(final):
        yield f"does not converge afterwards: {final['comment']}"


def jobs():
    for role, tool, kind, lie in cases():
        label = f"{role}: {tool}, which {kind}, {lie}"
        yield label, functools.partial(attempt, role, tool, kind, lie)
