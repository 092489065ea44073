"""Encrypted secrets without a master: `make gpg`, `make encrypt`, salt-call in a checkout."""

import json
import shutil
import subprocess

import pytest
import yaml
from fakes import ROOT

from functional.hosts import environment
from functional.secrets_kit import SECRETS, encrypted

pytestmark = pytest.mark.skipif(not shutil.which("gpg-agent"), reason="gpg-agent is not installed")
FOLDERS = ["etc", "salt", "pillar", "_modules", "_states"]
# What a state sees; the command line of 3008 shows no values.
SHOW = """
import json, salt.client
opts = salt.client.Caller("etc/minion").opts
print(json.dumps({"pillar": opts["pillar"]}))
"""


@pytest.fixture(params=["3006.28", "3008.3"])
def checkout(request, tmp_path):
    """A checkout whose secrets are encrypted, and the pillar that `id` gets there."""
    tree = tmp_path / "checkout"
    tree.mkdir()
    shutil.copy(ROOT / "Saltfile", tree)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, symlinks=True)
    (tree / "etc/minion.d").mkdir()

    def pillar(minion):
        config = {"root_dir": str(tmp_path / "run"), "id": minion, "enable_fqdns_grains": False}
        (tree / "etc/minion.d/test.conf").write_text(yaml.safe_dump(config))
        python = environment(request.param) / "bin/python"
        done = subprocess.run(
            [python, "-c", SHOW], cwd=tree, capture_output=True, text=True, timeout=120
        )
        return json.loads(done.stdout)["pillar"] if done.returncode == 0 else done.stderr

    for name, text in encrypted(tree / "etc/gpgkeys").items():
        (tree / f"pillar/{name}.sls").write_text(text)
    pillar.tree = tree
    return pillar


def test_a_minion_without_master_decrypts_its_own_secrets(checkout):
    server, agent = checkout("server1.example.com"), checkout("node1.example.com")
    assert (
        server["rancher"]["server"]["database"]["password"] == SECRETS["server:database:password"]
    )
    assert "access_key" not in server["rancher"].get("agent", {})
    for name in ("access_key", "secret_key", "registration_url"):
        assert agent["rancher"]["agent"][name] == SECRETS[f"agent:{name}"]
    assert "server" not in agent["rancher"]


def test_what_cannot_be_decrypted_is_no_password(checkout):
    keys = checkout.tree / "etc/gpgkeys"
    # The agent takes its sockets away when they are no longer its own.
    subprocess.run(["gpgconf", "--homedir", keys, "--kill", "all"], timeout=60, check=True)
    shutil.rmtree(keys)
    keys.mkdir(mode=0o700)
    answer = checkout("server1.example.com")
    assert "PGP MESSAGE" not in json.dumps(answer)
    assert isinstance(answer, str) or answer["_errors"], answer
