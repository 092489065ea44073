import copy

import pytest
import yaml
from fakes import ROOT
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _swapfile_plan

CASES = yaml.safe_load((ROOT / "tests/unit/cases/swapfile_plan.yaml").read_text())
PATH, MIB = "/data/swap/swapfile", 1024**2
IN_MIB = {"size", "allocated", "used", "free", "total", "memory"}
FILE = {
    "kind": "file",
    "size": 64,
    "mode": "0600",
    "owner": "root:root",
    "signature": "swap",
    "users": [],
    "context": None,
}
FULL = {
    "file": FILE,
    "leftover": {**FILE, "ours": True},
    "active": {"path": PATH, "size": 64, "used": 0, "deleted": False},
    "folder": {
        "path": "/data",
        "missing": ["/data/swap"],
        "private": True,
        "type": "xfs",
        "free": 500,
        "total": 1000,
    },
}
ENTRY = {
    "spec": PATH,
    "file": "none",
    "type": "swap",
    "options": "sw",
    "freq": 0,
    "passno": 0,
}
BARE = {
    "path": PATH,
    "file": None,
    "leftover": None,
    "active": None,
    "deleted": False,
    "fstab": [],
    "folder": FULL["folder"],
    "memory": 900,
    "selinux": False,
    "waits_for": None,
}


def in_bytes(tree):
    return {
        key: in_bytes(value)
        if isinstance(value, dict)
        else value * MIB
        if key in IN_MIB and value is not None
        else value
        for key, value in tree.items()
    }


def host(over):
    """A bare host with what the case says; a part that is named is complete otherwise."""
    seen = copy.deepcopy(BARE)
    for key, value in over.items():
        seen[key] = {**FULL[key], **value} if key in FULL else value
        if key in ("file", "leftover"):
            seen[key].setdefault("allocated", seen[key]["size"])
    seen["fstab"] = [{**ENTRY, **entry} for entry in over.get("fstab", [])]
    return in_bytes(seen)


@pytest.mark.parametrize("name", CASES["plans"])
def test_plan(name):
    case = CASES["plans"][name]
    assert _swapfile_plan.plan(PATH, 64 * MIB, host(case["seen"])) == case["changes"]


@pytest.mark.parametrize("name", CASES["refusals"])
def test_refusal(name):
    case = CASES["refusals"][name]
    with pytest.raises(CommandExecutionError) as caught:
        _swapfile_plan.plan(PATH, 64 * MIB, host(case["seen"]))
    assert case["says"] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["swapfile", "/", "/data/", "//data", "/a/../b", "/a b", "/a\\b", "/a\nb", ""]
)
def test_a_path_that_cannot_work_is_the_callers_error(path):
    with pytest.raises(SaltInvocationError, match="must be a full path"):
        _swapfile_plan.plan(path, 64 * MIB, host({}))


@pytest.mark.parametrize(("size", "shown"), [(0, "0 bytes"), (512 * 1024, "512K"), (MIB + 1, "10")])
def test_a_size_that_cannot_work_is_the_callers_error(size, shown):
    with pytest.raises(SaltInvocationError, match=f"at least 1M, not {shown}"):
        _swapfile_plan.plan(PATH, size, host({}))


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, None), (20 * 1024**3, "20G"), (1536 * MIB, "1536M"), (1024**4, "1T"), (5, "5 bytes")],
)
def test_sizes_are_written_exactly(size, text):
    assert _swapfile_plan.size_text(size) == text


def test_the_leftover_makes_room():
    seen = host({"leftover": {"size": 60}, "folder": {"free": 9, "total": 100}})
    assert _swapfile_plan.fits_beside(PATH, 64 * MIB, seen) is True


def test_beside_or_in_the_place_of_the_old_file():
    old = {"file": {"size": 32}}
    roomy = host({**old, "folder": {"free": 69, "total": 100}})
    tight = host({**old, "folder": {"free": 68, "total": 100}})
    assert _swapfile_plan.fits_beside(PATH, 64 * MIB, roomy) is True
    assert _swapfile_plan.fits_beside(PATH, 64 * MIB, tight) is False
