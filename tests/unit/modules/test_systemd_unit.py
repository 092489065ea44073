"""The reader of units: named cases, and beside systemd's own code on whatever hypothesis thinks of."""

import pytest
import real_systemd
import yaml
from fakes import ROOT
from hypothesis import example, given
from hypothesis import strategies as st

import _systemd_unit as systemd

CASES = yaml.safe_load((ROOT / "tests/unit/cases/systemd_unit.yaml").read_text())
real = pytest.mark.skipif(not real_systemd.there(), reason="no libsystemd-shared of version 252")

# What counts for the grammars, more often than what does not.
LETTERS = st.sampled_from([*"ab=1-/:.", *" \t", *"\\'\"#;$%{}[]", "é", "\u2028"])
LINE = st.text(LETTERS, max_size=40)
FILE = st.lists(
    st.one_of(
        LINE,
        st.sampled_from(["[Service]", "[Unit]", "ExecStart=", "#x", "\\", "", "A=b \\", " ;c \\"]),
    ),
    max_size=8,
).map("\n".join)
NAMES = st.sampled_from(["A", "B", "DOCKER_OPTS"])


def cases(kind):
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["name"])


@cases("settings")
def test_a_unit(case):
    assert systemd.settings(case["text"]) == [tuple(each) for each in case["settings"]]


@cases("commands")
def test_a_command(case):
    assert systemd.commands(case["value"]) == case["commands"]


@cases("variables")
def test_a_file_of_variables(case):
    assert systemd.variables(case["text"]) == case["variables"]


@cases("expanded")
def test_variables_in_a_command(case):
    environment = case["environment"]
    found = [word for each in case["words"] for word in systemd.expanded(each, environment)]
    assert found == case["expanded"]


@real
@given(FILE)
@example("[Service]\nExecStart=a \\\n # c \\\n b\\\n\nB=2")
@example("[Service]\nA=b\\")
@example("\ufeff[Unit]\nA=1\r\nB=2\rC=3\0D=4")
def test_a_unit_is_read_as_systemd_reads_it(text):
    theirs = real_systemd.settings(text, ["Service", "Unit"])
    if theirs is not None:
        ours = systemd.settings(text)
        assert [one for one in ours if one[0] in ("Service", "Unit")] == theirs


@real
@given(LINE)
@example("a\\x20b \\s \\101 \\u00e9 'x\\ty' \\q \"\\")
@example("\\x00 \\400 \\u00")
def test_words_are_cut_as_systemd_cuts_them(value):
    assert systemd.words(value) == real_systemd.words(value)


@real
@given(FILE)
@example('A=\'x\ny\'z\nB="q\\"r"s  \nC=a\\\nb\n#c\\\nD=1\nE')
@example('A=a \' b\' c\nB= \\  x\nC="a" "b" d\n')
def test_variables_are_read_as_systemd_reads_them(text):
    theirs = real_systemd.variables(text)
    if theirs is not None:
        named = {name: value for name, value in theirs.items() if systemd._NAME.fullmatch(name)}
        assert systemd.variables(text) == named


@real
@given(st.lists(LINE, max_size=4), st.dictionaries(NAMES, LINE))
@example(["$A", "${A}x", "$$A", "x$A", "${A", "$", "$A,b"], {"A": "1 '2 3' \\4"})
def test_variables_are_put_in_as_systemd_does(argv, environment):
    found = [word for each in argv for word in systemd.expanded(each, environment)]
    assert found == real_systemd.expanded(argv, environment)


@given(st.text())
def test_no_text_stops_the_reader(text):
    for section, key, value in systemd.settings(text):
        assert section and key
        systemd.commands(value), systemd.assignments(value)
    systemd.variables(text)
