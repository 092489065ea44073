"""
Kill anywhere, the roles on a whole host: `server` and then `agent`, on a guest that `common` has
made. What pulls, runs and registers is real but for the stand-ins in Rancher's images; the server
keeps its world on the guest's data disk, so that a snapshot holds all there is.
"""

import json

from . import host, kills
from .journal import code

SECTION = "kills of roles in guests"
STEPS = "server,agent"
# Of what is recorded and saved, beside those of `kills`.
KEY = "roles-"
# The guest, as its containers and its server see it.
ADDRESS = "10.0.2.15"
SERVER = f"http://{ADDRESS}:8080"
ROLES = {
    "roles": ["server", "agent"],
    "server": {"ready_timeout": 900},
    "agent": {"server_url": SERVER, "ip": ADDRESS, "registered_timeout": 900},
}
# Ended in their middle, too.
LONG = ("POST /images/create", "POST /containers/create", "/start")
# Power is cut behind these.
POWER = (*LONG, "replace ", "DELETE ")
DATABASE = "/data/rancher/mysql"
# What makes the agent this host, and what the database was made as; each file with its inode.
FILES = f"find {DATABASE}/ibdata1 /var/lib/rancher/state -type f -printf '%p %i\\n' || true"


def moments(points):
    """(number of the point, how) for everything that is to be tried."""
    yield 1, "front"
    for point in points:
        what, number = point["what"], point["number"]
        if point["when"] == "after":
            if any(words in what for words in LONG):
                yield number - 1, "middle"
            yield number, "behind"
            if any(words in what for words in POWER):
                yield number, "power"


class GuestRoles(kills.Kills):
    """As `Kills`: saved, killed, checked and restored at each moment of one run."""

    def __init__(self, host, journal, say, share=(0, 1)):
        super().__init__(host, journal, say, share)
        files = ("guest_roles", "roles_driver", "requested", "guest_driver", "host", "kills")
        self.key = KEY + code(*(f"tests/prove/{name}.py" for name in files))

    def ready(self):
        snapshot = f"prove-{self.key}"
        # Docker pulls from it on this machine, so it is in no snapshot.
        self.host.lab.registry.start()
        if self.host.guest.has_snapshot(snapshot):
            self.host.guest.load(snapshot)
            return
        daemon = {**kills.SETTINGS["docker"]["daemon"], **self.host.lab.registry.daemon}
        settings = {**kills.SETTINGS, **ROLES, "docker": {"daemon": daemon}}
        self.host.prepare({"rancher": settings}, f"{kills.STEP},docker.sdk", kills.INSTALL)
        report, _ = self.host.apply(timeout=1800)
        if failed := kills.failures(report):
            raise AssertionError(f"the host before the roles: {failed}")
        guest = self.host.guest
        guest.must("pkill -f driver.py", timeout=60)
        guest.must(f"mv {host.TREE}/driver.py {host.TREE}/guest_driver.py", timeout=60)
        for name, target in (("requested", "requested"), ("roles_driver", "driver")):
            guest.put(host.HERE / f"{name}.py", f"{host.TREE}/{target}.py")
        self.host.start_driver(STEPS)
        guest.save(snapshot)

    def run(self, over):
        ours = list(moments(self.recorded()))[self.share[0] :: self.share[1]]
        todo = [moment for moment in ours if not self.journal.holds(SECTION, self.label(*moment))]
        if todo and not over():
            self.round(todo, over)

    def one(self, run, number, how, took):
        case = self.label(number, how)
        if how == "middle":
            self.host.go(run, f"middle {took * 0.4:.2f}")
            self.host.gone(run)
        elif how == "power":
            self.host.power_cycle(STEPS)
        else:
            self.host.kill(run)
        row = self.journal.add(SECTION, case, **self.verdict())
        self.say(SECTION, case, row)

    def verdict(self):
        """What holds after a kill: a dry run, the normal run, a further one."""
        before = self.precious()
        dry, _ = self.host.apply(test=True)
        report, took = self.host.apply(timeout=1800)
        again, _ = self.host.apply()
        problems = kills.failures(report) + [f"again: {line}" for line in kills.failures(again)]
        problems += [f"again changes {key}" for key in kills.changes(again)]
        differ = list(untold(dry, report))
        problems += [f"not foretold: {key}" for key in differ]
        problems += self.wrong()
        if lost := before - self.precious():
            problems.append(f"lost: {sorted(lost)}")
        return {"ok": not problems, "problems": problems, "took": took, "dry": differ}

    def precious(self):
        """What must be there after the next run, and be the same."""
        files = self.host.guest.must(FILES, timeout=120).splitlines()
        code, world, _ = self.host.guest.ssh(f"cat {DATABASE}/cattle.json", timeout=120)
        return {*files, *(rows(json.loads(world)) if code == 0 else ())}

    def wrong(self):
        """One server, one agent, one active host."""
        names = self.host.guest.must("docker ps -a --format '{{.Names}}'", timeout=120).split()
        if sorted(names) != ["rancher-agent", "rancher-server"]:
            yield f"containers: {sorted(names)}"
        asked = self.host.order("rancher.hosts", SERVER)
        found = [(row["state"], row["agent_state"]) for row in self.host.answer(asked, 300)[0]]
        if found != [("active", "active")]:
            yield f"hosts in Rancher: {found}"


def rows(world):
    """Of the server's database: what an operator would miss."""
    for kind in ("projects", "tokens", "hosts"):
        for row, _ in world[kind]:
            yield f"{kind}: {row['id']} of {row['createdTS']}"


def untold(dry, real):
    """States that changed what no dry run told; what runs in Docker goes on between the two."""
    if not isinstance(dry, dict) or not isinstance(real, dict):
        yield "no report"
        return
    told = kills.changes(dry)
    for key, made in kills.changes(real).items():
        if more := {*made} - {*told.get(key, ())}:
            yield f"{key}: {', '.join(sorted(more))}"
