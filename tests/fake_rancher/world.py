"""
What exists in the double: projects, tokens, hosts, keys, settings, and a clock.

Everything asynchronous is a change that is due at some time of the clock: `Row.later`.
The clock runs, or stands until a test moves it; either way nothing changes between requests.
"""

import dataclasses
import hashlib
import itertools
import time
import uuid

EPOCH = 1588665600  # 2020-05-05T08:00:00Z: the double's time 0

ENDED = ("removed", "purging", "purged")


class Clock:
    """Seconds since the world began; `per_request` moves a standing clock with each request."""

    def __init__(self, running=False, per_request=0.0):
        self.running = running
        self.per_request = per_request
        self._moved = 0.0
        self._start = time.monotonic()

    def now(self):
        return self._moved + (time.monotonic() - self._start if self.running else 0.0)

    def advance(self, seconds):
        self._moved += seconds


class Row(dict):
    """One thing: its fields, and the changes that are still to come."""

    def __init__(self, fields):
        super().__init__(fields)
        self.due = []

    def later(self, at, **changes):
        self.due.append((at, changes))
        self.due.sort(key=lambda change: change[0])

    def settle(self, now):
        while self.due and self.due[0][0] <= now:
            self.update(self.due.pop(0)[1])

    @property
    def gone(self):
        return self["state"] in ENDED


@dataclasses.dataclass
class Key:
    """An API key: of an account (project None) or of one project; what it may do."""

    access: str
    secret: str
    project: str | None = None
    role: str = "admin"  # admin, owner, readonly
    projects: tuple = ()  # what an owner or reader sees; an admin sees all when asking so


class World:
    """The rows, and what happens to them. Not thread safe: the server holds one lock."""

    def __init__(self, clock):
        self.clock = clock
        self.projects, self.tokens, self.hosts = {}, {}, {}
        self.keys, self.apikeys, self.registers = {}, {}, {}
        self.settings = {"api.host": None}
        self.access_control = False
        # How tokens behave: normal, stuck, error, incomplete (active before it is filled).
        self.token_mode = "normal"
        self.token_seconds = 1.0
        self.seconds = 1.0  # every other change of state
        self.image = "rancher/agent:v1.2.11"
        self.restless_tokens = False  # the token's text differs at every reading
        self._numbers = {}
        self._readings = itertools.count()
        self.add_project("Default", id="1a5", uuid="adminProject")
        self._numbers["a"] = itertools.count(6)

    def settle(self):
        now = self.clock.now()
        for row in [*self.projects.values(), *self.tokens.values(), *self.hosts.values()]:
            row.settle(now)

    def stamp(self, at=None):
        return int((EPOCH + (self.clock.now() if at is None else at)) * 1000)

    def _next(self, letters):
        counter = self._numbers.setdefault(letters, itertools.count(1))
        return f"1{letters}{next(counter)}"

    def add_project(self, name, id=None, uuid=None, state="active"):
        row = Row(
            {
                "id": id or self._next("a"),
                "name": name,
                "uuid": uuid or self._uuid(name),
                "state": state,
                "transitioning": "no",
                "createdTS": self.stamp(),
            }
        )
        self.projects[row["id"]] = row
        return row

    def add_token(self, project="1a5", state=None):
        """A token as POST makes it, or at once in a given state."""
        now = self.clock.now()
        row = Row(
            {
                "id": self._next("c"),
                "project": project,
                "state": state or "registering",
                "transitioning": "no" if state else "yes",
                "transitioningMessage": None if state else "In Progress",
                "filled": state == "active",
                "createdTS": self.stamp(),
                "removed": None,
            }
        )
        row["uuid"] = self._uuid(row["id"])
        active = {"state": "active", "transitioning": "no", "transitioningMessage": None}
        ready = now + self.token_seconds
        if state is None and self.token_mode == "normal":
            row.later(ready, **active, filled=True)
        elif state is None and self.token_mode == "incomplete":
            row.later(ready, **active)
            row.later(ready + self.token_seconds, filled=True)
        elif state is None and self.token_mode == "error":
            row.later(ready, transitioning="error", transitioningMessage="Failed to find a handler")
        self.tokens[row["id"]] = row
        return row

    def token_text(self, row):
        """Three parts; the middle one changes with time, older texts stay valid."""
        turn = next(self._readings) if self.restless_tokens else 0
        public = hashlib.sha256(row["uuid"].encode()).hexdigest()[:20].upper()
        moment = 1546214400000 + turn * 3600000
        seal = hashlib.sha256(f"{public}:{moment}".encode()).hexdigest()[:27]
        return f"{public}:{moment}:{seal}"

    def token_of_text(self, text):
        """The active token that a text belongs to, or None."""
        public, _, rest = text.partition(":")
        moment, _, seal = rest.partition(":")
        if hashlib.sha256(f"{public}:{moment}".encode()).hexdigest()[:27] != seal:
            return None
        for row in self.tokens.values():
            if row["state"] == "active" and self.token_text(row).partition(":")[0] == public:
                return row
        return None

    def add_host(
        self,
        hostname,
        ip="192.0.2.11",
        labels=None,
        project="1a5",
        state="active",
        agent_state="active",
        appears=0.0,
        active=0.0,
        name=None,
    ):
        """
        A host. `appears`: seconds until the list shows it; `active`: seconds from then on in
        which it is still registering.
        """
        now = self.clock.now()
        row = Row(
            {
                "id": self._next("h"),
                "project": project,
                "hostname": hostname,
                "name": name,
                "ip": ip,
                "labels": {
                    "io.rancher.host.docker_version": "17.12",
                    "io.rancher.host.linux_kernel_version": "4.9",
                    "io.rancher.host.agent_image": self.image,
                    **(labels or {}),
                },
                "state": state if not active else "registering",
                "agent_state": agent_state if not active else "activating",
                "transitioning": "no" if not active else "yes",
                "hidden": appears > 0,
                "createdTS": self.stamp(now + appears),
                "removed": None,
            }
        )
        row["uuid"] = self._uuid(row["id"])
        if appears:
            row.later(now + appears, hidden=False)
        if active:
            row.later(
                now + appears + active, state=state, agent_state=agent_state, transitioning="no"
            )
        self.hosts[row["id"]] = row
        return row

    def move(self, row, through, to, removed=False):
        """A change of state that takes time: deactivating to inactive, and so on."""
        row.due.clear()
        row.update(state=through, transitioning="yes")
        at = self.clock.now() + self.seconds
        row.later(
            at,
            state=to,
            transitioning="no",
            removed=self.stamp(at) if removed else row.get("removed"),
        )

    def add_key(self, access, secret, project=None, role="admin", projects=()):
        self.keys[access] = Key(access, secret, project, role, tuple(projects))
        return self.keys[access]

    def register(self, machine, project, address, fields):
        """
        What the agent's bootstrap does: the same machine token is the same host.

        The original makes the host when the agent connects; here it comes with the request.
        """
        known = self.registers.get(machine)
        if known is None:
            host = self.add_host(
                fields.get("hostname") or "unnamed",
                ip=fields.get("agentIpAddress") or address,
                labels=fields.get("labels"),
                project=project,
                appears=self.seconds,
                active=self.seconds,
            )
            number = self._next("r")
            access = hashlib.sha256(f"access {number}".encode()).hexdigest()[:20].upper()
            secret = hashlib.sha256(f"secret {number}".encode()).hexdigest()[:40]
            known = {"id": number, "host": host, "accessKey": access, "secretKey": secret}
            self.registers[machine] = known
        else:
            # A second machine with the same state directory takes the row over.
            known["host"]["ip"] = fields.get("agentIpAddress") or address
            known["host"]["hostname"] = fields.get("hostname") or known["host"]["hostname"]
        return known

    @staticmethod
    def _uuid(text):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, text))
