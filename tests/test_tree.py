"""Rules of the tree that no linter knows."""

import ast
import graphlib
import itertools
import pathlib
import re
import subprocess
import sys

import pytest
import salt.modules
import salt.states
import yaml
from fakes import DEFAULTS, ROOT

import _settings

SALT = ROOT / "salt"
# What is ours has names that nobody else has; beside it the short names that operators type.
OWN = SALT / "rancher_salt"
STEPS = [path for path in sorted(OWN.rglob("*.sls")) if path.parent not in (OWN, OWN / "orch")]
ORCHESTRATIONS = sorted((OWN / "orch").glob("*.sls"))
SHORT = [path for path in sorted(SALT.rglob("*.sls")) if OWN not in path.parents]
SHORT.remove(SALT / "top.sls")
NO_SHORT_NAME = {
    "settings.sls", "sync.sls", "unfinished.sls", "orch/preview.sls", "orch/rollout.sls",
}  # fmt: skip
KINDS = ("modules", "states", "runners", "pillar", "beacons")
MODULES = sorted((SALT / "_modules").glob("*.py"))
STATES = sorted((SALT / "_states").glob("*.py"))
# What the master itself loads, and what the daemon of a minion does.
OTHERS = [path for kind in KINDS[2:] for path in SALT.glob(f"_{kind}/*.py")]
SOURCES = MODULES + STATES + sorted(OTHERS)
# Salt's loader gives these to people and states; the other files are for `import`.
FACES = [path for path in SOURCES if not path.name.startswith("_")]
PRIVATE = [path for path in SOURCES if path.name.startswith("_")]
# For each public function why everybody may call it.
PUBLIC = yaml.safe_load((ROOT / "tests/unit/cases/public.yaml").read_text())
# The first of the steps in a run makes the settings, and each takes them.
SETTINGS = """\
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}
"""


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
def test_a_step_is_data_and_its_settings(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# "), "starts with what is true afterwards"
    statements = [line for line in lines if "{%" in line]
    assert statements in ([], SETTINGS.splitlines())
    code = [line for line in lines if line.strip() and not line.startswith("#")]
    assert len(code) <= 40
    shunned = (
        r"\bcmd\.|watch_in|require_in|onchanges_in|prereq_in|\bonlyif:|\bunless:|\bpkg\.installed"
    )
    assert not re.search(shunned, "\n".join(lines))


@pytest.mark.parametrize("path", STEPS, ids=name_of)
def test_a_step_is_reachable_from_a_role(path):
    step = str(path.relative_to(SALT).with_suffix("")).replace("/", ".")
    if step == "rancher_salt.agent.absent":
        # The opposite of a role, applied by the runner.
        assert f'"{step}"' in (ROOT / "salt/_runners/fleet.py").read_text()
        return
    roles = [role for role in OWN.glob("*.sls") if role.name != "sync.sls"]
    assert any(f"- {step}\n" in role.read_text() for role in roles)


def test_no_role_folder_holds_an_init():
    # salt/common.sls wins over salt/common/init.sls, which Salt then ignores silently.
    assert not list(SALT.rglob("init.sls"))


def test_roles_only_include():
    for role in ("common", "docker", "agent"):
        assert set(yaml.safe_load((OWN / f"{role}.sls").read_text())) == {"include"}


def test_every_role_step_and_orchestration_has_a_short_name():
    own = {str(path.relative_to(OWN)) for path in OWN.rglob("*.sls")}
    assert {str(path.relative_to(SALT)) for path in SHORT} == own - NO_SHORT_NAME


@pytest.mark.parametrize("path", SHORT, ids=name_of)
def test_a_short_name_is_nothing_else(path):
    name = str(path.relative_to(SALT).with_suffix("")).replace("/", ".")
    assert path.read_text() == (
        f"# The short name of rancher_salt.{name}.\n{{% include 'rancher_salt/short.jinja' %}}\n"
    )


@pytest.mark.parametrize("path", [*STEPS, *ORCHESTRATIONS, *OWN.glob("*.sls")], ids=name_of)
def test_what_is_ours_includes_only_what_is_ours(path):
    if path.name != "sync.sls":
        included = re.findall(r"^  - (\S+)$", path.read_text(), re.M)
        assert [name for name in included if not name.startswith("rancher_salt.")] == []


def test_sync_knows_every_module_and_state():
    source = ast.parse((OWN / "sync.sls").read_text().partition("\n")[2])
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
    assert not taken & {path.stem for path in paths if path in FACES}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_source_file_has_its_test(path):
    """A file of the same name, or a folder of several; a face shares it with its private file."""
    folder, stem = ROOT / "tests/unit" / path.parent.name.strip("_"), path.stem.lstrip("_")
    found = [folder / f"test_{stem}.py", *folder.glob(f"test_{stem}/test_*.py")]
    if path in MODULES and path in FACES:
        found.append(ROOT / f"tests/unit/states/test_{stem}.py")
    assert any(each.exists() for each in found)


def functions(path):
    return [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]


def public(path):
    return [node for node in functions(path) if not node.name.startswith("_")]


@pytest.mark.parametrize("path", FACES, ids=name_of)
def test_public_functions_are_documented(path):
    for node in public(path):
        text = ast.get_docstring(node) or ""
        words = ("Example:", "Source:") + (("Returns",) if path not in STATES else ())
        missing = [word for word in words if word not in text]
        assert not missing, f"{node.name}: {missing}"
        # What a state is given is described there.
        there = f"sys.state_doc {path.stem}.{node.name}" in text
        for argument in [] if there else node.args.args:
            assert re.search(rf"^(?:\S.*, )?{argument.arg}\b", text, re.M), (
                f"{node.name}: {argument.arg}"
            )


@pytest.mark.parametrize("path", PRIVATE, ids=name_of)
def test_private_docstrings_are_short(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            text = ast.get_docstring(node) or ""
            assert len(text.splitlines()) <= 4, f"{node.name} has {len(text.splitlines())} lines"


def test_every_public_function_has_its_reason():
    named = {
        f"{path.stem}.{node.name}" for path in MODULES if path in FACES for node in public(path)
    }
    states = {f"{path.stem}.{node.name}" for path in STATES for node in public(path)}
    assert set(PUBLIC) == named
    assert {name for name, reason in PUBLIC.items() if reason == "a state"} <= states
    assert len(named) <= 90


@pytest.mark.parametrize("name", [name for name, why in PUBLIC.items() if why != "a state"])
def test_the_reason_of_a_public_function_is_there(name):
    """A file in which an operator reads of it, or which calls it."""
    assert name in (ROOT / PUBLIC[name]).read_text()


def test_what_the_readme_gives_to_operators_is_there():
    """thinpool.profile went with a clean-up, and was part of the contract."""
    section = (
        (ROOT / "README.md").read_text().partition("\n## Functions\n")[2].partition("\n## ")[0]
    )
    listed = {name for line in section.splitlines() for name in re.findall(r"`(\w+\.\w+)`", line)}
    contract = {
        "conntrack.max", "conntrack.usage", "thinpool.profile", "thinpool.write_profile",
        "thinpool.status", "thinpool.plan", "rancher.ready", "rancher.project",
        "rancher.registration", "rancher.hosts",
    }  # fmt: skip
    assert contract <= listed <= set(PUBLIC)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_import_each_other_plainly(path):
    own = "|".join(sorted({each.stem for each in MODULES + STATES}))
    assert not re.search(rf"__salt__\[[\"'](?:{own})\.", path.read_text())


@pytest.mark.parametrize("path", PRIVATE, ids=name_of)
def test_private_files_get_nothing_from_the_loader(path):
    dunders = r"__(salt|opts|grains|pillar|context|states)__"
    code = re.sub(r"one\.__context__", "", path.read_text())
    assert not re.search(dunders, code)


@pytest.mark.parametrize("kind", KINDS)
def test_imports_have_no_circle(kind):
    files = {path.stem: path for path in SALT.glob(f"_{kind}/*.py")}
    arrows = {name: set() for name in files}
    for name, path in files.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                arrows[name] |= {each.name for each in node.names} & set(files)
    graphlib.TopologicalSorter(arrows).prepare()


@pytest.mark.parametrize("path", [each for each in MODULES if each in FACES], ids=name_of)
def test_a_face_looks_for_stale_copies_before_it_imports_any(path):
    imports = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert imports[0].module == "_fresh"


def test_private_names_are_nobody_else_s():
    taken = sys.stdlib_module_names | {"_mysql", "_cffi_backend", "_yaml", "_distutils_hack"}
    assert not taken & {path.stem for path in PRIVATE}
    for one, other in itertools.combinations(KINDS, 2):
        both = {path.name for path in SALT.glob(f"_{one}/_*.py")}
        assert not both & {path.name for path in SALT.glob(f"_{other}/_*.py")}


@pytest.mark.parametrize("kind", KINDS)
def test_the_served_root_stands_alone(kind):
    """A clone without links, GitFS and a plain copy of salt/ serve the files themselves."""
    assert not (SALT / f"_{kind}").is_symlink()
    assert (ROOT / f"_{kind}").resolve() == SALT / f"_{kind}"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_host_spawns_processes(path):
    if path.name != "_host.py":
        assert not re.search(r"subprocess|os\.system|popen|cmd\.run|shell=True", path.read_text())


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_a_line_feed_ends_a_line(path):
    # `_host.lines`: for `str.splitlines` U+2028 in somebody's comment does, too.
    code = ast.walk(ast.parse(path.read_text()))
    assert "splitlines" not in [node.attr for node in code if isinstance(node, ast.Attribute)]


# Words that people whose first language is another one stumble over at 3 a.m.
UNPLAIN = (
    "in vain", "is said", "is told", "are told", "so long", "on its word", "is begun", "no use of",
    "belongs into", "shall", "for want of",
)  # fmt: skip
# docs/proofs.md is made of the names of cases.
PROSE = [*{*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")} - {ROOT / "docs/proofs.md"}]
PROSE = sorted([*PROSE, *SALT.rglob("*.sls")])


@pytest.mark.parametrize("path", [*SOURCES, *PROSE], ids=name_of)
def test_words_are_plain(path):
    text = " ".join(path.read_text().split())
    found = [word for word in UNPLAIN if re.search(rf"\b{word}\b", text, re.I)]
    # The rule names them itself.
    assert not found or path.name == "STYLE.md"


def keys(tree, path=""):
    for key, value in tree.items():
        yield f"{path}{key}"
        if isinstance(value, dict):
            yield from keys(value, f"{path}{key}:")


def test_the_example_pillar_is_complete_and_valid():
    example = yaml.safe_load((ROOT / "pillar/example.sls").read_text())["rancher"]
    assert set(keys(DEFAULTS)) <= set(keys(example))
    assert _settings.problems(example, DEFAULTS) == []


def test_every_default_has_its_words():
    lines = (OWN / "settings/defaults.yaml").read_text().splitlines()
    sections = [line for line in lines if re.match(r"[a-z_]+:", line)]
    assert {line.partition(":")[0] for line in sections} == set(DEFAULTS)


def test_the_settings_table_of_the_readme_is_current():
    from settings_table import current, table

    assert current() == table()


def test_make_docs_did_not_find_our_kits():
    (program,) = re.findall(r"\$\(PYTHON\) (tests/\S+) --write\n", (ROOT / "Makefile").read_text())
    subprocess.run([sys.executable, ROOT / program], check=True, timeout=60, env={})
