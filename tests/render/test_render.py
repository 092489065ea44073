"""
Every SLS renders and compiles with Salt's own loader, on every system that we support.

Salt 3006 does not report missing requisites, and neither line reports an unknown
function or argument before it runs; so both are looked up here.
"""

import datetime
import inspect
import os

import pytest
import salt.config
import salt.loader
import salt.state
from fakes import GOOD_PILLAR, ROOT

SYSTEMS = {
    "CentOS 7": {"os": "CentOS", "os_family": "RedHat", "osmajorrelease": 7},
    "EL 8": {"os": "Rocky", "os_family": "RedHat", "osmajorrelease": 8},
    "EL 9": {"os": "AlmaLinux", "os_family": "RedHat", "osmajorrelease": 9},
    "Debian 12": {"os": "Debian", "os_family": "Debian", "osmajorrelease": 12},
    "Ubuntu 22.04": {"os": "Ubuntu", "os_family": "Debian", "osmajorrelease": 22},
    "Ubuntu 24.04": {"os": "Ubuntu", "os_family": "Debian", "osmajorrelease": 24},
    "one that we refuse": {"os": "Fedora", "os_family": "RedHat", "osmajorrelease": 40},
}
PILLARS = {
    "empty": {},
    "good": {"rancher": GOOD_PILLAR},
    # The check of the settings names what is wrong; rendering must get that far.
    "no mapping": {"rancher": 5},
    "wrong sections": {"rancher": dict.fromkeys(GOOD_PILLAR, 5)},
}
PLAIN = {"size": "1G", "file": "/data/ä\n", "more": [1, -2.5, True, None, {"a": "$'\"#{{ %}"}]}
ODD = [
    {"size": datetime.date(2026, 1, 1)},
    {"size": [{"a": float("nan")}]},
    {"size": 1e-07},
    {"size": "\x7f"},
    {"size": b"1G"},
    {"size": {"1G"}},
    {1: "1G"},
]
PILLARS |= {repr(section): {"rancher": {"swap": section}} for section in (PLAIN, *ODD)}
SECRETS = [
    GOOD_PILLAR["server"]["database"]["password"],
    GOOD_PILLAR["agent"]["access_key"],
    GOOD_PILLAR["agent"]["secret_key"],
]
SLS = sorted(
    str(path.relative_to(ROOT / "salt").with_suffix("")).replace(os.sep, ".")
    for path in (ROOT / "salt").rglob("*.sls")
    # The preview asks a real master while it is rendered: tests/functional/test_fleet.py.
    if path.name not in ("top.sls", "preview.sls")
)
# Of the state compiler, not of any state function.
GLOBAL = {
    *salt.state.STATE_INTERNAL_KEYWORDS,
    *salt.state.STATE_RUNTIME_KEYWORDS,
    *salt.state.STATE_REQUISITE_KEYWORDS,
    *salt.state.STATE_REQUISITE_IN_KEYWORDS,
}


@pytest.fixture(scope="module")
def base_opts(tmp_path_factory):
    root = tmp_path_factory.mktemp("minion")
    opts = salt.config.minion_config(None)
    opts.update(
        root_dir=str(root),
        cachedir=str(root / "cache"),
        extension_modules=str(root / "extmods"),
        file_client="local",
        file_roots={"base": [str(ROOT / "salt")]},
        pillar_roots={"base": []},
        module_dirs=[str(ROOT)],
        id="test-minion",
        test=True,
    )
    return opts


@pytest.fixture(scope="module")
def states_of(base_opts):
    """The compiler for a system, made once: loading is what costs."""
    made = {}

    def make(system, pillar, test=True):
        if (system, pillar, test) not in made:
            grains = {**SYSTEMS[system], "osarch": "x86_64", "kernel": "Linux", "id": "test-minion"}
            opts = {**base_opts, "grains": {**grains, "osrelease": str(grains["osmajorrelease"])}}
            opts["test"] = test
            made[system, pillar, test] = salt.state.HighState(
                opts, initial_pillar=PILLARS[pillar], loader="states"
            )
        return made[system, pillar, test]

    yield make
    for high in made.values():
        high.destroy()


def compiled(highstate, sls):
    """The low chunks and every complaint of the compiler."""
    state = highstate.state
    # One object compiles many SLS here; each begins with nothing.
    highstate.building_highstate = type(highstate.building_highstate)()
    high, errors = highstate.render_highstate({"base": [sls]})
    high, more = state.reconcile_extend(high)
    errors += more + state.verify_high(high)
    high, more = state.requisite_in(high)
    errors += more
    chunks = state.compile_high_data(high)
    if isinstance(chunks, tuple):
        chunks, more = chunks
        errors += more
    return chunks, errors


def missing_requisites(chunks):
    known = {(chunk["state"], key) for chunk in chunks for key in (chunk["__id__"], chunk["name"])}
    for chunk in chunks:
        for keyword in salt.state.STATE_REQUISITE_KEYWORDS:
            for wanted in chunk.get(keyword, []):
                (kind, name), *_ = wanted.items()
                if kind != "sls" and (kind, name) not in known:
                    yield f"{chunk['__id__']}: {keyword} {kind}: {name}"


def unknown_functions(chunks, states):
    for chunk in chunks:
        full = f"{chunk['state']}.{chunk['fun']}"
        if full not in states:
            yield f"{chunk['__id__']}: no state function {full}"
            continue
        signature = inspect.signature(states[full])
        kinds = {parameter.kind for parameter in signature.parameters.values()}
        given = {key for key in chunk if key not in GLOBAL and not key.startswith("__")}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            for key in sorted(given - set(signature.parameters) - {"name"}):
                yield f"{chunk['__id__']}: {full} takes no argument {key}"
        for key, parameter in signature.parameters.items():
            if (
                parameter.default is parameter.empty
                and parameter.kind == parameter.POSITIONAL_OR_KEYWORD
            ) and key not in chunk:
                yield f"{chunk['__id__']}: {full} needs the argument {key}"


# What a broken pillar does to rendering is the same on every system.
CASES = [(system, pillar) for system in SYSTEMS for pillar in ("empty", "good")]
CASES += [("CentOS 7", "no mapping"), ("CentOS 7", "wrong sections")]


def complaints(highstate, sls):
    chunks, errors = compiled(highstate, sls)
    assert chunks or sls == "rancher_salt.sync"
    assert not [secret for secret in SECRETS if secret in repr(chunks)]
    errors += missing_requisites(chunks)
    return errors + list(unknown_functions(chunks, highstate.state.states))


@pytest.mark.parametrize(("system", "pillar"), CASES)
def test_the_whole_tree_compiles(system, pillar, states_of):
    assert complaints(states_of(system, pillar), "common") == []


@pytest.mark.parametrize("sls", SLS)
def test_every_sls_compiles_alone(sls, states_of):
    assert complaints(states_of("Debian 12", "good", test="orch." not in sls), sls) == []


def test_the_settings_are_merged_once_in_a_run(states_of, monkeypatch):
    highstate = states_of("Debian 12", "good")
    assert complaints(highstate, "common.swap") == []
    merges = []
    monkeypatch.setattr("salt.utils.dictupdate.merge", lambda *args, **_: merges.append(args))
    assert complaints(highstate, "common") == []
    assert merges == []


def test_the_settings_end_with_the_run(base_opts):
    grains = {**SYSTEMS["Debian 12"], "osarch": "x86_64", "kernel": "Linux", "osrelease": "12"}
    opts = {**base_opts, "grains": grains}
    sizes = []
    for size in ("1G", "2G"):
        pillar = {"rancher": {"swap": {"size": size}}}
        with salt.state.HighState(opts, initial_pillar=pillar, loader="states") as run:
            chunks, _ = compiled(run, "common.swap")
        sizes += [chunk["size"] for chunk in chunks if chunk["state"] == "swapfile"]
    assert sizes == ["1G", "2G"]
    assert "rancher-settings" not in opts


def test_a_mapping_with_keys_that_have_no_order_ended_in_a_traceback(states_of):
    highstate = states_of("Debian 12", "good")
    pillar = highstate.state.functions["pillar.get"]("rancher")
    render = highstate.state.rend["jinja"]
    kept = getattr(render, "func", render).__globals__["__opts__"]
    before = pillar["swap"]
    try:
        kept.pop("rancher-settings", None)
        pillar["swap"] = {"size": {None: 1, "a": 2}}
        chunks, errors = compiled(highstate, "common.swap")
    finally:
        pillar["swap"] = before
        kept.pop("rancher-settings", None)
    assert errors == []
    assert any(chunk["state"] == "settings" for chunk in chunks)


@pytest.mark.parametrize("section", [PLAIN, *ODD], ids=repr)
def test_ordinary_settings_cost_no_conversation_over_salt_ssh(states_of, section, monkeypatch):
    highstate = states_of("Debian 12", repr(section))
    # What `test.try` is asked for; over salt-ssh it would run on the host.
    tried, real = [], salt.loader.serializers
    monkeypatch.setattr("salt.loader.serializers", lambda opts: tried.append(1) or real(opts))
    chunks, errors = compiled(highstate, "common.swap")
    assert errors == []
    assert bool(tried) is (section is not PLAIN)
    (found,) = (chunk for chunk in chunks if chunk["state"] == "swapfile")
    assert (found["size"] == "1G") is (section is PLAIN)
