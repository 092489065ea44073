import pytest
import yaml
from disk_kit import MIB, formatted, found, part, signature
from fakes import ROOT, Salt, load
from salt.exceptions import CommandExecutionError, SaltInvocationError

CASES = yaml.safe_load((ROOT / "tests/unit/cases/datadisk_plan.yaml").read_text())
TWO = [signature("xfs"), signature("swap", 4086)]
DISKS = {
    "blank": found(),
    "label": found(table="gpt"),
    "small": found(size=100 * MIB),
    "foreign": found(signatures=[signature("xfs", 0, None, "photos")]),
    "partition": found(part()),
    "unread": found(part(path=None, devno=None)),
    "unread ext4": found(formatted("ext4", path=None, devno=None)),
    "busy": found(part(busy=True), busy=True),
    "ours": found(formatted()),
    "ours ext4": found(formatted("ext4")),
    "ours mine": found(formatted(label="mine")),
    "ours busy": found(formatted(busy=True), busy=True),
    "mounted": found(formatted(mounts=["/data"], busy=True), busy=True),
    "elsewhere": found(formatted(mounts=["/srv"], busy=True), busy=True),
    "held": found(part(holders=["/dev/mapper/crypt"])),
    "several": found(part(signatures=TWO)),
    "odd": found(part(signatures=[signature("odd\x1b")])),
    "unlisted": found(part(filesystem="xfs")),
}
RULES = load("_disk_refusals")
MOUNTED = {
    "devno": "254:17",
    "devnos": ["254:17"],
    "below": ["254:17", "254:16"],
    "root": "/",
    "point": "/data",
    "type": "xfs",
    "source": "/dev/vdb1",
    "uuid": "8d3c-11",
}


def plan(case):
    seen = {"mounted": None, "folder": "missing", "unfinished": False, "pool": False, "fstab": []}
    seen.update(case.get("seen", {}), disk=DISKS[case["disk"]], mark="rancher-data")
    seen["mount_point"] = "/data"
    seen["fstab"] = [entry(line) for line in seen["fstab"]]
    if seen["mounted"] is not None:
        seen["mounted"] = {**MOUNTED, **seen["mounted"]}
        seen["folder"] = None
    salt = {
        "_disk.stage": RULES.stage,
        "_disk_refusals.refusal": RULES.refusal,
        "_disk_refusals.printable": RULES.printable,
    }
    options = case.get("options", ["defaults", "nofail"])
    return load("_datadisk_plan", Salt(salt)).plan(
        seen, case.get("filesystem", "xfs"), "data", options
    )


def entry(line):
    (found,) = load("_fstab").parse(line)
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
    assert load("_datadisk_plan").line("/data", "8d3c", filesystem, options) == {
        "spec": "UUID=8d3c",
        "file": "/data",
        "type": filesystem,
        "options": written,
        "freq": 0,
        "passno": last,
    }
