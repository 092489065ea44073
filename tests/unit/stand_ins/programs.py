"""The programs of the stand-ins, imported by file as they find each other inside."""

import importlib
import sys

from fakes import ROOT

DIRECTORY = ROOT / "tests/stand_ins/programs"


def load(name):
    if str(DIRECTORY) not in sys.path:
        sys.path.append(str(DIRECTORY))
    return importlib.import_module(name)
