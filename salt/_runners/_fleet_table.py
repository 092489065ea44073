"""
What an operator reads of a fleet: the table, and the preview of a deploy. Pure.
"""

import re

from _fleet_batch import line

HEADINGS = ["minion", "pool %", "meta %", "next", "conn %", "docker", "rancher"]
# A cell longer than this goes below the table: Salt cuts it off, and 100 columns are all there is.
_WIDEST = 12


def table(members, answers, hosts):
    """
    One row for each minion, and the lines about what is not known or not well. `answers` are full
    returns of ``capacity.status`` or False, `hosts` the states in Rancher of those with an agent.
    """
    rows, why = [HEADINGS], []
    for name in sorted(members):
        cells, words = _row(name, answers.get(name), hosts.get(name, "-"))
        # As lists: of dicts Salt's table would sort the columns by their names.
        rows.append(cells)
        # Salt folds lines between words only.
        why += [re.sub(r"(\S{80})", r"\1 ", f"{name}: {each}") for each in words]
    return {"hosts": rows, "why": why} if why else {"hosts": rows}


def _row(name, answer, rancher):
    found = answer.get("ret") if answer else "no answer"
    known, why = (found, []) if isinstance(found, dict) else ({}, [line(found or "no answer")])
    if rancher != "-" and known and known.get("agent") != "running":
        why.append(f"its agent is {known.get('agent') or 'absent'}")
    cells = [
        name,
        _number(known.get("pool_data_percent")),
        _number(known.get("pool_metadata_percent")),
        _fits(known),
        _number(known.get("conntrack_percent")),
        line(known.get("docker") or "-").partition("+")[0][:_WIDEST],
    ]
    if len(rancher) > _WIDEST:
        why.append(line(rancher))
        rancher = "see below"
    return [*cells, rancher], why


def _number(value):
    return f"{value:.1f}" if isinstance(value, (int, float)) else "-"


def _fits(known):
    fits = known.get("pool_next_extension_fits")
    return "-" if fits is None else "fits" if fits else "NO ROOM"


def preview(common, servers, urls, agents, left_out):
    """
    The lines of a deploy before it: `common` are pairs of a batch and its dry runs, `agents` are
    batches, `left_out` minions with the reason.
    """
    lines = ["Nothing was changed. A deploy would work through these, and stop where one fails:"]
    for number, (batch, dry) in enumerate(common, 1):
        lines.append(f"common, batch {number} of {len(common)}: {', '.join(batch)}")
        for name in batch:
            ((outcome, words),) = (dry.get(name) or {"failed": "not looked at"}).items()
            lines.append(f"  {name}: {'FAILS: ' if outcome == 'failed' else ''}{words}")
    lines += [f"server, one at a time: {name}" for name in servers]
    lines += [f"wait until {url} answers" for url in urls]
    for number, batch in enumerate(agents, 1):
        lines.append(f"agent, batch {number} of {len(agents)}: {', '.join(batch)}")
    lines += [f"left out: {name}: {why}" for name, why in left_out.items()]
    return lines
