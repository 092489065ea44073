"""What every way to run Salt promises, and the table of how it was kept, printed after the tests."""

import dataclasses

ROWS = []
# What a package brings along is known to the package manager when it installs.
PACKAGES = {"data-disk-tools-installed", "packages-installed", "thin-pool-tools-installed"}


def by_id(report):
    """The states of a run by ID; `report` may be the return of salt-ssh."""
    report = report.get("return", report) if isinstance(report, dict) else report
    assert isinstance(report, dict) and all("_|-" in key for key in report), report
    return {state["__id__"]: state for state in report.values()}


def seen(report):
    """What a run says, without what differs by nature: times, and whether copies were fetched."""
    parts = ("result", "changes", "comment")
    return {
        key: {part: state[part] for part in parts}
        for key, state in report.items()
        if key != "modules-reloaded"
    }


def changed(report):
    return {key: state["changes"] for key, state in report.items() if state["changes"]}


def failed(report):
    return [
        f"{key}: {state['comment']}" for key, state in report.items() if state["result"] is False
    ]


def disagreements(contact, later):
    """What is wrong with the dry run at first contact, seen from a later one."""
    if seen(contact) != seen(later):
        yield "the dry run at first contact says something else than a later one"


def broken_promises(dry, first, second):
    """What is wrong with the runs on a host that was bare."""
    for name, report in (("dry run", dry), ("first run", first), ("second run", second)):
        if failed(report):
            yield f"{name}: {failed(report)[0]}"
    told, made = changed(dry), changed(first)
    if list(told) != list(made) or any(told[key] != made[key] for key in set(told) - PACKAGES):
        yield f"the dry run told {list(told)}, the run made {list(made)}"
    if not made:
        yield "the first run changed nothing"
    if changed(second) or len(second) != len(seen(second)):
        yield f"the second run changed {list(changed(second))}"


@dataclasses.dataclass
class Row:
    """What was seen when one way was gone on a bare host; `problems` is empty when all is well."""

    way: str
    salt: str
    where: str
    predicted: object = "-"
    first: object = "-"
    second: object = "-"
    problems: list = dataclasses.field(default_factory=lambda: ["did not come to an end"])

    def __post_init__(self):
        ROWS.append(self)

    def judge(self, dry, first, second, more=()):
        """Note what the three runs did, and what is wrong with them."""
        self.predicted, self.first, self.second = (len(changed(it)) for it in (dry, first, second))
        self.problems = [*more, *broken_promises(dry, first, second)]

    @property
    def cells(self):
        result = "; ".join(self.problems).split("\n")[0][:100] or "as promised"
        figures = (self.predicted, self.first, self.second)
        return [self.way, self.salt, self.where, *map(str, figures), result]


HEADINGS = ["way", "Salt", "on a", "dry run says", "first run", "second run", "result"]


def lines():
    """The table, a list of texts."""
    rows = [HEADINGS, *(row.cells for row in ROWS)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    texts = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [texts[0], "-" * len(texts[0]), *texts[1:]]


def write(terminal):
    """End the output of the tests with the table, once."""
    if ROWS:
        terminal.section("ways x Salt versions: states that change, and what was promised")
        for line in lines():
            terminal.write_line(line)
        ROWS.clear()
