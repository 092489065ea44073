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
    """Labels with the one that tells this machine from others."""
    return {**labels, LABEL: mine}


def find(rows, me):
    """
    This machine among hosts: ``row`` (or None), ``by`` (``label``, ``name and address``, ``name``
    or None) and ``twins``, rows that might be this machine as well. A row that carries another
    machine's label never counts.
    """
    rows = [row for row in rows if row["state"] not in _GONE]
    labelled = [row for row in rows if me["id"] and row["labels"].get(LABEL) == me["id"]]
    if labelled:
        # More than one only if someone copied labels by hand; the one that also looks like us.
        return _found(max(labelled, key=lambda row: _likeness(row, me)), "label")
    named = [row for row in rows if LABEL not in row["labels"] and _is_named(row, me)]
    both = [row for row in named if row["ip"] in me["addresses"]]
    if len(both) > 1:
        active = [row for row in both if status(row) == "active"]
        row = active[0] if len(active) == 1 else None
        return _found(row, "name and address" if row else None, twins=both)
    if both:
        return _found(both[0], "name and address")
    if len(named) == 1 and len([row for row in rows if _is_named(row, me)]) == 1:
        return _found(named[0], "name")
    return _found(None, None)


def _found(row, by, twins=()):
    return {"row": row, "by": by, "twins": list(twins)}


def is_stranger(row, me):
    """
    Whether a host that carries our id shows another machine: neither its name, short or long, nor
    its address is ours. A new host has no address for half a minute: then nothing can be said.
    """
    if row["ip"] is None or row["ip"] in me["addresses"]:
        return False
    return _short(row["hostname"]) not in {_short(name) for name in me["names"]}


def status(row):
    """How a host is doing, in one word: ``active``, ``not registered``, or what Rancher says."""
    if row is None:
        return "not registered"
    # API v1 keeps `state` at active while the agent is gone; a new host has no state of its agent.
    if row["state"] == "active":
        return row["agent_state"] or "active"
    return row["state"] or "unknown"


def described(row):
    """A host in a message."""
    return f"{row['id']} ({row['hostname']}, {row['ip'] or 'no address yet'}, {status(row)})"


def _is_named(row, me):
    return (row["hostname"] or "").lower() in me["names"]


def _short(name):
    return (name or "").lower().partition(".")[0]


def _likeness(row, me):
    return (row["ip"] in me["addresses"], _is_named(row, me), status(row) == "active")
