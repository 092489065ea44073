"""
Kill anywhere, the roles on a whole host: `server` and then `agent`, on a guest that `common` has
made. What pulls, runs and registers is real but for the stand-ins in Rancher's images; the server
keeps its world on the guest's data disk, so that a snapshot holds all there is.
"""

import functools
import json

from . import host, kills_of_hosts
from .journal import code

# The guest, as its containers and its server see it.
ADDRESS = "10.0.2.15"
SERVER = f"http://{ADDRESS}:8080"
ROLES = {
    "roles": ["server", "agent"],
    "server": {"ready_timeout": 900},
    "agent": {"server_url": SERVER, "ip": ADDRESS, "registered_timeout": 900},
}
DATABASE = "/data/rancher/mysql"
# What makes the agent this host, and what the database was made as; each file with its inode.
FILES = f"find {DATABASE}/ibdata1 /var/lib/rancher/state -type f -printf '%p %i\\n' || true"


class GuestRoles(kills_of_hosts.Kills):
    """As `Kills`: saved, killed, checked and restored at each moment of one run."""

    SECTION = "kills of roles in guests"
    STEPS = "server,agent"
    LONG = ("POST /images/create", "POST /containers/create", "/start")
    POWER = (*LONG, "replace ", "DELETE ")

    @functools.cached_property
    def key(self):
        files = (
            "kills_of_roles_in_guests",
            "roles_driver",
            "requested",
            "guest_driver",
            "family",
            "host",
            "kills_of_hosts",
        )
        return code(*(f"tests/prove/{name}.py" for name in files))

    def ready(self):
        # Docker pulls from it on this machine, so it is in no snapshot.
        self.host.lab.registry.start()
        super().ready()

    def prepare(self):
        daemon = {**kills_of_hosts.SETTINGS["docker"]["daemon"], **self.host.lab.registry.daemon}
        settings = {**kills_of_hosts.SETTINGS, **ROLES, "docker": {"daemon": daemon}}
        # There the packages are installed already.
        kills_of_hosts.Kills(self.host, self.journal, self.say).ready()
        self.host.begin({"rancher": settings}, f"{kills_of_hosts.Kills.STEPS},docker.sdk")
        report, _ = self.host.apply(timeout=1800)
        if failed := kills_of_hosts.failures(report):
            raise AssertionError(f"the host before the roles: {failed}")
        guest = self.host.guest
        guest.must("pkill -f driver.py", timeout=60)
        guest.must(f"mv {host.TREE}/driver.py {host.TREE}/guest_driver.py", timeout=60)
        for name, target in (("requested", "requested"), ("roles_driver", "driver")):
            guest.put(host.HERE / f"{name}.py", f"{host.TREE}/{target}.py")
        self.host.start_driver(self.STEPS)

    def precious(self):
        files = self.host.guest.must(FILES, timeout=120).splitlines()
        code, world, _ = self.host.guest.ssh(f"cat {DATABASE}/cattle.json", timeout=120)
        return {*files, *(rows(json.loads(world)) if code == 0 else ())}

    def wrong(self):
        """One server, one agent, one active host."""
        names = self.host.guest.must("docker ps -a --format '{{.Names}}'", timeout=120).split()
        if sorted(names) != ["rancher-agent", "rancher-server"]:
            yield f"containers: {sorted(names)}"
        asked = self.host.order("rancher.hosts", SERVER)
        # The state of an active host is its agent's, once that was lost.
        found = [row["state"] for row in self.host.answer(asked, 300)[0]]
        if found != ["active"]:
            yield f"hosts in Rancher: {found}"

    @staticmethod
    def different(dry, real):
        """States that changed what no dry run told; what runs in Docker goes on between the two."""
        if not isinstance(dry, dict) or not isinstance(real, dict):
            yield "no report"
            return
        told = kills_of_hosts.changes(dry)
        for key, made in kills_of_hosts.changes(real).items():
            if more := {*made} - {*told.get(key, ())}:
                yield f"{key}: {', '.join(sorted(more))}"


def rows(world):
    """Of the server's database: what an operator would miss."""
    for kind in ("projects", "tokens", "hosts"):
        for row, _ in world[kind]:
            yield f"{kind}: {row['id']} of {row['createdTS']}"
