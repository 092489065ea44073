"""
The external database of the Rancher server and its account, made with an administrator's
credentials. Nothing is ever dropped, and no right is taken away.
"""

import re

from salt.exceptions import CommandExecutionError

KEY = "rancher:server:database_admin"
DENIED = 1045
ANYWHERE = "%"


def administrator():
    """
    The administrator's credentials in the pillar. Holds a password: never log it.

    Returns a dict with ``user`` and ``password``, or None.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it gives the password of the pillar.

    Source: the settings table in README.md
    """
    return ((__pillar__.get("rancher") or {}).get("server") or {}).get("database_admin")


def observe():
    """
    Look at the database, at the account and at its rights.

    Returns a dict: ``version`` (str), ``schema`` (None or [charset, collation, number of tables]),
    ``exists`` (bool), ``login`` (None or the account that the pillar's password opens) and
    ``lacking`` (list of str).

    Raises CommandExecutionError when the administrator may not look.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_account.observe

    Source: MySQL 5.7 manual, "INFORMATION_SCHEMA Tables", "SHOW GRANTS Statement"
    """
    database = __salt__["rancher_database.wanted"]()
    with _as_administrator(database) as ask:
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
            "lacking": __salt__["rancher_database.missing"](
                [row[0] for row in grants], database["name"]
            ),
        }


def _as_administrator(database):
    admin = administrator()
    return _Explained(
        __salt__["rancher_mysql.connect"](
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
        with __salt__["rancher_mysql.connect"](*values) as ask:
            return ask("SELECT CURRENT_USER()")[0][0]
    except CommandExecutionError as exc:
        if getattr(exc, "code", None) == DENIED:
            return None
        raise


def plan(seen):
    """
    What is left to do.

    seen (dict)
        As ``rancher_account.observe`` gives it.

    Returns the changes (dict), empty when nothing is to do. A password appears as changed.

    Raises CommandExecutionError when a database with tables is in another charset.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it takes what the state observed.

    Source: Rancher 1.6 documentation, "Installing Rancher Server", external database
    """
    database = __salt__["rancher_database.wanted"]()
    name, changes = database["name"], {}
    account = __salt__["rancher_mysql.account"](database["user"])
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


def carry_out(seen, changes):
    """
    Create what is missing; set the password when it differs.

    seen (dict)
        As ``rancher_account.observe`` gives it.
    changes (dict)
        As ``rancher_account.plan`` gives it.

    Returns None.

    Raises CommandExecutionError when the server refuses.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it takes what the state planned.

    Source: MySQL 5.7 manual, "CREATE USER Statement", "ALTER USER Statement"
    """
    database = __salt__["rancher_database.wanted"]()
    run = __salt__["rancher_database.statements"](database, seen["login"])
    user, password = database["user"], database["password"]
    with _as_administrator(database) as ask:
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
    The statement with which this server sets an account's password.

    version (str)
        As the server tells it.

    Returns SQL with three places for values.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_account.password_statement 5.5.62

    Source: MySQL 5.7 manual, "SET PASSWORD Statement"; MariaDB documentation, "ALTER USER"
    """
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if numbers >= ((10, 2) if "MariaDB" in version else (5, 7, 6)):
        return "ALTER USER %s@%s IDENTIFIED BY %s"
    return "SET PASSWORD FOR %s@%s = PASSWORD(%s)"
