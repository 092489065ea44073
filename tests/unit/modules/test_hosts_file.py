import pytest
import yaml
from fakes import ROOT, load

CASES = yaml.safe_load((ROOT / "tests/unit/cases/hosts_file.yaml").read_text())
NAME = "node1.example.com"

hostsfile = load("_hosts_file")


@pytest.mark.parametrize("name", CASES["hosts"])
def test_hosts(name):
    case = CASES["hosts"][name]
    wanted = case.get("name", NAME)
    if "after" not in case:
        assert hostsfile.resolves(case["text"], wanted)
        return
    assert not hostsfile.resolves(case["text"], wanted)
    made = hostsfile.named(case["text"], wanted, case["was"])
    assert made == {"text": case["after"], "old": case["old"], "new": case["new"]}
    assert hostsfile.resolves(made["text"], wanted)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", None),
        (f"# 10.0.0.5 {NAME}\n", None),
        (f"127.0.0.1 localhost\n10.0.0.5 x {NAME.upper()}\n127.0.1.1 {NAME}\n", "10.0.0.5"),
    ],
)
def test_the_first_line_counts(text, address):
    assert hostsfile.address(text, NAME) == address


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.0.1.1", True),
        ("::1", True),
        ("10.127.0.1", False),
        ("fd00::1", False),
    ],
)
def test_loopback(address, loopback):
    assert hostsfile.is_loopback(address) is loopback
