"""
The container of the Rancher server: what the settings ask for, what is there, what differs.

Whether a container is current is decided by its own data, in memory: no fingerprint of a password
is kept anywhere, and no password leaves this module but in the environment of the container.
"""

from salt.exceptions import CommandExecutionError

import _docker_engine
import _rancher_database
import _rancher_server_data

LABEL, ROLE = "rancher-salt.role", "server"
INSIDE, DATA = "8080/tcp", "/var/lib/mysql"
RESTART = "unless-stopped"
HIDDEN = "(not shown)"
# Names during a replacement; nobody else would think of them.
NEW, OLD = ".salt-new", ".salt-old"

_HOST = "CATTLE_DB_CATTLE_MYSQL_HOST"
_PASSWORD = "CATTLE_DB_CATTLE_PASSWORD"
# Note that user and password have no MYSQL_ in their names.
_VARIABLES = {
    "host": _HOST,
    "port": "CATTLE_DB_CATTLE_MYSQL_PORT",
    "name": "CATTLE_DB_CATTLE_MYSQL_NAME",
    "user": "CATTLE_DB_CATTLE_USERNAME",
    "password": _PASSWORD,
}


def wanted(pillar, image, port=8080, start=True, data_directory=None):
    """
    Put together what the container shall be; made for states. Holds the password: never log it.
    Returns a dict: ``image``, ``port``, ``start``, ``directory`` (None with an external database),
    ``environment`` and ``database`` (of the pillar, with its defaults, or None).
    """
    database = _rancher_database.wanted(pillar)
    return {
        "image": image,
        "port": port,
        "start": start,
        "directory": None if database else data_directory,
        "environment": environment(database),
        "database": database,
    }


def environment(database):
    """The variables that lead the server to its database. Returns a dict, text to text."""
    if not database:
        return {}
    return {variable: str(database[key]) for key, variable in _VARIABLES.items()}


def facts(inspected):
    """
    What counts of a container. Holds its password: never log it. Returns a dict, or None when
    there is none.
    """
    if inspected is None:
        return None
    config, host = inspected["Config"], inspected["HostConfig"]
    given = dict(entry.partition("=")[::2] for entry in config.get("Env") or [])
    bound = ((host.get("PortBindings") or {}).get(INSIDE) or [{}])[0].get("HostPort")
    mount = next((m for m in inspected.get("Mounts") or [] if m.get("Destination") == DATA), {})
    return {
        "id": inspected["Id"],
        "image": config["Image"],
        "image_id": inspected["Image"],
        "state": inspected["State"]["Status"],
        "ours": (config.get("Labels") or {}).get(LABEL) == ROLE,
        "environment": {key: given[key] for key in _VARIABLES.values() if key in given},
        "port": int(bound) if bound else None,
        "restart": (host.get("RestartPolicy") or {}).get("Name") or "no",
        "data": mount.get("Source"),
        "volume": mount.get("Name"),
    }


def observe(name, want, test=False):
    """
    Look at the container, at what an interrupted replacement left, and at the image. Returns a
    dict: ``container``, ``image_id``, ``leftovers`` (list of names), ``directory``, ``holds``
    (bool: there is a database in the container's volume or directory) and ``blind`` (bool: Docker
    could not be asked).
    """
    seen = {"container": None, "image_id": None, "leftovers": [], "directory": None}
    seen.update(holds=False, blind=False)
    if want["directory"]:
        seen["directory"] = _rancher_server_data.look(want["directory"])
    if test and not _docker_engine.answers():
        return {**seen, "blind": True}
    look = _docker_engine.container
    have, image = facts(look(name)), _docker_engine.image(want["image"])
    if have and have["data"]:
        data = _rancher_server_data.look(have["data"])
        # What is kept where this host does not show it may be a database as well.
        seen["holds"] = data["database"] or data["owner"] is None
    return {
        **seen,
        "container": have,
        "image_id": image and image["Id"],
        "leftovers": [name + suffix for suffix in (NEW, OLD) if look(name + suffix) is not None],
    }


def plan(name, seen, want):
    """
    What is left to do. Pure; passwords are told apart and not shown. Returns the changes (dict),
    empty when nothing is to do.
    """
    have, changes = seen["container"], {}
    differing = differences(have, want, seen["image_id"]) if have and want["start"] else {}
    if seen["image_id"] is None and (have is None or "image" in differing or not want["start"]):
        changes["pulled"] = {"old": None, "new": want["image"]}
    if not want["start"]:
        return changes
    if differing:
        _insist(name, have, seen, want, differing)
    changes.update(differing)
    if seen["directory"] and (have is None or differing):
        changes.update(_rancher_server_data.plan(seen["directory"]))
    if have is None:
        changes["container"] = {"old": None, "new": "running"}
    elif differing:
        changes["container"] = {"old": have["state"], "new": "replaced"}
    elif have["state"] not in ("running", "restarting"):
        changes["container"] = {"old": have["state"], "new": "running"}
    if seen["leftovers"]:
        changes["left by an interrupted run"] = {"old": seen["leftovers"], "new": None}
    return changes


def differences(have, want, image_id=None):
    """
    In what a container is not the one that is wanted. A password appears as changed. Returns the
    changes (dict).
    """
    found = {}
    pairs = {
        "image": (have["image"], want["image"]),
        "port": (have["port"], want["port"]),
        "restart": (have["restart"], RESTART),
        "database": (_database(have), _database(want)),
    }
    for key, (old, new) in pairs.items():
        if old != new:
            found[key] = {"old": old, "new": new}
    if have["image"] == want["image"] and image_id not in (None, have["image_id"]):
        found["image"] = {"old": have["image_id"][:19], "new": image_id[:19]}
    old, new = have["environment"].get(_PASSWORD), want["environment"].get(_PASSWORD)
    if new is not None and old != new:
        found["password"] = {"old": old and HIDDEN, "new": "changed"}
    return found


def _database(one):
    """In words: where its database is."""
    given = one["environment"]
    if _HOST not in given:
        return f"embedded, {one.get('directory') or one.get('data')}"
    host, port, name, user = (
        given.get(_VARIABLES[key]) for key in ("host", "port", "name", "user")
    )
    return f"{user}@{host}:{port}/{name}"


def _insist(name, have, seen, want, differing):
    """Refuse to replace what is not ours, and what holds a database that would be left behind."""
    kept = have["data"] if seen["holds"] and _HOST not in have["environment"] else None
    aside = f"`docker stop {name}`, `docker rename {name} {name}-before`"
    directory = want["directory"]
    if kept and directory and kept != directory and not seen["directory"]["database"]:
        where = f"volume {have['volume'][:12]}" if have["volume"] else "directory"
        raise CommandExecutionError(
            f"container {name} has its database in the {where}, {kept}, which a new one with "
            f"rancher:server:data_directory {directory} would not see; nothing was changed. To "
            f"move it: {aside}, `mkdir -p {directory}`, `cp -a {kept}/. {directory}/`, "
            f"`chown 102:105 {directory}`, then apply again"
        )
    if not have["ours"]:
        raise CommandExecutionError(
            f"container {name} ({have['image']}) was not made by this state and differs in "
            f"{', '.join(differing)}; nothing was changed. "
            + (f"Its database is in {kept}: bring that along. " if kept and not directory else "")
            + f"To have it replaced: {aside}, then apply again"
        )
