import pytest
import yaml
from fakes import ROOT, copy

FINE = {"pool_data": 41.0, "pool_metadata": 2.0, "conntrack": None}


class Beacon:
    def __init__(self, config=()):
        self.seen, self.config = dict(FINE), list(config)
        # Each minion loads its own, which remembers what it told last.
        salt = {"capacity.measures": lambda: self.seen}
        self.module = copy("_beacons/rancher_capacity", __salt__=salt)

    def look(self, **seen):
        self.seen.update(seen)
        return [(e["tag"], e["state"], e["percent"]) for e in self.module.beacon(self.config)]


def test_only_a_crossing_is_told():
    beacon = Beacon()
    assert beacon.look() == []
    assert beacon.look(pool_data=84.9) == []
    assert beacon.look(pool_data=85.0) == [("pool_data", "over", 85.0)]
    assert beacon.look(pool_data=88.0) == beacon.look(pool_data=99.0) == []
    assert beacon.look(pool_data=83.5) == [], "on the threshold it must not flap"
    assert beacon.look(pool_data=82.0) == [("pool_data", "back", 82.0)]
    assert beacon.look(pool_data=84.0) == []


def test_each_measure_stands_for_itself():
    beacon = Beacon([{"pool_metadata": 50}, {"conntrack": 70}, {"interval": 5}])
    assert beacon.look(pool_metadata=60.0, conntrack=70.1) == [
        ("pool_metadata", "over", 60.0),
        ("conntrack", "over", 70.1),
    ]
    assert beacon.look(pool_data=86.0) == [("pool_data", "over", 86.0)]


def test_that_it_cannot_look_is_told_once():
    beacon = Beacon()
    beacon.seen["pool_data"] = "LVM doubts its own lists"
    (event,) = beacon.module.beacon([])
    assert event == {
        "tag": "pool_data",
        "measure": "pool_data",
        "state": "unknown",
        "percent": None,
        "threshold": 85,
        "reason": "LVM doubts its own lists",
    }
    assert beacon.look() == []
    assert beacon.look(pool_data=90.0) == [("pool_data", "over", 90.0)]


def test_a_pool_that_is_gone_is_not_full():
    beacon = Beacon()
    beacon.look(pool_data=90.0)
    assert beacon.look(pool_data=None) == [("pool_data", "back", None)]


def test_the_thresholds_come_before_dockers_limit():
    module = Beacon().module
    assert module.DEFAULTS["pool_data"] < 90 > module.DEFAULTS["pool_metadata"]
    assert module.validate([{"pool_data": 89}])[0] is True
    assert module.validate([{"pool_data": 90}]) == (
        False,
        "rancher_capacity: pool_data is 90, allowed: 1 to 89",
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"pool_data": 5}, "no list"),
        (["pool_data"], "no list"),
        (None, "no list"),
        ([{"pool": 5}], "pool is not known; known: pool_data, pool_metadata, conntrack"),
        ([{"conntrack": "80"}], "conntrack is '80', allowed: a number"),
        ([{"conntrack": True}], "conntrack is True"),
        ([{"conntrack": 0}], "conntrack is 0, allowed: 1 to 99"),
        ([{"pool_metadata": None}], "pool_metadata is None"),
    ],
)
def test_a_wrong_configuration(config, words):
    right, text = Beacon().module.validate(config)
    assert right is False and words in text


def test_the_example_is_valid():
    example = yaml.safe_load((ROOT / "pillar/example_watch.sls").read_text())
    assert Beacon().module.validate(example["beacons"]["rancher_capacity"])[0] is True
    assert Beacon().module.validate([])[0] is True
