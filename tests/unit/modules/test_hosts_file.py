import pytest
import yaml
from fakes import ROOT
from hypothesis import given
from hypothesis import strategies as st

import _hosts_file as hostsfile

CASES = yaml.safe_load((ROOT / "tests/unit/cases/hosts_file.yaml").read_text())
NAME = "node1.example.com"
REPORTS = yaml.safe_load((ROOT / "tests/unit/cases/public_reports.yaml").read_text())


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


@pytest.mark.parametrize(
    "text",
    [
        REPORTS["20-hosts-u2028"],
        "127.0.0.1 localhost # a\x0bb\x0cc\x1cd\x85e\u2029f\n10.0.0.9 other\n",
        "127.0.0.1 localhost # \udce9\n10.0.0.9 other\r\n",
        f"10.0.0.9 other # \u2028127.0.1.1 old {NAME}\n",
    ],
)
def test_a_line_of_others_was_cut_in_two(text):
    made = hostsfile.named(text, NAME, ["old"])
    own = f"127.0.1.1 {NAME} node1\n"
    assert made["text"].count(own) == 1
    assert made["text"].replace(own, "") == text


def test_only_what_libc_takes_for_a_blank_separates_names():
    assert hostsfile.address(f"10.0.0.9 x\u00a0{NAME}\n", NAME) is None
    assert hostsfile.address(f"10.0.0.9\tx\v{NAME}\r\n", NAME) == "10.0.0.9"


LINES = st.text(
    st.one_of(
        st.sampled_from(" \t#\r\v\f\x85\u2028ab.:10"), st.characters(exclude_characters="\n")
    ),
    max_size=30,
)


@given(lines=st.lists(LINES, max_size=6), end=st.sampled_from(["", "\n"]))
def test_whatever_others_wrote_stays_byte_for_byte(lines, end):
    text = "\n".join(lines) + end
    if hostsfile.resolves(text, NAME):
        return
    made = hostsfile.named(text, NAME, ["former"])
    before, after = text.split("\n"), made["text"].split("\n")
    if made["old"] is None:
        after.remove(made["new"])
        # Only the end of the last line may have come.
        assert "\n".join(after).rstrip("\n") == text.rstrip("\n")
    else:
        assert len(before) - len(after) in (0, -1)
    assert hostsfile.resolves(made["text"], NAME)
