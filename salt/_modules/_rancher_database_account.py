"""
The external database of the Rancher server and its account, made with an administrator's
credentials. Nothing is ever dropped, and no right is taken away.
"""

import contextlib
import ipaddress
import re
import socket

from salt.exceptions import CommandExecutionError

import _database_client
import _rancher_database
import _rancher_database_grants

KEY = "rancher:server:database_admin"
DENIED, NOT_FROM_HERE, UNKNOWN_VARIABLE = 1045, 1130, 1193
ANYWHERE = "%"


def administrator(pillar):
    """
    The administrator's credentials in the pillar. Holds a password: never log it. Returns a dict
    with ``user`` and ``password``, or None.
    """
    return ((pillar.get("rancher") or {}).get("server") or {}).get("database_admin")


def observe(database, admin):
    """
    Look at database, account and rights. Returns a dict: ``version``, ``schema`` (None or [charset,
    collation, number of tables]), ``accounts`` ([user, host] of that user and of nobody),
    ``addresses`` (ours), ``login`` (None or what the pillar's password opens) and ``lacking``.
    """
    user, name = database["user"], database["name"]
    with _as_administrator(database, admin) as ask:
        schema = ask(
            "SELECT default_character_set_name, default_collation_name, (SELECT COUNT(*) "
            "FROM information_schema.tables WHERE table_schema = schema_name) "
            "FROM information_schema.schemata WHERE schema_name = %s",
            name,
        )
        accounts = ask("SELECT user, host FROM mysql.user WHERE user IN (%s, '')", user)
        version, ours, folded = ask("SELECT VERSION(), USER(), @@lower_case_table_names")[0]
        seen = {
            "version": version,
            "schema": list(schema[0]) if schema else None,
            "accounts": sorted(map(list, accounts)),
            "addresses": _addresses(ours, database),
        }
        seen["login"], grants = _login(database)
        chosen = account_of(user, seen)
        if grants is None:
            grants = ask("SHOW GRANTS FOR %s@%s", *chosen) if chosen else []
        lacking = _rancher_database_grants.missing((row[0] for row in grants), name, bool(folded))
        return {**seen, "lacking": lacking}


def _addresses(ours, database):
    """How the server knows this host: by an address; or by a name, and then by the address, too."""
    found = [ours.rpartition("@")[2]]
    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(found[0]))]
    with contextlib.suppress(OSError):
        for family, kind, *_, where in socket.getaddrinfo(
            database["host"], database["port"], type=socket.SOCK_DGRAM
        ):
            with socket.socket(family, kind) as probe:
                probe.connect(where)  # sends nothing
                found.append(probe.getsockname()[0])
    return sorted(set(found))


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
    """The account as the server knows it, and its grants; None twice when it does not open."""
    values = (database[key] for key in ("host", "port", "user", "password"))
    try:
        with _database_client.connect(*values) as ask:
            # Without FOR, also what comes with a role.
            return ask("SELECT CURRENT_USER()")[0][0], ask("SHOW GRANTS")
    except CommandExecutionError as exc:
        if getattr(exc, "code", None) in (DENIED, NOT_FROM_HERE):
            return None, None
        raise


# Pure: which account it is, and what is left to do.


def account_of(user, seen):
    """
    The account with which the server would compare our password. Returns [user, host], or None
    when there is none for this host.
    """
    if seen["login"]:
        return [*seen["login"].rpartition("@")[::2]]
    fitting = [each for each in seen["accounts"] if _fits(each[1], seen["addresses"])]
    # As the server sorts them: the more exact host first, then a user before nobody.
    return max(fitting, key=lambda each: (*_exactness(each[1]), each[0] == user), default=None)


def _fits(pattern, addresses):
    if "/" in pattern:
        with contextlib.suppress(ValueError):
            network = ipaddress.ip_network(pattern)
            return any(_is_in(address, network) for address in addresses)
        return False
    wild = {"%": ".*", "_": "."}
    regex = "".join(wild.get(letter) or re.escape(letter) for letter in pattern or ANYWHERE)
    return any(re.fullmatch(regex, address, re.IGNORECASE) for address in addresses)


def _is_in(address, network):
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address) in network
    return False


def _exactness(pattern):
    wild = re.search("[%_]", pattern or ANYWHERE)
    return (wild.start() if wild else 256, len(pattern))


def _refuse_second(database, seen, chosen):
    """An account that is for other hosts, or in front of which another one stands."""
    user = database["user"]
    known = [_database_client.account(*each) for each in seen["accounts"] if each[0] == user]
    here = next((each for each in seen["addresses"] if each), ANYWHERE)
    if chosen and chosen[0] != user:
        other = _database_client.account(*chosen)
        raise CommandExecutionError(
            f"rancher:server:database:user: MySQL takes {user} from this host for the account "
            f"{other}, which has no name, before {', '.join(known) or 'any other'}; nothing was "
            f"changed. An administrator can run: DROP USER {other};"
        )
    if chosen is None and known:
        new = _rancher_database.statements(database, f"{user}@{here}")["login"]
        raise CommandExecutionError(
            f"rancher:server:database:user: there is {', '.join(known)}, but none of that name for "
            f"this host ({', '.join(seen['addresses'])}); nothing was changed, a second account with "
            f"all rights is not made. Name another user, or an administrator can run: {new}"
        )


def plan(database, seen):
    """
    What is left to do. Returns the changes (dict), empty when nothing is to do. A password appears
    as changed.
    """
    name, changes = database["name"], {}
    chosen = account_of(database["user"], seen)
    _refuse_second(database, seen, chosen)
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
    if chosen is None:
        account = _database_client.account(database["user"], ANYWHERE)
        changes["account"] = {"old": None, "new": account}
    elif seen["login"] is None:
        changes["password"] = {"old": "(not shown)", "new": "changed"}
    if seen["lacking"]:
        old = None if seen["lacking"] == ["ALL PRIVILEGES"] else "some"
        changes["rights"] = {"old": old, "new": f"ALL on {name}"}
    return changes


def carry_out(database, admin, seen, changes):
    """Create what is missing; set the password when it differs."""
    password = database["password"]
    account = account_of(database["user"], seen) or [database["user"], ANYWHERE]
    run = _rancher_database.statements(database, "@".join(account))
    with _as_administrator(database, admin) as ask:
        if "database" in changes:
            ask(run["create"])
        if "charset" in changes:
            ask(run["alter"])
        if "account" in changes or "password" in changes:
            _keep_hashes_new(ask)
        if "account" in changes:
            ask("CREATE USER %s@%s IDENTIFIED BY %s", *account, password)
        if "password" in changes:
            ask(password_statement(seen["version"]), *account, password)
        if "rights" in changes:
            ask(run["grant"])


def _keep_hashes_new(ask):
    """With old_passwords in its configuration a server keeps a hash that no client of today takes."""
    try:
        ask("SET SESSION old_passwords = 0")
    except CommandExecutionError as exc:
        if getattr(exc, "code", None) != UNKNOWN_VARIABLE:
            raise


def password_statement(version):
    """
    The statement with which this server sets an account's password. Returns SQL with three places
    for values.
    """
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if numbers >= ((10, 2) if "MariaDB" in version else (5, 7, 6)):
        return "ALTER USER %s@%s IDENTIFIED BY %s"
    return "SET PASSWORD FOR %s@%s = PASSWORD(%s)"
