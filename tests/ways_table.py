"""The table of the ways that Salt is run: filled by tests, printed when they are done."""

import dataclasses

ROWS = []


@dataclasses.dataclass
class Row:
    """What was seen when one way was gone on a bare host; `problems` is empty when all is well."""

    way: str
    salt: str
    where: str
    predicted: object = "-"
    first: object = "-"
    second: object = "-"
    problems: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        ROWS.append(self)

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
