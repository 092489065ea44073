"""
What exists in the double: projects, tokens, hosts, keys, settings, and a clock.

Everything asynchronous is a change that is due at some time of the clock: `Row.later`.
The clock runs, or stands until a test moves it; either way nothing changes between requests.
"""

import copy
import dataclasses
import hashlib
import itertools
import time
import uuid

EPOCH = 1588665600  # 2020-05-05T08:00:00Z: the double's time 0

ENDED = ("removed", "purging", "purged")
UNDER_WAY = {"transitioning": "yes", "transitioningMessage": "In Progress"}
AT_REST = {"transitioning": "no", "transitioningMessage": None}
# Seconds without a word from a host's agent, as seen on 1.6.30: reconnecting was there after 51
# to 57, disconnected after 248.
RECONNECTING, DISCONNECTED = 55, 248
# Seconds until a new host has an address: it comes with the second ping of its agent.
ADDRESS = 50


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


def is_own(instance):
    """Whether a container is Rancher's own: an evacuation leaves those, and no others."""
    label = instance["labels"].get("io.rancher.container.system")
    return instance["system"] or (label, instance["name"]) == ("rancher-agent", "rancher-agent")


class WallClock(Clock):
    """Seconds since EPOCH by the machine's own clock: goes on while the server is down."""

    def now(self):
        return self._moved + time.time() - EPOCH


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

    def forget(self):
        """Drop the changes of state that are still to come; an address comes all the same."""
        self.due = [(at, changes) for at, changes in self.due if "state" not in changes]

    @property
    def gone(self):
        return self["state"] in ENDED


ROLES = ("admin", "owner", "member", "restricted", "readonly", "registration")


@dataclasses.dataclass
class Key:
    """
    An API key: of an account (project None) or of one project; what it may do.

    An administrator's list of projects shows those of which it is a member, unless it asks for
    all; it may use all of them either way.
    """

    access: str
    secret: str
    project: str | None = None
    role: str = "admin"  # one of ROLES
    projects: tuple | None = None  # of which it is a member; None: all but those of others
    active: bool = True  # False: expired, that is deactivated

    @property
    def may_modify(self):
        """Whether it may change hosts and join new ones."""
        return self.role not in ("readonly", "restricted")


class World:
    """The rows, and what happens to them. Not thread safe: the server holds one lock."""

    def __init__(self, clock):
        self.clock = clock
        self.projects, self.tokens, self.hosts = {}, {}, {}
        self.keys, self.apikeys, self.registers = {}, {}, {}
        # Documents by the name of their collection, served as they are: see environment.py.
        self.collections = {}
        self.settings = {"api.host": None}
        self.access_control = False
        # How tokens behave: normal, stuck, error, incomplete (active before it is filled).
        self.token_mode = "normal"
        self.token_seconds = 1.0
        self.seconds = 1.0  # every other change of state
        # Until a host that registers has its address.
        self.address_seconds = float(ADDRESS)
        self.image = "rancher/agent:v1.2.11"
        self.version = "v1.6.30"
        # True: a host comes with the first ping of its agent, and its state tells how long ago
        # the last one was. False: it comes with its registration and needs no agent.
        self.liveness = False
        self._born, self._heard = clock.now(), {}
        self.restless_tokens = False  # the token's text differs at every reading
        self._numbers = {}  # the next number of each kind of id
        self._readings = itertools.count()
        self.add_project("Default", id="1a5", uuid="adminProject")
        self._numbers["a"] = 6

    def settle(self):
        now = self.clock.now()
        for row in [*self.projects.values(), *self.tokens.values(), *self.hosts.values()]:
            row.settle(now)
        if self.liveness:
            for known in self.registers.values():
                self._listen(known, now)

    def _listen(self, known, now):
        """The state of a host's agent, from the time of its last word."""
        row = known["host"]
        if row is None or row.gone or any("state" in changes for _, changes in row.due):
            return
        silent = now - self._heard.get(known["id"], self._born)
        if silent > RECONNECTING:
            row["agent_state"] = "disconnected" if silent > DISCONNECTED else "reconnecting"
        elif row["agent_state"] is not None:
            # Of an agent that was never lost there is no state.
            row["agent_state"] = "active"

    def stamp(self, at=None):
        return int((EPOCH + (self.clock.now() if at is None else at)) * 1000)

    def _next(self, letters):
        number = self._numbers.get(letters, 1)
        self._numbers[letters] = number + 1
        return f"1{letters}{number}"

    def add_project(self, name, id=None, uuid=None, state="active", foreign=False):
        """`foreign`: made by somebody else, administrators are no members of it."""
        row = Row(
            {
                "id": id or self._next("a"),
                "name": name,
                "uuid": uuid or self._uuid(name),
                "state": state,
                "transitioning": "no",
                "foreign": foreign,
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
                **(AT_REST if state else UNDER_WAY),
                # An inactive one was active once.
                "filled": state in ("active", "inactive"),
                "createdTS": self.stamp(),
                "removed": None,
            }
        )
        row["uuid"] = self._uuid(row["id"])
        active = {"state": "active", **AT_REST}
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
        address=0.0,
    ):
        """
        A host. `appears`: seconds until the list shows it; `active`: seconds from then on in
        which it is still registering; `address`: seconds from then on in which it has none.
        """
        now = self.clock.now()
        row = Row(
            {
                "id": self._next("h"),
                "project": project,
                "hostname": hostname,
                "name": name,
                "ip": None if address else ip,
                "labels": {
                    "io.rancher.host.docker_version": "17.12",
                    "io.rancher.host.linux_kernel_version": "4.9",
                    "io.rancher.host.agent_image": self.image,
                    **(labels or {}),
                },
                "state": state if not active else "registering",
                "agent_state": None if active else agent_state,
                "transitioning": "no" if not active else "yes",
                "transitioningMessage": None if not active else "In Progress",
                "hidden": appears > 0,
                "instances": [],
                "createdTS": self.stamp(now + appears),
                "removed": None,
            }
        )
        row["uuid"] = self._uuid(row["id"])
        if appears:
            row.later(now + appears, hidden=False)
        if active:
            row.later(now + appears + active, state=state, agent_state=agent_state, **AT_REST)
        if address:
            row.later(now + appears + active + address, ip=ip)
        self.hosts[row["id"]] = row
        return row

    def add_instance(
        self,
        host,
        name,
        system=False,
        native=False,
        service=None,
        selector=None,
        state="running",
        labels=None,
    ):
        """
        A container on a host. service: id of the one that makes it again; selector: of one that
        only counts it as its own. native: somebody started it without Rancher.
        """
        row = {"id": self._next("i"), "name": name, "state": state, "host": host}
        row.update(system=system, native=native, labels=labels or {})
        row.update(service=service, selector=selector)
        self.hosts[host]["instances"].append(row)
        return row

    def evacuate(self, row):
        """
        What an event does that comes after the answer: the host is deactivated, then everything
        but Rancher's own is removed. Only what belongs to a service is made again elsewhere.
        """
        now = self.clock.now()
        stays = [one for one in row["instances"] if is_own(one)]
        row.forget()
        at = now
        if row["state"] == "active":
            row.later(now, state="deactivating", **UNDER_WAY)
            at = now + self.seconds
            row.later(at, state="inactive", **AT_REST)
        row.later(at + self.seconds, instances=stays)
        others = [
            other
            for other in self.hosts.values()
            if other["project"] == row["project"]
            and other["state"] == "active"
            and other is not row
        ]
        for one in row["instances"] if others else []:
            if one["service"] and not is_own(one):
                again = {**one, "id": self._next("i"), "host": others[0]["id"]}
                others[0].later(at + 2 * self.seconds, instances=[*others[0]["instances"], again])

    def move(self, row, through, to, removed=False):
        """A change of state that takes time: deactivating to inactive, and so on."""
        row.forget()
        row.update(state=through, **UNDER_WAY)
        at = self.clock.now() + self.seconds
        row.later(
            at,
            state=to,
            removed=self.stamp(at) if removed else row.get("removed"),
            **AT_REST,
        )

    def add_key(self, access, secret, project=None, role="admin", projects=None, active=True):
        if role not in ROLES:
            raise ValueError(f"role is {role!r}, allowed: {', '.join(ROLES)}")
        projects = projects if projects is None else tuple(projects)
        self.keys[access] = Key(access, secret, project, role, projects, active)
        return self.keys[access]

    def register(self, machine, project, address, fields):
        """
        What the agent's bootstrap does: the same machine token is the same host, until that is
        removed: then it is a new registration, with new keys and a new host.

        The original makes the host when the agent connects; so does this with `liveness`.
        """
        known = self.registers.get(machine)
        if known is None or (known["host"] is not None and known["host"].gone):
            number = self._next("r")
            access = hashlib.sha256(f"access {number} {machine}".encode()).hexdigest()[:20].upper()
            secret = hashlib.sha256(f"secret {number} {machine}".encode()).hexdigest()[:40]
            known = {"id": number, "host": None, "project": project}
            known.update(accessKey=access, secretKey=secret)
            self.registers[machine] = known
        if not self.liveness:
            self._meet(known, address, fields)
        return known

    def agent_of(self, access, secret):
        """The registration that an agent's keys belong to; None when its host was removed."""
        for known in self.registers.values():
            if (known["accessKey"], known["secretKey"]) == (access, secret):
                return None if known["host"] is not None and known["host"].gone else known
        return None

    def ping(self, known, address, fields):
        """A word from the agent; the first one makes the host."""
        self._heard[known["id"]] = self.clock.now()
        self._meet(known, address, fields)
        self._listen(known, self.clock.now())
        return known["host"]

    def _meet(self, known, address, fields):
        if known["host"] is None:
            known["host"] = self.add_host(
                fields.get("hostname") or "unnamed",
                ip=fields.get("agentIpAddress") or address,
                labels=fields.get("labels"),
                project=known["project"],
                agent_state=None,
                appears=self.seconds,
                active=self.seconds,
                address=self.address_seconds,
            )
        else:
            # A second machine with the same state directory takes the row over; labels stay.
            row = known["host"]
            row["hostname"] = fields.get("hostname") or row["hostname"]
            if row["ip"] is not None:
                row["ip"] = fields.get("agentIpAddress") or address

    # What outlives the server's process.

    def dump(self):
        """Everything a server keeps in its database, for `restore`; JSON can hold it."""
        kinds = ("projects", "tokens", "hosts")
        rows = {
            kind: [[dict(row), row.due] for row in getattr(self, kind).values()] for kind in kinds
        }
        agents = {
            machine: {**known, "host": known["host"] and known["host"]["id"]}
            for machine, known in self.registers.items()
        }
        return {
            **rows,
            "registers": agents,
            "keys": [dataclasses.astuple(key) for key in self.keys.values()],
            "apikeys": self.apikeys,
            "settings": self.settings,
            "access_control": self.access_control,
            "numbers": self._numbers,
        }

    def restore(self, data):
        """The world that `dump` saw; agents are as good as heard now."""
        data = copy.deepcopy(data)
        for kind in ("projects", "tokens", "hosts"):
            rows = {}
            for fields, due in data[kind]:
                rows[fields["id"]] = row = Row(fields)
                row.due = [(at, changes) for at, changes in due]
            setattr(self, kind, rows)
        self.registers = {
            machine: {**known, "host": self.hosts.get(known["host"])}
            for machine, known in data["registers"].items()
        }
        self.keys = {}
        for fields in data["keys"]:
            self.add_key(*fields)
        self.apikeys = {number: tuple(pair) for number, pair in data["apikeys"].items()}
        self.settings = data["settings"]
        self.access_control = data["access_control"]
        self._numbers = data["numbers"]
        self._born, self._heard = self.clock.now(), {}

    @staticmethod
    def _uuid(text):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, text))
