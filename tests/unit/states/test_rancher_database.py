import functools

import pytest
from fake_mysql import Server

import _docker_engine

SECRET = "p$'\" #{{ x }}%ü"
ADMIN = {"user": "boss", "password": "boss"}
NONE = {"account": None, "rights": [], "charset": None}


class Host:
    def __init__(self, replace, state, server=None, admin=ADMIN, database=True, importable=True):
        self.server, self.context = server, {}
        given = {"host": "db", "password": SECRET} if database else None
        pillar = {"rancher": {"server": {"database": given, "database_admin": admin}}}
        self.state = functools.partial(
            state, "rancher_database", __pillar__=pillar, __context__=self.context
        )
        replace(_docker_engine, available=lambda: importable)
        if server:
            server.install(replace)

    def present(self, test):
        return self.state(test=test).present("rancher")

    def coming(self):
        return bool(self.context.get("rancher_database.coming"))


@pytest.fixture
def make_host(replace, state):
    return functools.partial(Host, replace, state)


both = pytest.mark.parametrize("test", [True, False], ids=["dry", "real"])


def acted(server):
    words = ("CREATE", "ALTER", "SET", "GRANT", "DROP", "REVOKE")
    return [sql for sql in server.asked if sql.startswith(words)]


@both
@pytest.mark.parametrize("settings", [{"admin": None}, {"database": False}])
def test_nothing_is_looked_at_without_being_asked_to(make_host, test, settings):
    ret = make_host(**settings).present(test)
    assert ret["result"] is True and ret["changes"] == {} and ret["comment"]


@both
@pytest.mark.parametrize(
    ("server", "changes"),
    [
        (
            NONE,
            {
                "database": {"old": None, "new": "cattle in utf8, utf8_general_ci"},
                "account": {"old": None, "new": "'cattle'@'%'"},
                "rights": {"old": None, "new": "ALL on cattle"},
            },
        ),
        ({"password": "old"}, {"password": {"old": "(not shown)", "new": "changed"}}),
        (
            {"charset": ("latin1", "latin1_swedish_ci")},
            {"charset": {"old": "latin1, latin1_swedish_ci", "new": "utf8, utf8_general_ci"}},
        ),
        ({"rights": ["SELECT"]}, {"rights": {"old": "some", "new": "ALL on cattle"}}),
    ],
    ids=["nothing there", "rotated", "latin1", "few rights"],
)
def test_what_is_missing_is_made(make_host, test, server, changes):
    host = make_host(Server(**{"password": SECRET, **server}))
    ret = host.present(test)
    assert ret["changes"] == changes and SECRET not in repr(ret)
    assert ret["result"] is (None if test else True)
    assert host.coming() is test
    if test:
        assert acted(host.server) == []
    else:
        again = host.present(False)
        assert again["result"] is True and again["changes"] == {}
        assert not [sql for sql in acted(host.server) if sql.startswith(("DROP", "REVOKE"))]


@both
def test_what_is_there_stays(make_host, test):
    host = make_host(Server(password=SECRET))
    ret = host.present(test)
    assert ret["result"] is True and ret["changes"] == {} and acted(host.server) == []
    assert not host.coming()


@both
def test_tables_in_another_charset_are_not_touched(make_host, test):
    host = make_host(Server(password=SECRET, charset=("latin1", "latin1_swedish_ci"), tables=7))
    ret = host.present(test)
    assert ret["result"] is False and ret["changes"] == {} and acted(host.server) == []
    assert "has 7 tables, which keep that; nothing was changed" in ret["comment"]


def test_a_dry_run_before_the_library_is_there(make_host):
    host = make_host(Server(password=SECRET), importable=False)
    ret = host.present(True)
    assert ret["result"] is None and ret["changes"] == {} and "was not looked at" in ret["comment"]
    assert host.coming() and host.server.asked == []


def test_a_partial_failure_tells_what_was_done(make_host):
    host = make_host(Server(password=SECRET, **NONE, fails={"GRANT": 1044}))
    ret = host.present(False)
    assert ret["result"] is False and set(ret["changes"]) == {"database", "account"}
    assert ret["comment"].startswith(
        "Database rancher could not be completed: rancher:server:database_admin:user: MySQL"
    )
