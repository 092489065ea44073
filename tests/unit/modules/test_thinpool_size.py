import pytest
import yaml
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _thinpool_size

CASES = yaml.safe_load((ROOT / "tests/unit/cases/thinpool.yaml").read_text())
GIB, EXTENT = 1024**3, 4 * 1024**2


@pytest.mark.parametrize("name", CASES["sizes"])
def test_from_the_disk_to_its_parts(name):
    case = CASES["sizes"][name]
    extents = _thinpool_size.extents_of(case["disk"] * GIB)
    assert extents == case["extents"]
    assert _thinpool_size.sizes(extents, EXTENT, *case["percents"]) == {
        "data": case["data"],
        "metadata": case["metadata"],
        "spare": case["metadata"],
        "free": case["free"],
    }
    assert _thinpool_size.growth(case["data"], case["percents"] and 20) == case["growth"]


@pytest.mark.parametrize("name", CASES["too_small"])
def test_too_small(name):
    case = CASES["too_small"][name]
    with pytest.raises(CommandExecutionError, match=case["says"]):
        _thinpool_size.sizes(case["extents"], EXTENT, *case["percents"])


def test_the_least_disk_that_is_named_is_enough():
    least = 404 * 1024**2
    assert _thinpool_size.extents_of(least) == 100
    assert _thinpool_size.extents_of(least - EXTENT) == 99


def test_metadata_is_never_below_two_mebibytes():
    assert _thinpool_size.sizes(1000, 1024**2, 50, 1)["metadata"] == 10
    assert _thinpool_size.sizes(110, 1024**2, 50, 1)["metadata"] == 2


@pytest.mark.parametrize("disk", [0, 1, 1024**2, 2 * 1024**2])
def test_a_disk_with_no_room_at_all(disk):
    assert _thinpool_size.extents_of(disk) == 0


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("rest", [0, 1, 17, 511, 1024, 2049, 6143, 8191])
def test_a_partition_whose_end_is_aligned_holds_the_same_extents(rest, sector):
    # parted ends the partition at the last usable sector, or at the whole MiB before it.
    disk = 64 * 1024**2 + rest * 512
    usable = disk - 128 * 128 - sector
    aligned = usable // 1024**2 * 1024**2
    assert (usable - 2 * 1024**2) // EXTENT == (aligned - 2 * 1024**2) // EXTENT
    assert _thinpool_size.extents_of(disk, sector) == (usable - 2 * 1024**2) // EXTENT


@pytest.mark.parametrize("name", CASES["growth"])
def test_what_stands_in_the_way_of_growth(name):
    case = CASES["growth"][name]
    assert _thinpool_size.obstacles(*case["given"]) == case["says"]


@pytest.mark.parametrize("percent", [80, 81, 82, 95])
def test_what_is_advised_really_grows(percent):
    def notes(percent):
        parts = _thinpool_size.sizes(25599, 4194304, percent, 1)
        return _thinpool_size.obstacles(25599, parts["data"], parts["free"], 80, 20)

    said = notes(percent)
    assert bool(said) is (percent > 81)
    if said:
        advised = int(said[0].partition("data_percent ")[2].split()[0])
        assert notes(advised) == []
        assert notes(advised + 1)
