import pytest
from commit_message import problem


@pytest.mark.parametrize(
    "message",
    ["feat(swap): resize when memory allows", "docs: say it\n\nWhy.", "ci: run on Debian"],
)
def test_good_messages(message):
    assert problem(message) is None


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", "type(scope): summary"),
        ("Fix things", "type(scope): summary"),
        ("feat: ends with a dot.", "type(scope): summary"),
        ("feat: " + "x" * 70, "76 characters, 72 are allowed"),
        ("feat: one\ntwo", "second line must be blank"),
    ],
)
def test_bad_messages(message, words):
    assert words in problem(message)
