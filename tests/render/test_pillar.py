"""The tree's own pillar, by Salt's own compiler: who gets what, and what must not decide it."""

import re
import shutil

import pytest
import salt.config
import salt.loader
import salt.pillar
import yaml
from fakes import DEFAULTS, ROOT

import _settings

MASTER = yaml.safe_load((ROOT / "etc/master").read_text())
FILES = sorted((ROOT / "pillar").glob("*.sls"))
EVERYTHING = {"roles": ["server", "agent"], "host": "server1", "fqdn": "server1.example.com"}


@pytest.fixture
def compiled(tmp_path):
    """The pillar of a minion that has these grains; what is given replaces files."""

    def compile_for(minion, grains=EVERYTHING, **files):
        shutil.copytree(ROOT / "pillar", tmp_path / "pillar", dirs_exist_ok=True)
        for name, text in files.items():
            (tmp_path / "pillar" / f"{name}.sls").write_text(text)
        opts = salt.config.minion_config(None)
        opts.update(
            id=minion,
            root_dir=str(tmp_path),
            cachedir=str(tmp_path / "cache"),
            extension_modules=str(tmp_path / "extmods"),
            file_client="local",
            file_roots={"base": [str(ROOT / "salt")]},
            pillar_roots={"base": [str(tmp_path / "pillar")]},
            nodegroups=MASTER["nodegroups"],
        )
        return salt.pillar.Pillar(opts, {**grains, "id": minion}, minion, "base").compile_pillar()

    return compile_for


@pytest.mark.parametrize(
    ("minion", "roles"),
    [
        ("server1.example.com", ["server"]),
        ("node1.example.com", ["agent"]),
        ("node2.example.com", ["agent"]),
        ("server1.example.com.evil.example.com", None),
        ("other.example.com", None),
    ],
)
def test_the_id_decides(compiled, minion, roles):
    pillar = compiled(minion)
    assert "_errors" not in pillar
    assert pillar["rancher"].get("roles") == roles
    assert _settings.problems(dict(pillar["rancher"]), DEFAULTS) == []


@pytest.mark.parametrize(
    ("minion", "has"), [("server1.example.com", True), ("node1.example.com", False)]
)
def test_the_nodegroups_do_as_well(compiled, minion, has):
    top = "base: {servers: [{match: nodegroup}, server]}"
    assert bool(compiled(minion, top=top)) is has


def test_the_example_goes_through_the_compiler(compiled):
    pillar = compiled("other.example.com", top="base: {'*': [example]}")
    assert "_errors" not in pillar
    assert pillar["rancher"] == yaml.safe_load((ROOT / "pillar/example.sls").read_text())["rancher"]


@pytest.mark.parametrize("path", [*FILES, ROOT / "etc/master"], ids=lambda path: path.name)
def test_no_grain_decides(path):
    code = re.sub(r"#.*", "", path.read_text())
    assert not re.search(r"grain|\b[GP]@", code)


def test_the_secrets_of_the_example_are_all_that_there_are():
    example = yaml.safe_load((ROOT / "pillar/example_secrets.sls").read_text())["rancher"]
    given = {key for section in example.values() for key in section}
    inner = {"password", "http_proxy", "https_proxy"}
    assert given == _settings._SECRETS - inner
    assert "password" in example["server"]["database"]
    assert {"http_proxy", "https_proxy"} == set(example["agent"]["proxy"])


def test_salt_ssh_finds_the_external_pillar_of_the_checkout(tmp_path, monkeypatch, caplog):
    # Salt 3008 gave no pillar at all, and 3006 complained for each host.
    monkeypatch.chdir(ROOT)
    opts = salt.config.master_config(str(ROOT / "etc/master"))
    assert "rancher_handover" in opts["ext_pillar"][0]
    opts.update(root_dir=str(tmp_path), cachedir=str(tmp_path / "cache"))
    minion = "node1.example.com"
    grains = {"id": minion, "kernel": "Linux"}
    pillar = salt.pillar.Pillar(opts, grains, minion, "base").compile_pillar()
    assert pillar["rancher"]["roles"] == ["agent"]
    told = [it.getMessage() for it in caplog.records if it.levelname not in ("DEBUG", "TRACE")]
    assert not [words for words in told if "ext_pillar" in words]


def test_salt_ssh_knows_the_states_that_react(tmp_path, monkeypatch):
    # Salt 3008 turned their `watch` into `require`: a dry run forgot the restart of Docker.
    monkeypatch.chdir(ROOT)
    # What the host answers with is what salt-ssh compiles with, not the master's own options.
    opts = {**salt.config.minion_config(None), **MASTER["ssh_minion_opts"]}
    opts.update(extension_modules=str(tmp_path / "extmods"), cachedir=str(tmp_path / "cache"))
    known = salt.loader.states(opts, {}, {}, {})
    reacting = [p.stem for p in (ROOT / "_states").glob("*.py") if "def mod_watch" in p.read_text()]
    assert "docker_daemon" in reacting
    assert [name for name in reacting if f"{name}.mod_watch" not in known] == []
