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
    "disks that no tool knows": (
        "Disks that no tool knows",
        "refused likewise; once erased with the commands of the message, the disk is taken",
    ),
    "our own disks, damaged": (
        "Our own disks, damaged",
        "never made anew; the commands of the message bring every file back",
    ),
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
        clock_jumps,
        damaged_disks,
        device_mapper,
        dry_runs,
        hostile_input,
        lying_tools,
        many_agents,
        races,
        refusals,
        running_out,
        unknown_disks,
    )  # fmt: skip
    from .kills_of_hosts import Kills
    from .kills_of_roles_in_guests import GuestRoles

    known = {
        module.SECTION: module.cases()
        for module in (
            *(clock_jumps, lying_tools, races, refusals, running_out, dry_runs),
            *(damaged_disks, unknown_disks),
        )
    }
    known |= {hostile_input.SECTION: hostile_input.GROUPS, many_agents.SECTION: many_agents.CASES}
    known |= {device_mapper.SECTION: device_mapper.cases()}
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


def details(journal):
    """What was tried, by name; what failed, with its reason. The cases themselves are code."""
    found = []
    for section, (title, means) in SECTIONS.items():
        rows = sorted(journal.of(section), key=_order)
        if rows:
            tried, held = count(rows)
            told = f"Holding means: {means}. {held:,} of {tried:,} held."
            cut = sum(
                row["ok"] and row["predicted"] != row["actual"] for row in rows if "actual" in row
            )
            told += f" {cut} of them end at device mapper, which is not here." if cut else ""
            found.append(f"## {title}\n\n{told}\n\n{'; '.join(names(section, rows))}.")
            found += [
                f"- **{row['case']}**: {'; '.join(row['problems'])[:600]}"
                for row in rows
                if not row["ok"]
            ]
            found += [
                f"- not tried: {row['case']}: {row['skipped']}"
                for row in rows
                if row.get("skipped")
            ]
    return "\n\n".join(found)


def names(section, rows):
    """What a reader looks for: each thing once, without roles, numbers and moments."""
    short = _SHORT.get(section, lambda case: case)
    return list(dict.fromkeys(short(row["case"]).replace("|", "/") for row in rows))


def _moment(case):
    """Of `012 front: lvcreate ...`: the program or the call, whatever it works on."""
    return " ".join(case.partition(": ")[2].split()[:2]) or case


_SHORT = {
    "refusals": lambda case: case.rsplit(", ", 1)[0],
    "disks that no tool knows": lambda case: case.rsplit(", ", 1)[0],
    "lying tools": lambda case: re.fullmatch(r"([^:]+: [^,]+), which .*", case).group(1),
    "lying Docker": lambda case: case.split(", ", 1)[0],
    "races": lambda case: case.rpartition(", ")[0],
    "clock jumps": lambda case: case.rsplit(", ", 1)[0],
    "kills": _moment,
    "kills of roles in guests": _moment,
}


def _order(row):
    """By name, numbers by their value: the order in which workers end says nothing."""
    return [(not part.isdigit(), part.zfill(9)) for part in re.findall(r"\d+|\D+", row["case"])]


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
