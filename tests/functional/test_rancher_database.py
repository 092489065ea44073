"""
The server's external database on a real MariaDB: refused before there is a container, made by an
administrator's credentials, and a rotated password that nobody gets to see.
"""

import hashlib
import shutil

import pytest

from functional.rancher_host import NASTY, Cluster, MariaDB, Watcher, await_, where_found
from functional.test_rancher_server import (
    NAME,
    api,  # noqa: F401 - a fixture
    assert_well,
    changes,
    comment,
    converge,
    host,  # noqa: F401 - a fixture
    refused,
)

pytestmark = pytest.mark.root
KEY = "rancher:server:database"
HASH_OF_B = "*" + hashlib.sha1(hashlib.sha1(b"b").digest()).hexdigest().upper()


@pytest.fixture(scope="module")
def server(tmp_path_factory, api):  # noqa: F811
    mariadb = MariaDB(tmp_path_factory.mktemp("mariadb"))
    yield mariadb
    mariadb.stop()


@pytest.fixture
def mariadb(server):
    server.clean()
    return server


def test_right_credentials(host, mariadb):  # noqa: F811
    mariadb.prepare(NASTY)
    host.external(mariadb, NASTY)
    report = converge(host)
    assert changes(report)["running"] == {"container": {"old": None, "new": "running"}}
    assert "does not support this database server, 10." in comment(report)
    env = dict(entry.split("=", 1) for entry in host.container()["Config"]["Env"])
    assert {key: env[key] for key in env if key.startswith("CATTLE_DB")} == {
        "CATTLE_DB_CATTLE_DATABASE": "mysql",
        "CATTLE_DB_CATTLE_MYSQL_HOST": mariadb.host,
        "CATTLE_DB_CATTLE_MYSQL_PORT": str(mariadb.port),
        "CATTLE_DB_CATTLE_MYSQL_NAME": "cattle",
        "CATTLE_DB_CATTLE_USERNAME": "cattle",
        "CATTLE_DB_CATTLE_PASSWORD": NASTY,
    }
    assert not host.directory.exists()


def nothing(mariadb):
    mariadb.prepare(NASTY)


def missing_database(mariadb):
    mariadb.prepare(NASTY)
    mariadb.sql("DROP DATABASE cattle")


def latin1(mariadb):
    mariadb.prepare(NASTY)
    mariadb.sql("ALTER DATABASE cattle CHARACTER SET latin1")


def some_rights(mariadb):
    mariadb.prepare(NASTY)
    mariadb.sql("REVOKE CREATE, DROP ON cattle.* FROM 'cattle'@'%'")


def no_rights(mariadb):
    mariadb.prepare(NASTY)
    mariadb.sql("REVOKE ALL ON cattle.* FROM 'cattle'@'%'")


def no_account(mariadb):
    mariadb.sql("CREATE DATABASE cattle CHARACTER SET utf8 COLLATE utf8_general_ci")


LOGIN = "GRANT ALL ON `cattle`.* TO 'cattle'@'%' IDENTIFIED BY '<the password of the pillar>';"
CREATE = "CREATE DATABASE `cattle` CHARACTER SET utf8 COLLATE utf8_general_ci;"
ALTER = "ALTER DATABASE `cattle` CHARACTER SET utf8 COLLATE utf8_general_ci;"
GRANT = "GRANT ALL ON `cattle`.* TO 'cattle'@'%';"


@pytest.mark.parametrize(
    ("break_it", "settings", "words"),
    [
        (nothing, {"password": "wrong"}, (f"{KEY}:user or :password: ", "error 1045", LOGIN)),
        (no_account, {}, (f"{KEY}:user or :password: ", "error 1045", LOGIN)),
        (nothing, {"host": "no.such.host.invalid"}, (f"{KEY}:host: ", "cannot be resolved")),
        (nothing, {"port": 1}, (f"{KEY}:host: ", "connection refused")),
        (nothing, {"host": "127.0.0.1"}, (f"{KEY}:host is 127.0.0.1, which inside",)),
        (missing_database, {}, (f"{KEY}:name: ", "error 1049", CREATE)),
        (latin1, {}, (f"{KEY}:name: database cattle is in latin1", ALTER)),
        (some_rights, {}, (f"{KEY}:user: cattle@% lacks CREATE, DROP on", GRANT)),
        (no_rights, {}, (f"{KEY}:user: ", "error 1044", GRANT, CREATE)),
    ],
)
def test_refused_before_there_is_a_container(host, mariadb, break_it, settings, words):  # noqa: F811
    break_it(mariadb)
    host.external(mariadb, NASTY)
    host.settings["database"].update(settings)
    text = refused(host, *words)
    assert host.names() == [] and NASTY not in text
    assert NASTY not in host.minion.output


@pytest.mark.parametrize(
    "statement", [missing_database, latin1, some_rights, no_rights], ids=lambda each: each.__name__
)
def test_the_statement_of_the_message_helps(host, mariadb, statement):  # noqa: F811
    statement(mariadb)
    host.external(mariadb, NASTY)
    text = comment(host.apply(ready=False))
    # An administrator runs what it says, the one in brackets first.
    said = text.split("an administrator can run: ")[1]
    first, _, bracket = said.partition(" (and before that, when there is no such database, ")
    if statement is not no_rights and bracket:
        mariadb.sql(bracket.rstrip(")"))
    mariadb.sql(first)
    report = host.apply(ready=False)
    assert_well(report)
    assert host.names() == [NAME]


def test_an_administrator_makes_what_is_missing(host, mariadb):  # noqa: F811
    admin = "boss" + NASTY
    mariadb.sql("CREATE USER %s@%s IDENTIFIED BY %s", "boss", "%", admin)
    mariadb.sql("GRANT ALL ON *.* TO 'boss'@'%' WITH GRANT OPTION")
    host.external(mariadb, NASTY)
    host.settings["database_admin"] = {"user": "boss", "password": admin}
    report = converge(host, admin=True)
    assert set(changes(report)["database"]) == {"database", "account", "rights"}
    # Rotated in the pillar alone: the account follows, then the container.
    host.settings["database"]["password"] = "new" + NASTY
    report = converge(host, admin=True)
    assert set(changes(report)["database"]) == {"password"}
    assert set(changes(report)["running"]) == {"password", "container"}
    host.settings["database_admin"]["password"] = "wrong"
    report = host.apply(admin=True)
    assert comment(report, "database").startswith("rancher:server:database_admin:user or :password")
    assert report["running"]["result"] is True, "what runs goes on"


def test_an_account_and_a_database_with_awkward_names(host, mariadb):  # noqa: F811
    mariadb.sql("CREATE USER 'boss'@'%' IDENTIFIED BY 'b'")
    mariadb.sql("GRANT ALL ON *.* TO 'boss'@'%' WITH GRANT OPTION")
    host.external(mariadb, NASTY, name="my_cattle", user="o'connor")
    host.settings["database_admin"] = {"user": "boss", "password": "b"}
    report = converge(host, admin=True, ready=False)
    assert changes(report)["database"]["account"]["new"] == "'o''connor'@'%'"
    (grant,) = [row[0] for row in mariadb.sql("SHOW GRANTS FOR %s@%s", "o'connor", "%")][1:]
    assert "`my\\_cattle`.*" in grant, "the _ is no wildcard"


# -- what a server's configuration says, and accounts for other hosts -----------------------------

CONFIGURED = {
    "sql_mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ORACLE,STRICT_ALL_TABLES",
    "sql_quote_show_create": 0,
    "old_passwords": 1,
    "sql_select_limit": 1,
    "character_set_client": "latin1",
    "character_set_results": "latin1",
    "collation_connection": "latin1_swedish_ci",
    "init_connect": "SET sql_mode = 'ANSI_QUOTES', autocommit = 0, names latin1",
}


@pytest.fixture
def configured(mariadb):
    """A server whose own configuration changes what sessions see and say."""
    before = {key: mariadb.sql(f"SELECT @@GLOBAL.{key}")[0][0] for key in CONFIGURED}
    for key, value in CONFIGURED.items():
        mariadb.sql(f"SET GLOBAL {key} = %s", value)
    yield mariadb
    for key, value in before.items():
        mariadb.sql(f"SET GLOBAL {key} = %s", value)


def test_a_server_with_another_sql_mode_and_more(host, configured):  # noqa: F811
    configured.sql("CREATE USER 'boss'@'%' IDENTIFIED BY 'b'")
    configured.sql(
        "ALTER USER 'boss'@'%%' IDENTIFIED VIA mysql_native_password USING %s", HASH_OF_B
    )
    configured.sql("GRANT ALL ON *.* TO 'boss'@'%' WITH GRANT OPTION")
    host.external(configured, NASTY, name="my_cattle")
    host.settings["database_admin"] = {"user": "boss", "password": "b"}
    report = converge(host, admin=True)
    assert set(changes(report)["database"]) == {"database", "account", "rights"}
    host.settings["database"]["password"] = "new" + NASTY
    assert set(changes(converge(host, admin=True))["database"]) == {"password"}


@pytest.mark.parametrize("mode", ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ORACLE", "MAXDB", "ANSI"])
def test_rights_are_read_whatever_quotes_the_server_uses(host, mariadb, mode):  # noqa: F811
    mariadb.prepare(NASTY)
    before = mariadb.sql("SELECT @@GLOBAL.sql_mode")[0][0]
    mariadb.sql("SET GLOBAL sql_mode = %s", mode)
    try:
        host.external(mariadb, NASTY)
        assert_well(host.apply(ready=False))
    finally:
        mariadb.sql("SET GLOBAL sql_mode = %s", before)


def test_rights_that_come_with_a_role(host, mariadb):  # noqa: F811
    mariadb.prepare(NASTY)
    mariadb.sql("REVOKE ALL ON cattle.* FROM 'cattle'@'%'")
    mariadb.sql("CREATE ROLE hands")
    mariadb.sql("GRANT ALL ON cattle.* TO hands")
    mariadb.sql("GRANT hands TO 'cattle'@'%'")
    host.external(mariadb, NASTY)
    assert "error 1044" in comment(host.apply(test=True, ready=False)), "not a default one yet"
    mariadb.sql("SET DEFAULT ROLE hands FOR 'cattle'@'%'")
    assert_well(host.apply(ready=False))


def administered(host, mariadb):  # noqa: F811
    mariadb.sql("CREATE DATABASE cattle CHARACTER SET utf8 COLLATE utf8_general_ci")
    mariadb.sql("CREATE USER 'boss'@'10.213.%' IDENTIFIED BY 'b'")
    mariadb.sql("GRANT ALL ON *.* TO 'boss'@'10.213.%' WITH GRANT OPTION")
    host.external(mariadb, NASTY)
    host.settings["database_admin"] = {"user": "boss", "password": "b"}


def accounts(mariadb):
    rows = mariadb.sql("SELECT user, host FROM mysql.user WHERE user IN ('cattle', '')")
    return sorted("@".join(row) for row in rows)


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (
            ["cattle@localhost"],
            "there is 'cattle'@'localhost', but none of that name for this host",
        ),
        (["cattle@192.168.%"], "a second account with all rights is not made"),
        (["cattle@%", "@10.213.%"], "DROP USER ''@'10.213.%';"),
    ],
)
def test_no_second_account_beside_one_for_other_hosts(host, mariadb, there, words):  # noqa: F811
    administered(host, mariadb)
    for account in there:
        mariadb.sql("CREATE USER %s@%s IDENTIFIED BY 'x'", *account.split("@"))
    for test in (True, False):
        report = host.apply(admin=True, test=test, ready=False)
        assert report["database"]["result"] is False and report["database"]["changes"] == {}
        assert words in comment(report, "database"), comment(report, "database")
    assert accounts(mariadb) == sorted(there)


def test_the_statement_for_an_account_from_this_host_helps(host, mariadb):  # noqa: F811
    administered(host, mariadb)
    mariadb.sql("CREATE USER 'cattle'@'localhost' IDENTIFIED BY 'x'")
    text = comment(host.apply(admin=True, test=True, ready=False), "database")
    statement = text.split("an administrator can run: ")[1].replace(
        "<the password of the pillar>", ""
    )
    mariadb.sql(statement)
    report = converge(host, admin=True, ready=False)
    assert set(changes(report)["database"]) == {"password"}


@pytest.mark.parametrize("pattern", ["10.213.%", "10.213.0.0/255.255.0.0", "%"])
def test_the_account_for_this_host_gets_the_password(host, mariadb, pattern):  # noqa: F811
    administered(host, mariadb)
    for other in ("localhost", pattern):
        mariadb.sql("CREATE USER 'cattle'@%s IDENTIFIED BY 'x'", other)
    report = converge(host, admin=True, ready=False)
    assert set(changes(report)["database"]) == {"password", "rights"}
    assert accounts(mariadb) == sorted(["cattle@localhost", f"cattle@{pattern}"])
    assert "cattle" not in str(mariadb.sql("SHOW GRANTS FOR 'cattle'@'localhost'")[1:])


def rotate(host, mariadb):  # noqa: F811
    """From one password to another with a wrong one in between; gives secrets and the output."""
    old, new = NASTY, "n" + NASTY[::-1]
    mariadb.prepare(old)
    host.external(mariadb, old)
    output = []

    def apply(password, **options):
        host.settings["database"]["password"] = password
        report = host.apply(level="debug", **options)
        output.append(host.minion.output)
        return report

    with Watcher([old, new]) as watcher:
        assert_well(apply(old))
        mariadb.sql("ALTER USER %s@%s IDENTIFIED BY %s", "cattle", "%", new)
        assert "error 1045" in comment(apply("wrong" + new))
        assert host.names() == [NAME], "the server goes on with what it has"
        dry = apply(new, test=True)
        report = apply(new)
    assert_well(report)
    assert changes(report) == changes(dry)
    assert changes(report)["running"] == {
        "password": {"old": "(not shown)", "new": "changed"},
        "container": {"old": "running", "new": "replaced"},
    }
    assert f"CATTLE_DB_CATTLE_PASSWORD={new}" in host.container()["Config"]["Env"]
    assert NASTY not in repr(host.container()["Config"]["Labels"])
    assert watcher.found == [] and watcher.rounds > 20
    return [old, new], output


def assert_secret(secrets, minion, output):
    (minion.base / "output").write_text("\n".join(output), encoding="utf-8")
    # The pillar has to hold them; it also shows that the search finds what is there.
    pillar = minion.base / "pillar.json"
    assert where_found(secrets, pillar) == [pillar]
    pillar.unlink()
    assert where_found(secrets, minion.base) == []


def test_nobody_sees_a_password_that_is_rotated(host, mariadb):  # noqa: F811
    secrets, output = rotate(host, mariadb)
    assert "Executing state rancher.server_running" in output[-1], "there is a debug log"
    assert "Executing state rancher" in (host.minion.base / "minion.log").read_text()
    assert_secret(secrets, host.minion, output)


@pytest.mark.parametrize("line", ["3006.28"], indirect=True)
def test_nor_on_the_event_bus_or_in_the_job_cache(host, mariadb, salt_factories):  # noqa: F811
    host.minion = minion = Cluster(salt_factories, host.minion.sock)
    try:
        secrets, output = rotate(host, mariadb)
        await_("the last return", 20, lambda: "replaced" in minion.bus.read_text())
    finally:
        minion.close()
    jobs = list(minion.base.rglob("cache/jobs/**/return.p"))
    assert any(b"replaced" in path.read_bytes() for path in jobs)
    assert_secret(secrets, minion, output)
    shutil.rmtree(minion.base)
