"""
A conversation with a MySQL server, bounded in time, in which no error carries a password.

A MySQL error may quote the statement, and with it a password; so only its number and a text from
which all secrets were removed go out.
"""

import contextlib
import importlib
import socket

from salt.exceptions import CommandExecutionError

# Seconds to connect, and for one answer.
LIMIT = 15
# Errors that quote the statement.
_QUOTING = (1064, 1149)
# MariaDB refuses an account that it does not know by one of its ways to log in, at random.
_SAME = {1698: 1045}


# What the server's configuration, or its init_connect, may have set otherwise, and what changes
# answers: quotes and backslashes in them, their character set, language and number of rows.
SESSION = (
    "SET NAMES utf8",
    "SET SESSION sql_mode = '', sql_quote_show_create = 1, sql_auto_is_null = 0, "
    "sql_select_limit = DEFAULT, lc_messages = 'en_US', autocommit = 1",
)


class Refused(CommandExecutionError):
    """The server said no; ``code`` is its number."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def connect(host, port, user, password):
    """
    Open a conversation with a MySQL server; made for modules. Returns a context manager that gives
    a function: SQL text and values in, rows (list of tuples) out. It raises an exception with
    ``code``, the server's number of the error, or None.
    """
    return _conversation(str(host), int(port), str(user), str(password))


@contextlib.contextmanager
def _conversation(host, port, user, password):
    try:
        import pymysql
    except ImportError as exc:
        raise CommandExecutionError(
            "Salt's Python has no PyMySQL, needed to check the database; apply docker.sdk"
        ) from exc
    try:
        connection = pymysql.connect(
            host=host,
            port=port,
            user=user,
            # As bytes: the library would take Latin-1 for text, servers and Rancher take UTF-8.
            password=password.encode(),
            charset="utf8",
            connect_timeout=LIMIT,
            read_timeout=LIMIT,
            write_timeout=LIMIT,
            autocommit=True,
        )
    except (_errors(), OSError, RuntimeError, UnicodeError) as exc:
        raise _refused(exc, host, port, password) from None
    with contextlib.closing(connection):

        def ask(sql, *values):
            return _ask(connection, sql, values, (host, port, password))

        for statement in SESSION:
            ask(statement)
        yield ask


def _errors():
    # Salt's own mysql module imports parts of PyMySQL a second time, as MySQLdb; that puts classes
    # which are never raised in the place of `pymysql.err`.
    return importlib.import_module("pymysql.err").MySQLError


def _ask(connection, sql, values, where):
    try:
        with connection.cursor() as cursor:
            # Without values nothing is formatted, and a % in the text is a %.
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())
    except (_errors(), OSError, UnicodeError) as exc:
        # The value that is a password comes last.
        secret = values[-1:] if "IDENTIFIED" in sql or "PASSWORD" in sql else ()
        raise _refused(exc, *where, *secret) from None


def _refused(exc, host, port, *secrets):
    code = exc.args[0] if exc.args and isinstance(exc.args[0], int) else None
    origin = getattr(exc, "original_exception", None)
    if isinstance(origin, socket.gaierror):
        text = "the name cannot be resolved; check it, and this host's DNS"
    elif isinstance(origin, ConnectionRefusedError):
        text = "connection refused; does MySQL run there, and is this its port?"
    elif isinstance(origin, TimeoutError):
        text = "no connection in time; a firewall in between, or a wrong address"
    elif code in _QUOTING:
        text = "the server did not understand the statement"
    else:
        text = " ".join(str(exc.args[1] if code and len(exc.args) > 1 else exc).split())
    # The longest first: one may be a part of the other.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    number = f" (error {code})" if code else ""
    return Refused(_SAME.get(code, code), f"MySQL at {host}:{port}: {text[:300]}{number}")


def name(text):
    """Write a database's name as SQL wants it. Returns it in backquotes."""
    return "`" + str(text).replace("`", "``") + "`"


def pattern(text):
    """
    Write a database's name for a GRANT, in which _ and % would stand for others. Returns it in
    backquotes.
    """
    return name(str(text).replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"))


def account(user, host="%"):
    """
    Write an account as SQL wants it, to be read by people and by the server. Returns a text such
    as ``'cattle'@'%'``.
    """
    quoted = (str(part).replace("\\", "\\\\").replace("'", "''") for part in (user, host))
    return "@".join(f"'{part}'" for part in quoted)
