"""
Clocks to hand in, so that no test is decided by how busy the machine is.
"""

import time


class Waits:
    """
    Stands in for the module ``time``: only what is slept counts, or told by `advance`. However
    slowly the work in between goes, a module has as many looks as on an idle machine. `pace`: how
    many real seconds a second of sleep takes.
    """

    pace = 1

    def __init__(self):
        self._passed = 0.0

    def __getattr__(self, name):
        return getattr(time, name)

    def monotonic(self):
        return self._passed

    def sleep(self, seconds):
        time.sleep(seconds * self.pace)
        self.advance(seconds)

    def advance(self, seconds):
        self._passed += seconds
