import pytest
from fakes import DEFAULTS, Salt, load, load_state
from fakes import GOOD_PILLAR as GOOD

GRAINS = {"os": "Fedora", "os_family": "RedHat", "osmajorrelease": 40}


def valid(pillar, test, supported=True):
    salt = Salt({"_settings.problems": load("_settings").problems})
    dunders = {"__grains__": GRAINS, "__pillar__": {"rancher": pillar}}
    state = load_state("settings", salt, test, **dunders)
    return state.valid("rancher", DEFAULTS, supported)


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
