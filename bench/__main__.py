"""`python -m bench`: measure, print the table, write it to docs/benchmark.md."""

import argparse
import contextlib
import datetime
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

from fakes import ROOT
from functional import hosts
from lab.process import LabError, run

from bench import figures, sampling
from bench.fleet import Fleet
from bench.stage import ANSIBLE, Stage

LINE = "3006.28"
PARTS = ("no-op", "first", "fleet")
FLEETS = [1, 5, 20, 50, 100]
# No fleet begins to grow later than this many seconds after the start: the whole takes 15 minutes.
GROWS = 500


def say(text):
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def converged(folder, line):
    """A stage whose host has converged, in every way that leaves something behind there."""
    stage = Stage(folder, line).__enter__()
    try:
        stage.start_minion()
        stage.via_minion("state.apply", "common")
    except BaseException:
        stage.__exit__()
        raise
    return stage


def jobs(stage):
    """{(way, job): what runs it}."""
    salt = {"minion": stage.via_minion, "salt-call": stage.via_call, "salt-ssh": stage.via_ssh}
    for way, via in salt.items():
        yield (way, "ping"), lambda via=via: via("test.ping")
        yield (way, "common"), lambda via=via: via("state.apply", "common")
    yield ("ansible", "common"), stage.via_ansible
    yield ("mitogen", "common"), lambda: stage.via_ansible(mitogen=True)
    yield ("pyinfra", "common"), stage.via_pyinfra


def no_op(stage, repeat):
    """Sections of the report on runs without changes."""
    stage.prepare_for_ansible()
    todo = dict(jobs(stage))
    for key, job in todo.items():
        say(f"warming up {' '.join(key)}")
        job()
    before = stage.look()
    costs = {key: [] for key in todo}
    for number in range(repeat):
        for key, job in todo.items():  # in turns, so that a busy machine is busy for all
            cost, _ = sampling.measured(job, stage.trees)
            unchanged(stage, before, key)
            costs[key].append(cost)
            say(
                f"no-op {number + 1}/{repeat} {' '.join(key)}: {cost.wall:.2f} s, {cost.cpu:.2f} s of CPU"
            )
    costs = {key: figures.median(each) for key, each in costs.items()}
    yield "No-op `common` on a converged host"
    yield f"{figures.repeated(repeat)}, taken in turns. CPU is that of every process that took part."
    rows = [[way, job, f"{c.wall:.2f}", f"{c.cpu:.2f}"] for (way, job), c in costs.items()]
    yield figures.markdown(["way", "job", "seconds", "CPU seconds"], rows)
    for part, word in (("wall", "on the clock"), ("cpu", "of CPU")):
        aims = list(figures.no_op_aims(costs, part))
        yield figures.markdown(
            [f"aim, seconds {word}", "found", "wanted", "met"], [aim.row() for aim in aims]
        )
    yield from one_run(stage)


def unchanged(stage, before, key):
    """Raises LabError when a run changed a file: that is no run without changes."""
    changed = sorted(before ^ stage.look())
    if changed:
        raise LabError(f"{' '.join(key)} changed {changed[0].split()[0]}")


def one_run(stage):
    def job():
        stage.via_minion("state.apply", "common")

    say("processes and memory of one run")
    count = sampling.processes(job, [stage.minion], stage.folder)
    rest, most = sampling.memory([stage.minion]), sampling.peak(job, [stage.minion])
    yield "Processes and memory of one run through a minion"
    yield figures.markdown(
        ["aim", "found", "wanted", "met"], [figures.Aim("processes started", count, 30).row()]
    )
    rows = [["at rest", rest >> 20], ["at most during the run", most >> 20]]
    yield figures.markdown(["memory of the minion (PSS)", "MiB"], rows)


def first(folder, line, repeat):
    """Sections on the first converge beside a script of the same commands."""
    costs = {"script": [], "common": [], "floor": []}
    for number in range(repeat):
        say(f"first converge {number + 1}/{repeat}")
        with Stage(folder / f"script{number}", line) as stage:
            costs["script"].append(sampling.measured(stage.via_script, [stage.leader])[0])
        with Stage(folder / f"common{number}", line) as stage:
            stage.start_minion()
            costs["floor"].append(
                sampling.measured(lambda s=stage: s.via_minion("test.ping"), stage.trees)[0]
            )
            apply = lambda s=stage: s.via_minion("state.apply", "common")  # noqa: E731
            costs["common"].append(sampling.measured(apply, stage.trees)[0])
    costs = {key: figures.median(each) for key, each in costs.items()}
    yield "First `common` on a bare host, through a minion that never synced"
    yield f"{figures.repeated(repeat, 'bare host')}; the script is `bench/first.sh`."
    rows = [[what, f"{c.wall:.2f}", f"{c.cpu:.2f}"] for what, c in costs.items()]
    yield figures.markdown(["what", "seconds", "CPU seconds"], rows)
    aims = [
        figures.Aim(
            f"common over 1.2 scripts and the floor, {word}",
            getattr(costs["common"], part)
            / (1.2 * getattr(costs["script"], part) + getattr(costs["floor"], part)),
            1,
        )
        for part, word in (("wall", "seconds"), ("cpu", "CPU"))
    ]
    yield figures.markdown(["aim", "found", "wanted", "met"], [aim.row() for aim in aims])


def fleet(stage, sizes, repeat, until):
    """Sections on one master with many minions; `until`: when none begins to grow any more."""
    minions = Fleet(stage)
    stage.host.must(["systemctl", "stop", "salt-minion"])
    others = sampling.memory([stage.leader])
    rows, cpu = [], {}
    for size in sizes:
        if not sampling.affordable(size, minions.size, sampling.available()):
            rows.append([size, "not enough memory left", *[""] * 4])
            continue
        if time.monotonic() > until:
            rows.append([size, "no time left", *[""] * 4])
            continue
        say(f"growing the fleet to {size}")
        try:
            minions.grow(size)
            times = range(repeat if size <= 20 else 1)
            costs = [minions.cost() for _ in times]
            floor = figures.median([minions.floor() for _ in times])
        except LabError as exc:
            say(str(exc))
            rows.append([size, f"failed: {str(exc)[:80]}", *[""] * 4])
            break
        cost = figures.median(costs)
        cpu[size] = cost.cpu / size
        memory = minions.memory(others) / 2**20
        rows.append(
            [
                size,
                f"{cost.wall:.1f}",
                f"{cost.wall / size:.2f}",
                f"{cpu[size]:.2f}",
                f"{floor.cpu / size:.2f}",
                f"{memory:.0f}",
            ]
        )
        say(f"fleet {rows[-1]}")
    yield "One master, many minions on one machine: no-op `common`"
    yield f"{figures.repeated(repeat)}{', above 20 minions one run' if repeat > 1 else ''}."
    heading = [
        "minions",
        "seconds",
        "seconds per minion",
        "CPU seconds per minion",
        "of a ping",
        "MiB per minion (PSS)",
    ]
    yield figures.markdown(heading, rows)
    if len([size for size in cpu if size >= 5]) > 1:
        aim = figures.Aim(
            f"CPU per minion from 5 to {max(cpu)}, departs by", figures.flatness(cpu), 0.2
        )
        yield figures.markdown(["aim", "found", "wanted", "met"], [aim.row()])


def machine(line):
    with open("/proc/cpuinfo") as text:
        model = next(
            (row.partition(":")[2].strip() for row in text if "model name" in row),
            platform.machine(),
        )
    pip = run([ANSIBLE / "bin/pip", "freeze"], timeout=60).stdout.split()
    others = [name for name in pip if name.startswith(("ansible-core=", "mitogen=", "pyinfra="))]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    head = run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], timeout=10, check=False
    ).stdout.strip()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    return [
        f"- {datetime.datetime.now():%Y-%m-%d %H:%M}, tree at {head or 'no commit'}",
        f"- {os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}",
        f"- Salt {line}, Python {platform.python_version()}, {', '.join(others)}",
        f"- load of the machine at the start (1, 5, 15 minutes): {load}",
        "- hosts: Debian 12 with systemd in namespaces, without disks: data disk, swap and thin pool are left out",
    ]


def main():
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="to try: 2 repetitions, at most 20 minions"
    )
    parser.add_argument("--repeat", type=int, help="repetitions (5; of a first converge 3)")
    parser.add_argument("--fleets", type=int, nargs="+", help=f"numbers of minions {FLEETS}")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--line", default=LINE, help="Salt version, one of the virtualenvs")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/benchmark.md")
    options = parser.parse_args()
    if hosts.missing():
        parser.exit(1, f"no hosts here: {hosts.missing()}\n")
    repeat = options.repeat or (2 if options.quick else 5)
    start = time.monotonic()
    fleets = options.fleets or (FLEETS[:3] if options.quick else FLEETS)
    text = ["# Benchmark", "Written by `make bench`.", "\n".join(machine(options.line))]
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        folder = pathlib.Path(work)

        def add(sections):
            for number, section in enumerate(sections):
                starts = not section.startswith("|") and (
                    number == 0 or section.startswith("Processes and")
                )
                text.append(f"## {section}" if starts else section)
            options.output.write_text("\n\n".join(text) + "\n")

        with contextlib.ExitStack() as stack:
            if {"no-op", "fleet"} & set(options.parts):
                stage = converged(folder / "converged", options.line)
                stack.callback(stage.__exit__)
            if "no-op" in options.parts:
                add(no_op(stage, repeat))
            if "first" in options.parts:
                add(first(folder / "first", options.line, min(repeat, 3)))
            if "fleet" in options.parts:
                add(fleet(stage, fleets, min(repeat, 3), start + GROWS))
    took = (time.monotonic() - start) / 60
    text[2] += f"\n- all of it took {took:.0f} minutes"
    options.output.write_text("\n\n".join(text) + "\n")
    print(options.output.read_text())


if __name__ == "__main__":
    try:
        main()
    except (LabError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
