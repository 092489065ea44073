"""
`make prove`: try everything that has not been proven for this code yet, and print the tables.

    python -m prove                        # all of it; begins where it was stopped
    python -m prove refusals "dry runs"    # only these
    python -m prove --minutes 20           # until then
    python -m prove --again                # forget what was proven before
"""

import argparse
import contextlib
import os
import signal
import sys
import time

from . import (
    clock_jumps,
    damaged_disks,
    dry_runs,
    hostile_input,
    jobs,
    kills_of_disks,
    kills_of_docker,
    kills_of_roles,
    lying_daemon,
    lying_tools,
    many_agents,
    races,
    refusals,
    report,
    running_out,
    unknown_disks,
)
from .journal import Journal

IN_GUESTS = ("device mapper", "kills", "kills of roles in guests")
HERE = (
    refusals,
    unknown_disks,
    damaged_disks,
    lying_tools,
    hostile_input,
    dry_runs,
    races,
    running_out,
    clock_jumps,
    many_agents,
    kills_of_disks,
    kills_of_docker,
    kills_of_roles,
    lying_daemon,
)


def main():
    words = argparse.ArgumentParser(prog="prove", description=__doc__.split("\n")[1])
    words.add_argument("section", nargs="*", help=f"of: {', '.join(report.SECTIONS)}")
    words.add_argument("--minutes", type=float, default=120)
    words.add_argument("--again", action="store_true")
    words.add_argument("--write", action="store_true", help="put the tables into README and docs")
    given = words.parse_args()
    unknown = set(given.section) - set(report.SECTIONS)
    if unknown:
        known = ", ".join(report.SECTIONS)
        words.error(f"no such section: {', '.join(sorted(unknown))}; there are: {known}")
    # A run that is stopped takes its disks and its guest with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if os.getuid() != 0:
        sys.exit("prove: needs root, for loop devices")
    journal = Journal()
    if given.again:
        journal.forget(given.section or report.SECTIONS)
    whole = prove(journal, given.section or list(report.SECTIONS), given.minutes)
    print(f"\n{report.versions(journal)}\n\n{report.summary(journal)}")
    if given.write:
        report.write(journal)
    failed = [
        f"{section}: {case}" for (section, case), row in journal.rows.items() if not row["ok"]
    ]
    for line in failed:
        print(f"does not hold: {line}", file=sys.stderr)
    return 1 if failed or not whole else 0


def prove(journal, sections, minutes):
    """Try them all; False when a guest broke off."""
    began = time.monotonic()

    def say(section, case, row):
        clock = f"{(time.monotonic() - began) / 60:5.1f} min"
        verdict = "holds" if row["ok"] else "DOES NOT HOLD"
        print(f"{clock}  {section}: {case}: {verdict}", flush=True)
        for problem in row.get("problems", ()):
            print(f"           {problem}", flush=True)

    def over():
        return time.monotonic() - began > minutes * 60

    with in_guests([section for section in IN_GUESTS if section in sections], say, over) as guests:
        # Most of what runs here waits most of its time.
        for module in HERE:
            if module.SECTION in sections:
                workers = getattr(module, "WORKERS", jobs.WORKERS)
                jobs.carry_out(module.SECTION, module.jobs(), journal, say, over, workers)
    journal.read()
    broken = any(guest.exitcode for guest in guests)
    if broken:
        print("prove: a guest broke off; what it said is above", file=sys.stderr)
    return not broken


@contextlib.contextmanager
def in_guests(sections, say, over, count=2):
    """What needs whole hosts, shared out to guests that work beside what stands in here."""
    running = [
        jobs.FORK.Process(target=_guest, args=(sections, say, over, (number, count)))
        for number in range(count if sections else 0)
    ]
    try:
        for process in running:
            process.start()
        yield running
        for process in running:
            process.join()
    finally:
        for process in running:
            process.terminate()
            process.join(120)


def _guest(sections, say, over, share):
    from lab import Lab, Recipe
    from lab.image import PACKAGES

    from .device_mapper import Mapper
    from .host import Host
    from .kills_of_hosts import Kills
    from .kills_of_roles_in_guests import GuestRoles

    name = os.environ.get("LAB_NAME", "prove")
    recipe = Recipe(installed=PACKAGES)
    with Lab(f"{name}-{share[0] + 1}", recipe=recipe, cgroup=1) as lab:
        given = Host(lab), Journal(), say, share
        kills = Kills(*given)
        if "device mapper" in sections:
            Mapper(kills).run(over)
        if "kills" in sections:
            kills.run(over)
        if "kills of roles in guests" in sections:
            GuestRoles(*given).run(over)


if __name__ == "__main__":
    sys.exit(main())
