"""The table of the ways that Salt is run ends the output."""

import ways_table


def pytest_terminal_summary(terminalreporter):
    if ways_table.ROWS:
        terminalreporter.section("ways x Salt versions: states that change, and what was promised")
        for line in ways_table.lines():
            terminalreporter.write_line(line)
