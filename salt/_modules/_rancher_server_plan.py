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
# What Docker itself starts again, if need be.
RUNS = ("running", "restarting")
HIDDEN = "(not shown)"
# Names during a replacement; nobody else would think of them.
NEW, OLD = ".salt-new", ".salt-old"

HOST = "CATTLE_DB_CATTLE_MYSQL_HOST"
_PASSWORD = "CATTLE_DB_CATTLE_PASSWORD"
# Note that user and password have no MYSQL_ in their names.
_VARIABLES = {
    "host": HOST,
    "port": "CATTLE_DB_CATTLE_MYSQL_PORT",
    "name": "CATTLE_DB_CATTLE_MYSQL_NAME",
    "user": "CATTLE_DB_CATTLE_USERNAME",
    "password": _PASSWORD,
}


def wanted(pillar, image, port=8080, start=True, data_directory=None):
    """
    Put together what the container is to be. Holds the password: never log it.
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
    linked = _rancher_server_data.linked(mount.get("Source"))
    return {
        "id": inspected["Id"],
        "image": config["Image"],
        "image_id": inspected["Image"],
        "state": inspected["State"]["Status"],
        "pid": inspected["State"].get("Pid") or None,
        "started": not (inspected["State"].get("StartedAt") or "0001").startswith("0001"),
        "ours": (config.get("Labels") or {}).get(LABEL) == ROLE,
        "environment": {key: given[key] for key in _VARIABLES.values() if key in given},
        "port": int(bound) if bound else None,
        "restart": (host.get("RestartPolicy") or {}).get("Name") or "no",
        "data": linked or mount.get("Source"),
        "linked": linked is not None,
        "volume": mount.get("Name"),
    }


def observe(name, want, test=False):
    """
    What is there: the container, what an interrupted replacement left, the image, the directory.
    ``holds``: the container's own volume or directory has a database; ``mounted``: what it has
    there, None when not known; ``confining``: Docker uses SELinux; ``blind``: it did not answer.
    """
    seen = {"container": None, "image_id": None, "leftovers": [], "directory": None}
    seen.update(holds=False, blind=False, mounted=None, confining=False)
    if want["directory"]:
        seen["directory"] = _rancher_server_data.look(want["directory"])
        # The step that mounts it comes before this one, and only in a run.
        seen["directory"]["coming"] = test and _rancher_server_data.comes(want["directory"])
    if test and not _docker_engine.answers():
        return {**seen, "blind": True}
    look = _docker_engine.container
    have, image = facts(look(name)), _docker_engine.image(want["image"])
    if have and have["data"]:
        data = _rancher_server_data.look(have["data"])
        # What is kept where this host does not show it may be a database as well.
        seen["holds"] = data["database"] or data["owner"] is None
        seen["mounted"] = _rancher_server_data.inside(have["pid"], DATA)
    return {
        **seen,
        "container": have,
        "confining": bool(seen["directory"]) and _docker_engine.confines(),
        "image_id": image and image["Id"],
        "leftovers": [name + suffix for suffix in (NEW, OLD) if look(name + suffix) is not None],
    }


def plan(name, seen, want):
    """
    What is left to do. Pure; passwords are compared and not shown. Returns the changes (dict),
    empty when nothing is to do.
    """
    have, changes = seen["container"], {}
    differing = differences(have, want, seen["image_id"]) if have and want["start"] else {}
    if seen["image_id"] is None and (have is None or "image" in differing or not want["start"]):
        changes["pulled"] = {"old": None, "new": want["image"]}
    if not want["start"]:
        return changes
    if seen["directory"]:
        _insist_on_data(name, seen)
    if differing:
        _insist(name, have, seen, want, differing)
    changes.update(differing)
    if seen["directory"]:
        changes.update(_for_data(seen, have is None or bool(differing)))
    if have is None:
        changes["container"] = {"old": None, "new": "running"}
    elif differing:
        changes["container"] = {"old": have["state"], "new": "replaced"}
    elif have["state"] not in RUNS:
        changes["container"] = {"old": have["state"], "new": "running"}
    if seen["leftovers"]:
        changes["left by an interrupted run"] = {"old": seen["leftovers"], "new": None}
    return changes


def _for_data(seen, new):
    """What is left to do for the embedded database's directory, and for the link that leads there."""
    have, data, changes = seen["container"], seen["directory"], {}
    ours = bool(have) and have["linked"]
    if data.get("coming") and (have or _rancher_server_data.expected(data)):
        return {}
    if new or (ours and have["state"] not in RUNS):
        changes.update(_rancher_server_data.plan(data, seen["confining"]))
    if ours and not new and not _rancher_server_data.protected(data):
        new = f"{data['path']}, only with its database" if data["folder"] else data["path"]
        changes["bind"] = {"old": data["link"], "new": new}
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
    if have["ours"] and have["data"] == want["directory"] and not have["linked"]:
        # Of a time before the link: Docker makes the directory when its file system is missing.
        words = (f"{have['data']}, made when missing", f"{have['data']}, only when it is there")
        pairs["bind"] = words
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
    if HOST not in given:
        return f"embedded, {one.get('directory') or one.get('data')}"
    host, port, name, user = (
        given.get(_VARIABLES[key]) for key in ("host", "port", "name", "user")
    )
    return f"{user}@{host}:{port}/{name}"


def _insist_on_data(name, seen):
    """Refuse to start an empty database in the place of ours, and to leave two of them behind."""
    have, mounted, path = seen["container"], seen["mounted"], seen["directory"]["path"]
    if mounted and have["data"] == path and not _rancher_server_data.same(path, mounted):
        raise CommandExecutionError(
            _rancher_server_data.differing(name, seen["directory"], mounted)
        )
    _rancher_server_data.insist(seen["directory"])
    lost = have and have["ours"] and have["data"] == path and not have["linked"]
    stopped = have and have["state"] not in RUNS
    lost = lost and not seen["directory"].get("coming")
    if lost and stopped and have["started"] and not seen["directory"]["database"]:
        raise CommandExecutionError(
            f"container {name} ran with its database in {path}, which holds none now: an empty one "
            "would be started. Nothing was changed. Mount its file system or restore a backup; if "
            f"the database is lost and an empty one is wanted: `docker rm {name}`, then apply again"
        )


def _insist(name, have, seen, want, differing):
    """Refuse to replace what is not ours, and what holds a database that would be left behind."""
    kept = have["data"] if seen["holds"] and HOST not in have["environment"] else None
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


def protect(name):
    """From now on the container starts only with the database that it has made."""
    have = facts(_docker_engine.container(name))
    if have and have["linked"]:
        _rancher_server_data.protect(have["data"])
