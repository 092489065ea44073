"""
Make our one partition on a disk, step by step, so that a run ended anywhere can go on.
"""

import os
import time

from salt.exceptions import CommandExecutionError

import _disk
import _disk_kernel
import _disk_marks
import _disk_refusals
import _disk_table
import _host

MIB = 1024**2
WAIT = 60


def partition(disk, mark, part_type, minimum=0):
    """
    Take the steps that are left to our one partition, each on a disk looked at anew: it gets the
    name that it has while its content is being made. Returns its path.
    """
    done = []
    while True:
        # Blank before the first step: then a further look at the same would only take its time.
        now = _disk.examine(disk["asked"], looked=bool(done))
        try:
            _unchanged(disk, now)
            if done:
                _no_old_content(now)
            at = _disk.stage(now, mark, part_type, minimum)
        except CommandExecutionError as exc:
            if not done:
                raise
            raise CommandExecutionError(
                f"{str(exc).replace(' Nothing was written.', '')} Done before: {_words(done)}"
            ) from exc
        if at == "ready":
            return _wait(now["path"], now["partitions"][0]["number"])
        step = _step(now, at, mark, part_type)
        if step in done:
            raise CommandExecutionError(
                f"parted reported success without effect on {now['path']}: {' '.join(step)}"
            )
        _parted(now["path"], step)
        done.append(step)


def finish(disk, mark):
    """From now on the name of our partition says that its content is finished; no more than that."""
    now = _disk.examine(disk["asked"], looked=True)
    _unchanged(disk, now)
    for tries in (0, 1):
        ours = [part for part in now["partitions"] if part["mark"] == mark]
        if len(ours) == len(now["partitions"]) == 1 and ours[0]["finished"]:
            return
        if len(ours) != 1 or len(now["partitions"]) != 1 or tries:
            break
        _parted(now["path"], ("name", "1", mark))
        now = _disk.examine(disk["asked"], looked=True)
    raise CommandExecutionError(
        f"the partition of {now['path']} could not be given its final name {mark}. Look at "
        f"`parted {now['path']} print`, then run again"
    )


def _parted(path, step):
    _host.run(["parted", "-s", "-a", "optimal", path, *step])
    _settle(path)


def _step(disk, at, mark, part_type):
    # Each word of parted is committed by itself: one a call, so that each is looked at.
    if at == "blank":
        return ("mklabel", "gpt")
    if at == "label":
        # Not 100%: what parted makes of that depends on the device.
        end = _disk_table.end(disk["size"], disk["sector"])
        return ("mkpart", _disk_marks.making(mark), "1MiB", f"{end // MIB}MiB")
    if disk["partitions"][0]["unused"]:
        return ("name", "1", _disk_marks.making(mark))
    return ("set", "1", part_type, "on")


def _words(steps):
    return ", ".join(" ".join(step) for step in steps)


def _unchanged(before, now):
    for key in ("path", "devno", "serial", "size"):
        if before[key] != now[key]:
            raise CommandExecutionError(
                f"{before['asked']} is not the disk that was checked: its {key} was {before[key]} "
                f"and is now {now[key]}. Nothing was written. Find out which disk is meant "
                "(`ls -l /dev/disk/by-id`), then run again."
            )


def _no_old_content(disk):
    for part in disk["partitions"]:
        if part["signatures"] or part["filesystem"]:
            kinds = ", ".join(entry["type"] for entry in part["signatures"]) or part["filesystem"]
            raise CommandExecutionError(
                f"old content turned up in the new partition {part['path']} of {disk['asked']}: "
                f"{kinds}. The content was not touched. {_disk_refusals.erase_advice(disk)}"
            )


def _settle(path):
    if os.path.exists("/run/udev/control"):
        _host.run(["udevadm", "settle", "--timeout=30"], accept=(0, 1))
    for number in _disk_kernel.nodes(_disk_kernel.devno(path)):
        _wait(path, number)


def _wait(path, number):
    """The partition's path, as soon as the kernel and /dev have it."""
    disk, asked, deadline = _disk_kernel.devno(path), False, time.monotonic() + WAIT
    while time.monotonic() < deadline:
        node = _disk_kernel.nodes(disk).get(number)
        if node and _disk_kernel.devno(node["path"]) == node["devno"]:
            return node["path"]
        if not node and not asked:
            # A run that was ended between parted's writing and its telling the kernel.
            _host.run(["partx", "--update", path], accept=(0, 1))
            asked = True
        time.sleep(0.1)
    raise CommandExecutionError(
        f"partition {number} of {path} did not appear below /dev within {WAIT} s"
    )
