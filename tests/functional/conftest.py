"""The table of the ways that Salt is run ends the output."""

import ways_table


def pytest_terminal_summary(terminalreporter):
    ways_table.write(terminalreporter)
