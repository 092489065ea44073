"""
The external database of the Rancher server and its account, made with an administrator's
credentials. Nothing is ever dropped, and no right is taken away.
"""

import re

from salt.exceptions import CommandExecutionError

import _database_client
import _rancher_database

KEY = "rancher:server:database_admin"
DENIED = 1045
ANYWHERE = "%"


def administrator(pillar):
    """
    The administrator's credentials in the pillar. Holds a password: never log it. Returns a dict
    with ``user`` and ``password``, or None.
    """
    return ((pillar.get("rancher") or {}).get("server") or {}).get("database_admin")


def observe(database, admin):
    """
    Look at the database, at the account and at its rights. Returns a dict: ``version`` (str),
    ``schema`` (None or [charset, collation, number of tables]), ``exists`` (bool), ``login`` (None
    or the account that the pillar's password opens) and ``lacking`` (list of str).
    """
    with _as_administrator(database, admin) as ask:
        schema = ask(
            "SELECT default_character_set_name, default_collation_name, (SELECT COUNT(*) "
            "FROM information_schema.tables WHERE table_schema = schema_name) "
            "FROM information_schema.schemata WHERE schema_name = %s",
            database["name"],
        )
        user = database["user"]
        exists = bool(ask("SELECT 1 FROM mysql.user WHERE user = %s AND host = %s", user, ANYWHERE))
        login = _login(database)
        _, _, host = (login or f"{user}@{ANYWHERE}").rpartition("@")
        grants = ask("SHOW GRANTS FOR %s@%s", user, host) if login or exists else []
        return {
            "version": ask("SELECT VERSION()")[0][0],
            "schema": list(schema[0]) if schema else None,
            "exists": exists,
            "login": login,
            "lacking": _rancher_database.missing([row[0] for row in grants], database["name"]),
        }


def _as_administrator(database, admin):
    return _Explained(
        _database_client.connect(
            database["host"], database["port"], admin["user"], admin["password"]
        )
    )


class _Explained:
    """A conversation whose errors name the administrator's setting."""

    def __init__(self, inner):
        self.inner = inner

    def __enter__(self):
        try:
            return self.inner.__enter__()
        except CommandExecutionError as exc:
            self._explain(exc)

    def __exit__(self, kind, exc, trace):
        self.inner.__exit__(None, None, None)
        if isinstance(exc, CommandExecutionError):
            self._explain(exc)

    @staticmethod
    def _explain(exc):
        if not hasattr(exc, "code"):
            raise exc
        if exc.code in (None, 2003):
            raise CommandExecutionError(f"rancher:server:database:host: {exc}") from None
        what = "user or :password" if exc.code == DENIED else "user"
        raise CommandExecutionError(
            f"{KEY}:{what}: {exc}; give an account that may create databases and accounts"
        ) from None


def _login(database):
    """The account as the server knows it, or None when the password does not open it."""
    values = (database[key] for key in ("host", "port", "user", "password"))
    try:
        with _database_client.connect(*values) as ask:
            return ask("SELECT CURRENT_USER()")[0][0]
    except CommandExecutionError as exc:
        if getattr(exc, "code", None) == DENIED:
            return None
        raise


def plan(database, seen):
    """
    What is left to do. Returns the changes (dict), empty when nothing is to do. A password appears
    as changed.
    """
    name, changes = database["name"], {}
    account = _database_client.account(database["user"])
    if seen["schema"] is None:
        changes["database"] = {"old": None, "new": f"{name} in utf8, utf8_general_ci"}
    elif not re.fullmatch("utf8(mb3)? utf8(mb3)?_general_ci", " ".join(seen["schema"][:2])):
        charset, collation, tables = seen["schema"]
        if tables:
            raise CommandExecutionError(
                f"rancher:server:database:name: database {name} is in {charset}, {collation} and "
                f"has {tables} tables, which keep that; nothing was changed. Rancher needs utf8, "
                "utf8_general_ci: name another database, or convert this one by hand"
            )
        changes["charset"] = {"old": f"{charset}, {collation}", "new": "utf8, utf8_general_ci"}
    if seen["login"] is None and seen["exists"]:
        changes["password"] = {"old": "(not shown)", "new": "changed"}
    elif seen["login"] is None:
        changes["account"] = {"old": None, "new": account}
    if seen["lacking"]:
        old = None if seen["lacking"] == ["ALL PRIVILEGES"] else "some"
        changes["rights"] = {"old": old, "new": f"ALL on {name}"}
    return changes


def carry_out(database, admin, seen, changes):
    """Create what is missing; set the password when it differs."""
    run = _rancher_database.statements(database, seen["login"])
    user, password = database["user"], database["password"]
    with _as_administrator(database, admin) as ask:
        if "database" in changes:
            ask(run["create"])
        if "charset" in changes:
            ask(run["alter"])
        if "account" in changes:
            ask("CREATE USER %s@%s IDENTIFIED BY %s", user, ANYWHERE, password)
        if "password" in changes:
            ask(password_statement(seen["version"]), user, ANYWHERE, password)
        if "rights" in changes:
            ask(run["grant"])


def password_statement(version):
    """
    The statement with which this server sets an account's password. Returns SQL with three places
    for values.
    """
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if numbers >= ((10, 2) if "MariaDB" in version else (5, 7, 6)):
        return "ALTER USER %s@%s IDENTIFIED BY %s"
    return "SET PASSWORD FOR %s@%s = PASSWORD(%s)"
