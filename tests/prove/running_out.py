"""
Running out: of space, of inodes, of memory, of the right to write. It is reported in one line,
nothing is half-written, and after relief the next run does the rest.
"""

import contextlib
import os
import pathlib
import tempfile

from disk_kit import MIB, must
from salt.exceptions import CommandExecutionError

import _host

from . import dry_runs, lying_tools, refusals

SECTION = "running out"
FILES = {
    "the pool's profile": ("etc/lvm/profile/docker-thinpool.profile", 100),
    "daemon.json": ("etc/docker/daemon.json", 300),
    "fstab": ("etc/fstab", 2000),
    "a large file": ("etc/large", 9000),
}
TROUBLES = {
    "no space": ("size=64k", "fill"),
    "no inodes": ("size=1m,nr_inodes=6", "crowd"),
    "read-only": ("size=64k", "protect"),
}


@contextlib.contextmanager
def small(folder, options):
    """A root of a host on a file system of its own."""
    must("mount", "-t", "tmpfs", "-o", options, "none", folder)
    try:
        yield pathlib.Path(folder)
    finally:
        must("umount", folder)


def fill(root):
    with contextlib.suppress(OSError), open(root / "filler", "wb") as out:
        while True:
            out.write(b"x" * 512)
            out.flush()


def crowd(root):
    with contextlib.suppress(OSError):
        for number in range(100):
            (root / f"crowd{number}").touch()


def protect(root):
    must("mount", "-o", "remount,ro", root)


def relieve(root):
    must("mount", "-o", "remount,rw,size=8m,nr_inodes=1000", root)
    for path in root.glob("crowd*"):
        path.unlink()
    (root / "filler").unlink(missing_ok=True)


def writing(name, trouble, old):
    """A file of ours is to be written, or replaced, when nothing fits any more."""
    path, size = FILES[name]
    options, act = TROUBLES[trouble]
    with tempfile.TemporaryDirectory() as folder, small(folder, options) as root:
        target = root / path
        target.parent.mkdir(parents=True)
        if old:
            target.write_text("old\n")
        globals()[act](root)
        before = sorted(map(str, target.parent.rglob("*")))
        try:
            _host.write(str(target), "new\n" * (size // 4))
            yield "was written all the same"
        except CommandExecutionError as exc:
            if "\n" in str(exc) or str(target) not in str(exc):
                yield f"said: {exc}"
        if sorted(map(str, target.parent.rglob("*"))) != before:
            yield f"left behind: {sorted(map(str, target.parent.rglob('*')))}"
        if old and target.read_text() != "old\n":
            yield "the old file is damaged"
        relieve(root)
        _host.write(str(target), "new\n" * (size // 4))
        if target.read_text() != "new\n" * (size // 4):
            yield "not right after relief"


def swap_disk_fills():
    """Somebody else takes the space between the look and dd."""
    with refusals.own_lvm() as folder, contextlib.ExitStack() as stack:
        it = dry_runs.Swap("first", folder, stack)
        filler = pathlib.Path(folder / "swapdisk/filler")
        step = it.machine.step

        def late(name, do):
            if name.startswith("dd "):
                with contextlib.suppress(OSError), open(filler, "wb") as out:
                    while out.write(bytes(MIB)):
                        out.flush()
            return step(name, do)

        it.machine.step = late
        said = it.apply()
        it.machine.step = step
        if said["result"] is not False or "No space left" not in said["comment"]:
            yield f"said: {said['comment']}"
        if os.path.lexists(it.machine.path) or os.path.lexists(it.machine.path + ".new"):
            yield "left a file behind"
        if it.machine.fstab:
            yield "left a line in fstab"
        filler.unlink()
        if it.apply()["result"] is not True:
            yield "does not converge after relief"


def swap_cannot_leave():
    """swapoff gets no memory for the pages that are out."""
    with refusals.own_lvm() as folder, contextlib.ExitStack() as stack:
        it = dry_runs.Swap("larger", folder, stack)
        subject = lying_tools.Swap.__new__(lying_tools.Swap)
        subject.machine = it.machine
        liar = "echo 'swapoff: swapoff failed: Cannot allocate memory' >&2; exit 4"
        lying_tools.LIES["has no memory"] = liar
        try:
            with lying_tools.lying(subject, "swapoff", "has no memory"):
                said = it.apply()
        finally:
            del lying_tools.LIES["has no memory"]
        if said["result"] is not False or "Cannot allocate memory" not in said["comment"]:
            yield f"said: {said['comment']}"
        if [area["path"] for area in it.machine.in_use()].count(it.machine.path) != 1:
            yield "the old swap is no longer in use"
        if os.path.lexists(it.machine.path + ".new"):
            yield "left the new file behind"
        if it.apply()["result"] is not True or not it.machine.is_done(64 * MIB):
            yield "does not converge after relief"


def fstab_is_full():
    """The disk is made and mounted, and its line in fstab does not fit."""
    with refusals.own_lvm() as folder, contextlib.ExitStack() as stack:
        it = dry_runs.DataDisk("ext4", folder, stack)
        etc = folder / "etc"
        etc.mkdir()
        with small(etc, "size=64k") as root:
            it.tree.fstab = root / "fstab"
            it.tree.fstab.write_text("# this host\n")
            fill(root)
            said = it.apply()
            if said["result"] is not False or "could not be written" not in said["comment"]:
                yield f"said: {said['comment']}"
            if it.tree.fstab.read_text() != "# this host\n":
                yield "fstab is damaged"
            if "fstab" in said["changes"] or "mount" not in said["changes"]:
                yield f"claims {list(said['changes'])}"
            relieve(root)
            said = it.apply()
            if said["result"] is not True or list(said["changes"]) != ["fstab"]:
                yield f"after relief: {said['comment']}"
            it.unmount()


def cases():
    """name -> what tries it."""
    found = {
        f"{trouble} for {name}, {'replaced' if old else 'new'}": (
            lambda name=name, trouble=trouble, old=old: writing(name, trouble, old)
        )
        for trouble in TROUBLES
        for name in FILES
        for old in (False, True)
    }
    return {
        **found,
        "the disk fills up during dd": swap_disk_fills,
        "no memory for swapoff": swap_cannot_leave,
        "no space for the line in fstab": fstab_is_full,
    }


def jobs():
    for label, attempt in cases().items():
        yield label, lambda attempt=attempt: list(attempt())
