"""
`REPORT.md`: what became of every field, and what somebody has to do.
"""

import collections
import re

import _export_ledger as ledgers
import _export_secret as secret

_NAMES_ONLY = (
    "environment",
    "answers",
    "metadata",
    "templates",
    "outputs",
    "driverOpts",
    "config",
    "upgrade",
)
_TEXTS = ("dockerCompose", "rancherCompose", "cert", "certChain", "config")


class Tally:
    """How many services go over as they are, and what stands in the way."""

    def __init__(self, what="services"):
        self.what = what
        self.verdicts = collections.Counter()
        self.obstacles = collections.Counter()

    def add(self, ledger):
        """Take one service."""
        rows = [row for row in ledger.rows() if not ledgers.quiet(row)]
        worst = ledger.worst() if rows else ledgers.TRANSLATED
        if worst == ledgers.CHANGED and all(row[2] == ledgers.TRANSLATED for row in rows):
            worst = ledgers.TRANSLATED
        self.verdicts[worst] += 1
        self.obstacles.update({kind_of(row[0]) for row in rows if row[2] == ledgers.PERSON})

    def merge(self, other):
        """Take the services of another tally."""
        self.verdicts.update(other.verdicts)
        self.obstacles.update(other.obstacles)

    def lines(self):
        """The summary."""
        total = sum(self.verdicts.values())
        same, changed = self.verdicts[ledgers.TRANSLATED], self.verdicts[ledgers.CHANGED]
        yield (
            f"{total} {self.what}: {same} as they are, {changed} with something changed, "
            f"{self.verdicts[ledgers.PERSON]} need a person."
        )
        yield ""
        if self.obstacles:
            yield "What stands in the way most often:"
            yield ""
            yield from table(
                ("field", "how often"),
                sorted(self.obstacles.items(), key=lambda pair: (-pair[1], pair[0]))[:15],
            )


def kind_of(path):
    """A field without the place where it stands: `launchConfig.labels[cron.schedule]`."""
    path = re.sub(r"^secondaryLaunchConfigs\[[^]]*\]", "launchConfig", path)
    path = re.sub(r"\[\d+\]", "", path)
    return re.sub(r"linkedServices\[.*\]", "linkedServices", path)


def table(heads, rows):
    """A table of Markdown."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell(one) for one in row)} |"
    yield ""


def cell(value):
    """Text that stays inside its cell."""
    text = str(value).replace("\\", "\\\\").replace("|", "\\|").replace("`", "'")
    return " ".join(re.sub(r"[<>]", lambda m: {"<": "&lt;", ">": "&gt;"}[m[0]], text).split())


def account(title, ledger):
    """The table of one document."""
    yield f"### {cell(title)}"
    yield ""
    loud, quiet = [], {}
    for row in ledger.rows():
        path, value, verdict, words = row
        if ledgers.quiet(row):
            quiet.setdefault((verdict, words), []).append(path)
        else:
            loud.append((path, _shown(path, value), verdict, words))
    for (verdict, words), paths in sorted(quiet.items()):
        loud.append((", ".join(paths), "", verdict, words))
    yield from table(("field", "value", "what became of it", "how, or what to do"), loud)


def _shown(path, value):
    name = path.rpartition(".")[2]
    if name in _TEXTS and isinstance(value, str):
        lines = value.rstrip("\n").count("\n") + 1
        return f"(a text of {lines} line{'s' if lines > 1 else ''})"
    if name in _NAMES_ONLY and isinstance(value, dict):
        return f"(of {', '.join(sorted(value))})"
    label = re.fullmatch(r".*labels\[(.*)\]", path)
    if label and secret.is_named(label[1]):
        return "(hidden: looks like a secret)"
    return ledgers.shown(secret.without(value))


def names(title, pairs):
    """Which names had to change."""
    if pairs:
        yield f"## {title}"
        yield ""
        yield from table(("in Rancher", "in Kubernetes"), pairs)


def data(rows):
    """Where the data is."""
    if rows:
        yield "## Data to move"
        yield ""
        heads = ("service", "volume", "where it is now", "what happens to it")
        yield from table(heads, sorted(set(rows)))


def commands(title, lines):
    """Commands to run."""
    if lines:
        yield f"## {title}"
        yield ""
        yield "```"
        yield from lines
        yield "```"
        yield ""
