"""The commit-msg hook: `type(scope): summary`, at most 72 characters, a blank second line."""

import re
import sys

TYPES = "feat|fix|docs|test|refactor|perf|build|ci|chore"


def problem(message):
    """What is wrong with a commit message, or None."""
    first, *rest = message.splitlines() or [""]
    if not re.fullmatch(rf"({TYPES})(\([a-z_-]+\))?: \S.*[^.]", first):
        return f"the first line must be `type(scope): summary`, type one of {TYPES}"
    if len(first) > 72:
        return f"the first line has {len(first)} characters, 72 are allowed"
    if rest and rest[0].strip():
        return "the second line must be blank"
    return None


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as handle:
        text = "".join(line for line in handle if not line.startswith("#"))
    sys.exit(problem(text))
