"""
Truth of dry runs: from every start that an interrupted run, or an operator, can leave behind,
the changes that `test=True` names are those that the run makes, and naming them writes nothing.
"""

import contextlib
import functools
import hashlib
import os
import pathlib

import disk_kit
import pool_kit
import swap_kit
from disk_kit import MIB, must

from . import contents, refusals

SECTION = "dry runs"


class DataDisk:
    """A disk of 330 MiB, which is enough for both file systems."""

    def __init__(self, filesystem, folder, stack):
        self.kind, self.folder = filesystem, folder
        self.disk = stack.enter_context(refusals._disk(folder, size=330 * MIB))
        self.tree, self.point = disk_kit.Tree(folder), folder / "data"
        stack.callback(self.unmount)

    def unmount(self):
        while os.path.ismount(self.point):
            must("umount", self.point)

    def apply(self, test=False):
        return self.tree.mounted(self.point, self.disk.path, test=test, filesystem=self.kind)

    def killed(self, point):
        with disk_kit.killed_at(self.tree, point) as ended:
            self.apply()
        return bool(ended)

    def state(self):
        mounted = os.path.ismount(self.point)
        # The kernel completes a new ext4 by itself for as long as it is mounted.
        disk = None if mounted else self.disk.hash()
        return [disk, self.tree.fstab.read_bytes(), os.path.lexists(self.point), mounted]

    def steps(self):
        return self.tree.steps

    def right(self, predicted, real):
        return real["result"] is True and real["changes"] == predicted

    # By hand, or by an accident.

    def unmounted(self):
        self.apply()
        must("umount", self.point)

    def no_line(self):
        self.apply()
        self.tree.fstab.write_text("# emptied")

    def another_line(self):
        self.apply()
        part = self.disk.partitions()[0]
        self.tree.fstab.write_text(f"{part}\t{self.point}/ {self.kind} ro 0 0\n# b\n")

    def second_table_half(self):
        self.disk.parted("mklabel", "gpt")
        self.disk.put(self.disk.size - 512, bytes(512))

    def kernel_not_told(self):
        contents.mark_partition(self.disk)
        must("partx", "--delete", self.disk.path)

    def unfinished(self):
        contents.mark_partition(self.disk)
        part = self.disk.partitions()[0]
        must("mkfs.xfs", "-q", "-L", "data", part)
        must("xfs_db", "-x", "-c", "sb 0", "-c", "write inprogress 1", part)

    def by_hand(self):
        # Without what the kernel would write later, by itself.
        must(f"mkfs.{self.kind}", "-q", "-E", "lazy_itable_init=0", self.disk.path)
        self.point.mkdir()
        must("mount", self.disk.path, self.point)
        must("sync", "--file-system", self.point)


class ThinPool:
    """Up to the two volumes: the conversion needs device mapper, and is looked at in the guest."""

    def __init__(self, _kind, folder, stack):
        self.folder = folder
        self.disk = stack.enter_context(refusals._disk(folder, size=420 * MIB))
        self.tree = pool_kit.Tree(folder)
        self.tree.admit(self.disk.path)

    def apply(self, test=False):
        return self.tree.present(self.disk.path, test=test)

    def killed(self, point):
        self.tree.steps.clear()
        self.tree.end_at = point
        try:
            self.apply()
        except pool_kit.Killed:
            return True
        finally:
            self.tree.end_at = None
        return False

    def state(self):
        return [self.disk.hash(), *_files(self.folder / "archive"), *_files(self.folder / "backup")]

    def steps(self):
        return self.tree.steps

    def right(self, predicted, real):
        # The steps of device mapper are predicted, and here end at the kernel.
        made = {key: predicted[key] for key in pool_kit.MADE if key in predicted}
        return "device-mapper" in real["comment"] and real["changes"] == made

    def metadata_only(self):
        path = pool_kit.partitioned(self.disk)
        size = ("--physicalextentsize", "4m")
        pool_kit.lvm("vgcreate", "--addtag", pool_kit.MARK, *size, "docker", path)
        create = ("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l", "1", "-n", "thinpoolmeta", "docker")
        pool_kit.lvm(*create)


class Swap:
    """On a file system of 320 MiB; the first run, a larger one, one for which both do not fit."""

    SIZES = {"first": (None, "64M"), "larger": ("32M", "64M"), "in place": ("128M", "200M")}

    def __init__(self, kind, folder, stack):
        self.disk = stack.enter_context(refusals._disk(folder, size=320 * MIB))
        must("mkfs.ext4", "-q", self.disk.path)
        (folder / "swapdisk").mkdir()
        must("mount", self.disk.path, folder / "swapdisk")
        self.machine = swap_kit.Machine(str(folder / "swapdisk/swap/swapfile"))
        stack.callback(lambda: swap_kit.cleared(self.machine))
        before, self.size = self.SIZES[kind]
        if before:
            self.machine.apply(before)
            self.machine.steps.clear()

    def apply(self, test=False):
        return self.machine.apply(self.size, test)

    def killed(self, point):
        self.machine.die = point - 1
        try:
            self.apply()
        except swap_kit.Killed:
            return True
        finally:
            self.machine.die = None
        return False

    def steps(self):
        return self.machine.steps

    def state(self):
        swaps = [(area["path"], area["size"]) for area in self.machine.in_use()]
        mine = [area for area in swaps if area[0].startswith(self.machine.path)]
        folder = pathlib.Path(self.machine.path).parent
        return [mine, [dict(e) for e in self.machine.fstab], *_files(folder)]

    def right(self, predicted, real):
        return real["result"] is True and real["changes"] == predicted

    def wrong_mode(self):
        self.apply()
        os.chmod(self.machine.path, 0o644)

    def inactive(self):
        self.apply()
        must("swapoff", self.machine.path)

    def no_line(self):
        self.apply()
        self.machine.fstab.clear()

    def holes(self):
        self.inactive()
        os.truncate(self.machine.path, 4096)
        os.truncate(self.machine.path, 64 * MIB)


def _files(folder):
    """Names, modes, and contents of what is in a folder."""
    found = []
    for path in sorted(folder.rglob("*")) if folder.exists() else ():
        if path.is_file():
            data = hashlib.sha256(path.read_bytes()).hexdigest()
            found.append((str(path), path.stat().st_mode, data))
    return found


def _kills(count):
    return {f"killed at point {number} of {count}": number for number in range(1, count + 1)}


SUBJECTS = {
    "data disk, ext4": (DataDisk, "ext4"),
    "data disk, xfs": (DataDisk, "xfs"),
    "thin pool": (ThinPool, None),
    "swap file, first": (Swap, "first"),
    "swap file, larger": (Swap, "larger"),
    "swap file, in place": (Swap, "in place"),
}
STARTS = {
    "data disk, ext4": ["unmounted", "no_line", "another_line", "second_table_half"]
    + ["kernel_not_told", "by_hand"],
    "data disk, xfs": ["unmounted", "no_line", "unfinished"],
    "thin pool": ["metadata_only"],
    "swap file, first": ["wrong_mode", "inactive", "no_line", "holes"],
}
POINTS = {
    "data disk, ext4": 12,
    "data disk, xfs": 12,
    "thin pool": 16,
    "swap file, first": 8,
    "swap file, larger": 7,
    "swap file, in place": 11,
}


def cases():
    """(subject, start): bare, killed at each point, and what operators and accidents leave."""
    for subject, count in POINTS.items():
        yield subject, "as it is"
        yield from ((subject, start) for start in _kills(count))
        yield from ((subject, start) for start in STARTS.get(subject, ()))


def attempt(subject, start):
    """The problems, the predicted changes and the ones that were made."""
    made, kind = SUBJECTS[subject]
    with refusals.own_lvm() as folder, contextlib.ExitStack() as stack:
        it = made(kind, folder, stack)
        problems = []
        number = _kills(POINTS[subject]).get(start)
        if number and not it.killed(number):
            problems.append("the run ended before this point")
        elif not number and start != "as it is":
            getattr(it, start)()
        before = it.state()
        it.steps().clear()
        dry = it.apply(test=True)
        if it.state() != before or it.steps():
            problems.append(f"the dry run changed something: {it.steps()}")
        real = it.apply()
        if dry["result"] is not (None if dry["changes"] else True):
            problems.append(f"dry run {dry['result']}: {dry['comment']}")
        elif not it.right(dry["changes"], real):
            problems.append(
                f"predicted {dry['changes']}, made {real['changes']}: {real['comment']}"
            )
        again = it.apply()
        if made is not ThinPool and (again["result"], again["changes"]) != (True, {}):
            problems.append(f"a further run: {again['comment']}")
    return problems, list(dry["changes"]), list(real["changes"])


def jobs():
    for subject, start in cases():
        label = f"{subject}: {start.replace('_', ' ')}"
        yield label, functools.partial(tried, subject, start)


def tried(subject, start):
    problems, predicted, actual = attempt(subject, start)
    return {"problems": problems, "predicted": predicted, "actual": actual}
