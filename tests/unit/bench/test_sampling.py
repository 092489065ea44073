"""Time, memory and processes, read from what the kernel tells."""

import os
import subprocess
import sys
import threading

import pytest
from bench import sampling
from bench.sampling import (
    EACH,
    HEADROOM,
    affordable,
    available,
    family,
    measured,
    memory,
    parse_stat,
    peak,
    started,
)

STAT = "42 (a) b (c)) S 7 1 1 0 -1 4194304 9 9 0 0 100 20 3 4 20 0 1 0 555 1000 200"


def test_a_stat_line_whatever_the_name():
    assert parse_stat(STAT) == (7, 127)


def test_a_family_is_everybody_below():
    assert family([2], {2: 1, 3: 2, 4: 3, 5: 1}) == {2, 3, 4}


@pytest.mark.parametrize(
    ("trace", "count"),
    [
        ("", 0),
        ("7 vfork() = 8\n8 clone(child_stack=NULL, flags=SIGCHLD) = 9", 2),
        ("7 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x1}, 88) = 8", 0),
        ("7 clone(child_stack=NULL, flags=SIGCHLD) = -1 EAGAIN (Resource)", 0),
        ("7 vfork( <unfinished ...>\n9 vfork() = 10\n7 <... vfork resumed>) = 8", 2),
        (
            "7 clone3({flags=CLONE_THREAD}, 88 <unfinished ...>\n"
            "8 clone3({flags=SIGCHLD}, 88 <unfinished ...>\n"
            "7 <... clone3 resumed> => {parent_tid=[9]}, 88) = 9\n"
            "8 <... clone3 resumed>) = 10\n"
            "7 <... clone3 resumed>) = 11",
            2,
        ),
    ],
)
def test_processes_are_counted_and_threads_are_not(trace, count):
    assert started(trace) == count


def test_the_cost_holds_the_children():
    burn = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"]
    cost, answer = measured(lambda: subprocess.run(burn, check=True).returncode, settle=0)
    assert answer == 0
    assert 0.2 <= cost.cpu <= cost.wall * (os.cpu_count() or 1) + 0.1


def test_the_most_memory_is_seen(monkeypatch):
    kept, looks = [], threading.Semaphore(0)

    def looked(roots):
        looks.release()
        return memory(roots)

    def fill():
        kept.append(b"x" * (64 << 20))
        # Two: the first may have begun before.
        while looks.acquire(blocking=False):
            pass
        assert looks.acquire(timeout=60) and looks.acquire(timeout=60)

    monkeypatch.setattr(sampling, "memory", looked)
    before = memory([os.getpid()])
    assert peak(fill, [os.getpid()]) - before > 60 << 20


def test_only_the_new_minions_ask_for_memory():
    assert affordable(100, 50, HEADROOM + 50 * EACH)
    assert not affordable(100, 50, HEADROOM + 50 * EACH - 1)


def test_the_memory_of_this_machine():
    assert available() > 1 << 20
