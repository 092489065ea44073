"""
Disks that no tool knows: each content of `unsigned` with the data disk's state and the thin pool's, as
a dry run and for real. Refused as in `refusals`; then the commands of the message erase the disk, and
the next run takes it.
"""

import functools
import shutil
import subprocess

from disk_kit import advised, must

from . import refusals, unsigned

SECTION = "disks that no tool knows"


def cases():
    """(case, role) of everything that is tried."""
    for case in unsigned.CONTENTS:
        yield from ((case, role) for role in refusals.ROLES)


def attempt(case, role):
    """Try one; the problems, none when it was refused as it must be, and then erased."""
    with (
        refusals.own_lvm() as folder,
        refusals._disk(folder, size=unsigned.SIZE) as disk,
    ):
        state = refusals.ROLES[role](folder)
        state.see(disk)
        unsigned.CONTENTS[case](disk)
        before = disk.hash()
        answers = [state.apply(disk.path, test=test) for test in (True, False)]
        yield from refusals.judge(answers, words(disk), disk.path, [disk])
        if state.tree.steps:
            yield f"a step was begun: {state.tree.steps}"
        if disk.hash() != before:
            yield "the disk changed"
        if role == "data disk":
            yield from erased(state, disk, answers[1]["comment"])


def words(disk):
    """What is read names the place; what a tool knows is named by it."""
    known = subprocess.run(["wipefs", "-p", disk.path], capture_output=True, text=True, check=True)
    if known.stdout or known.stderr:
        return ["shred -v -n 0 -z"]
    return [
        "the first byte that is not zero is at offset 0x",
        f"blkdiscard {disk.path} || shred -v",
    ]


def erased(state, disk, comment):
    must("sh", "-c", advised(comment))
    real = state.apply(disk.path, test=False)
    if real["result"] is not True:
        yield f"after the commands of the message: {real['comment']}"
    else:
        must("umount", state.point)


def jobs():
    for case, role in cases():
        yield f"{case}, {role}", functools.partial(tried, case, role)


def tried(case, role):
    """The same, for what cannot be made here, too."""
    for tool in ("mkfs.btrfs", "mkfs.vfat"):
        if tool.removeprefix("mkfs.v").removeprefix("mkfs.") in case and not shutil.which(tool):
            return {"problems": [], "skipped": f"{tool} is not installed"}
    return {"problems": list(attempt(case, role)), "skipped": None}
