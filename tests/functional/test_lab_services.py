"""The services of the lab: their settings, and that they serve and end."""

import shutil

import pytest
from lab.services import Database, Registry


@pytest.fixture
def database(tmp_path):
    if not shutil.which("mariadbd"):
        pytest.skip("mariadbd is not installed: `make setup` does it")
    database = Database(tmp_path / "db", tmp_path, port=free_port())
    yield database
    database.stop()


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_guests_find_the_registry_by_the_name_of_the_public_one(tmp_path):
    registry = Registry(tmp_path, port=4508)
    assert registry.daemon == {
        "default-cgroupns-mode": "host",
        "insecure-registries": ["10.0.2.2:4508"],
        "registry-mirrors": ["http://10.0.2.2:4508"],
    }
    settings = registry.settings()
    assert settings["http"] == {"addr": "127.0.0.1:4508"}
    assert settings["storage"]["filesystem"]["rootdirectory"].startswith(str(tmp_path))


def test_an_administrator_makes_users_who_come_over_tcp(database):
    import pymysql

    database.start()
    with pymysql.connect(host="127.0.0.1", port=database.port, **database.admin) as link:
        link.cursor().execute("CREATE USER cattle@'%' IDENTIFIED BY 'one'")
    with pymysql.connect(
        host="127.0.0.1", port=database.port, user="cattle", password="one"
    ) as link:
        cursor = link.cursor()
        cursor.execute("SELECT CURRENT_USER()")
        assert cursor.fetchall() == (("cattle@%",),)
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        pymysql.connect(host="127.0.0.1", port=database.port, user="cattle", password="two")
    database.stop()
    assert not database.running


def test_the_tables_of_another_that_starts_are_left_alone(database, tmp_path, monkeypatch):
    """Two at once on one /tmp: `mariadb-install-db` ended with "Unknown table"."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    other = tmp_path / "#sql-temptable-1-1-1.MAI"
    other.touch()
    database.start()
    assert other.exists()
