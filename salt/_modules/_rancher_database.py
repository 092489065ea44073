"""
The external database of the Rancher server, looked at before a container exists: every problem is
one line with the setting that is concerned and the statement that an administrator would run.
"""

import re

from salt.exceptions import CommandExecutionError

import _database_client
import _rancher_database_grants

DEFAULTS = {"port": 3306, "name": "cattle", "user": "cattle"}
KEY = "rancher:server:database"
CHARSET, COLLATION = ("utf8", "utf8mb3"), ("utf8_general_ci", "utf8mb3_general_ci")
_DENIED, _DENIED_DATABASE, _NO_DATABASE, _HOST_DENIED = 1045, 1044, 1049, 1130


def wanted(pillar):
    """
    The database of the pillar. Holds its password: never log it. Returns a dict with ``host``,
    ``port``, ``name``, ``user`` and ``password``, or None for the embedded one.
    """
    # Not pillar.get: from Salt 3008 on it gives modules asterisks in place of values.
    server = (pillar.get("rancher") or {}).get("server") or {}
    return {**DEFAULTS, **server["database"]} if server.get("database") else None


def check(database):
    """
    Look whether the server could work with the database of the pillar. Returns a list of str,
    sentences that do not prevent that: a version that Rancher 1.6 does not support, limits that
    are too low.
    """
    if database is None:
        return []
    _not_the_container(database["host"])
    connection = (database[key] for key in ("host", "port", "user", "password"))
    try:
        with _database_client.connect(*connection) as ask:
            return _looked_at(ask, database)
    except CommandExecutionError as exc:
        if not hasattr(exc, "code"):
            raise
        raise CommandExecutionError(explained(exc.code, str(exc), database)) from None


def _looked_at(ask, database):
    name = database["name"]
    ask(f"USE {_database_client.name(name)}")
    charset, collation = ask("SELECT @@character_set_database, @@collation_database")[0]
    folded = bool(ask("SELECT @@lower_case_table_names")[0][0])
    lacking = _rancher_database_grants.missing((row[0] for row in ask("SHOW GRANTS")), name, folded)
    if charset not in CHARSET or collation not in COLLATION:
        raise CommandExecutionError(
            f"{KEY}:name: database {name} is in {charset}, {collation}, Rancher needs utf8, "
            f"utf8_general_ci; an administrator can run: {statements(database)['alter']}"
        )
    if lacking:
        (user,) = ask("SELECT CURRENT_USER()")[0]
        raise CommandExecutionError(
            f"{KEY}:user: {user} lacks {', '.join(lacking)} on database {name}; "
            f"an administrator can run: {statements(database, user)['grant']}"
        )
    return warnings(*ask("SELECT VERSION(), @@max_connections, @@max_allowed_packet")[0])


def _not_the_container(host):
    if host == "localhost" or host.startswith("127.") or host == "::1":
        raise CommandExecutionError(
            f"{KEY}:host is {host}, which inside of the container is the container itself; "
            "give an address of this host that the container reaches, for example that of eth0"
        )


# Pure: what the answers mean.


def statements(database, user=None):
    """
    The statements of an administrator, with a placeholder where the password belongs. Returns a
    dict: ``create``, ``alter``, ``grant`` and ``login`` (creates the account, or sets its
    password).
    """
    known, _, host = (user or f"{database['user']}@%").rpartition("@")
    name = _database_client.name(database["name"])
    account = _database_client.account(known, host)
    grant = f"GRANT ALL ON {_database_client.pattern(database['name'])}.* TO {account}"
    return {
        "create": f"CREATE DATABASE {name} CHARACTER SET utf8 COLLATE utf8_general_ci;",
        "alter": f"ALTER DATABASE {name} CHARACTER SET utf8 COLLATE utf8_general_ci;",
        "grant": f"{grant};",
        "login": f"{grant} IDENTIFIED BY '<the password of the pillar>';",
    }


def explained(code, text, database):
    """What an error of the server means for the settings, in one line. Returns a text."""
    run = statements(database)
    if code in (_DENIED, _HOST_DENIED):
        key, way = f"{KEY}:user or :password", run["login"]
    elif code == _DENIED_DATABASE:
        key = f"{KEY}:user"
        way = f"{run['grant']} (and before that, when there is no such database, {run['create']})"
    elif code == _NO_DATABASE:
        key, way = f"{KEY}:name", run["create"]
    else:
        key, way = (f"{KEY}:host" if code in (None, 2003) else KEY), None
    return f"{key}: {text}" + (f"; an administrator can run: {way}" if way else "")


def warnings(version, connections, packet):
    """What Rancher's documentation advises and this server is not. Returns a list of str."""
    found = []
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    limit = (10, 3) if "MariaDB" in version else (8, 0)
    if numbers >= limit:
        found.append(
            f"Rancher 1.6 does not support this database server, {version}; it wants MySQL 5.x, or "
            "MariaDB older than 10.3"
        )
    if int(connections) <= 150:
        found.append(f"max_connections of the database server is {connections}, advised: over 150")
    if int(packet) < 32 << 20:
        found.append(
            f"max_allowed_packet of the database server is {int(packet) >> 20}M, advised: 32M"
        )
    return found
