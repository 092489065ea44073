import pytest
from fakes import DEFAULTS, state_over
from fakes import GOOD_PILLAR as GOOD
from salt.utils import immutabletypes

import _settings
import settings

GRAINS = {"os": "Fedora", "os_family": "RedHat", "osmajorrelease": 40}


@pytest.fixture
def configure_loader_modules():
    return {settings: {"__grains__": GRAINS, "__pillar__": {}}}


def valid(pillar, test, supported=True):
    return state(test, rancher=pillar).valid("rancher", DEFAULTS, supported)


def state(test, **pillar):
    settings.__pillar__.update(pillar)
    return state_over(settings, test)


@pytest.mark.parametrize("test", [True, False])
def test_good_settings_pass(test):
    ret = valid(GOOD, test)
    assert ret["result"] is True
    assert ret["changes"] == {}


@pytest.mark.parametrize("test", [True, False])
def test_bad_settings_stop_the_run(test):
    ret = valid({"swap": {"size": 1}}, test)
    assert ret["result"] is False
    assert ret["changes"] == {}
    assert ret["comment"].startswith("rancher:swap:size is 1; allowed")


@pytest.mark.parametrize("test", [True, False])
def test_an_unknown_system_stops_the_run(test):
    ret = valid({}, test, supported=False)
    assert ret["result"] is False
    assert "not supported" in ret["comment"] and "Fedora" in ret["comment"]


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("key", ["ranche", "Rancher", "racnher", "ranchers"])
def test_a_misspelt_top_key_was_valid_without_a_word(test, key):
    ret = state(test, **{key: {"swap": {"size": "1G"}}}).valid("rancher", DEFAULTS)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"] == (
        f"Settings under rancher are valid. The pillar has a key {key}, which nobody reads: "
        "write rancher if that is meant"
    )


def test_keys_of_others_are_no_slip_of_ours():
    keys = ["rancher_modules", "rancher_handover", "branch", "ranger", "docker", "search", 5, ""]
    pillar = {**dict.fromkeys(map(str, keys)), 5: 1}
    assert _settings.misspelt(pillar) == []


def chunks():
    """As Salt hands them to a state: not to be changed."""
    return immutabletypes.freeze([{"__id__": name} for name in ("sync", "settings", "a", "b")])


@pytest.mark.parametrize(
    ("test", "pillar", "left"),
    [(True, {"swap": 5}, ["sync", "settings"]), (True, {}, 4), (False, {"swap": 5}, 4)],
)
def test_a_dry_run_with_bad_settings_was_twenty_blocks_long(test, pillar, left, monkeypatch):
    module, lowstate = state(test, rancher=pillar), chunks()
    monkeypatch.setattr(module, "__lowstate__", lowstate, raising=False)
    monkeypatch.setattr(module, "__low__", {"__id__": "settings"}, raising=False)
    module.valid("rancher", DEFAULTS)
    names = [chunk["__id__"] for chunk in lowstate]
    assert (names if isinstance(left, list) else len(names)) == left
