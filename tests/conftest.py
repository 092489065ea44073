"""Test set-up: modules importable by file, and a `__salt__` that knows no surprises."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
