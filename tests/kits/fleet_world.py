"""A fleet of fakes for the runner `fleet`: it remembers what was done to it."""

from salt.exceptions import CommandExecutionError, SaltInvocationError

import fleet

# As the runner has it: when it is loaded it drops what was imported before.
minions = fleet._fleet_hosts._fleet_minions
NOTHING, CHANGED = {"done": "nothing to change"}, {"done": "changed: docker"}


def member(*roles, **over):
    return {
        "roles": list(roles),
        "hostname": "h",
        "server_url": "http://r:8080",
        "project": None,
        "registered_timeout": 60,
        "ready_timeout": 60,
        "registration_given": False,
        "image_given": False,
        "problem": None,
        **over,
    }


class World:
    """Three agents and a server; `log` is what was done, `results` what states answer."""

    def __init__(self, tmp_path, monkeypatch):
        roles = {"a1": "agent", "a2": "agent", "a3": "agent", "s1": "server"}
        self.members = {name: member(role, hostname=name) for name, role in roles.items()}
        self.log, self.results, self.dry = [], {}, {}
        self.no_registration, self.inactive, self.rancher_says, self.down = {}, {}, {}, {}
        self.known_there, self.marks, self.on_purpose = True, set(), set()
        self.there = {"moves": ["web-1"], "lost": [], "stays": [], "others": ["1h2"]}
        self.memory = {}
        self.containers_say = {"docker_containers.running": [{"id": "c1", "name": "ipsec"}]}
        self.containers_say["docker_containers.start_again"] = []
        self.fleet, self.tmp_path, self.context = fleet, tmp_path, {}
        dunders = {"__opts__": {"cachedir": str(tmp_path)}, "__context__": self.context}
        for name, value in dunders.items():
            monkeypatch.setattr(fleet, name, value, raising=False)
        for name in ("members", "apply", "call", "idle", "unknown_sls"):
            monkeypatch.setattr(minions, name, getattr(self, f"_{name}"))
        monkeypatch.setattr(fleet._fleet_hosts._fleet_rancher, "Rancher", lambda opts: self)

    @property
    def failed(self):
        return self.context.get("retcode") == 1

    # As `_fleet_minions`.

    def _members(self, opts, target="*", tgt_type="compound"):
        if tgt_type == "list":
            return {name: one for name, one in self.members.items() if name == target}
        return self.members if target == "*" else {}

    def _apply(self, opts, names, sls, test=False, pillar=None, limit=0):
        over = f" {pillar}" if pillar is not None else ""
        self.log.append(f"{'dry' if test else 'apply'} {','.join(sls)} {','.join(names)}{over}")
        answers = self.dry if test else self.results
        return {name: answers.get(name, CHANGED) for name in names}

    def _call(self, opts, names, function, args=(), timeout=30, **kwargs):
        self.log.append(" ".join(["call", function, ",".join(names), *map(str, args)]))
        ret = self.containers_say.get(function, {"hostname": "h"})
        return dict.fromkeys(names, ret and {"ret": ret})

    def _idle(self, opts, names, limit=0):
        return self.down

    def _unknown_sls(self, opts, names):
        if "common.conntrak" in names:
            raise SaltInvocationError("the master serves no SLS 'common.conntrak'")

    # As `_fleet_rancher.Rancher`.

    def take_back(self, names):
        self.log.append(f"take {names}")

    def known(self, member):
        return self.known_there

    def mark(self, name, member):
        if name not in self.on_purpose:
            self.marks.add(name)

    def marked(self, names):
        return [name for name in names if name in self.marks]

    def states(self, members, timeout=60):
        return dict.fromkeys(members, "active")

    def hand_over(self, members):
        self.log.append(f"hand over {','.join(members)}")
        return {name: why for name, why in self.no_registration.items() if name in members}

    def active(self, members):
        return {name: why for name, why in self.inactive.items() if name in members}

    def host(self, action, one, timeout=0):
        (name,) = [
            key for key, value in self.members.items() if value["hostname"] == one["hostname"]
        ]
        self.log.append(f"{action} {name} {one['project']}")
        if (action, name) in self.rancher_says:
            raise CommandExecutionError(self.rancher_says[action, name])

    def unmark(self, name):
        self.marks.discard(name)
        self.memory.pop(name, None)

    def containers(self, member):
        return self.there

    def remember(self, name, ids):
        self.memory.setdefault(name, ids)

    def ran(self, name):
        return self.memory.get(name)

    def ready(self, url, timeout):
        if url == "http://slow":
            raise CommandExecutionError("http://slow was not ready in 60 s: connection refused")
