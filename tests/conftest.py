"""Test set-up: modules importable by file, and a `__salt__` that knows no surprises."""

import pathlib
import sys

import pytest
import salt._logging

# Salt keeps what it logs until logging is set up, and writes it at exit, to a stream that pytest
# has closed by then.
salt._logging.shutdown_temp_handler()

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [
    str(ROOT / folder) for folder in ("tests", "tests/kits", "salt/_modules", "salt/_runners", ".")
]

# Left to `make long`, so that `make test` stays short.
LONG = {
    "functional": ("pool_growth",),
    "vm": ("conntrack", "deploy", "docker", "pool_growth", "swap_hostname", "ways"),
}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem.removeprefix("test_") in LONG.get(item.path.parent.name, ()):
            item.add_marker(pytest.mark.long)
