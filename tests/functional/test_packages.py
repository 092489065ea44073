"""The package states with an empty list, and with the upgrade switched off, do nothing at all."""

import json
import subprocess

import pytest
import yaml
from fakes import ROOT

LINES = ["3006.28", "3008.3"]


@pytest.fixture(params=LINES)
def call(tmp_path, request):
    config = {
        "root_dir": str(tmp_path),
        "file_client": "local",
        "file_roots": {"base": [str(ROOT / "salt")]},
        "module_dirs": [str(ROOT)],
        "id": "node1",
    }
    (tmp_path / "minion").write_text(yaml.safe_dump(config))

    def run(*words):
        argv = [
            ROOT / ".venv" / request.param / "bin/salt-call",
            "-c",
            tmp_path,
            "--local",
            "--out=json",
            "--log-level=quiet",
            *words,
        ]
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        return json.loads(answer.stdout)["local"]

    return run


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
