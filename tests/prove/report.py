"""The tables: what was tried, what held, on which versions; every number from the journal."""

import datetime
import pathlib
import re
import subprocess

import salt.version
from fakes import ROOT

BEGIN, END = "<!-- proofs: made by `make prove` -->", "<!-- end of proofs -->"
# Section of the journal: its title, and what holding means.
SECTIONS = {
    "refusals": ("Refusals", "one line, no step begun, every byte of the disk as before"),
    "lying tools": ("Lying tools", "never taken for an empty disk, no write, the tool is named"),
    "lying Docker": (
        "Lying Docker",
        "never taken for a host without containers, nothing is changed, Docker is named",
    ),
    "hostile input": (
        "Hostile input",
        "a line that names the key, or the same value down the tree",
    ),
    "dry runs": (
        "Truth of dry runs",
        "predicted changes = made changes, of the pool up to device mapper; nothing was written",
    ),
    "races": (
        "Two runs at once",
        "steps never mix, one does the work, the other waits or stops with a reason",
    ),
    "running out": ("Running out", "reported, nothing half-written, converges after relief"),
    "clock jumps": ("Clock jumps", "the wait is as long as ever, a wrong clock is named"),
    "many agents": (
        "Many agents at once",
        "every one joins, none lost or twice, a further run nothing",
    ),
    "kills here": (
        "Kill anywhere, disks",
        "one run does the rest, a further one nothing, UUIDs survive",
    ),
    "kills of docker": (
        "Kill anywhere, Docker",
        "one run does the rest, apt's too; Docker runs as configured, a further run nothing",
    ),
    "kills of roles": (
        "Kill anywhere, server and agent",
        "one run does the rest, a further one nothing; one container, one host, the same data",
    ),
    "device mapper": (
        "On a real device mapper",
        "refused, nothing written; a full pool is named, Docker lives; LVM killed between two calls "
        "of the kernel: one run does the rest, as foretold",
    ),
    "kills": (
        "Kill anywhere, whole host",
        "one run does the rest, a further one nothing, UUIDs survive",
    ),
    "kills of roles in guests": (
        "Kill anywhere, server and agent on a whole host",
        "one run does the rest, a further one nothing; one container, one host, the same data",
    ),
}


def count(rows):
    """(tried, held): inputs where inputs are counted, else cases."""
    if any("tried" in row for row in rows):
        tried = sum(row["tried"] for row in rows)
        return tried, tried - sum(row["lost"] for row in rows)
    rows = [row for row in rows if not row.get("skipped")]
    return len(rows), sum(row["ok"] for row in rows)


def totals(journal):
    """How many cases a section has, where that is known before it runs."""
    from . import (
        clock,
        hostile,
        lies,
        many,
        mapper,
        races,
        refusals,
        relief,
        truth,
    )  # fmt: skip
    from .guest_roles import GuestRoles
    from .kills import Kills

    known = {
        module.SECTION: module.cases() for module in (clock, lies, races, refusals, relief, truth)
    }
    known |= {hostile.SECTION: hostile.GROUPS, many.SECTION: many.CASES}
    known |= {mapper.SECTION: mapper.cases()}
    for row in journal.of("points"):
        whose = {kind.SECTION: kind for kind in (Kills, GuestRoles)}[row["of"]]
        known[whose.SECTION] = whose.moments(row["points"])
    return {section: len(list(cases)) for section, cases in known.items()}


def summary(journal, known=None):
    """One line for each proof that has run, and what is still to be tried."""
    lines = ["| proof | held | means |", "|---|---|---|"]
    known = totals(journal) if known is None else known
    for section, (title, means) in SECTIONS.items():
        rows = journal.of(section)
        tried, held = count(rows)
        left = known.get(section, len(rows)) - len(rows)
        so_far = f", {left} more cases not tried yet" if left > 0 else ""
        if tried:
            lines.append(f"| {title} | {held:,} of {tried:,}{so_far} | {means} |")
    dry = [row for row in journal.of("kills") if "dry" in row]
    if dry:
        equal = sum(not row["dry"] for row in dry)
        lines.append(
            f"| Dry runs after a kill | {equal} of {len(dry)} | of a whole run in the guest: "
            "predicted = made |"
        )
    return "\n".join(lines)


def matrix(rows, split):
    """Rows and columns out of the cases' names."""
    table, columns = {}, []
    for row in rows:
        line, column = split(row["case"])
        mark = "not tried" if row.get("skipped") else "yes" if row["ok"] else "**NO**"
        table.setdefault(line, {}).setdefault(column, []).append(mark)
        columns += [column] * (column not in columns)
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for line, cells in table.items():
        shown = [_cell(cells.get(column)) for column in columns]
        lines.append(f"| {line.replace('|', '/')} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _cell(marks):
    if not marks:
        return "–"
    if len(marks) == 1:
        return marks[0]
    good = marks.count("yes")
    return f"{good}/{len(marks)}" if good == len(marks) else f"**{good}/{len(marks)}**"


def details(journal):
    """Every table, in full."""
    parts = {
        "refusals": lambda rows: matrix(rows, lambda case: case.rsplit(", ", 1)),
        "lying tools": lambda rows: matrix(rows, _lie),
        "lying Docker": lambda rows: matrix(rows, lambda case: case.split(", ", 1)),
        "hostile input": _inputs,
        "dry runs": _predictions,
        "races": lambda rows: matrix(rows, _race),
        "running out": lambda rows: matrix(rows, lambda case: (case, "reported, converges")),
        "clock jumps": lambda rows: matrix(rows, lambda case: case.rsplit(", ", 1)),
        "many agents": lambda rows: matrix(rows, lambda case: (case, "all are there once")),
        "kills here": lambda rows: matrix(rows, lambda case: (case, "one run did the rest")),
        "kills of docker": lambda rows: matrix(rows, lambda case: (case, "one run did the rest")),
        "kills of roles": lambda rows: matrix(rows, lambda case: (case, "one run did the rest")),
        "device mapper": lambda rows: matrix(rows, _mapper),
        "kills": _kills,
        "kills of roles in guests": lambda rows: _kills(rows, "nothing untold"),
    }
    found = []
    for section, (title, means) in SECTIONS.items():
        rows = sorted(journal.of(section), key=_order)
        if rows:
            failed = [row for row in rows if not row["ok"]]
            found.append(f"## {title}\n\nHolding means: {means}.\n\n{parts[section](rows)}")
            found += [f"- **{row['case']}**: {'; '.join(row['problems'])[:600]}" for row in failed]
            for row in rows:
                if row.get("skipped"):
                    found.append(f"- not tried: {row['case']}: {row['skipped']}")
    return "\n\n".join(found)


def _order(row):
    """By name, numbers by their value: the order in which workers end says nothing."""
    return [(not part.isdigit(), part.zfill(9)) for part in re.findall(r"\d+|\D+", row["case"])]


def _lie(case):
    role, tool, lie = re.fullmatch(r"([^:]+): ([^,]+), which \w+, (.*)", case).groups()
    return f"{role}: `{tool}`", lie


def _mapper(case):
    what, _, role = case.rpartition(", ")
    return (what, role) if what else (case, "thin pool")


def _race(case):
    what, _, _number = case.rpartition(", ")
    role, _, kind = what.partition(": ")
    return kind, role


def _inputs(rows):
    lines = ["| what | inputs | lost |", "|---|---|---|"]
    return "\n".join(lines + [f"| {r['case']} | {r['tried']:,} | {r['lost']} |" for r in rows])


def _predictions(rows):
    lines = ["| start | predicted | made | equal |", "|---|---|---|---|"]
    for row in rows:
        predicted, made = (", ".join(row[key]) or "nothing" for key in ("predicted", "actual"))
        equal = "**NO**" if not row["ok"] else "yes" if predicted == made else "to device mapper"
        lines.append(f"| {row['case']} | {predicted} | {made} | {equal} |")
    return "\n".join(lines)


def _kills(rows, well="equal"):
    lines = ["| moment | converged | dry run before | the rest took |", "|---|---|---|---|"]
    for row in rows:
        dry = well if not row["dry"] else f"**{', '.join(row['dry'])}**"
        case = row["case"].replace("|", "/")
        lines.append(f"| {case} | {'yes' if row['ok'] else '**NO**'} | {dry} | {row['took']} s |")
    return "\n".join(lines)


def versions(journal):
    """When and on what."""
    told = [
        f"Salt {salt.version.__version__}",
        _first("lvm", "version"),
        _first("blkid", "--version"),
    ]
    told += [
        _first("parted", "--version"),
        _first("uname", "-s") + " " + _first("uname", "-r").partition("-")[0],
        f"code {journal.key}",
    ]
    day = datetime.datetime.now(datetime.timezone.utc).date()
    return f"{day}, on {', '.join(filter(None, told))}."


def _first(*argv):
    try:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False).stdout
    except FileNotFoundError:
        return None
    return " ".join(said.split("\n")[0].split()).replace("LVM version: ", "lvm2 ")


def write(journal):
    """The whole into docs/proofs.md, the summary into the README."""
    head = f"# Proofs\n\nMade by `make prove`: {versions(journal)}\n\n{summary(journal)}\n\n"
    (ROOT / "docs/proofs.md").write_text(head + details(journal) + "\n")
    path = pathlib.Path(ROOT / "README.md")
    text = path.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    middle = f"{BEGIN}\nOf {versions(journal)}\n\n{summary(journal)}\n{END}"
    path.write_text(before + middle + after)
