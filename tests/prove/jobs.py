"""Carry out the cases of a section, each in a process of its own, two at once."""

import contextlib
import multiprocessing
import multiprocessing.connection
import signal
import sys
import time

from . import family

WORKERS = 2
# Seconds. Whatever hangs so long is a failure, not the end of all proofs.
LIMIT = 900
FORK = multiprocessing.get_context("fork")


def carry_out(section, jobs, journal, say, over, workers=WORKERS, limit=LIMIT):
    """
    `jobs` are pairs of a case and what tries it. That returns the problems, or a dict with
    `problems` and what else the tables show; whatever it raises is a problem, too.
    """
    running = {}
    try:
        for case, attempt in jobs:
            if over():
                break
            if not journal.holds(section, case):
                running[case] = _start(attempt), time.monotonic()
            while len(running) >= workers:
                _collect(section, running, journal, say, limit)
        while running:
            _collect(section, running, journal, say, limit)
    finally:
        for (process, _), _ in running.values():
            # It takes its disks with it.
            process.terminate()
            process.join(60)


def _start(attempt):
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_try, args=(attempt, theirs))
    process.start()
    theirs.close()
    return process, ours


def _try(attempt, out):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        found = attempt()
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is what we look for
        found = [f"{type(exc).__name__}: {exc}"]
    out.send(found if isinstance(found, dict) else {"problems": list(found)})
    out.close()


def _collect(section, running, journal, say, limit):
    """Take the answers that are there; wait for one when there is none."""
    multiprocessing.connection.wait([pipe for (_, pipe), _ in running.values()], timeout=1)
    for case, ((process, pipe), began) in list(running.items()):
        late = time.monotonic() - began > limit
        if not (pipe.poll() or late):
            continue
        row = {"problems": [f"no end within {limit} s"]}
        if not late:
            row = {"problems": ["the process ended without an answer"]}
            with contextlib.suppress(EOFError):
                row = pipe.recv()
        else:
            family.end(process.pid)
        process.join()
        pipe.close()
        del running[case]
        say(section, case, journal.add(section, case, not row["problems"], **row))
