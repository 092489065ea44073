import hypothesis
import hypothesis.strategies as st
import pytest
import yaml

import _export_yaml as dumper

# What YAML 1.1, YAML 1.2 or Kubernetes' own reader could take for something else.
ODD = ["y", "N", "yes", "off", "true", "null", "~", "", "0400", "010", "1e3", "0x1f", "0o17", ".5"]
ODD += ["1_000", "12:30:45", "2020-01-01", "<<", "=", "&a", "*a", "!x", "%x", "@x", "`x", "- a"]
ODD += [
    "a: b",
    "a # b",
    "#",
    "a\nb",
    "a\n",
    "\na",
    " a ",
    "a\tb",
    "\t",
    "é\u2028\u2603",
    "\U0001f600",
]
ODD += [
    "\"q\": 'y'",
    "a\\nb",
    ".inf",
    "NaN",
    "0b1",
    "+1",
    "-",
    "?",
    ":",
    "[a]",
    "{a}",
    "a,b",
    "\x7f",
]
ODD += [
    "a\r\nb",
    " \n a",
    "a \nb",
    "|",
    ">",
    "1.0",
    "1,5",
    "0",
    "00",
    "\ufeffa",
    "\x85",
    "nbsp\xa0",
]


@pytest.mark.parametrize("value", ODD)
def test_a_text_stays_a_text(value):
    text = dumper.dump({"key": value, value: "value"})
    assert yaml.safe_load(text) == {"key": value, value: "value"}


@pytest.mark.parametrize("value", ["y", "N", "1e3", "0o17", "1_000", "12:30", "0400", "null"])
def test_what_is_no_plain_word_stands_in_quotes(value):
    # PyYAML itself writes some of them bare, and Kubernetes' reader takes them for another type.
    assert dumper.dump({"key": value}) == f"key: '{value}'\n"


@hypothesis.given(st.text(st.characters(codec="utf-8")))
def test_every_text_comes_back(value):
    assert yaml.safe_load(dumper.dump([value])) == [value]


def test_several_documents_and_no_alias():
    shared = {"a": 1}
    text = dumper.dump({"one": shared, "two": shared}, {"z": None})
    assert text == "---\none:\n  a: 1\ntwo:\n  a: 1\n---\nz: null\n"


def test_the_order_of_keys_stays():
    assert dumper.dump({"b": 1, "a": True}) == "b: 1\na: true\n"
