"""
Where the server keeps its world: files in /var/lib/mysql, or a MySQL server.

Each store has `open` (raises NotYet while it is worth another try, Failed when it is not),
`load` (a dict, or None at the first start) and `save`.
"""

import json
import os
import pathlib
import time

import pymysql

# Who the original's MySQL is, in its image.
MYSQL = (102, 105)


class NotYet(Exception):
    """No connection; the text is what the original's driver would say."""


class Failed(Exception):
    """The database is there and does not work; the text is for the log."""


class Embedded:
    """
    The embedded database: one file, written as the user `mysql`.

    A fresh directory becomes that user's. One that already holds something is taken as it
    is, and with the wrong owner the database does not start.
    """

    def __init__(self, directory="/var/lib/mysql", owner=MYSQL, say=print):
        self.directory = pathlib.Path(directory)
        self.owner = owner
        self.say = say

    def open(self):
        if not any(self.directory.iterdir()):
            self.say("Running mysql_install_db...")
            os.chown(self.directory, *self.owner)
            # For which the original's start script looks: without it, a new database is made.
            schema = self.directory / "mysql"
            schema.mkdir(mode=0o700)
            os.chown(schema, *self.owner)
        self.say("Starting MySQL")
        self.say("Setting up database")
        if self._world.exists():
            return
        self.say("Importing schema")
        self._write(self._marker, "utf8 utf8_general_ci\n")

    @property
    def _world(self):
        return self.directory / "cattle.json"

    @property
    def _marker(self):
        return self.directory / "ibdata1"

    def check_in(self, uuid):
        """Its database is its own; nobody looks."""

    def load(self):
        return json.loads(self._world.read_text()) if self._world.exists() else None

    def save(self, world):
        self._write(self._world, json.dumps(world))

    def _write(self, path, text):
        """As the database's user would: root's rights do not help."""
        os.setegid(self.owner[1])
        os.seteuid(self.owner[0])
        try:
            part = path.with_suffix(".part")
            with open(part, "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            part.rename(path)
        except OSError as refused:
            raise Failed(
                f"mysqld 5.5.62-0ubuntu0.14.04.1: [ERROR] /usr/sbin/mysqld: Can't create/write to file "
                f"'{path}' (Errcode: {refused.errno})"
            ) from refused
        finally:
            os.seteuid(0)
            os.setegid(0)


class External:
    """A MySQL server, with a table for the world and the lock of the original's migrations."""

    def __init__(self, host, port, name, user, password, timeout=60):
        self.address = (host, port)
        self.options = {
            "host": host,
            "port": port,
            "database": name,
            "user": user,
            # As Java's driver sends it; PyMySQL would take it for Latin-1.
            "password": password.encode(),
            "connect_timeout": timeout,
            "charset": "utf8",
            "autocommit": True,
        }

    def open(self):
        with self._link() as link, link.cursor() as cursor:
            try:
                self._migrate(cursor)
            except pymysql.MySQLError as refused:
                raise Failed(f"liquibase.exception.DatabaseException: {said(refused)}") from refused

    def _migrate(self, cursor):
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS DATABASECHANGELOGLOCK"
            " (ID INT PRIMARY KEY, LOCKED TINYINT NOT NULL, LOCKEDBY VARCHAR(255))"
        )
        cursor.execute("INSERT IGNORE INTO DATABASECHANGELOGLOCK VALUES (1, 0, NULL)")
        who = f"{os.uname().nodename} (172.17.0.2)"
        taken = cursor.execute(
            "UPDATE DATABASECHANGELOGLOCK SET LOCKED = 1, LOCKEDBY = %s WHERE LOCKED = 0", [who]
        )
        if not taken:
            cursor.execute("SELECT LOCKEDBY FROM DATABASECHANGELOGLOCK")
            raise Failed(
                "liquibase.exception.LockException: Could not acquire change log lock. "
                f"Currently locked by {cursor.fetchall()[0][0]}"
            )
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS stand_in (id INT PRIMARY KEY, world LONGTEXT NOT NULL)"
        )
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS cluster_membership (id BIGINT AUTO_INCREMENT PRIMARY KEY,"
            " name VARCHAR(255), uuid VARCHAR(128) NOT NULL UNIQUE, heartbeat BIGINT,"
            " config MEDIUMTEXT, clustered BIT NOT NULL DEFAULT 1)"
        )
        cursor.execute("UPDATE DATABASECHANGELOGLOCK SET LOCKED = 0, LOCKEDBY = NULL")

    def check_in(self, uuid):
        """A sign of life, as the original gives it every five seconds."""
        config = {"advertiseAddress": "127.0.0.1:9345", "httpPort": 8080, "clustered": False}
        with self._link() as link, link.cursor() as cursor:
            cursor.execute(
                "INSERT INTO cluster_membership (uuid, heartbeat, config, clustered)"
                " VALUES (%s, %s, %s, 0) ON DUPLICATE KEY UPDATE heartbeat = VALUES(heartbeat)",
                [uuid, int(time.time() * 1000), json.dumps(config)],
            )

    def load(self):
        with self._link() as link, link.cursor() as cursor:
            cursor.execute("SELECT world FROM stand_in WHERE id = 1")
            rows = cursor.fetchall()
        return json.loads(rows[0][0]) if rows else None

    def save(self, world):
        with self._link() as link, link.cursor() as cursor:
            try:
                cursor.execute("REPLACE INTO stand_in VALUES (1, %s)", [json.dumps(world)])
            except pymysql.MySQLError as refused:
                raise Failed(said(refused)) from refused

    def _link(self):
        try:
            return pymysql.connect(**self.options)
        except pymysql.MySQLError as refused:
            raise NotYet(said(refused)) from refused


def said(error):
    """What a MySQL server or driver said, without the number in front."""
    return str(error.args[1] if len(error.args) > 1 else error)


def patiently(store, say, tries=300, pause=1.0, sleep=time.sleep):
    """Open ``store`` as the original does; raises Failed when its patience is over."""
    for number in range(1, tries + 1):
        try:
            return store.open()
        except NotYet as reason:
            say(
                "ERROR",
                "LazyJDBCSource",
                "Failed to get connection to database, will retry for 5 minutes",
            )
            if number == 1:
                print(f"java.sql.SQLException: {reason}", flush=True)
                print("\tat com.mysql.jdbc.SQLError.createSQLException", flush=True)
            last = reason
            sleep(pause)
    raise Failed(f"java.sql.SQLException: {last}")
