import copy

import pytest
import yaml
from fakes import DEFAULTS, ROOT, load
from fakes import GOOD_PILLAR as GOOD
from salt.exceptions import SaltInvocationError

settings = load("_settings")
BROKEN = yaml.safe_load((ROOT / "tests/pillar/broken.yaml").read_text())


def mutated(path, value):
    given = copy.deepcopy(GOOD)
    section = given
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return given


def keys(tree, path=""):
    for key, value in tree.items():
        yield f"{path}{key}"
        if isinstance(value, dict) and value:
            yield from keys(value, f"{path}{key}:")


@pytest.mark.parametrize("given", [None, {}, GOOD], ids=["nothing", "empty", "every section"])
def test_a_good_pillar_has_no_problems(given):
    assert settings.problems(given, DEFAULTS) == []


@pytest.mark.parametrize(
    "case", BROKEN, ids=lambda case: f"{':'.join(case['path'])}={case['value']}"
)
def test_one_mutation_gives_one_line_that_names_the_key(case):
    found = settings.problems(mutated(case["path"], case["value"]), DEFAULTS)
    assert len(found) == 1
    assert case["message"].replace("\n", "\\n") in found[0]
    assert "\n" not in found[0]
    assert "hunter2" not in found[0]


@pytest.mark.parametrize("given", [5, "text", [1], True])
def test_a_pillar_that_is_no_mapping(given):
    (line,) = settings.problems(given, DEFAULTS)
    assert line.startswith("rancher is ") and "allowed: a mapping with roles" in line


def test_every_problem_is_named_at_once():
    found = settings.problems({"swap": {"size": 1}, "server": {"port": 0}}, DEFAULTS)
    assert [line.split(" ")[0] for line in found] == ["rancher:swap:size", "rancher:server:port"]


def test_a_disk_under_two_names_is_still_one_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(settings.os.path, "realpath", lambda path: "/dev/vdb")
    given = {"data_disk": {"device": "/dev/vdb"}, "thin_pool": {"device": "/dev/disk/by-id/b"}}
    (line,) = settings.problems(given, DEFAULTS)
    assert "the same disk" in line


def test_defaults_and_rules_name_the_same_keys():
    rules = {
        key
        for key in keys(settings.SCHEMA)
        if not key.startswith(("server:database:", "server:database_admin:"))
    }
    assert rules == set(keys(DEFAULTS))


def test_the_defaults_keep_their_own_rules():
    assert settings._check("rancher", DEFAULTS, settings.SCHEMA) == []


@pytest.mark.parametrize(
    ("text", "size"), [("1K", 1024), ("512K", 524288), ("20G", 20 << 30), ("1T", 1 << 40)]
)
def test_size(text, size):
    assert settings.size(text) == size


@pytest.mark.parametrize(
    "text", ["", "G", "0G", "1.5G", "1g", "1 G", "1GB", "-1G", 5, None, "1G\n"]
)
def test_no_size(text):
    with pytest.raises(SaltInvocationError, match="is not a size; allowed: a text such as 512K"):
        settings.size(text)
