"""A MySQL server in a few lines: what `_database_client` would hear from it."""

import contextlib
import re

import _database_client


class Server:
    def __init__(self, version="5.7.44", password="right", **more):
        self.version, self.password, self.admin = version, password, "boss"
        self.charset = more.get("charset", ("utf8", "utf8_general_ci"))
        self.tables = more.get("tables", 0)
        self.rights = more.get("rights", ["ALL PRIVILEGES"])
        self.limits = more.get("limits", (500, 64 << 20))
        self.fails = more.get("fails", {})
        self.account = more.get("account", "cattle@%")
        # What else is in mysql.user, and what this host is to the server.
        self.others, self.client = more.get("others", []), more.get("client", "10.0.0.7")
        self.asked = []

    def connect(self, host, port, user, password):
        return self._talk(user, password)

    @contextlib.contextmanager
    def _talk(self, user, password):
        wanted = self.admin if user == self.admin else self.password
        if "connect" in self.fails:
            raise self.error(self.fails["connect"])
        if user != self.admin and not self.fits() or password != wanted:
            raise self.error(1045)
        yield self.ask

    def fits(self):
        host = (self.account or "@-").partition("@")[2]
        return re.fullmatch(host.replace(".", "[.]").replace("%", ".*"), self.client) is not None

    @staticmethod
    def error(code):
        return _database_client.Refused(code, f"MySQL at db:3306: no (error {code})")

    def ask(self, sql, *values):
        self.asked.append(sql)
        for words, code in self.fails.items():
            if sql.startswith(words):
                raise self.error(code)
        if sql.startswith("USE") and self.charset is None:
            raise self.error(1049)
        if sql.startswith("SELECT"):
            return self.select(sql, values)
        if sql.startswith("SHOW GRANTS"):
            rights = f"GRANT {', '.join(self.rights)} ON `cattle`.* TO `cattle`@`%`"
            usage = "GRANT USAGE ON *.* TO `cattle`@`%` IDENTIFIED BY PASSWORD '*HASH'"
            return [(usage,), *([(rights,)] if self.rights else [])]
        return self.act(sql, values)

    def select(self, sql, values):
        if "@@character_set_database" in sql:
            return [self.charset]
        if "information_schema" in sql:
            return [(*self.charset, self.tables)] if self.charset else []
        if "mysql.user" in sql:
            own = [self.account] if self.account else []
            return [tuple(each.split("@")) for each in [*own, *self.others]]
        if "CURRENT_USER" in sql:
            return [(self.account,)]
        if "@@max_connections" in sql:
            return [(self.version, *self.limits)]
        if sql == "SELECT @@lower_case_table_names":
            return [(0,)]
        assert sql == "SELECT VERSION(), USER(), @@lower_case_table_names"
        return [(self.version, f"boss@{self.client}", 0)]

    def act(self, sql, values):
        if "DATABASE" in sql:
            self.charset = ("utf8", "utf8_general_ci")
        elif sql.startswith("GRANT"):
            self.rights = ["ALL PRIVILEGES"]
        elif sql.startswith("CREATE USER"):
            self.account, self.password = f"{values[0]}@{values[1]}", values[2]
        elif sql == "SET SESSION old_passwords = 0":
            if self.version.startswith("8."):
                raise self.error(1193)
        elif sql.startswith(("ALTER USER", "SET PASSWORD")):
            assert f"{values[0]}@{values[1]}" == self.account
            self.password = values[2]
        else:
            assert sql.startswith("USE")
        return []

    def install(self, replace):
        """Take the place of every server."""
        replace(_database_client, connect=self.connect)
        return self
