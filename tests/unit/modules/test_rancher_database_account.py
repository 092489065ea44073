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
        "accounts": [["cattle", "%"]],
        "addresses": ["10.0.0.7"],
        "login": "cattle@%",
        "lacking": [],
    }


@pytest.mark.parametrize(
    ("server", "admin", "words"),
    [
        ({}, "wrong", "rancher:server:database_admin:user or :password: MySQL at db:3306"),
        ({"fails": {"connect": 2003}}, "boss", "rancher:server:database:host: MySQL at db:3306"),
        (
            {"fails": {"SELECT user, host FROM mysql.user": 1142}},
            "boss",
            "database_admin:user: MySQL at",
        ),
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


# -- accounts for other hosts ---------------------------------------------------------------------


def seen(*accounts, addresses=("10.0.0.7",), login=None):
    known = [list(each.split("@")) for each in accounts]
    schema = ["utf8", "utf8_general_ci", 0]
    return {
        "version": "5.7.44",
        "schema": schema,
        "accounts": known,
        "addresses": list(addresses),
        "login": login,
        "lacking": [],
    }


@pytest.mark.parametrize(
    ("accounts", "addresses", "chosen"),
    [
        ([], ["10.0.0.7"], None),
        (["cattle@%"], ["10.0.0.7"], "cattle@%"),
        (["cattle@"], ["10.0.0.7"], "cattle@"),
        (["cattle@localhost"], ["10.0.0.7"], None),
        (["cattle@localhost", "cattle@%"], ["10.0.0.7"], "cattle@%"),
        (["cattle@%", "cattle@10.%"], ["10.0.0.7"], "cattle@10.%"),
        (["cattle@10.%", "cattle@10.0.0.%", "cattle@%"], ["10.0.0.7"], "cattle@10.0.0.%"),
        (["cattle@10.0.0.7", "cattle@10.0.0._"], ["10.0.0.7"], "cattle@10.0.0.7"),
        (["cattle@10.0.0.0/255.255.255.0"], ["10.0.0.7"], "cattle@10.0.0.0/255.255.255.0"),
        (["cattle@10.0.1.0/255.255.255.0"], ["10.0.0.7"], None),
        (["cattle@10.0.0.0/255.255.255.0"], ["node1.example.com"], None),
        (["cattle@%.example.com"], ["10.0.0.7", "Node1.Example.com"], "cattle@%.example.com"),
        (["cattle@10.%"], ["10.0.0.7", "node1.example.com"], "cattle@10.%"),
        (["cattle@10.0.0.7", "@10.0.0.7"], ["10.0.0.7"], "cattle@10.0.0.7"),
        (["cattle@%", "@10.0.0.7"], ["10.0.0.7"], "@10.0.0.7"),
        (["cattle@node.x"], ["nodeyx"], None),
    ],
)
def test_which_account_the_server_would_take_for_this_host(accounts, addresses, chosen):
    found = account.account_of("cattle", seen(*accounts, addresses=addresses))
    assert found == (chosen and chosen.split("@"))


def refusal(found):
    with pytest.raises(CommandExecutionError) as caught:
        account.plan(DATABASE, found)
    text = str(caught.value)
    assert text.startswith("rancher:server:database:user: ") and "\n" not in text
    assert "nothing was changed" in text and "right" not in text.replace("all rights", "")
    return text


@pytest.mark.parametrize("others", [["localhost"], ["192.168.%", "localhost"]])
def test_a_second_account_is_not_made_beside_one_for_other_hosts(others):
    text = refusal(seen(*(f"cattle@{host}" for host in others)))
    assert "none of that name for this host (10.0.0.7)" in text
    assert all(f"'cattle'@'{host}'" in text for host in others)
    assert text.endswith(
        "an administrator can run: GRANT ALL ON `cattle`.* TO 'cattle'@'10.0.0.7' "
        "IDENTIFIED BY '<the password of the pillar>';"
    )


def test_an_account_without_a_name_that_is_taken_before_ours():
    assert refusal(seen("cattle@%", "@10.0.0.7")).endswith("can run: DROP USER ''@'10.0.0.7';")
    assert "DROP USER ''@'localhost';" in refusal(seen("cattle@%", login="@localhost"))


def test_the_password_of_the_account_for_this_host_is_set(observe):
    server = Server(account="cattle@10.0.%", others=["cattle@localhost"], password="other")
    found = observe(server)
    changes = account.plan(DATABASE, found)
    assert changes == {"password": {"old": "(not shown)", "new": "changed"}}
    account.carry_out(DATABASE, ADMIN, found, changes)
    assert server.password == "right" and account.plan(DATABASE, observe(server)) == {}


@pytest.mark.parametrize("version", ["5.5.62", "8.0.36"])
def test_a_server_that_would_keep_old_hashes_is_told_not_to(observe, version):
    server = Server(version, account=None, rights=[])
    found = observe(server)
    account.carry_out(DATABASE, ADMIN, found, account.plan(DATABASE, found))
    words = [sql.split(" IDENT")[0] for sql in server.asked]
    assert words.index("SET SESSION old_passwords = 0") < words.index("CREATE USER %s@%s")


def test_a_server_that_knows_this_host_by_a_name():
    ours = account._addresses("boss@node1.example.com", {"host": "127.0.0.1", "port": 3306})
    assert ours == ["127.0.0.1", "node1.example.com"]
    assert account._addresses("boss@::1", {"host": "127.0.0.1", "port": 3306}) == ["::1"]
    lost = account._addresses("boss@localhost", {"host": "no.such.host.invalid", "port": 3306})
    assert lost == ["localhost"]
