"""
Our own disks, damaged: a data disk with files loses a part of itself, or its name leads to another
disk. It is refused as any disk is, never made anew; the commands of the message repair it, and the
next run mounts it with all its files.
"""

import contextlib
import functools
import hashlib
import os
import pathlib
import re
import subprocess

import disk_kit
from disk_kit import MIB, advised, must, patiently

from . import contents, refusals

SECTION = "our own disks, damaged"
SIZE = 330 * MIB
REPAIR, TABLE, MOUNT = (
    "To repair it, run on this host: ",
    "which leaves the content alone: on this host, ",
    "is damaged (`dmesg`), run on this host: ",
)


class Data:
    """A data disk with files on it, not mounted, as after a boot without it."""

    def __init__(self, folder, stack, filesystem, made=None):
        self.folder, self.stack, self.kind = folder, stack, filesystem
        self.disk = stack.enter_context(refusals._disk(folder, size=SIZE))
        self.tree, self.point = disk_kit.Tree(folder), folder / "data"
        stack.callback(self.unmount)
        self.device, self.label, self.watched = self.disk.path, "data", [self.disk]
        if made:
            made(self)
        self.must_mount()
        for number in range(20):
            path = self.point / f"folder{number % 3}" / f"file{number}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(os.urandom(50_000 + number))
        self.files = self.hashes()
        self.unmount()

    def unmount(self):
        while os.path.ismount(self.point):
            must("umount", self.point)

    def must_mount(self):
        answer = self.apply()
        assert answer["result"] is True, answer["comment"]

    def apply(self, test=False):
        settings = {"filesystem": self.kind, "label": self.label}
        return self.tree.mounted(self.point, self.device, test=test, **settings)

    def hashes(self):
        found = sorted(path for path in pathlib.Path(self.point).rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.point)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in found
        }

    # What is lost, or changed.

    def part(self):
        return self.disk.partitions()[0]

    def lose(self, start, length):
        """Of the partition."""
        with open(self.part(), "r+b") as out:
            out.seek(start)
            out.write(bytes(length))
            out.flush()
            os.fsync(out.fileno())

    def lose_of_disk(self, *areas):
        for start, length in areas:
            self.disk.put(start if start >= 0 else self.disk.size + start, bytes(length))
        patiently("blockdev", "--rereadpt", self.disk.path)

    def half_copied(self):
        must("xfs_db", "-x", "-c", "sb 0", "-c", "write inprogress 1", self.part())

    def without_its_line(self):
        self.tree.fstab.write_text("# emptied\n")
        self.lose(0, 512)

    def another(self):
        other = self.stack.enter_context(refusals._disk(self.folder, size=SIZE, name="other"))
        self.device = other.path
        self.watched.append(other)

    def moved(self):
        """Its name leads to a blank disk now, and it is still attached."""
        self.another()

    def missing(self):
        self.another()
        self.watched.remove(self.disk)
        self.disk.detach()

    def shrunk(self):
        with open(self.disk.image, "r+b") as image:
            self.tail = os.pread(image.fileno(), SIZE, SIZE - 8 * MIB)
            image.truncate(SIZE - 8 * MIB)
        must("losetup", "--set-capacity", self.disk.path)

    def relabelled(self):
        argv = {"xfs": ["xfs_admin", "-L", "mine"], "ext4": ["e2label", self.part(), "mine"]}
        must(*argv[self.kind], *([self.part()] if self.kind == "xfs" else []))

    # What the operator does with the message.

    def run(self, lead, comment):
        done = subprocess.run(
            ["sh", "-c", advised(comment, lead)], capture_output=True, text=True, check=False
        )
        # e2fsck: 1 is errors corrected.
        assert done.returncode in (0, 1), f"{advised(comment, lead)}: {done.stdout} {done.stderr}"

    def take_the_named_disk(self, comment):
        self.device = re.search(
            r"correct the pillar key rancher:data_disk:device to (\S+)\. ", comment
        )[1]

    def attach(self, comment):
        assert "Attach that disk" in comment
        self.disk.attach()
        self.device = self.disk.path

    def give_the_size_back(self, comment):
        assert "Give it its old size back" in comment
        with open(self.disk.image, "r+b") as image:
            image.seek(SIZE - 8 * MIB)
            image.write(self.tail)
        must("losetup", "--set-capacity", self.disk.path)
        patiently("blockdev", "--rereadpt", self.disk.path)

    def take_the_label(self, comment):
        self.label = re.search(r"set the pillar key rancher:data_disk:label to (\S+)\. ", comment)[
            1
        ]


def of_before(*mkfs):
    """As the tree made it before there were two names, or by hand."""

    def make(it):
        contents.mark_partition(it.disk, "rancher-data")
        must(*mkfs, "-L", "data", it.part())

    return make


def run(lead):
    return lambda it, comment: it.run(lead, comment)


def lose(start, length):
    return lambda it: it.lose(start, length)


def lose_of_disk(*areas):
    return lambda it: it.lose_of_disk(*areas)


# Name: file system, how it was made (None: by a run), the damage, what the operator does, the words.
CASES = {
    "xfs without its first sector": ("xfs", None, lose(0, 512), run(REPAIR), "xfs_repair /dev/"),
    "xfs without its first 4 KiB": ("xfs", None, lose(0, 4096), run(REPAIR), "xfs_repair /dev/"),
    "xfs without the heads of its first group": (
        "xfs", None, lose(0, 16384), run(REPAIR), "xfs_repair /dev/",
    ),
    "xfs marked as half copied": ("xfs", None, Data.half_copied, run(REPAIR), "xfs_repair /dev/"),
    "xfs of a tree of before, without its first sector": (
        "xfs", of_before("mkfs.xfs", "-q"), lose(0, 512), run(REPAIR), "xfs_repair /dev/",
    ),
    "xfs without its first sector and without a line in fstab": (
        "xfs", None, Data.without_its_line, run(REPAIR), "xfs_repair /dev/",
    ),
    "ext4 without its first 4 KiB": ("ext4", None, lose(0, 4096), run(REPAIR), "e2fsck -fy -b 8193"),
    "ext4 without its first 64 KiB": (
        "ext4", None, lose(0, 65536), run(REPAIR), "e2fsck -fy -b 8193",
    ),
    "ext4 with blocks of 4 KiB, without its first one": (
        "ext4", of_before("mkfs.ext4", "-q", "-b", "4096"), lose(0, 4096), run(REPAIR),
        "e2fsck -fy -b 32768 -B 4096",
    ),
    "ext4 without its group descriptors": ("ext4", None, lose(2048, 4096), run(MOUNT), "e2fsck -fy"),
    "the first MiB with the table, xfs": (
        "xfs", None, lose_of_disk((0, MIB)), run(TABLE), "mkpart rancher-data 1MiB 329MiB",
    ),
    "the first MiB with the table, ext4": (
        "ext4", None, lose_of_disk((0, MIB)), run(TABLE), "mkpart rancher-data 1MiB 329MiB",
    ),
    "both copies of the table": (
        "ext4", None, lose_of_disk((0, 17408), (-16896, 16896)), run(TABLE), "mkpart rancher-data",
    ),
    "the header of the table": (
        "xfs", None, lose_of_disk((512, 512)), run(TABLE), "mkpart rancher-data",
    ),
    "the protective mbr": ("xfs", None, lose_of_disk((0, 512)), run(TABLE), "mkpart rancher-data"),
    "its name leads to a blank disk": (
        "xfs", None, Data.moved, Data.take_the_named_disk, "the disk with UUID ",
    ),
    "its name leads to a blank disk, and it is not attached": (
        "ext4", None, Data.missing, Data.attach, "no disk of this host has it",
    ),
    "the disk shrank": ("xfs", None, Data.shrunk, Data.give_the_size_back, "it shrank"),
    "another label, xfs": ("xfs", None, Data.relabelled, Data.take_the_label, "has the label mine"),
    "another label, ext4": ("ext4", None, Data.relabelled, Data.take_the_label, "has the label mine"),
}  # fmt: skip


AT_THE_MOUNT = ("ext4 without its group descriptors",)


def cases():
    """Everything that is tried."""
    yield from CASES


def attempt(case):
    """The problems: none when it was left alone, and the message brought every file back."""
    filesystem, made, damage, repair, words = CASES[case]
    with refusals.own_lvm() as folder, contextlib.ExitStack() as stack:
        it = Data(folder, stack, filesystem, made)
        damage(it)
        before = [disk.hash() for disk in it.watched]
        answers = [it.apply(test=test) for test in (True, False)]
        comment = answers[1]["comment"]
        if answers[1]["result"] is not False or answers[1]["changes"]:
            yield f"{answers[1]['result']} {list(answers[1]['changes'])}: {comment}"
            return
        # Some damage shows only when it is mounted.
        same = answers[0] == answers[1] and "Nothing was written" in comment
        if not same and case not in AT_THE_MOUNT:
            yield f"the dry run: {answers[0]['comment']}, the run: {comment}"
        if words not in comment or "\n" in comment:
            yield f"it said: {comment}"
        if [disk.hash() for disk in it.watched] != before:
            yield "a disk changed"
        repair(it, comment)
        answer = it.apply()
        if answer["result"] is not True:
            yield f"after the repair: {answer['comment']}"
        elif it.hashes() != it.files:
            yield f"files are lost: {set(it.files) - set(it.hashes())}"


def jobs():
    for case in cases():
        yield case, functools.partial(tried, case)


def tried(case):
    return {"problems": list(attempt(case)), "skipped": None}
