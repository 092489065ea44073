"""Points at one of which a run is gone, with all that it started: the end of every kind of kill."""

import functools
import os
import threading

import family
import guest_driver


class Deadly(guest_driver.Points):
    """`number`: the point, 0 for none; `how`: "in the middle" lets it begin and take `seconds`."""

    def __init__(self, path, number, how="", seconds=0.0):
        super().__init__(path, hold=False)
        self.number, self.how, self.seconds = number, how, seconds

    def reach(self, when, what, **more):
        super().reach(when, what, **more)
        if self.count == self.number:
            end = functools.partial(family.end, os.getpid())
            threading.Timer(self.seconds, end).start() if self.how == "in the middle" else end()
