import re

import pytest
import yaml
from fake_pool import DISK, MIB, PART, SETTINGS
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _disk_marks
import _lvm
import _thinpool_look
import _thinpool_plan

CASES = yaml.safe_load((ROOT / "tests/unit/cases/thinpool.yaml").read_text())
ALL = ["partition", "physical volume", "volume group", "data volume", "metadata volume", "pool"]
WANT = _thinpool_look.wanted(SETTINGS)


def seen(case):
    """What _thinpool_look.observe would return for a case."""
    label = case.get("part_label", WANT["mark"])
    kinds = case.get("kinds", ["LVM2_member"])
    part = {
        "path": PART,
        "label": label,
        "mark": _disk_marks.of(label),
        "finished": _disk_marks.finished(label),
        "size": 20478 * MIB,
        "signatures": [{"type": kind} for kind in kinds],
        "mounts": case.get("mounts", []),
        "holders": [],
        "busy": case.get("busy", False),
    }
    size = case.get("size", 20480 * MIB)
    bare = case.get("stage") in ("blank", "label") or "ext4" in case.get("unfit", "")
    disk = {"asked": DISK, "path": DISK, "size": size, "sector": 512, "serial": "pool"}
    lines = {kind: "\n".join(case.get(kind, [])) for kind in ("pvs", "vgs", "lvs")}
    if "sick" in case:
        lines = {kind: "\n".join(CASES["lines"][kind.rstrip("s")]) for kind in ("pvs", "vgs")}
        lines["lvs"] = CASES["lines"]["pool"].replace("twi-a-t---", case["sick"])
    lists = {kind: _lvm.parse(text, _lvm._FIELDS[kind]) for kind, text in lines.items()}
    for row in lists["pvs"]:
        row["path"] = row["pv_name"]
    version = case.get("version", [2, 3, 16])
    return {
        "disk": {**disk, "partitions": [] if bare or part["label"] is None else [part]},
        "stage": case.get("stage"),
        "unfit": case.get("unfit"),
        "lvm": {"version": version, "doubts": case.get("doubts", []), **lists},
        "begun": case.get("begun", False),
        "behind": case.get("behind"),
        "members": case.get("members", []),
        "signatures": case.get("signatures", {}),
        "backup": case.get("backup"),
        "docker": case.get("docker"),
        "profile": case.get("profile", WANT["profile_text"]),
        "target": case.get("target", True),
        "missing": [],
    }


@pytest.mark.parametrize("name", CASES["states"])
def test_state(name):
    case = CASES["states"][name]
    found = _thinpool_plan.detect(seen(case), WANT)
    assert found["state"] == case["state"], found["refusal"]
    assert (found["refusal"] is None) == ("refusal" not in case), found["refusal"]
    if "refusal" in case:
        assert re.search(case["refusal"], found["refusal"])
        assert "\n" not in found["refusal"]
        with pytest.raises(CommandExecutionError) as caught:
            _thinpool_plan.plan(seen(case), WANT)
        assert str(caught.value) == found["refusal"]
    else:
        steps = [*ALL, "attachment", "monitoring"] if case["steps"] == "all" else case["steps"]
        assert list(_thinpool_plan.plan(seen(case), WANT)) == steps


def test_every_state_has_its_case():
    states = {case["state"] for case in CASES["states"].values()}
    names = (
        "P0 P0x P1 P2 P2x P3 P3x P4 P4v P4x P5 P5x P6 P6m P6x P7 P7s P8 P8x P9 P9f P10 P11 P12 P13"
    )
    assert states - {None} == set(names.split())


def test_a_refusal_names_the_disk_by_all_its_names():
    refusal = _thinpool_plan.detect(seen(CASES["states"]["P12 failed"]), WANT)["refusal"]
    assert refusal.startswith(
        "Refusing to touch /dev/vdc (20 GiB, serial pool): pool docker/thinpool"
    )


def test_sizes_follow_the_extents_of_a_group_that_was_taken_over():
    case = {**CASES["states"]["P5 empty volume group"]}
    case["vgs"] = ["docker|q|wz--n-|rancher-docker-pool|33554432|639|639"]
    changes = _thinpool_plan.plan(seen(case), WANT)
    assert changes["data volume"]["new"] == "docker/thinpool, 511 extents"
    assert changes["metadata volume"]["new"] == "docker/thinpoolmeta, 6 extents"


def test_the_parts_are_foretold_alike_from_disk_partition_and_group():
    texts = [
        {key: _thinpool_plan.plan(seen(CASES["states"][name]), WANT)[key] for key in ALL[3:]}
        for name in ("P0 blank", "P3 typed and empty", "P4v begun", "P5 empty volume group")
    ]
    assert texts[0] == texts[1] == texts[2] == texts[3]
