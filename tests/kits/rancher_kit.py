"""
The real Rancher modules, wired as Salt would, for tests against the double.

    kit = Kit({"access_key": ..., "secret_key": ...})
    kit.rancher.hosts(fake.url)
"""

import functools

from fakes import load

# What a password generator may think of; all of it in both keys.
NASTY = "A$HOME'\"#{{ grains.id }}%s %20äß€\\"
ACCESS, SECRET = f"access-{NASTY}", f"secret-{NASTY}"


class Kit:
    """`agent` is what the pillar holds under rancher:agent."""

    host = load("_host")
    http = load("_rancher_http")

    def __init__(self, agent=None):
        pillar = {"rancher": {"agent": agent}}
        calls = {"_host.read": self.host.read, "_rancher_http.exchange": self.http.exchange}
        self.api = load("_rancher_api", calls)
        self.private = load("_rancher", {"_rancher_api.connect": self.api.connect})
        functions = {
            f"_rancher.{name}": getattr(self.private, name)
            for name in ("ready", "project", "registration", "hosts")
        }
        self.rancher = load("rancher", functions, __pillar__=pillar)
        self.connect = functools.partial(self.api.connect, pillar)
        # Patience for tests: the same looks, closer together.
        self.api.PAUSES = (0.002, 0.005, 0.01)
        self.api.SHORTEST = 0.25


def everything(exc):
    """All that an exception could tell: text, repr and traceback of the whole chain."""
    import traceback

    return "".join(traceback.format_exception(exc)) + repr(exc) + repr(exc.__context__)
