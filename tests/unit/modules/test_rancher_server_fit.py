import pytest
from fake_docker import Containers
from salt.exceptions import CommandExecutionError

import _port_use
import _rancher_database
import _rancher_server_alive
import _rancher_server_fit

NAME = "rancher-server"
DATABASE = {"host": "db", "password": "x"}


@pytest.fixture
def check(replace):
    def check(port=8080, container=None, blind=False, database=None, coming=False, **more):
        docker = Containers()
        docker.importable = more.get("importable", True)
        docker.publisher = lambda port: more.get("publisher")
        docker.install(replace)
        replace(_port_use, listener=lambda port: more.get("listener"))
        replace(_rancher_database, check=lambda database: ["an old one"])
        replace(_rancher_server_alive, check=lambda *given: asked.append(given))
        seen = {"container": container, "blind": blind}
        want = {"port": port, "database": database}
        return _rancher_server_fit.check(NAME, seen, want, coming)

    asked = []
    check.asked = asked
    return check


def test_a_free_port_and_the_embedded_database(check):
    assert check() == []


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ({"publisher": "web"}, "in use by container web"),
        ({"listener": "nginx (pid 8)"}, "in use by nginx \\(pid 8\\)"),
        ({"listener": "nginx (pid 8)", "blind": True}, "in use by nginx"),
        ({"listener": "x", "container": {"port": 8080, "state": "exited"}}, "in use by x"),
        ({"listener": "x", "container": {"port": 80, "state": "running"}}, "in use by x"),
    ],
)
def test_a_port_that_is_taken(check, who, words):
    with pytest.raises(CommandExecutionError, match=f"rancher:server:port 8080 is {words}"):
        check(**who)


@pytest.mark.parametrize("state", ["running", "restarting"])
def test_the_port_that_our_own_container_holds(check, state):
    container = {"port": 8080, "state": state}
    assert check(container=container, listener="docker-proxy (pid 9)") == []
    assert check(publisher=NAME, listener="docker-proxy (pid 9)") == []


def test_what_is_said_about_the_database(check):
    assert check(database=DATABASE) == ["an old one"]
    assert check(database=DATABASE, blind=True) == [
        "Docker does not answer yet: predicted for a host without containers",
        "an old one",
    ]
    (_, said) = check(database=DATABASE, blind=True, importable=False)
    assert said.startswith("The database was not looked at")
    (said,) = check(database=DATABASE, coming=True)
    assert said.startswith("The database comes with")


def test_another_server_on_the_database_is_looked_for(check):
    check(database=DATABASE)
    check(database=DATABASE, blind=True)
    check(database=DATABASE, coming=True)
    assert check.asked == [(DATABASE, False), (DATABASE, True)]
