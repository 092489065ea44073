"""Rules of the tree that no linter knows."""

import ast
import pathlib
import re

import pytest
import salt.modules
import salt.states
import yaml
from fakes import DEFAULTS, ROOT, load

SALT = ROOT / "salt"
STEPS = [
    path
    for path in sorted(SALT.rglob("*.sls"))
    if path.parent not in (SALT, SALT / "orch") and "_modules" not in path.parts
]
ORCHESTRATIONS = sorted((SALT / "orch").glob("*.sls"))
MODULES = sorted((ROOT / "_modules").glob("*.py"))
STATES = sorted((ROOT / "_states").glob("*.py"))
# What the master itself loads, and what the daemon of a minion does.
OTHERS = [path for kind in ("runners", "pillar", "beacons") for path in ROOT.glob(f"_{kind}/*.py")]
SOURCES = MODULES + STATES + sorted(OTHERS)
IMPORT = re.compile(r"\{%-? from 'settings\.jinja' import [a-z, ]+ with context %\}")


def names(paths):
    return [path.stem for path in paths]


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", ORCHESTRATIONS, ids=name_of)
def test_an_orchestration_is_data(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# "), "starts with what is true afterwards"
    assert not [line for line in lines if "{%" in line]
    code = [line for line in lines if line.strip() and not line.startswith("#")]
    assert len(code) <= 40


@pytest.mark.parametrize("path", STEPS, ids=name_of)
def test_a_step_is_data_with_one_import(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# "), "starts with what is true afterwards"
    statements = [line for line in lines if "{%" in line]
    assert len(statements) <= 1 and all(IMPORT.search(line) for line in statements)
    code = [line for line in lines if line.strip() and not line.startswith("#")]
    assert len(code) <= 40
    shunned = (
        r"\bcmd\.|watch_in|require_in|onchanges_in|prereq_in|\bonlyif:|\bunless:|\bpkg\.installed"
    )
    assert not re.search(shunned, "\n".join(lines))


@pytest.mark.parametrize("path", STEPS, ids=name_of)
def test_a_step_is_reachable_from_a_role(path):
    step = str(path.relative_to(SALT).with_suffix("")).replace("/", ".")
    if step == "agent.absent":
        # The opposite of a role, applied by the runner.
        assert f'"{step}"' in (ROOT / "_runners/fleet.py").read_text()
        return
    roles = [role for role in SALT.glob("*.sls") if role.name not in ("top.sls", "sync.sls")]
    assert any(f"- {step}\n" in role.read_text() for role in roles)


def test_no_role_folder_holds_an_init():
    # salt/common.sls wins over salt/common/init.sls, which Salt then ignores silently.
    assert not list(SALT.rglob("init.sls"))


def test_roles_only_include():
    for role in ("common", "docker", "agent"):
        assert set(yaml.safe_load((SALT / f"{role}.sls").read_text())) == {"include"}


def test_sync_knows_every_module_and_state():
    source = ast.parse((SALT / "sync.sls").read_text().partition("\n")[2])
    (files,) = (
        eval(compile(ast.Expression(node.value), "sync.sls", "eval"))  # noqa: S307
        for node in source.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "FILES"
    )
    assert files == {"modules": names(MODULES), "states": names(STATES)}


@pytest.mark.parametrize(
    ("package", "paths"),
    [(salt.modules, MODULES), (salt.states, STATES)],
    ids=["modules", "states"],
)
def test_no_name_shadows_salt_core(package, paths):
    folder = pathlib.Path(package.__path__[0])
    taken = {path.stem for path in folder.glob("*.py")}
    for path in folder.glob("*.py"):
        taken.update(re.findall(r"__virtualname__ = [\"'](\w+)", path.read_text()))
    assert not taken & set(names(paths))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_source_file_has_its_test(path):
    """A file of the same name, or a folder of several."""
    folder = ROOT / "tests/unit" / path.parent.name.strip("_")
    found = [folder / f"test_{path.name}", *folder.glob(f"test_{path.stem}/test_*.py")]
    assert any(each.exists() for each in found)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_public_functions_are_documented(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            text = ast.get_docstring(node) or ""
            words = ("Example:", "Source:") + (("Returns",) if path not in STATES else ())
            missing = [word for word in words if word not in text]
            assert not missing, f"{node.name}: {missing}"
            for argument in node.args.args:
                assert re.search(rf"^(?:\S.*, )?{argument.arg}\b", text, re.M), (
                    f"{node.name}: {argument.arg}"
                )


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_host_spawns_processes(path):
    if path.name != "host.py":
        assert not re.search(r"subprocess|os\.system|popen|cmd\.run|shell=True", path.read_text())


def keys(tree, path=""):
    for key, value in tree.items():
        yield f"{path}{key}"
        if isinstance(value, dict):
            yield from keys(value, f"{path}{key}:")


def test_the_example_pillar_is_complete_and_valid():
    example = yaml.safe_load((ROOT / "pillar/example.sls").read_text())["rancher"]
    assert set(keys(DEFAULTS)) <= set(keys(example))
    assert load("_settings").problems(example, DEFAULTS) == []


def test_every_default_has_its_words():
    lines = (SALT / "settings/defaults.yaml").read_text().splitlines()
    sections = [line for line in lines if re.match(r"[a-z_]+:", line)]
    assert {line.partition(":")[0] for line in sections} == set(DEFAULTS)


def test_the_settings_table_of_the_readme_is_current():
    from settings_table import current, table

    assert current() == table()
