"""What is left to one line of Salt: a private file alone, and nothing that Salt can change."""

import one_line
import pytest
from fakes import ROOT


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("modules/test_disk_table", True),
        ("runners/test_export_names", True),
        ("modules/test_rancher_agent_host", False),  # imports it
        ("modules/test_rancher_agent_look", True),  # what it imports has a test of its own
        ("modules/test_rancher_agent/test_waits", True),
        ("modules/test_rancher_api", False),  # the test alone names it, in a string
        ("modules/test_swapfile", False),  # a face of that name, too
        ("states/test_swapfile", False),
    ],
)
def test_what_says_the_same_on_every_line(name, same):
    path = ROOT / f"tests/unit/{name}.py"
    assert path.exists() and one_line.same(path) is same
