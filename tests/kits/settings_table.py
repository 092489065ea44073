"""
The settings table of README.md, made from ``salt/rancher_salt/settings/defaults.yaml`` and the checks.

``make docs`` writes it; ``tests/test_tree.py`` fails when it is out of date.
"""

import json
import re
import sys

from fakes import DEFAULTS, ROOT

import _settings

README = ROOT / "README.md"
START, END = "<!-- settings: made by `make docs` -->", "<!-- end of settings -->"


def table():
    """The Markdown table: setting, default, what is allowed, what it is for."""
    lines = ["| Setting | Default | Allowed | Meaning |", "|---|---|---|---|"]
    lines += [_line(*row) for row in _rows(DEFAULTS, _settings.SCHEMA)]
    return "\n".join(lines)


def current():
    """The table that README.md holds now."""
    return _parts()[1].strip()


def _parts():
    before, _, rest = README.read_text().partition(START)
    inside, _, after = rest.partition(END)
    return before, inside, after


def _rows(defaults, rules, path=""):
    for key, rule in rules.items():
        name = f"{path}{key}"
        if isinstance(rule, dict) and defaults.get(key) is not None:
            yield from _rows(defaults[key], rule, f"{name}:")
        else:
            yield name, defaults[key], rule


def _line(name, default, rule):
    allowed = "a mapping with " + ", ".join(rule) if isinstance(rule, dict) else rule[0]
    cells = (f"`{name}`", f"`{json.dumps(default)}`", allowed, _comment(name))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _comment(name):
    text = (ROOT / "salt/rancher_salt/settings/defaults.yaml").read_text()
    section, _, key = name.partition(":")
    if key:
        text = text[re.search(rf"^{section}:", text, re.M).start() :]
        match = re.search(rf"^  {key}:.*?(?:\s# (.*))?$", text, re.M)
    else:
        match = re.search(rf"^{section}:.*?(?:\s# (.*))?$", text, re.M)
    return match[1] or ""


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    head, _, tail = _parts()
    README.write_text(f"{head}{START}\n{table()}\n{END}{tail}")
