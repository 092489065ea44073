"""
Which of the hosts that a Rancher 1.x server lists is this machine; pure.

Rancher tells no machine-made identity in its API: the uuid of a host is the server's own, and
names and addresses may be shared by two machines, or be those of a gateway in between. So the
first registration carries a label with an id that is made here and lives in the agent's state
directory: it is copied, and dies, together with the identity that the agent itself keeps there.
A host that was registered by hand before has no such label (Rancher reads labels only when it
makes the host): there, name and address must both agree; a name alone counts when it is the
only one in the project.
"""

LABEL = "rancher.salt.id"
_GONE = ("removing", "removed", "purging", "purged")


def with_id(labels, mine):
    """Add the label that tells this machine from others. Returns a dict of text to text."""
    return {**labels, LABEL: mine}


def find(rows, me):
    """
    Find this machine among hosts. Returns a dict: ``row`` (dict or None) and ``by`` (``label``,
    ``name and address``, ``name`` or None). A row that carries another machine's label never
    counts.
    """
    rows = [row for row in rows if row["state"] not in _GONE]
    labelled = [row for row in rows if me["id"] and row["labels"].get(LABEL) == me["id"]]
    if labelled:
        # More than one only if someone copied labels by hand; the one that also looks like us.
        return {"row": max(labelled, key=lambda row: _likeness(row, me)), "by": "label"}
    named = [row for row in rows if LABEL not in row["labels"] and _is_named(row, me)]
    both = [row for row in named if row["ip"] in me["addresses"]]
    if len(both) == 1:
        return {"row": both[0], "by": "name and address"}
    if len(named) == 1 and len([row for row in rows if _is_named(row, me)]) == 1:
        return {"row": named[0], "by": "name"}
    return {"row": None, "by": None}


def is_stranger(row, me):
    """
    Tell whether a host that carries our id shows another machine. Returns True when neither its
    name nor its address is ours.
    """
    return not _is_named(row, me) and row["ip"] not in me["addresses"]


def status(row):
    """
    Say in one word how a host is doing. Returns ``active``, ``not registered``, or what Rancher
    says (str).
    """
    if row is None:
        return "not registered"
    # API v1 keeps `state` at active while the agent is gone.
    if row["state"] == "active":
        return row["agent_state"] or "active"
    return row["state"] or "unknown"


def _is_named(row, me):
    return (row["hostname"] or "").lower() in me["names"]


def _likeness(row, me):
    return (row["ip"] in me["addresses"], _is_named(row, me), status(row) == "active")
