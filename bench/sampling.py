"""What a run takes: time, processor time of every process that takes part, memory, processes."""

import contextlib
import os
import pathlib
import re
import resource
import threading
import time

from lab.process import Daemon, wait_until

from bench.figures import Cost

TICK = os.sysconf("SC_CLK_TCK")
HEADROOM = 2 << 30
# What a minion holds while it works, at most; asked of the machine before a fleet grows.
EACH = 140 << 20
STARTED = re.compile(r"\b(?:v?fork|clone3?)(?:\(| resumed>).*= [1-9]")


def parse_stat(text):
    """(parent, ticks) of /proc/<pid>/stat: its own and those of the children it waited for."""
    words = text.rpartition(")")[2].split()
    return int(words[1]), sum(map(int, words[11:15]))


def family(roots, parents):
    """`roots` and all their descendants. `parents`: {pid: parent}."""
    members = set(roots)
    while True:
        more = {pid for pid, parent in parents.items() if parent in members} - members
        if not more:
            return members
        members |= more


def _processes():
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield int(folder.name), parse_stat((folder / "stat").read_text())


def _seconds(roots):
    table = dict(_processes())
    pids = family(roots, {pid: parent for pid, (parent, _) in table.items()})
    return sum(table[pid][1] for pid in pids if pid in table) / TICK


def measured(action, roots=(), settle=0.5):
    """
    The Cost of `action()`, and what it returned.

    The time of processors is that of our children and of the trees below `roots` (daemons and
    whole hosts). A daemon's job ends a moment after its answer: `settle`.
    """
    before, ours, start = _seconds(roots), _children(), time.monotonic()
    answer = action()
    wall = time.monotonic() - start
    time.sleep(settle)
    return Cost(wall, _seconds(roots) - before + _children() - ours), answer


def _children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory(roots):
    """Bytes that the trees below `roots` hold, shared pages counted once (PSS)."""
    total = 0
    parents = {pid: parent for pid, (parent, _) in _processes()}
    for pid in family(roots, parents):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found = re.search(
                r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M
            )
            total += int(found[1]) * 1024 if found else 0
    return total


def peak(action, roots, every=0.05):
    """The most memory that the trees below `roots` held while `action()` ran."""
    seen, done = [memory(roots)], threading.Event()

    def look():
        while not done.wait(every):
            seen.append(memory(roots))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        action()
    finally:
        done.set()
        watcher.join()
    return max(seen)


def started(trace):
    """How many processes (not threads) a trace of strace shows the start of."""
    count, thread = 0, {}
    for line in trace.splitlines():
        pid = line.partition(" ")[0]
        if "unfinished" in line:
            thread[pid] = "CLONE_THREAD" in line
        elif STARTED.search(line):
            is_thread = thread.pop(pid, False) if "resumed>" in line else "CLONE_THREAD" in line
            count += not is_thread
    return count


def processes(action, roots, folder):
    """How many processes the trees below `roots` started while `action()` ran."""
    log = folder / "strace"
    pids = [
        f"--attach={pid}"
        for pid in sorted(family(roots, {p: parent for p, (parent, _) in _processes()}))
    ]
    tracer = Daemon(folder / "strace.pid", folder / "strace.out")
    tracer.start(
        [
            "strace",
            "-f",
            "--signal=none",
            "--trace=fork,vfork,clone,clone3",
            f"--output={log}",
            *pids,
        ],
        kept=False,
    )
    wait_until(lambda: tracer.tail(1000).count(" attached") >= len(pids), timeout=30, what="strace")
    try:
        action()
        time.sleep(1)
    finally:
        tracer.stop()
    return started(log.read_text())


def available():
    """Bytes of memory that can be had on this machine."""
    with open("/proc/meminfo") as lines:
        table = dict(line.split(":", 1) for line in lines)
    return int(table["MemAvailable"].split()[0]) * 1024


def affordable(wanted, have, memory_left):
    """Whether a fleet of `have` can grow to `wanted` minions."""
    return (wanted - have) * EACH + HEADROOM <= memory_left
