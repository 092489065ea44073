"""Versions and errors; what the state makes of it is in tests/unit/states/test_rancher_database.py."""

import pytest
from fake_mysql import Server
from salt.exceptions import CommandExecutionError

import _rancher_database_account as account

DATABASE = {"host": "db", "port": 3306, "name": "cattle", "user": "cattle", "password": "right"}
ADMIN = {"user": "boss", "password": "boss"}


@pytest.fixture
def observe(replace):
    def observe(server, admin="boss"):
        server.install(replace)
        return account.observe(DATABASE, {"user": "boss", "password": admin})

    return observe


def test_observe(observe):
    assert observe(Server(tables=3)) == {
        "version": "5.7.44",
        "schema": ["utf8", "utf8_general_ci", 3],
        "exists": True,
        "login": "cattle@%",
        "lacking": [],
    }


@pytest.mark.parametrize(
    ("server", "admin", "words"),
    [
        ({}, "wrong", "rancher:server:database_admin:user or :password: MySQL at db:3306"),
        ({"fails": {"connect": 2003}}, "boss", "rancher:server:database:host: MySQL at db:3306"),
        ({"fails": {"SELECT 1 FROM mysql.user": 1142}}, "boss", "database_admin:user: MySQL at"),
    ],
)
def test_an_error_names_the_setting(observe, server, admin, words):
    with pytest.raises(CommandExecutionError, match=words):
        observe(Server(**server), admin)


def test_the_accounts_login_fails_for_another_reason(observe):
    with pytest.raises(CommandExecutionError, match="error 1040"):
        observe(Server(fails={"SELECT CURRENT_USER": 1040}))


@pytest.mark.parametrize(
    ("version", "begins"),
    [
        ("5.5.62", "SET PASSWORD"),
        ("5.6.51", "SET PASSWORD"),
        ("5.7.5-m15", "SET PASSWORD"),
        ("5.7.6", "ALTER USER"),
        ("8.0.36", "ALTER USER"),
        ("10.1.48-MariaDB", "SET PASSWORD"),
        ("10.2.44-MariaDB", "ALTER USER"),
        ("10.11.6-MariaDB-0+deb12u1", "ALTER USER"),
    ],
)
def test_how_a_password_is_set(version, begins):
    assert account.password_statement(version).startswith(begins)
    assert account.password_statement(version).count("%s") == 3


def test_the_account_that_the_server_knows_gets_the_rights(observe):
    server = Server(account="cattle@10.0.0.%", rights=[])
    seen = observe(server)
    account.carry_out(DATABASE, ADMIN, seen, account.plan(DATABASE, seen))
    assert "GRANT ALL ON `cattle`.* TO 'cattle'@'10.0.0.%';" in server.asked
