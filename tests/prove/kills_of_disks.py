"""
Kill anywhere, on this machine: a run in a process of its own, over real disks, is ended by
SIGKILL with all its children: in front of everything, behind and in the middle of every
process that it starts to change something, and behind every file that it renames. Then one
normal run must do the rest. The later steps of the pool need device mapper: see `kills`.
"""

import contextlib
import fcntl
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys

import disk_kit
import fakes
import pool_kit
import swap_kit
from fakes import PYTHONPATH

from . import dry_runs, refusals

SECTION = "kills here"
# Points that are one call of the system; the others are processes, and have a middle.
AT_ONCE = (
    "replace ", "rename ", "unlink ", "remove ", "mkdir ", "rmdir ", "chmod ", "chown ", "symlink ",
)  # fmt: skip


class FileMachine(swap_kit.Machine):
    """Its fstab is a file, so that two processes share it."""

    def __init__(self, path, file):
        self.file = pathlib.Path(file)
        if not self.file.exists():
            self.file.write_text("[]")
        super().__init__(path)

    @property
    def fstab(self):
        return json.loads(self.file.read_text())

    @fstab.setter
    def fstab(self, entries):
        """Only what `Machine` sets at its start, which is nothing."""

    def set_entry(self, spec, file, type, options, freq=0, passno=0, key="file"):
        entry = {"spec": spec, "file": file, "type": type, "options": options}
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps([{**entry, "freq": freq, "passno": passno}]))
        os.replace(new, self.file)
        return True


def begin(subject, it, folder, number=0, how="", seconds=0.0):
    """A run in a process of its own, that ends itself at a point."""
    kind = dry_runs.SUBJECTS[subject][1]
    argv = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "prove.kills_of_disks",
        subject,
        str(folder),
        it.disk.path,
    ]
    argv += [str(kind), str(number), how, str(seconds)]
    environment = {
        **os.environ,
        "PYTHONPATH": PYTHONPATH,
    }
    return subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@contextlib.contextmanager
def subject_of(name):
    made, kind = dry_runs.SUBJECTS[name]
    with refusals.own_lvm() as folder, contextlib.ExitStack() as stack:
        it = made(kind, folder, stack)
        if made is dry_runs.Swap:
            old = it.machine
            it.machine = FileMachine(old.path, folder / "fstab.json")
            for entry in old.fstab:
                it.machine.set_entry(**entry)
        yield it, folder


def points(name):
    """What an undisturbed run goes through."""
    with subject_of(name) as (it, folder):
        done = begin(name, it, folder)
        if done.returncode:
            raise AssertionError(done.stderr)
        lines = (folder / "run.points").read_text().splitlines()
        return [json.loads(line) for line in lines]


def moments(found):
    """(number, how, seconds, what)."""
    yield 1, "front", 0.0, found[0]["what"]
    for point in found:
        if point["when"] == "after":
            for share in () if point["what"].startswith(AT_ONCE) else (20, 50, 80):
                how = f"at {share} %"
                yield point["number"] - 1, how, share / 100 * point["took"], point["what"]
            yield point["number"], "behind", 0.0, point["what"]


def identities(it):
    """UUIDs of the partition, of its file system, of PV and VG."""
    if isinstance(it, dry_runs.ThinPool):
        found = pool_kit.lvm("pvs", "--noheadings", "-o", "pv_uuid,vg_uuid").split()
    else:
        found = []
    for part in it.disk.partitions():
        for key in ("PART_ENTRY_UUID", "UUID"):
            argv = ["blkid", "-p", "-s", key, "-o", "value", part]
            found += subprocess.run(
                argv, capture_output=True, text=True, check=False
            ).stdout.split()
    return set(found)


def settled(folder):
    """Wait for a command that was killed and is still on its way out of the kernel."""
    with open(folder / "lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def attempt(name, number, how, seconds):
    with subject_of(name) as (it, folder):
        ended = begin(name, it, folder, number, how, seconds)
        if ended.returncode != -signal.SIGKILL:
            yield f"the run was not killed: {ended.returncode} {ended.stderr[-300:]}"
        settled(folder)
        before = identities(it)
        dry = it.apply(test=True)
        real = it.apply()
        if not it.right(dry["changes"], real):
            yield f"predicted {dry['changes']}, made {real['changes']}: {real['comment']}"
        again = it.apply()
        if not isinstance(it, dry_runs.ThinPool) and (again["result"], again["changes"]) != (
            True,
            {},
        ):
            yield f"a further run: {again['comment']}"
        # The file system of an mkfs that was ended in its middle is made anew.
        lost = before - identities(it)
        if lost and not how.startswith("at "):
            yield f"UUIDs are gone: {lost}"


def jobs():
    for name in dry_runs.POINTS:
        for number, how, seconds, what in moments(points(name)):
            label = f"{name} {number:02d} {how}: {_plain(what)}"
            yield label, functools.partial(attempt, name, number, how, seconds)


def _plain(what):
    """Without the names that are others in every run."""
    words = (os.path.basename(word) if "/prove-" in word else word for word in what.split())
    return " ".join("DISK" if word.startswith("/dev/loop") else word for word in words)


def worker(subject, folder, device, kind, number, how, seconds):
    """One run; dies at its point."""
    import family
    import guest_driver

    class Fatal(guest_driver.Points):
        def reach(self, when, what, **more):
            super().reach(when, what, **more)
            if self.count != int(number):
                return None
            if how.startswith("at "):
                return f"middle {seconds}"
            return family.end(os.getpid())

    folder = pathlib.Path(folder)
    fakes.LOCK = str(folder / "lock")
    if subject.startswith("data disk"):
        tree = disk_kit.Tree(folder)
        act = lambda: tree.mounted(folder / "data", device, filesystem=kind)  # noqa: E731
    elif subject == "thin pool":
        tree = pool_kit.Tree(folder)
        tree.admit(device)
        act = lambda: tree.present(device)  # noqa: E731
    else:
        machine = FileMachine(str(folder / "swapdisk/swap/swapfile"), folder / "fstab.json")
        act = lambda: machine.apply(dry_runs.Swap.SIZES[kind][1])  # noqa: E731
    # Here everything lies in /tmp.
    guest_driver.NOT_OURS = ("/proc/", "/dev/")
    guest_driver.watch(Fatal(str(folder / "run"), hold=False))
    act()


if __name__ == "__main__":
    worker(*sys.argv[1:])
