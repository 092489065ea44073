"""The package states with an empty list, and with the upgrade switched off, do nothing at all."""

import json

import pytest
from fakes import ROOT
from fleet_kit import LINES

from . import masterless


@pytest.fixture(params=LINES)
def call(tmp_path, request):
    return masterless.call(tmp_path, request.param, module_dirs=[str(ROOT)])


@pytest.mark.parametrize("test", [True, False])
def test_off_is_quiet(call, test):
    states = call("state.apply", "common.packages", f"test={test}").values()
    found = {state["__id__"]: (state["result"], state["changes"]) for state in states}
    assert found["packages-installed"] == (True, {})
    assert found["packages-upgraded"] == (True, {})


@pytest.mark.parametrize("upgrade", [True, False])
def test_the_upgrade_comes_last_so_that_docker_is_held(call, upgrade):
    pillar = json.dumps({"rancher": {"packages": {"upgrade": upgrade}}})
    states = call("state.show_low_sls", "common.packages", f"pillar={pillar}")
    (state,) = [state for state in states if state["fun"] == "upgraded"]
    assert state["upgrade"] is upgrade
    assert state["order"] == max(each["order"] for each in states)
