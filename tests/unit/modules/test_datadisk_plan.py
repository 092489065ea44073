import pytest
import yaml
from disk_kit import MIB, formatted, found, part, signature
from fakes import ROOT
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _datadisk_plan
import _fstab

CASES = yaml.safe_load((ROOT / "tests/unit/cases/datadisk_plan.yaml").read_text())
FOUND = {"offset": 4096, "hits": 3, "samples": 16352}
TWO = [signature("xfs"), signature("swap", 4086)]
DISKS = {
    "blank": found(),
    "label": found(table="gpt"),
    "unused": found(part("rancher-data", unused=True)),
    "shrunk": found(formatted(), shrunk=2048 * MIB),
    "shrunk and mounted": found(
        formatted(mounts=["/data"], busy=True), busy=True, shrunk=2048 * MIB
    ),
    "half made": found(part(content=FOUND)),
    "complete": found(formatted(name="rancher-data-new")),
    "complete and mounted": found(
        formatted(name="rancher-data-new", mounts=["/data"], busy=True), busy=True
    ),
    "lost": found(part("rancher-data", content=FOUND)),
    "lost ext4": found(part("rancher-data", content=FOUND, backup={"block": 8193, "size": 1024})),
    "being made, ext4": found(formatted("ext4", name="rancher-data-new")),
    "being made, mine": found(formatted(label="mine", name="rancher-data-new")),
    "small": found(size=100 * MIB),
    "foreign": found(signatures=[signature("xfs", 0, None, "photos")]),
    "partition": found(part()),
    "unread": found(part(path=None, devno=None)),
    "unread ext4": found(formatted("ext4", name="rancher-data-new", path=None, devno=None)),
    "busy": found(part(busy=True), busy=True),
    "ours": found(formatted()),
    "ours ext4": found(formatted("ext4")),
    "ours mine": found(formatted(label="mine")),
    "ours busy": found(formatted(name="rancher-data-new", busy=True), busy=True),
    "mounted": found(formatted(mounts=["/data"], busy=True), busy=True),
    "elsewhere": found(formatted(mounts=["/srv"], busy=True), busy=True),
    "held": found(part(holders=["/dev/mapper/crypt"])),
    "several": found(part(signatures=TWO)),
    "odd": found(part(signatures=[signature("odd\x1b")])),
    "unlisted": found(part(filesystem="xfs")),
}
MOUNTED = {
    "devno": "254:17",
    "devnos": ["254:17"],
    "below": ["254:17", "254:16"],
    "root": "/",
    "point": "/data",
    "type": "xfs",
    "source": "/dev/vdb1",
    "uuid": "8d3c-11",
    "hidden": False,
}


def plan(case):
    seen = {"mounted": None, "folder": "missing", "unfinished": False, "pool": False}
    seen |= {"fstab": [], "elsewhere": {}, "copies": []}
    seen.update(case.get("seen", {}), disk=DISKS[case["disk"]], mark="rancher-data")
    seen["mount_point"] = "/data"
    seen["fstab"] = [entry(line) for line in seen["fstab"]]
    ours = ["UUID=8d3c-11", *case.get("ours", [])]
    seen["ours"] = [each for each in seen["fstab"] if each["spec"] in ours]
    if seen["mounted"] is not None:
        seen["mounted"] = {**MOUNTED, **seen["mounted"]}
        seen["folder"] = None
    options = case.get("options", ["defaults", "nofail"])
    return _datadisk_plan.plan(seen, case.get("filesystem", "xfs"), "data", options)


def entry(line):
    (found,) = _fstab.parse(line)
    return found


@pytest.mark.parametrize("name", CASES["plans"])
def test_plans(name):
    case = CASES["plans"][name]
    changes = plan(case)
    assert changes == case["changes"]
    assert list(changes) == list(case["changes"])


@pytest.mark.parametrize("name", CASES["refusals"])
def test_refusals(name):
    case = CASES["refusals"][name]
    with pytest.raises(CommandExecutionError) as info:
        plan(case)
    assert case["words"] in str(info.value)
    assert str(info.value).startswith("Refusing to touch /dev/vdb (asked for as /dev/disk/by-id/")
    assert "Nothing was written." in str(info.value)
    assert "\n" not in str(info.value)


def test_another_file_system_is_a_mistake_of_the_caller():
    with pytest.raises(SaltInvocationError, match="the file system is 'btrfs'"):
        plan({"disk": "blank", "filesystem": "btrfs"})


@pytest.mark.parametrize(
    ("filesystem", "options", "written", "last"),
    [("xfs", [], "defaults", 0), ("ext4", ["ro", "nofail"], "ro,nofail", 2)],
)
def test_the_line_for_fstab(filesystem, options, written, last):
    assert _datadisk_plan.line("/data", "8d3c", filesystem, options) == {
        "spec": "UUID=8d3c",
        "file": "/data",
        "type": filesystem,
        "options": written,
        "freq": 0,
        "passno": last,
    }


@pytest.mark.parametrize(
    ("disk", "path"), [("/dev/vdb", "/dev/vdb1"), ("/dev/nvme0n1", "/dev/nvme0n1p1")]
)
def test_the_repair_of_a_partition_that_the_kernel_has_not_read_named_the_disk(disk, path):
    command = _datadisk_plan._repair({"path": disk}, part("rancher-data", path=None), "xfs")
    assert command == f"blockdev --rereadpt {disk}; xfs_repair {path}"
