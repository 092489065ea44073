"""
Private files of this folder that changed on disk are imported anew.

A minion's daemon keeps what it imported for as long as it runs: after a sync its faces would be new and
their private files old. Every face imports ``checked`` from here, first of all, and with that asks.
"""

import importlib
import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_seen = []


def __getattr__(name):
    """``from _fresh import checked`` comes here at each load of a face, not only at the first."""
    if name != "checked":
        raise AttributeError(name)
    stamps = _stamps()
    if _seen and _seen[0] != stamps:
        for each in [*sys.modules]:
            if _is_ours(each):
                del sys.modules[each]
        importlib.invalidate_caches()
    _seen[:] = [stamps]
    return stamps


def _stamps():
    with os.scandir(_FOLDER) as files:
        ours = [each for each in files if each.name.startswith("_") and each.name.endswith(".py")]
        return {each.name: (each.stat().st_mtime_ns, each.stat().st_size) for each in ours}


def _is_ours(name):
    path = getattr(sys.modules[name], "__file__", None) or ""
    return name.startswith("_") and name != __name__ and os.path.dirname(path) == _FOLDER
