"""Versions and errors; what the state makes of it is in tests/unit/states/test_rancher_database.py."""

import pytest
from fake_mysql import Server
from fakes import Salt, load
from salt.exceptions import CommandExecutionError


def module(server, admin="boss"):
    given = {"database": {"host": "db", "password": "right"}}
    given["database_admin"] = {"user": "boss", "password": admin}
    pillar = {"rancher": {"server": given}}
    database = load("_rancher_database", Salt(server.functions()), __pillar__=pillar)
    calls = {
        **server.functions(),
        "_rancher_database.wanted": database.wanted,
        "_rancher_database.missing": database.missing,
        "_rancher_database.statements": database.statements,
    }
    return load("_rancher_database_account", Salt(calls), __pillar__=pillar)


def test_observe():
    assert module(Server(tables=3)).observe() == {
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
def test_an_error_names_the_setting(server, admin, words):
    with pytest.raises(CommandExecutionError, match=words):
        module(Server(**server), admin).observe()


def test_the_accounts_login_fails_for_another_reason():
    with pytest.raises(CommandExecutionError, match="error 1040"):
        module(Server(fails={"SELECT CURRENT_USER": 1040})).observe()


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
    assert module(Server()).password_statement(version).startswith(begins)
    assert module(Server()).password_statement(version).count("%s") == 3


def test_the_account_that_the_server_knows_gets_the_rights():
    server = Server(account="cattle@10.0.0.%", rights=[])
    account = module(server)
    seen = account.observe()
    account.carry_out(seen, account.plan(seen))
    assert "GRANT ALL ON `cattle`.* TO 'cattle'@'10.0.0.%';" in server.asked
