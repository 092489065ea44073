"""Servers on this machine that the guests reach at 10.0.2.2: a docker registry and a MariaDB."""

import contextlib
import json
import secrets
import shutil
import urllib.error
import urllib.request

from .process import Daemon, LabError, run, wait_until

# This machine, as its guests see it.
HOST = "10.0.2.2"


class Registry:
    """
    A docker registry with the stand-ins for Rancher's images, all its files in ``directory``.

    The guests pull them under their own names, ``rancher/server:v1.6.30``, when their docker
    is set up with ``daemon``: the registry counts as a mirror of the public one.
    """

    def __init__(self, directory, *, port, kept=False):
        self.directory = directory
        self.port = port
        self.kept = kept
        self._process = Daemon(directory / "registry.pid", directory / "registry.log")

    @property
    def running(self):
        return bool(self._process.pid)

    @property
    def url(self):
        """Where this machine reaches it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self):
        """Where the guests reach it: the first part of an image's full name."""
        return f"{HOST}:{self.port}"

    @property
    def daemon(self):
        """Settings of the guests' docker daemon; they have cgroup v2, on which agents need the host's."""
        return {
            "default-cgroupns-mode": "host",
            "insecure-registries": [self.address],
            "registry-mirrors": [f"http://{self.address}"],
        }

    def start(self):
        """Start it when it is not running, and push the stand-ins that it does not have."""
        import stand_ins

        if not self.running:
            self.directory.mkdir(parents=True, exist_ok=True)
            config = self.directory / "config.json"
            config.write_text(json.dumps(self.settings(), indent=1))
            self._process.start(["docker-registry", "serve", config], kept=self.kept)
            wait_until(self._answers, timeout=60, what="start of the docker registry")
        stand_ins.push(self.url)

    def stop(self):
        self._process.stop()

    def settings(self):
        """Its configuration file, which is YAML and so may be JSON."""
        return {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self.directory / "storage")}},
            "http": {"addr": f"127.0.0.1:{self.port}"},
        }

    def _answers(self):
        if not self.running:
            raise LabError(f"the docker registry ended: {self._process.tail()}")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/v2/", timeout=5):
            return True
        return False


class Database:
    """
    A MariaDB with its files in ``directory``; ``admin`` may do everything, from everywhere.

    ``start`` makes it anew unless it runs: no test finds what another one left.
    """

    def __init__(self, directory, sockets, *, port, kept=False):
        self.directory = directory
        self.port = port
        self.host = HOST
        self.kept = kept
        self._socket = sockets / "database"
        self._process = Daemon(directory / "database.pid", directory / "database.log")

    @property
    def running(self):
        return bool(self._process.pid)

    @property
    def admin(self):
        """User and password of the administrator."""
        words = json.loads((self.directory / "admin.json").read_text())
        return {"user": words[0], "password": words[1]}

    def start(self):
        if self.running:
            return
        shutil.rmtree(self.directory, ignore_errors=True)
        for folder in ("data", "tmp"):
            (self.directory / folder).mkdir(parents=True)
        run(
            ["mariadb-install-db", *self._files, "--auth-root-authentication-method=socket",
             "--skip-test-db"],
            timeout=120,
        )  # fmt: skip
        self._process.start(self.arguments(), kept=self.kept)
        wait_until(self._answers, timeout=120, what="start of MariaDB")
        admin = ["admin", secrets.token_urlsafe(12)]
        (self.directory / "admin.json").write_text(json.dumps(admin))
        self.sql("CREATE USER %s@'%%' IDENTIFIED BY %s", *admin)
        self.sql("GRANT ALL ON *.* TO %s@'%%' WITH GRANT OPTION", admin[0])

    def stop(self):
        self._process.stop()

    def sql(self, statement, *values):
        """Run ``statement`` as the administrator; returns the rows."""
        import pymysql

        with (
            contextlib.closing(
                pymysql.connect(
                    unix_socket=str(self._socket), user="root", charset="utf8mb4", autocommit=True
                )
            ) as link,
            link.cursor() as cursor,
        ):
            cursor.execute(statement, values or None)
            return cursor.fetchall()

    def arguments(self):
        """The server's command line."""
        return [
            "mariadbd", *self._files, f"--socket={self._socket}", f"--port={self.port}", "--bind-address=127.0.0.1",
            # Whoever comes from a guest comes from 127.0.0.1, and not from localhost.
            "--skip-name-resolve", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=2",
        ]  # fmt: skip

    @property
    def _files(self):
        """A MariaDB that starts removes the tables of all others from a shared tmpdir."""
        return [
            "--no-defaults", f"--datadir={self.directory / 'data'}",
            f"--tmpdir={self.directory / 'tmp'}", "--user=root",
        ]  # fmt: skip

    def _answers(self):
        import pymysql

        if not self.running:
            raise LabError(f"MariaDB ended: {self._process.tail()}")
        with contextlib.suppress(pymysql.MySQLError):
            return bool(self.sql("SELECT 1"))
        return False
