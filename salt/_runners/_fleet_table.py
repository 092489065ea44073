"""
One row of the table of a fleet. Pure.
"""


def row(minion, answer, rancher="-"):
    """
    Write down what is known of one host: a dict whose keys are the headings. `answer` is the full
    return of ``capacity.status`` or False, `rancher` its state there.
    """
    found = answer.get("ret") if answer else "no answer"
    known = found if isinstance(found, dict) else {}
    cells = {
        "minion": minion,
        "host": known.get("hostname") or "-",
        "pool data %": _number(known.get("pool_data_percent")),
        "metadata %": _number(known.get("pool_metadata_percent")),
        "next extension": _fits(known),
        "conntrack %": _number(known.get("conntrack_percent")),
        "docker": known.get("docker") or "-",
        "agent": known.get("agent") or "-",
        "rancher": rancher,
    }
    if not isinstance(found, dict):
        cells["agent"] = str(found).rstrip("\n").split("\n")[-1][:60] if found else "no answer"
    return cells


def _number(value):
    return "-" if value is None else f"{value:.1f}"


def _fits(known):
    fits = known.get("pool_next_extension_fits")
    return "-" if fits is None else "fits" if fits else "NO ROOM"
