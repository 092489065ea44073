"""
For what needs Salt itself and no host: `call` runs the salt-call of a minion without a master,
`runner` the salt-run of a master that has no daemon.
"""

import json
import subprocess

import yaml
from fakes import ROOT


def call(folder, line, **config):
    """What runs `salt-call` of that Salt with this configuration; it gives the answer."""
    (folder / "conf").mkdir()
    own = {"root_dir": str(folder), "file_client": "local", "id": "node1"}
    own["file_roots"] = {"base": [str(ROOT / "salt")]}
    (folder / "conf/minion").write_text(yaml.safe_dump({**own, **config}))
    start = [ROOT / ".venv" / line / "bin/salt-call", "-c", folder / "conf"]

    def run(*words):
        argv = [*start, "--out=json", "--log-level=quiet", *words]
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        return json.loads(answer.stdout)["local"]

    return run


def runner(folder, line, **config):
    """What runs `salt-run` of that Salt with this configuration; it gives the answer."""
    own = {"root_dir": str(folder), "id": "m", "log_level": "quiet"}
    (folder / "master").write_text(yaml.safe_dump({**own, **config}))
    # The daemon makes it.
    (folder / "var/cache/salt/master/proc").mkdir(parents=True)
    start = [ROOT / ".venv" / line / "bin/salt-run", "-c", folder, "--out=json"]

    def run(*words):
        answer = subprocess.run(
            [*start, *words], capture_output=True, text=True, timeout=120, check=False
        )
        return json.loads(answer.stdout)

    return run
