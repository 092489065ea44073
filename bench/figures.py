"""Figures, the aims beside them, and the Markdown that shows both; pure."""

import dataclasses
import statistics


@dataclasses.dataclass
class Cost:
    """What one run took: seconds on the clock, and of processors (all processes that took part)."""

    wall: float
    cpu: float


def median(costs):
    """The median of each part of several runs."""
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
    )


def repeated(number, what="run"):
    """How often something was measured, for a sentence's begin: one run is no median."""
    return f"One {what} each" if number == 1 else f"Medians of {number} {what}s"


@dataclasses.dataclass
class Aim:
    """One aim: what was measured, and whether it is at most (or at least) what was wanted."""

    what: str
    found: float
    limit: float
    at_least: bool = False

    @property
    def met(self):
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def row(self):
        bound = "at least" if self.at_least else "at most"
        return [
            self.what,
            f"{self.found:.2f}",
            f"{bound} {self.limit:g}",
            "yes" if self.met else "**no**",
        ]


def no_op_aims(costs, part):
    """The aims for runs without changes. `costs`: {(way, job): median}; `part`: wall or cpu."""

    def of(way, job="common"):
        return getattr(costs[way, job], part)

    for way in ("minion", "salt-call", "salt-ssh"):
        yield Aim(f"no-op over test.ping, {way}", of(way) / of(way, "ping"), 1.5)
    yield Aim("pipelined Ansible over minion", of("ansible") / of("minion"), 10, at_least=True)
    yield Aim("mitogen over minion", of("mitogen") / of("minion"), 2, at_least=True)
    yield Aim("mitogen over salt-ssh", of("mitogen") / of("salt-ssh"), 1.5, at_least=True)
    yield Aim("salt-ssh over pyinfra", of("salt-ssh") / of("pyinfra"), 1.5)
    yield Aim("minion over pyinfra", of("minion") / of("pyinfra"), 1)


def flatness(per_minion):
    """How far the cost per minion departs from the one at the smallest fleet, as a share.

    `per_minion`: {number of minions: cost}; fleets of less than five are no fleets.
    """
    fleets = {number: cost for number, cost in per_minion.items() if number >= 5}
    first = fleets[min(fleets)]
    return max(abs(cost / first - 1) for cost in fleets.values())


def markdown(heading, rows):
    """A table in Markdown, padded so that the text is readable, too."""
    table = [[str(cell) for cell in row] for row in (heading, *rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in table
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
