"""The two languages of the README say the same: sections, commands, settings, messages."""

import re

import pytest
from fakes import ROOT

import _settings

ENGLISH = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh-CN.md").read_text()


def blocks(text):
    return re.findall(r"^```.*?^```", text, re.M | re.S)


def levels(text):
    return re.findall(r"^(#+) ", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)


def cells(text, column=0):
    """What a table has in its first column, as far as it is code."""
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return [re.findall(r"`([^`]+)`", line.split(" | ")[column]) for line in rows]


def settings(text):
    names = {key for row in cells(text) for key in row}
    return [name for name in leaves(_settings.SCHEMA) if name in names]


def leaves(tree, path=""):
    for key, value in tree.items():
        if isinstance(value, dict) and f"rancher:{path}{key}" not in _settings._NULLABLE_SECTIONS:
            yield from leaves(value, f"{path}{key}:")
        else:
            yield f"{path}{key}"


def test_each_names_the_other_at_its_top():
    assert "(README.zh-CN.md)" in ENGLISH[:400] and "(README.md)" in CHINESE[:200]


def test_sections():
    assert levels(ENGLISH) == levels(CHINESE)


def test_commands_and_configurations_are_the_same_to_the_letter():
    assert blocks(ENGLISH) == blocks(CHINESE)


@pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_setting_is_there(language):
    assert settings(language) == list(leaves(_settings.SCHEMA))


def test_tables_speak_of_the_same_things_in_the_same_order():
    assert cells(ENGLISH) == cells(CHINESE)
