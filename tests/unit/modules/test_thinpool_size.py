import pytest
import yaml
from fakes import ROOT, load
from salt.exceptions import CommandExecutionError

CASES = yaml.safe_load((ROOT / "tests/unit/cases/thinpool.yaml").read_text())
GIB, EXTENT = 1024**3, 4 * 1024**2
poolsize = load("_thinpool_size")


@pytest.mark.parametrize("name", CASES["sizes"])
def test_from_the_disk_to_its_parts(name):
    case = CASES["sizes"][name]
    extents = poolsize.extents_of(case["disk"] * GIB)
    assert extents == case["extents"]
    assert poolsize.sizes(extents, EXTENT, *case["percents"]) == {
        "data": case["data"],
        "metadata": case["metadata"],
        "spare": case["metadata"],
        "free": case["free"],
    }
    assert poolsize.growth(case["data"], case["percents"] and 20) == case["growth"]


@pytest.mark.parametrize("name", CASES["too_small"])
def test_too_small(name):
    case = CASES["too_small"][name]
    with pytest.raises(CommandExecutionError, match=case["says"]):
        poolsize.sizes(case["extents"], EXTENT, *case["percents"])


def test_the_least_disk_that_is_named_is_enough():
    least = 404 * 1024**2
    assert poolsize.extents_of(least) == 100
    assert poolsize.extents_of(least - EXTENT) == 99


def test_metadata_is_never_below_two_mebibytes():
    assert poolsize.sizes(1000, 1024**2, 50, 1)["metadata"] == 10
    assert poolsize.sizes(110, 1024**2, 50, 1)["metadata"] == 2


@pytest.mark.parametrize("disk", [0, 1, 1024**2, 2 * 1024**2])
def test_a_disk_with_no_room_at_all(disk):
    assert poolsize.extents_of(disk) == 0


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("rest", [0, 1, 17, 511, 1024, 2049, 6143, 8191])
def test_a_partition_whose_end_is_aligned_holds_the_same_extents(rest, sector):
    # parted ends the partition at the last usable sector, or at the whole MiB before it.
    disk = 64 * 1024**2 + rest * 512
    usable = disk - 128 * 128 - sector
    aligned = usable // 1024**2 * 1024**2
    assert (usable - 2 * 1024**2) // EXTENT == (aligned - 2 * 1024**2) // EXTENT
    assert poolsize.extents_of(disk, sector) == (usable - 2 * 1024**2) // EXTENT
