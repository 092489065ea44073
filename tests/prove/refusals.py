"""
The refusals: everything that a disk can hold or be, with the data disk's state and the thin
pool's, as a dry run and for real. Refused means: one line, no step begun, every byte as before.

What the kernel here cannot do (device mapper) is tried in the guest, by `mapper`.
"""

import contextlib
import functools
import os
import pathlib
import shutil
import tempfile

import disk_kit
import pool_kit
from disk_kit import MIB, Disk, must

import _disk_make

from . import contents

SECTION = "refusals"
SIZE = 80 * MIB


class DataDisk:
    """The state of the data disk, on disks of this machine."""

    name, mark = "data disk", "rancher-data"

    def __init__(self, folder):
        self.tree = disk_kit.Tree(folder)
        self.point = folder / "data"

    def see(self, *disks):
        """Nothing to arrange."""

    def apply(self, device, test):
        return self.tree.mounted(self.point, device, test=test, filesystem="ext4")

    def words(self, case):
        return contents.REFUSED[case][1:]


class ThinPool:
    """The state of the thin pool."""

    name, mark = "thin pool", pool_kit.MARK

    def __init__(self, folder):
        self.tree = pool_kit.Tree(folder)

    def see(self, *disks):
        self.tree.admit(*([disk.path for disk in disks] or ["/dev/none"]))

    def apply(self, device, test):
        return self.tree.present(device, test=test)

    def words(self, case):
        # LVM says more, and the data disk's partition is a foreign one here.
        other = {"foreign volume group": ["belongs to volume group foreign"]}
        if case.startswith("our partition"):
            return ["partitions that are not ours"]
        return other.get(case, contents.REFUSED[case][1:])


ROLES = {role.name: role for role in (DataDisk, ThinPool)}


# --- What a disk is, or how it is used ---
# Each yields what is asked for, the disk to watch, and the words.


@contextlib.contextmanager
def _disk(folder, **options):
    found = Disk(folder, **{"size": SIZE, **options})
    try:
        yield found
    finally:
        found.detach()


@contextlib.contextmanager
def mounted(folder):
    with _disk(folder) as disk:
        must("mkfs.ext4", "-q", disk.path)
        (folder / "mnt").mkdir()
        must("mount", "-o", "ro,noload", disk.path, folder / "mnt")
        yield disk.path, disk, [f"it is mounted at {folder}/mnt"]


@contextlib.contextmanager
def mounted_partition(folder):
    with _disk(folder) as disk:
        contents.gpt_data(disk)
        (folder / "mnt").mkdir()
        must("mount", "-o", "ro,noload", disk.partitions()[0], folder / "mnt")
        yield disk.path, disk, [f"it is mounted at {folder}/mnt"]


@contextlib.contextmanager
def _swap(folder, partitioned):
    with _disk(folder) as disk:
        if partitioned:
            disk.parted("mklabel", "gpt", "mkpart", "swap", "1MiB", "100%")
        device = disk.partitions()[0] if partitioned else disk.path
        must("mkswap", device)
        must("chmod", "600", device)
        must("swapon", device)
        # The kernel may swap out to it: what nobody but us would write is the rest.
        disk.hash = lambda: _head(disk.path, (MIB if partitioned else 0) + 4096)
        yield disk.path, disk, ["it holds active swap"]


def _head(path, size):
    with open(path, "rb") as source:
        return source.read(size)


def swap_disk(folder):
    return _swap(folder, False)


def swap_partition(folder):
    return _swap(folder, True)


@contextlib.contextmanager
def held_open(folder):
    with _disk(folder) as disk:
        handle = os.open(disk.path, os.O_RDONLY | os.O_EXCL)
        try:
            yield disk.path, disk, ["another program holds it exclusively"]
        finally:
            os.close(handle)


@contextlib.contextmanager
def read_only(folder):
    with _disk(folder, read_only=True) as disk:
        yield disk.path, disk, ["it is read-only"]


@contextlib.contextmanager
def one_mib(folder):
    with _disk(folder, size=MIB) as disk:
        yield disk.path, disk, ["it is too small, at least"]


@contextlib.contextmanager
def a_partition(folder):
    with _disk(folder) as disk:
        disk.parted("mklabel", "gpt", "mkpart", "x", "1MiB", "100%")
        yield disk.partitions()[0], disk, [f"it is a partition of {disk.path}, not a whole disk"]


@contextlib.contextmanager
def a_partition_that_is_ours(folder):
    with _disk(folder) as disk:
        contents.mark_partition(disk)
        yield disk.partitions()[0], disk, [f"it is a partition of {disk.path}, not a whole disk"]


@contextlib.contextmanager
def the_system(folder):
    root = must("findmnt", "-no", "SOURCE", "/").strip()
    if not root.startswith("/dev/") or not os.path.exists(root):
        raise Impossible(f"the root file system is on {root}, no disk")
    parent = pathlib.Path(f"/sys/class/block/{os.path.basename(root)}").resolve().parent.name
    yield f"/dev/{parent}" if parent != "block" else root, None, ["it holds /"]


@contextlib.contextmanager
def a_file(folder):
    (folder / "file").write_bytes(bytes(SIZE))
    yield str(folder / "file"), None, ["is not a block device", "correct the pillar key rancher:"]


@contextlib.contextmanager
def a_folder(folder):
    yield str(folder), None, ["is not a block device"]


@contextlib.contextmanager
def a_terminal(folder):
    yield "/dev/null", None, ["is not a block device"]


@contextlib.contextmanager
def dangling(folder):
    (folder / "link").symlink_to(folder / "gone")
    yield str(folder / "link"), None, [f"is a dangling link to {folder}/gone"]


@contextlib.contextmanager
def nothing(folder):
    yield "/dev/disk/by-id/virtio-none", None, ["/dev/disk/by-id/virtio-none does not exist"]


@contextlib.contextmanager
def no_medium(folder):
    with _disk(folder, size=0) as disk:
        yield disk.path, disk, ["its size is 0"]


SITUATIONS = {
    "mounted": mounted,
    "its partition is mounted": mounted_partition,
    "active swap on the disk": swap_disk,
    "active swap in a partition": swap_partition,
    "held open by a program": held_open,
    "read-only": read_only,
    "1 MiB in size": one_mib,
    "a partition, not a disk": a_partition,
    "our own partition, not the disk": a_partition_that_is_ours,
    "the disk of the running system": the_system,
    "a regular file": a_file,
    "a folder": a_folder,
    "a character device": a_terminal,
    "a dangling link": dangling,
    "a path with nothing": nothing,
    "a drive without a medium": no_medium,
}


BENT = "a link that is bent between look and write"


def bent(role):
    """The dry run and the look see a blank disk; when a write is next, the link leads elsewhere."""
    with own_lvm() as folder, contextlib.ExitStack() as stack:
        disk, other = (
            stack.enter_context(_disk(folder, size=420 * MIB, name=name)) for name in ("one", "two")
        )
        must("mkfs.ext4", "-q", other.path)
        state, link = ROLES[role](folder), folder / "link"
        link.symlink_to(disk.path)
        state.see(disk, other)
        before = disk.hash(), other.hash()
        real = _disk_make.partition

        def bend(*args):
            link.unlink()
            link.symlink_to(other.path)
            return real(*args)

        state.tree.over.append((_disk_make, {"partition": bend}))
        dry, answer = (state.apply(str(link), test=test) for test in (True, False))
        if dry["result"] is not None:
            yield f"the dry run: {dry['result']} {dry['comment']}"
        if (answer["result"], answer["changes"], state.tree.steps) != (False, {}, []):
            yield f"{answer['result']} {answer['changes']} {state.tree.steps}"
        if f"is not the disk that was checked: its path was {disk.path}" not in answer["comment"]:
            yield f"it said: {answer['comment']}"
        if "\n" in answer["comment"]:
            yield "more than one line"
        if (disk.hash(), other.hash()) != before:
            yield "a disk changed"


class Impossible(Exception):
    """This cannot be tried here; the words say why."""


@contextlib.contextmanager
def prepared(case, role, folder):
    """The disk of a case; yields the state, what is asked for, the disk, and the words."""
    state = ROLES[role](folder)
    if case in SITUATIONS:
        with SITUATIONS[case](folder) as (device, disk, words):
            state.see(*filter(None, [disk]))
            yield state, device, [disk] if disk else [], words
    elif case in pool_kit.REFUSED and role == "thin pool":
        size = 420 * MIB
        with _disk(folder, size=size) as disk, _disk(folder, size=size, name="other") as other:
            state.see(disk, other)
            prepare, *words = pool_kit.REFUSED[case]
            prepare(state.tree, disk, other)
            yield state, disk.path, [disk, other], words
    else:
        with _disk(folder) as disk:
            state.see(disk)
            contents.REFUSED[case][0](disk)
            yield state, disk.path, [disk], state.words(case)


@contextlib.contextmanager
def own_lvm():
    """A folder, and LVM's configuration in it: this machine's own is left alone."""
    before = {key: os.environ.get(key) for key in ("LVM_SYSTEM_DIR", "LVM_SUPPRESS_FD_WARNINGS")}
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        os.environ.update(LVM_SYSTEM_DIR=folder, LVM_SUPPRESS_FD_WARNINGS="1")
        try:
            yield pathlib.Path(folder)
        finally:
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.update({key: value})


def cases():
    """(case, role) of everything that is tried on this machine."""
    for case in contents.REFUSED:
        yield from ((case, role) for role in ROLES)
    for case in SITUATIONS:
        yield from ((case, role) for role in ROLES)
    yield from ((BENT, role) for role in ROLES)
    for case in pool_kit.REFUSED:
        yield case, "thin pool"


def attempt(case, role):
    """Try one; the problems, none when it was refused as it must be."""
    with own_lvm() as folder, prepared(case, role, folder) as (state, device, disks, words):
        before = [disk.hash() for disk in disks]
        state.tree.steps.clear()
        answers = [state.apply(device, test=test) for test in (True, False)]
        return judge(answers, words, device, disks) + [
            *(["a step was begun: " + step for step in state.tree.steps]),
            *(["the disk changed"] if [disk.hash() for disk in disks] != before else []),
        ]


def judge(answers, words, device, disks):
    dry, real = answers
    comment = real["comment"]
    checks = {
        f"result {real['result']}": real["result"] is False and dry["result"] is False,
        f"changes {real['changes']}": not real["changes"] and not dry["changes"],
        f"the dry run says: {dry['comment']}": dry["comment"] == comment,
        "more than one line": "\n" not in comment,
        "does not say that nothing was written": "Nothing was written" in comment,
        "does not name the disk": device in comment,
        "does not name a way out": "pillar key" in comment or " run " in comment,
    }
    checks |= {f"does not say `{word}`": word in comment for word in words}
    if disks and device in [disk.path for disk in disks]:
        checks["does not begin with the disk"] = comment.startswith(f"Refusing to touch {device} (")
    failed = [problem for problem, right in checks.items() if not right]
    return [*failed, f"it said: {comment}"] if failed else []


def jobs():
    for case, role in cases():
        yield f"{case}, {role}", functools.partial(tried, case, role)


def tried(case, role):
    """The same, for what cannot be made here, too."""
    if case == "nilfs2" and not shutil.which("mkfs.nilfs2"):
        return {"problems": [], "skipped": "mkfs.nilfs2 is not installed"}
    try:
        problems = list(bent(role)) if case == BENT else attempt(case, role)
        return {"problems": problems, "skipped": None}
    except Impossible as reason:
        return {"problems": [], "skipped": str(reason)}
