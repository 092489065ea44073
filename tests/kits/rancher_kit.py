"""
The real Rancher modules for tests against the double.

    kit = Kit({"access_key": ..., "secret_key": ...})
    kit.rancher.hosts(fake.url)
"""

import functools
import types

from clocks import Waits
from fakes import copy

import _rancher_api
import _rancher_http

# What a password generator may think of; all of it in both keys.
NASTY = "A$HOME'\"#{{ grains.id }}%s %20äß€\\"
ACCESS, SECRET = f"access-{NASTY}", f"secret-{NASTY}"
# Patience for tests: the same looks, closer together, and an answer that comes is waited for.
_rancher_api.PAUSES = (0.002, 0.005, 0.01)
_rancher_api.SHORTEST = 0.25
_rancher_api.time = Waits()
_EXCHANGE = 20


def _left(self):
    return min(_rancher_api.ONE_EXCHANGE, max(_EXCHANGE, self.limit - self.passed()))


def _exchange(method, url, timeout=30, **options):
    answer = _rancher_http.exchange(method, url, timeout=timeout, **options)
    if "no complete answer within" in (answer["problem"] or ""):
        _rancher_api.time.advance(timeout)
    return answer


_rancher_api._Conversation._left = _left
_rancher_api._rancher_http = types.SimpleNamespace(exchange=_exchange)


class Kit:
    """`agent` is what the pillar holds under rancher:agent."""

    def __init__(self, agent=None):
        self.pillar = {"rancher": {"agent": agent}}
        self.rancher = copy("_modules/rancher", __pillar__=self.pillar)
        self.host = copy("_modules/rancher_host", __pillar__=self.pillar)
        self.connect = functools.partial(_rancher_api.connect, self.pillar)


def everything(exc):
    """All that an exception could tell: text, repr and traceback of the whole chain."""
    import traceback

    return "".join(traceback.format_exception(exc)) + repr(exc) + repr(exc.__context__)
