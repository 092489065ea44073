import pytest
from fake_mysql import Server
from salt.exceptions import CommandExecutionError

import _database_client
import _rancher_database

SECRET = "p$'\" #{{ x }}%ü"
KEY = "rancher:server:database"


def wanted(**database):
    given = {"host": "db", "password": SECRET, **database}
    return _rancher_database.wanted({"rancher": {"server": {"database": given}}})


@pytest.fixture
def check(replace):
    def check(server=None, **database):
        (server or Server(password=SECRET)).install(replace)
        return _rancher_database.check(wanted(**database))

    return check


@pytest.fixture
def refusal(check):
    def refusal(server=None, **database):
        with pytest.raises(CommandExecutionError) as caught:
            check(server, **database)
        text = str(caught.value)
        assert "\n" not in text and SECRET not in text
        return text

    return refusal


@pytest.mark.parametrize("pillar", [{}, {"rancher": {}}, {"rancher": {"server": {}}}])
def test_no_database_in_the_pillar_is_the_embedded_one(pillar):
    assert _rancher_database.wanted(pillar) is None
    assert _rancher_database.check(None) == []


def test_the_defaults_of_a_database():
    rest = {"port": 3306, "name": "cattle", "user": "cattle"}
    assert wanted() == {"host": "db", "password": SECRET, **rest}


def test_one_that_fits(check):
    assert check() == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_an_address_that_is_the_container_itself(refusal, host):
    assert refusal(host=host).startswith(f"{KEY}:host is {host}, which inside of the container")


@pytest.mark.parametrize(
    ("server", "key", "statement"),
    [
        ({"fails": {"connect": 2003}}, f"{KEY}:host: ", ""),
        ({"fails": {"connect": 1040}}, f"{KEY}: ", ""),
        (
            {"password": "other"},
            f"{KEY}:user or :password: ",
            "GRANT ALL ON `cattle`.* TO 'cattle'@'%' IDENTIFIED BY '<the password of the pillar>';",
        ),
        ({"fails": {"connect": 1130}}, f"{KEY}:user or :password: ", "IDENTIFIED BY '<the"),
        (
            {"charset": None},
            f"{KEY}:name: ",
            "CREATE DATABASE `cattle` CHARACTER SET utf8 COLLATE utf8_general_ci;",
        ),
        ({"fails": {"USE": 1044}}, f"{KEY}:user: ", "GRANT ALL ON `cattle`.* TO 'cattle'@'%';"),
        ({"fails": {"USE": 1044}}, f"{KEY}:user: ", "CREATE DATABASE `cattle` CHARACTER SET utf8"),
        (
            {"charset": ("latin1", "latin1_swedish_ci")},
            f"{KEY}:name: database cattle is in latin1, latin1_swedish_ci",
            "ALTER DATABASE `cattle` CHARACTER SET utf8 COLLATE utf8_general_ci;",
        ),
        (
            {"rights": ["SELECT", "INSERT"], "account": "cattle@10.%"},
            f"{KEY}:user: cattle@10.% lacks ALTER, ",
            "GRANT ALL ON `cattle`.* TO 'cattle'@'10.%';",
        ),
        ({"rights": []}, f"{KEY}:user: cattle@% lacks ALL PRIVILEGES on database cattle", "GRANT"),
    ],
)
def test_each_problem_names_key_and_statement(refusal, server, key, statement):
    text = refusal(Server(**{"password": SECRET, **server}))
    assert text.startswith(key), text
    assert statement in text
    assert ("an administrator can run" in text) is bool(statement)


def test_a_database_of_mariadb_from_10_6_on(check):
    assert check(Server(password=SECRET, charset=("utf8mb3", "utf8mb3_general_ci"))) == []


def test_four_byte_characters_make_keys_too_long(refusal):
    text = refusal(Server(password=SECRET, charset=("utf8mb4", "utf8mb4_general_ci")))
    assert "is in utf8mb4" in text


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        ("5.5.62", True),
        ("5.7.44-log", True),
        ("8.0.36", False),
        ("10.2.44-MariaDB", True),
        ("10.3.39-MariaDB", False),
        ("10.11.6-MariaDB-0+deb12u1", False),
    ],
)
def test_versions(check, version, supported):
    said = check(Server(version, SECRET))
    assert ("does not support" in " ".join(said)) is not supported


def test_advice(check):
    low, packet = check(Server(password=SECRET, limits=(150, 16 << 20)))
    assert low.startswith("max_connections of the database server is 150, advised: over 150")
    assert packet == "max_allowed_packet of the database server is 16M, advised: 32M"


def test_a_salt_without_the_library_is_no_problem_of_the_database(replace):
    def connect(host, port, user, password):
        raise CommandExecutionError("Salt's Python has no PyMySQL")

    replace(_database_client, connect=connect)
    with pytest.raises(CommandExecutionError, match="^Salt's Python has no PyMySQL"):
        _rancher_database.check(wanted())
