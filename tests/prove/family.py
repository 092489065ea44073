"""Runs in the guest: SIGKILL for a process and all its descendants, whatever their session."""

import contextlib
import os
import sys


def descendants(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as source:
                for child in map(int, source.read().split()):
                    yield child
                    yield from descendants(child)


def end(pid):
    """The children first: they could go on when their parent is gone."""
    for number in [*descendants(pid), pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, 9)


if __name__ == "__main__":
    end(int(sys.argv[1]))
