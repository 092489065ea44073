"""A slice of `make prove`, small enough for every change; the whole takes up to two hours."""

import contextlib
import os
import shutil

import pool_kit
import pytest
from prove import (
    clock_jumps,
    damaged_disks,
    dry_runs,
    hostile_input,
    kills_of_disks,
    kills_of_docker,
    kills_of_roles,
    lying_daemon,
    lying_tools,
    many_agents,
    races,
    refusals,
    running_out,
    unknown_disks,
)  # fmt: skip

from . import hosts

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and mounts"),
    pytest.mark.skipif(not shutil.which("lvm"), reason="needs lvm2"),
]


@pytest.mark.parametrize(
    ("case", "role"),
    [
        *((case, "thin pool") for case in ("luks", "foreign volume group", "ext4 at 1 MiB")),
        ("mounted", "thin pool"),
        ("active swap in a partition", "thin pool"),
        ("our own partition, not the disk", "data disk"),
        ("a drive without a medium", "thin pool"),
        (refusals.BENT, "thin pool"),
    ],
)
def test_refused(case, role):
    assert refusals.tried(case, role) == {"problems": [], "skipped": None}


@pytest.mark.parametrize(
    ("case", "role"),
    [
        ("noise in 20 places", "data disk"),
        ("noise in 20 places", "thin pool"),
        ("ext4 without its first 4 KiB", "thin pool"),
        ("ldm without its mbr", "data disk"),
        ("one byte at the end", "data disk"),
        ("an empty gpt and data behind it", "thin pool"),
    ],
)
def test_a_disk_that_no_tool_knows_is_refused(case, role):
    assert unknown_disks.tried(case, role) == {"problems": [], "skipped": None}


@pytest.mark.parametrize(
    "case",
    [
        "xfs without its first sector",
        "ext4 without its first 4 KiB",
        "the first MiB with the table, xfs",
        "its name leads to a blank disk",
    ],
)
def test_our_own_disk_that_is_damaged_is_repaired_by_its_message(case):
    assert damaged_disks.tried(case) == {"problems": [], "skipped": None}


@pytest.mark.parametrize(
    ("role", "tool", "kind", "lie"),
    [
        ("thin pool", "pvs", "looks", "exits with 5"),
        ("thin pool", "vgs", "looks", "hangs"),
        ("thin pool", "lvs", "looks", "says half"),
        ("thin pool", "lvm", "looks", "talks nonsense"),
        ("thin pool", "vgcreate", "acts", "is missing"),
        ("data disk", "wipefs", "looks", "warns and tells the truth"),
        ("swap file", "blkid", "looks", "complains and says nothing"),
        ("swap file", "mkswap", "acts", "is killed"),
    ],
)
def test_a_tool_that_lies(role, tool, kind, lie):
    assert lying_tools.attempt(role, tool, kind, lie) == []


@pytest.mark.parametrize(
    ("subject", "start"),
    [
        ("data disk, xfs", "unfinished"),
        ("data disk, ext4", "by_hand"),
        ("thin pool", "metadata_only"),
        ("swap file, first", "holes"),
        ("swap file, in place", "killed at point 3 of 11"),
    ],
)
def test_the_dry_run_tells_the_truth(subject, start):
    problems, predicted, _ = dry_runs.attempt(subject, start)
    assert problems == []
    assert predicted


@pytest.mark.parametrize("role", races.ACTS)
@pytest.mark.parametrize("kind", races.KINDS)
def test_two_runs(role, kind):
    assert races.attempt(role, kind) == []


@pytest.mark.parametrize(
    ("subject", "number", "how", "seconds"),
    [
        ("data disk, ext4", 3, "at 50 %", 0.1),
        ("data disk, ext4", 6, "behind", 0),
        ("thin pool", 8, "behind", 0),
        ("thin pool", 9, "at 50 %", 0.1),
        ("swap file, in place", 4, "behind", 0),
    ],
)
def test_killed(subject, number, how, seconds):
    assert list(kills_of_disks.attempt(subject, number, how, seconds)) == []


@pytest.mark.parametrize("how", ["label", "text", "announced"])
def test_a_vgcreate_that_was_killed_in_its_middle_left_a_volume_marked_in_use(how):
    with kills_of_disks.subject_of("thin pool") as (it, _):
        assert it.killed(10)
        part = it.disk.partitions()[0]
        assert it.tree.plan(it.disk.path)["state"] == "P5"
        pool_kit.unfinished(part, how)
        it.steps().clear()
        state, dry = it.state(), it.apply(test=True)
        assert dry["result"] is None
        assert [*dry["changes"]][:2] == ["physical volume", "volume group"]
        assert it.state() == state and it.steps() == []
        real = it.apply()
        assert it.right(dry["changes"], real), real["comment"]
        assert it.steps()[:2] == [f"wipefs -a {part}", f"pvcreate --dataalignment 1m {part}"]
        (row,) = it.tree.lists()["vgs"]
        promised = dry["changes"]["volume group"]["new"]
        assert promised.startswith(f"docker, {row['vg_extent_count']} extents of 4 MiB")
        assert row["vg_tags"] == pool_kit.MARK
        assert it.tree.plan(it.disk.path)["state"] == "P7"


@pytest.mark.skipif(bool(hosts.missing()), reason=str(hosts.missing()))
def test_killed_in_the_middle_of_apt():
    assert list(kills_of_docker.attempt("from bare", 9, "at 50 %", 2.5)) == []


@pytest.mark.skipif(bool(kills_of_roles.lacking()), reason=str(kills_of_roles.lacking()))
def test_killed_roles():
    chosen = ("server, another version 06", "agent 07")
    tried = 0
    with contextlib.closing(kills_of_roles.jobs()) as cases:
        for case, attempt in cases:
            if "not disturbed" in case or case.startswith(chosen):
                tried += 1
                assert (case, list(attempt())) == (case, [])
    assert tried == 5


@pytest.mark.skipif(bool(kills_of_roles.lacking()), reason=str(kills_of_roles.lacking()))
def test_a_docker_that_lies():
    chosen = {
        "a server: /containers/rancher-server/json, says null",
        "a member: /containers/json, tells of another shape",
        "a server to come: /containers/create, breaks off",
        "a member that leaves: /volumes, talks nonsense",
    }
    tried = set()
    with contextlib.closing(lying_daemon.jobs()) as cases:
        for case, attempt in cases:
            if case in chosen:
                tried.add(case)
                assert (case, list(attempt())) == (case, [])
    assert tried == chosen


def test_many_agents():
    assert list(many_agents.attempt([], count=10)) == []


@pytest.mark.parametrize("jump", clock_jumps.JUMPS)
def test_the_clock_jumps(jump):
    # In a process that ends with its clock.
    with clock_jumps.many_agents.FORK.Pool(1) as pool:
        assert pool.apply(clock_jumps.tried, ("back and forth while it waits", jump)) == []


@pytest.mark.parametrize("name", running_out.cases())
def test_running_out(name):
    assert list(running_out.cases()[name]()) == []


# The one that is left out waits for slow servers more than all the others together.
@pytest.mark.parametrize(
    "name", [n for n in hostile_input.GROUPS if n != "broken answers of the API"]
)
def test_hostile_input(name, monkeypatch):
    monkeypatch.setattr(hostile_input, "MANY", 100)
    monkeypatch.setattr(hostile_input, "SOME", 20)
    monkeypatch.setattr(hostile_input, "SURPRISES", hostile_input.SURPRISES[::6])
    tried, lost = [], []
    hostile_input.GROUPS[name](tried, lost)
    assert tried and lost == []
