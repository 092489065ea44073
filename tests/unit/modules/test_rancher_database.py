import pytest
from fake_mysql import Server
from fakes import Salt, load
from salt.exceptions import CommandExecutionError

SECRET = "p$'\" #{{ x }}%ü"
KEY = "rancher:server:database"


def module(server=None, **database):
    given = {"host": "db", "password": SECRET, **database}
    pillar = {"rancher": {"server": {"database": given}}}
    calls = (server or Server(password=SECRET)).functions()
    return load("_rancher_database", Salt(calls), __pillar__=pillar)


def refusal(server=None, **database):
    with pytest.raises(CommandExecutionError) as caught:
        module(server, **database).check()
    text = str(caught.value)
    assert "\n" not in text and SECRET not in text
    return text


@pytest.mark.parametrize("pillar", [{}, {"rancher": {}}, {"rancher": {"server": {}}}])
def test_no_database_in_the_pillar_is_the_embedded_one(pillar):
    embedded = load("_rancher_database", __pillar__=pillar)
    assert embedded.wanted() is None and embedded.check() == []


def test_the_defaults_of_a_database():
    wanted = {"host": "db", "port": 3306, "name": "cattle", "user": "cattle", "password": SECRET}
    assert module().wanted() == wanted


def test_one_that_fits():
    assert module().check() == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_an_address_that_is_the_container_itself(host):
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
def test_each_problem_names_key_and_statement(server, key, statement):
    text = refusal(Server(**{"password": SECRET, **server}))
    assert text.startswith(key), text
    assert statement in text
    assert ("an administrator can run" in text) is bool(statement)


def test_a_database_of_mariadb_from_10_6_on():
    assert module(Server(password=SECRET, charset=("utf8mb3", "utf8mb3_general_ci"))).check() == []


def test_four_byte_characters_make_keys_too_long():
    text = refusal(Server(password=SECRET, charset=("utf8mb4", "utf8mb4_general_ci")))
    assert "is in utf8mb4" in text


@pytest.mark.parametrize(
    ("grants", "name", "lacking"),
    [
        (["GRANT ALL PRIVILEGES ON *.* TO 'x'@'%'"], "cattle", 0),
        (["GRANT ALL PRIVILEGES ON `cattle`.* TO 'x'@'%' WITH GRANT OPTION"], "cattle", 0),
        (["GRANT ALL PRIVILEGES ON `cat%`.* TO `x`@`%`"], "cattle", 0),
        (["GRANT ALL PRIVILEGES ON `my\\_db`.* TO `x`@`%`"], "my_db", 0),
        (["GRANT ALL PRIVILEGES ON `my\\_db`.* TO `x`@`%`"], "myxdb", 1),
        (["GRANT ALL PRIVILEGES ON `my_db`.* TO `x`@`%`"], "myxdb", 0),
        (["GRANT ALL PRIVILEGES ON `other`.* TO `x`@`%`"], "cattle", 1),
        (["GRANT SELECT ON `cattle`.`t` TO `x`@`%`"], "cattle", 1),
        (["GRANT USAGE ON *.* TO `x`@`%`"], "cattle", 1),
        (["GRANT SELECT, INSERT, TRIGGER ON `cattle`.* TO `x`@`%`"], "cattle", 15),
        ([], "cattle", 1),
    ],
)
def test_rights(grants, name, lacking):
    assert len(module().missing(grants, name)) == lacking


def test_all_rights_one_by_one_are_all():
    rights = module().ALL
    parts = sorted(rights)
    grants = [
        f"GRANT {', '.join(parts[:9])} ON *.* TO `x`@`%`",
        f"GRANT {', '.join(parts[9:])} ON `cattle`.* TO `x`@`%`",
    ]
    assert module().missing(grants, "cattle") == []
    assert module().missing(grants[:1], "cattle") == parts[9:]


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
def test_versions(version, supported):
    said = module(Server(version, SECRET)).check()
    assert ("does not support" in " ".join(said)) is not supported


def test_advice():
    low, packet = module(Server(password=SECRET, limits=(150, 16 << 20))).check()
    assert low.startswith("max_connections of the database server is 150, advised: over 150")
    assert packet == "max_allowed_packet of the database server is 16M, advised: 32M"


def test_a_salt_without_the_library_is_no_problem_of_the_database():
    def connect(host, port, user, password):
        raise CommandExecutionError("Salt's Python has no PyMySQL")

    salt = Salt({"_database_client.connect": connect})
    pillar = {"rancher": {"server": {"database": {"host": "db", "password": SECRET}}}}
    with pytest.raises(CommandExecutionError, match="^Salt's Python has no PyMySQL"):
        load("_rancher_database", salt, __pillar__=pillar).check()
