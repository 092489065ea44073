import pytest
import yaml
from fake_pool import SETTINGS, Host
from fakes import ROOT, Salt, load

CASES = yaml.safe_load((ROOT / "tests/unit/cases/thinpool.yaml").read_text())


@pytest.mark.parametrize("name", CASES["growth"])
def test_growth(name):
    case = CASES["growth"][name]
    salt = Salt({"_thinpool_size.growth": load("_thinpool_size").growth})
    assert load("_thinpool_advice", salt).growth(*case["given"]) == case["says"]


@pytest.mark.parametrize("percent", [80, 81, 82, 95])
def test_what_is_advised_really_grows(percent):
    poolsize = load("_thinpool_size")
    salt = Salt({"_thinpool_size.growth": poolsize.growth})

    def notes(percent):
        parts = poolsize.sizes(25599, 4194304, percent, 1)
        return load("_thinpool_advice", salt).growth(25599, parts["data"], parts["free"], 80, 20)

    said = notes(percent)
    assert bool(said) is (percent > 81)
    if said:
        advised = int(said[0].partition("data_percent ")[2].split()[0])
        assert notes(advised) == []
        assert notes(advised + 1)


def test_a_pool_that_is_in_order_needs_no_words():
    host = Host()
    want = host.salt["_thinpool_look.wanted"](SETTINGS)
    assert (
        host.salt["_thinpool_advice.notes"](host.salt["_thinpool_look.observe"](want), want) == []
    )


def test_a_pool_of_somebody_else_is_looked_after_and_named():
    host = Host()
    want = host.salt["_thinpool_look.wanted"](SETTINGS)
    seen = host.salt["_thinpool_look.observe"](want)
    host.salt["_thinpool_make.apply"](seen, host.salt["_thinpool_plan.plan"](seen, want), want)
    host.vg["vg_tags"] = ""
    seen = host.salt["_thinpool_look.observe"](want)
    assert host.salt["_thinpool_plan.plan"](seen, want) == {}
    (note,) = host.salt["_thinpool_advice.notes"](seen, want)
    assert note == "Pool docker/thinpool was not made here and keeps its shape"


def test_what_a_broken_off_lvconvert_left_beside_the_pool_is_named():
    host = Host()
    want = host.salt["_thinpool_look.wanted"](SETTINGS)
    seen = host.salt["_thinpool_look.observe"](want)
    host.salt["_thinpool_make.apply"](seen, host.salt["_thinpool_plan.plan"](seen, want), want)
    host.lvs["lvol0"] = {**host.lvs.pop("[lvol0_pmspare]"), "lv_name": "lvol0"}
    (note,) = host.salt["_thinpool_advice.notes"](host.salt["_thinpool_look.observe"](want), want)
    assert note.endswith("if nothing on it is needed, lvremove docker/lvol0")
    # A thin volume of that name is Docker's, or an operator's.
    host.lvs["lvol0"]["segtype"] = "thin"
    assert (
        host.salt["_thinpool_advice.notes"](host.salt["_thinpool_look.observe"](want), want) == []
    )
