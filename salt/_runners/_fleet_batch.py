"""
Work on a fleet in batches, and stop at the first batch with a failure. Pure.
"""

import logging
import re

from salt.exceptions import SaltInvocationError

log = logging.getLogger(__name__)

# What moves a terminal's cursor or colours it.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[0-~])")
# A reason longer than this is for the minion's own log.
_LONGEST = 400


def split(minions, size):
    """Divide minions into batches of `size`, a number or such as ``25%``, in the order of their names."""
    names = sorted(set(minions))
    text = str(size)
    if isinstance(size, bool) or not re.fullmatch(r"[1-9][0-9]*|(100|[1-9][0-9]?)%", text):
        raise SaltInvocationError(f"batch is {size!r}, allowed: a whole number, or 1% to 100%")
    count = max(1, len(names) * int(text[:-1]) // 100) if text.endswith("%") else int(text)
    return [names[start : start + count] for start in range(0, len(names), count)]


def walk(batches, work):
    """
    Work through the batches; after the first one with a failure it stops. ``work(batch)`` gives
    ``{"done": text}`` or ``{"failed": reason}`` for each minion, nothing for one that it did not
    begin with. Returns a dict: ``done``, ``failed`` and ``left``.
    """
    report = {"done": {}, "failed": {}, "left": []}
    for batch in batches:
        if report["failed"]:
            report["left"] += batch
            continue
        try:
            results = work(batch)
        except Exception as exc:  # noqa: BLE001 - what the others did is not lost for it
            log.debug("batch %s", batch, exc_info=True)
            results = dict.fromkeys(batch, {"failed": line(exc) or type(exc).__name__})
        for minion in batch:
            for outcome, text in results.get(minion, {}).items():
                report[outcome][minion] = text
        report["left"] += [minion for minion in batch if minion not in results]
    return report


def verdict(answer, dry=False):
    """
    Say in one line what a minion made of ``state.apply``: ``{"done": text}`` or
    ``{"failed": reason}``. `answer` is its full return, or False when none came. A minion may send
    anything.
    """
    if not answer:
        return {"failed": "no answer: it is down, or was cut off during the run"}
    states = answer.get("ret") if isinstance(answer, dict) else answer
    if not _is_state_return(states):
        return {"failed": line(states or "the minion answered nothing")}
    rows = sorted(states.values(), key=_number)
    bad = [row for row in rows if row["result"] not in (True, None)]
    if bad:
        own = [row for row in bad if not _comment(row).startswith("One or more requisite")]
        first = (own or bad)[0]
        more = f" (and {len(own) - 1} more)" if len(own) > 1 else ""
        return {"failed": f"{_name(first)}: {_comment(first) or 'no reason given'}{more}"}
    changed = [_name(row) for row in rows if row.get("changes")]
    words = "would change" if dry else "changed"
    return {"done": f"{words}: {', '.join(changed)}" if changed else "nothing to change"}


def line(words):
    """Anything as one line that a terminal can show, and not too long."""
    if isinstance(words, (list, tuple)):
        words = "; ".join(map(str, words))
    shown = "".join(each if each.isprintable() else " " for each in _ESCAPES.sub(" ", str(words)))
    text = " ".join(shown.split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _number(row):
    number = row.get("__run_num__")
    return number if isinstance(number, (int, float)) else float("inf")


def _name(row):
    return line(row.get("__id__") or row.get("name") or "a state without a name")


def _comment(row):
    comment = "" if row.get("comment") is None else row["comment"]
    # What `test.fail_without_changes` makes of its own words in a dry run.
    return line(row.get("name") if str(comment).startswith("If we weren't testing") else comment)


def _is_state_return(states):
    return (
        isinstance(states, dict)
        and bool(states)
        and all(isinstance(row, dict) and "result" in row for row in states.values())
    )
