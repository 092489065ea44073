"""The package states do nothing at all when nothing is to do, and what pip installs is there at once."""

import json
import zipfile

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


@pytest.fixture
def library(tmp_path, monkeypatch):
    """What pip finds, and where it puts it: nowhere near the Salt that runs the tests."""
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "lib"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    about = "made_by_the_test-2.dist-info"
    with zipfile.ZipFile(tmp_path / "wheels/made_by_the_test-2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("made_by_the_test.py", "")
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: made_by_the_test\nVersion: 2\n"
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")


def test_a_library_that_lacks_is_installed_and_can_be_used_at_once(call, library):
    def importable(test, version=2):
        given = f'{{"json": "json==1", "made_by_the_test": "made_by_the_test=={version}"}}'
        words = ["packages.importable", "sdk", f"libraries={given}", f"test={test}"]
        (row,) = call("state.single", *words).values()
        return row["result"], row["changes"], row["comment"]

    result, changes, comment = importable(test=False, version=3)
    assert (result, changes) == (False, {})
    assert "No matching distribution found for made_by_the_test==3" in comment
    result, changes, _ = importable(test=True)
    assert (result, list(changes)) == (None, ["made_by_the_test==2"])
    assert importable(test=False)[:2] == (True, changes)
    assert importable(test=False)[:2] == (True, {})
