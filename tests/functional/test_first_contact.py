"""A minion that never synced, or that holds last month's copies, runs this tree at once."""

import json
import subprocess

import pytest
import yaml
from fakes import ROOT

LINES = ["3006.28", "3008.3"]


@pytest.fixture(params=LINES)
def minion(tmp_path, request):
    """A masterless minion as a plain installation has it: no module_dirs, an empty cache."""
    config = {
        "root_dir": str(tmp_path),
        "file_client": "local",
        "file_roots": {"base": [str(ROOT / "salt")]},
        "pillar_roots": {"base": [str(tmp_path / "pillar")]},
        "id": "node1",
    }
    (tmp_path / "bin").symlink_to(ROOT / ".venv" / request.param / "bin")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "minion").write_text(yaml.safe_dump(config))
    return tmp_path


def apply(minion, sls, *, test, pillar=None):
    argv = [
        minion / "bin/salt-call",
        "-c",
        minion / "conf",
        "--out=json",
        "--log-level=quiet",
        "state.apply",
        sls,
    ]
    argv += [f"test={test}", f"pillar={json.dumps({'rancher': pillar or {}})}"]
    answer = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    return json.loads(answer.stdout)["local"]


def by_id(report):
    return {state["__id__"]: state for state in report.values()}


def cached(minion, kind, name):
    return minion / "var/cache/salt/minion/extmods" / kind / name


@pytest.mark.parametrize("test", [True, False])
def test_first_contact(minion, test):
    states = by_id(apply(minion, "settings", test=test))
    assert states["settings-checked"]["comment"] == "Settings under rancher are valid"
    assert list(states) == ["modules-reloaded", "settings-checked"]
    # From then on there is nothing to fetch, and nothing to tell.
    assert list(by_id(apply(minion, "settings", test=test))) == ["settings-checked"]


def test_copies_of_last_month_are_replaced(minion):
    for kind, name in (("modules", "settings.py"), ("states", "settings.py")):
        cached(minion, kind, name).parent.mkdir(parents=True)
        cached(minion, kind, name).write_text("def valid(name):\n    return None\n")
    states = by_id(apply(minion, "settings", test=True))
    assert states["settings-checked"]["result"] is True
    assert cached(minion, "modules", "settings.py").read_text() == (
        (ROOT / "_modules/settings.py").read_text()
    )


def test_the_first_dry_run_of_common_is_no_wall_of_unknown_functions(minion):
    states = by_id(apply(minion, "common", test=True))
    wall = [name for name, state in states.items() if "available" in state["comment"]]
    assert not wall
    assert states["settings-checked"]["result"] is True


def test_good_settings_pass(minion):
    # Salt 3008 masks what pillar.get gives to a state.
    states = by_id(apply(minion, "settings", test=True, pillar={"swap": {"size": "1G"}}))
    assert states["settings-checked"]["comment"] == "Settings under rancher are valid"


def test_bad_settings_stop_everything(minion):
    states = by_id(apply(minion, "common", test=False, pillar={"swap": {"size": "many"}}))
    assert list(states) == ["modules-reloaded", "settings-checked"]
    assert states["settings-checked"]["comment"].startswith('rancher:swap:size is "many"; allowed')
