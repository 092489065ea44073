"""A minion that never synced, or that holds last month's copies, runs this tree at once."""

import json

import pytest
from fakes import ROOT


@pytest.fixture
def apply(tmp_path, masterless):
    """On a minion as a plain installation has it: no module_dirs, an empty cache."""
    call = masterless(pillar_roots={"base": [str(tmp_path / "pillar")]})

    def apply(sls, *, test, pillar=None):
        given = json.dumps({"rancher": pillar or {}})
        return by_id(call("state.apply", sls, f"test={test}", f"pillar={given}"))

    return apply


def by_id(report):
    return {state["__id__"]: state for state in report.values()}


def cached(minion, kind, name):
    return minion / "var/cache/salt/minion/extmods" / kind / name


@pytest.mark.parametrize("test", [True, False])
def test_first_contact(apply, test):
    states = apply("rancher_salt.settings", test=test)
    assert states["settings-checked"]["comment"] == "Settings under rancher are valid"
    assert list(states) == ["modules-reloaded", "settings-checked"]
    # From then on there is nothing to fetch, and nothing to tell.
    assert list(apply("rancher_salt.settings", test=test)) == ["settings-checked"]


def test_copies_of_last_month_are_replaced(apply, tmp_path):
    for kind, name in (("modules", "settings.py"), ("states", "settings.py")):
        cached(tmp_path, kind, name).parent.mkdir(parents=True)
        cached(tmp_path, kind, name).write_text("def valid(name):\n    return None\n")
    states = apply("rancher_salt.settings", test=True)
    assert states["settings-checked"]["result"] is True
    assert cached(tmp_path, "modules", "settings.py").read_text() == (
        (ROOT / "_modules/settings.py").read_text()
    )


def test_the_first_dry_run_of_common_is_no_wall_of_unknown_functions(apply):
    states = apply("common", test=True)
    wall = [name for name, state in states.items() if "available" in state["comment"]]
    assert not wall
    assert states["settings-checked"]["result"] is True


def test_good_settings_pass(apply):
    # Salt 3008 masks what pillar.get gives to a state.
    states = apply("rancher_salt.settings", test=True, pillar={"swap": {"size": "1G"}})
    assert states["settings-checked"]["comment"] == "Settings under rancher are valid"


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("sls", ["common", "common,server,agent"])
def test_bad_settings_stop_everything(apply, test, sls):
    # In a dry run Salt is deaf to failhard: twenty states told in eight lines each that one failed.
    states = apply(sls, test=test, pillar={"swap": {"size": "many"}})
    assert list(states) == ["modules-reloaded", "settings-checked"]
    assert states["settings-checked"]["comment"].startswith('rancher:swap:size is "many"; allowed')


def test_the_settings_of_a_minion_are_checked_without_arguments(tmp_path, masterless):
    (tmp_path / "pillar").mkdir()
    (tmp_path / "pillar/top.sls").write_text("base: {'*': [bad]}\n")
    (tmp_path / "pillar/bad.sls").write_text("rancher: {server: {port: 0}}\n")
    call = masterless(pillar_roots={"base": [str(tmp_path / "pillar")]})
    call("saltutil.sync_modules")
    (found,) = call("settings.problems")
    assert found == "rancher:server:port is 0; allowed: a whole number from 1 to 65535"
    (found,) = call("settings.problems", "{swap: {size: 1}}")
    assert found.startswith("rancher:swap:size is 1; allowed: a multiple of 1M")
