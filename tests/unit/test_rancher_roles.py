"""
Which function works with which API keys: cases/rancher_roles.yaml, each cell against the double.

`pytest -s` prints the table at the end.
"""

import pytest
import yaml
from fake_rancher import FakeRancher
from fakes import ROOT
from rancher_kit import ACCESS, SECRET, Kit, everything
from salt.exceptions import CommandExecutionError

import _rancher_registration

TABLE = yaml.safe_load((ROOT / "tests/unit/cases/rancher_roles.yaml").read_text())
NODE = "node1.example.test"


@pytest.fixture(scope="module", autouse=True)
def printed():
    yield
    functions = TABLE["functions"]
    print("\n| keys |", " | ".join(functions), "|")
    print("|---" * (len(functions) + 1) + "|")
    for role, row in TABLE["roles"].items():
        print(f"| {role} |", " | ".join(row["gets"]), "|")
    for short, words in TABLE["says"].items():
        print(f"{short}: {words}")


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with FakeRancher() as fake:
        fake.configure(per_request=0.4, access_control=True)
        fake.add_project("Other")
        yield fake


def call(fake, kit, function):
    kit.pillar["rancher"]["agent"]["project"] = "1a5"
    if function == "ready":
        return kit.rancher.ready(fake.url)
    if function == "registration address":
        return _rancher_registration.host(kit.connect(fake.url))
    if function in ("project", "hosts", "registration"):
        return getattr(kit.rancher, function)(fake.url)
    return getattr(kit.host, function)(fake.url, NODE)


@pytest.mark.parametrize("function", TABLE["functions"])
@pytest.mark.parametrize("role", TABLE["roles"])
def test_roles(fake, role, function):
    row = TABLE["roles"][role]
    agent = {} if row["key"] == "none" else {"access_key": ACCESS, "secret_key": SECRET}
    if isinstance(row["key"], dict):
        fake.add_key(ACCESS, SECRET, **row["key"])
    fake.add_host(NODE, state="inactive" if function == "activate" else "active")
    fake.add_instance("1h1", "web-1", service="1s1")
    words = TABLE["says"][row["gets"][TABLE["functions"].index(function)]]
    if words == "ok":
        call(fake, Kit(agent), function)
        return
    with pytest.raises(CommandExecutionError) as caught:
        call(fake, Kit(agent), function)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in everything(caught.value) and ACCESS not in everything(caught.value)
    assert all(seen.method == "GET" for seen in fake.journal), "refused before anything was asked"


def test_the_table_is_whole():
    for role, row in TABLE["roles"].items():
        assert len(row["gets"]) == len(TABLE["functions"]), role
