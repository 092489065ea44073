"""
No minion gets a secret of another's, whatever it claims to be and whatever it asks for.

A real master, encrypted secrets, and three hosts: a server, an agent, and one that says of
itself that it is everything. What is expected to leak when secrets are put where grains
decide does leak: so the check can see.
"""

import contextlib
import json
import pathlib
import shutil

import pytest
import yaml
from fakes import ROOT

from functional import hosts
from functional.masters import Salt
from functional.secrets_kit import SECRETS, encrypted

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(hosts.missing()), reason=f"no hosts here: {hosts.missing()}"),
]
SERVER, AGENT, HOSTILE = "server1.example.com", "node1.example.com", "hostile.example.com"
OF_SERVER = {name for name in SECRETS if name.startswith("server:")}
OF_AGENT = set(SECRETS) - OF_SERVER
CLAIMS = {
    "id": SERVER,
    "roles": ["server", "agent"],
    "role": "server",
    "rancher": {"roles": ["server", "agent"]},
    "fqdn": SERVER,
    "host": "server1",
    "nodename": SERVER,
}
QUICK = {"enable_fqdns_grains": False, "acceptance_wait_time": 1}
SCRIPT = pathlib.Path(__file__).with_name("hostile.py")


class World:
    """The master and the three hosts."""

    def __init__(self, folder, line):
        self.folder, self.line = folder, line

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            network = stack.enter_context(hosts.Network(self.folder))
            self.salt = Salt(self.folder, network, self.line)
            stack.callback(self.salt.stop)
            self.secrets = encrypted(self.salt.state / "gpg")
            self.restore()
            self.configure()
            self.salt.start()
            self.hosts = {}
            for name in (SERVER, AGENT, HOSTILE):
                host = hosts.Host(self.folder / name, network, hosts.environment(self.line))
                self.hosts[name] = stack.enter_context(host)
                config = {"id": name, "master": "127.0.0.1", **QUICK}
                grains = CLAIMS if name == HOSTILE else {}
                host.start_minion(yaml.safe_dump({**config, "grains": grains}))
                host.write("/root/hostile.py", SCRIPT.read_text())
            for name in self.hosts:
                self.salt.accept(name)
            self._end = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._end.close()

    def configure(self, **settings):
        self.salt.configure(gpg_keydir=f"{self.salt.state}/gpg", **settings)

    def restore(self):
        """The tree's own pillar, with the secrets filled in."""
        shutil.rmtree(self.salt.pillar, ignore_errors=True)
        shutil.copytree(ROOT / "pillar", self.salt.pillar)
        for name, text in self.secrets.items():
            (self.salt.pillar / f"{name}.sls").write_text(text)

    def edit(self, name, text):
        (self.salt.pillar / f"{name}.sls").write_text(text)

    def loot(self, name):
        """What the host `name` learns: each secret that it got, and by what."""
        host, found = self.hosts[name], []
        python = f"{host.salt}/bin/python"
        for victim in {SERVER, AGENT} - {name}:
            words = [python, "/root/hostile.py", "/etc/salt/minion", victim]
            lines = host.must(words, timeout=600).splitlines()
            found += [json.loads(line) for line in lines if line.startswith('{"asked"')]
        for path, text in self._left(host):
            found.append({"asked": f"file {path}", "answer": text})
        assert len(found) > 50, found
        return {
            (secret, answer["asked"])
            for secret, value in SECRETS.items()
            for answer in found
            if json.dumps(value)[1:-1] in json.dumps(answer["answer"])
            or value in str(answer["answer"])
        }

    def _left(self, host):
        for folder in ("tmp", "etc/salt", "run/salt", "var/cache/salt", "var/log"):
            for path in host.path(folder).rglob("*"):
                if path.is_file():
                    yield path, path.read_text(errors="replace")


@pytest.fixture(scope="module", params=["3006.28", "3008.3"])
def world(request, tmp_path_factory):
    with World(tmp_path_factory.mktemp("world"), request.param) as made:
        yield made


def test_those_who_need_a_secret_have_it_decrypted(world):
    """Those and no more; this is what the hostile one must not see."""
    assert {secret for secret, _ in world.loot(SERVER)} == OF_SERVER
    assert {secret for secret, _ in world.loot(AGENT)} == OF_AGENT


def test_the_hostile_minion_gets_nothing(world):
    assert world.loot(HOSTILE) == set()


def test_another_ones_id_needs_its_key(world):
    host = world.hosts[HOSTILE]
    call = [f"{host.salt}/bin/salt-call", "--out=json", "pillar.items"]
    assert "rancher" in json.loads(host.must(call, timeout=120))["local"]
    answer = host.run([*call, f"--id={SERVER}"], timeout=120)
    assert answer.returncode != 0
    assert "rejected this minion's public key" in answer.stderr
    assert not [it for it in SECRETS.values() if it in answer.stdout + answer.stderr]


BY_GRAINS = {
    "top file by grain": ("top", """
base:
  '*': [rancher]
  roles:server: [{match: grain}, server_database]
"""),
    "top file by compound": ("top", """
base:
  'G@role:server or server1.example.com': [{match: compound}, server_database]
"""),
    "top file that asks": ("top", """
base:
  {{ 'hostile*' if grains['host'] == 'server1' else 'server*' }}: [server_database]
"""),
    "a pillar that asks": ("rancher", """
{% if 'server' in grains.get('roles', []) %}
include: [server_database]
{% endif %}
rancher: {}
"""),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BY_GRAINS)
def test_the_check_finds_secrets_where_grains_decide(world, mistake):
    world.edit(*BY_GRAINS[mistake])
    try:
        assert {secret for secret, _ in world.loot(HOSTILE)} == OF_SERVER
    finally:
        world.restore()
