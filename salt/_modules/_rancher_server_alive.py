"""
Whether another Rancher server uses a database now.

Every server, of a cluster or alone, checks in to the table cluster_membership of its database every
five seconds. A row whose heartbeat moves is a server that lives; one that was killed leaves its row.
"""

import json
import time

from salt.exceptions import CommandExecutionError

import _database_client
import _docker_engine
import _rancher_server_plan

# Seconds in which a server that lives has checked in twice, and between two looks.
LIMIT, PAUSE = 12, 1
_TABLE = "cluster_membership"


def check(database, blind=False):
    """
    Refuse a database that another server uses: a second one would wait for ever to become master, or
    join a cluster that nobody set up. ``blind``: Docker gives no answer yet, nothing of ours runs.
    """
    own = 0 if blind else _own()
    connection = (database[key] for key in ("host", "port", "user", "password"))
    with _database_client.connect(*connection) as ask:
        alive = _alive(ask, database["name"], own)
    if len(alive) > own:
        raise CommandExecutionError(
            f"rancher:server:database:name: {database['name']} on {database['host']} is in use now by "
            f"{'another' if own == 0 else 'more than this'} Rancher server ({', '.join(alive)}). Two "
            "servers on one database are a cluster (HA), which this tree does not set up; nothing was "
            "changed. Stop the other server, or give this one a database of its own"
        )


def _own():
    """
    How many servers of this tree run here with an external database: while one is replaced, under
    any of its names. One with the embedded database checks in there.
    """
    mine = [
        each["Id"]
        for each in _docker_engine.containers()
        if (each.get("Labels") or {}).get(_rancher_server_plan.LABEL) == _rancher_server_plan.ROLE
        and (each.get("Status") or "").startswith("Up")
    ]
    return sum(_is_external(_docker_engine.container(each)) for each in mine)


def _is_external(found):
    environment = (found or {"Config": {}})["Config"].get("Env") or []
    return any(each.startswith(f"{_rancher_server_plan.HOST}=") for each in environment)


def _alive(ask, name, own):
    """Those whose heartbeat moves, as text; looked at for as long as there are rows that could."""
    there = ask(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s AND table_name = %s",
        name,
        _TABLE,
    )
    if not there[0][0]:
        return []
    place = f"{_database_client.name(name)}.{_TABLE}"
    first, alive = None, {}
    until = time.monotonic() + LIMIT
    while True:
        rows = {uuid: (beat, config) for uuid, beat, config in _rows(ask, place)}
        first = first or rows
        for uuid, (beat, config) in rows.items():
            # One that came meanwhile was not there to be compared, and lives.
            if uuid not in first or first[uuid][0] != beat:
                alive[uuid] = _described(config)
        if len(rows) <= own or len(alive) > own or time.monotonic() > until:
            return sorted(alive.values())
        time.sleep(PAUSE)


def _rows(ask, place):
    return ask(f"SELECT uuid, heartbeat, config FROM {place}")  # noqa: S608 - a quoted name


def _described(config):
    """Where a server says that it is; one that is alone says 127.0.0.1."""
    try:
        known = json.loads(config)
        return f"it says {known['advertiseAddress']}, HTTP port {known['httpPort']}"
    except (ValueError, TypeError, KeyError):
        return "it does not say where it is"
