"""Errors in words, and never with a password. The real server is in tests/functional."""

import socket
import subprocess
import sys

import pymysql
import pytest
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _database_client as mysql

SECRET = "p$'\" #{{ x }}%ü"


class Cursor:
    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def execute(self, sql, values=None):
        if sql in mysql.SESSION:
            self.connection.session.append(sql)
            return
        self.connection.asked.append((sql, values))
        if self.connection.problem:
            raise self.connection.problem

    def fetchall(self):
        return (("one", 1),)


class Connection:
    def __init__(self, problem=None):
        self.asked, self.problem, self.closed, self.session = [], problem, False, []

    def cursor(self):
        return Cursor(self)

    def close(self):
        self.closed = True


def talk(monkeypatch, connection, *asked):
    given = {}

    def connect(**options):
        given.update(options)
        if isinstance(connection, BaseException):
            raise connection
        return connection

    monkeypatch.setattr(pymysql, "connect", connect)
    with mysql.connect("db", 3306, "cattle", SECRET) as ask:
        rows = ask(*asked) if asked else None
    return given, rows


def test_a_conversation(monkeypatch):
    connection = Connection()
    given, rows = talk(monkeypatch, connection, "SELECT %s", 1)
    assert rows == [("one", 1)] and connection.closed
    # Text would be taken for Latin-1.
    assert given["password"] == SECRET.encode()
    assert given["connect_timeout"] and given["read_timeout"] and given["write_timeout"]
    assert connection.asked == [("SELECT %s", (1,))]
    assert connection.session == [*mysql.SESSION], "what a configuration may have set is set back"


def test_without_values_nothing_is_formatted(monkeypatch):
    connection = Connection()
    talk(monkeypatch, connection, "GRANT ALL ON x.* TO 'a'@'%'")
    assert connection.asked == [("GRANT ALL ON x.* TO 'a'@'%'", None)]


def test_an_account_that_mariadb_does_not_know_has_two_numbers(monkeypatch):
    refusals = []
    for code in (1045, 1698):
        with pytest.raises(CommandExecutionError) as refused:
            talk(monkeypatch, pymysql.err.OperationalError(code, "Access denied"))
        refusals.append(refused.value.code)
    assert refusals == [1045, 1045]


def test_errors_are_known_after_salt_loaded_its_own_mysql_module():
    # In a process of its own: what that import does to PyMySQL stays.
    script = f"""
import sys
sys.path.insert(0, {str(ROOT / "_modules")!r})
import pymysql
pymysql.install_as_MySQLdb()
import MySQLdb.converters
import _database_client
try:
    with _database_client.connect("127.0.0.1", 1, "cattle", "secret"):
        pass
except Exception as exc:
    print(type(exc).__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "Refused\n", done.stderr


def failed(code, text, origin=None):
    problem = pymysql.err.OperationalError(code, text)
    problem.original_exception = origin
    return problem


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (
            failed(2003, "Can't connect", socket.gaierror(-2, "Name or service not known")),
            2003,
            "MySQL at db:3306: the name cannot be resolved; check it, and this host's DNS",
        ),
        (failed(2003, "Can't", ConnectionRefusedError()), 2003, "connection refused; does MySQL"),
        (failed(2003, "Can't", TimeoutError()), 2003, "no connection in time; a firewall"),
        (failed(1045, "Access denied for user 'x'@'h'"), 1045, "Access denied for user 'x'@'h' ("),
        (RuntimeError("'cryptography' package is required"), None, "'cryptography' package is"),
        (failed(1064, f"error near '{SECRET}'"), 1064, "did not understand the statement (error"),
    ],
)
def test_an_error_in_words(monkeypatch, problem, code, words):
    with pytest.raises(CommandExecutionError) as caught:
        talk(monkeypatch, problem)
    assert words in str(caught.value) and caught.value.code == code
    assert SECRET not in str(caught.value)


def test_an_error_that_quotes_passwords(monkeypatch):
    new = "n3w" + SECRET
    connection = Connection(failed(1819, f"policy: '{new}' is like '{SECRET}' of boss"))
    with pytest.raises(CommandExecutionError) as caught:
        talk(monkeypatch, connection, "ALTER USER %s@%s IDENTIFIED BY %s", "boss", "%", new)
    assert "policy: '***' is like '***' of boss (error 1819)" in str(caught.value)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (mysql.name("my`db"), "`my``db`"),
        (mysql.pattern("my_db%"), "`my\\_db\\%`"),
        (mysql.account("o'connor"), "'o''connor'@'%'"),
        (mysql.account("x\\", "10.0.0.1"), "'x\\\\'@'10.0.0.1'"),
    ],
)
def test_names_as_sql_wants_them(made, text):
    assert made == text
