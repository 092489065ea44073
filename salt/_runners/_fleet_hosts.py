"""
What is done to a batch of hosts, at their minions and at their Rancher server.

`some` are the ids of the batch, `members` what `_fleet_minions.members` returned. Each returns by
id what `_fleet_batch.walk` takes: ``{"done": text}`` or ``{"failed": reason}``.
"""

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _fleet_minions
import _fleet_rancher

_ERRORS = (CommandExecutionError, SaltInvocationError)


class Hosts:
    """The hosts of a master's fleet."""

    def __init__(self, opts):
        self._opts, self._rancher = opts, _fleet_rancher.Rancher(opts)

    def apply(self, sls, test, timeout, some, _members):
        """Apply states."""
        return _fleet_minions.apply(self._opts, some, sls, test=test, limit=timeout)

    def register(self, sls, some, members):
        """Hand each the registration for the while, apply, and wait for its host in Rancher."""
        chosen = {name: members[name] for name in some}
        try:
            problems = self._rancher.hand_over(chosen)
            able = [name for name in some if name not in problems]
            results = _fleet_minions.apply(self._opts, able, [sls])
        finally:
            self._rancher.take_back(some)
        # Else the master's cache of pillars would keep the URL until the next run.
        _fleet_minions.call(self._opts, able, "saltutil.refresh_pillar")
        applied = {name: chosen[name] for name in able if "done" in results[name]}
        problems.update(self._rancher.active(applied))
        return {**results, **{name: {"failed": why} for name, why in problems.items()}}

    def servers_ready(self, target, tgt_type):
        """Wait for every server that an agent's pillar names; gives the report of that."""
        members = _fleet_minions.members(self._opts, target, tgt_type)
        agents = _fleet_minions.with_role(members, "agent")
        waits = {members[name]["server_url"]: members[name]["ready_timeout"] for name in agents}
        report = {"done": {}, "failed": {}, "left": []}
        for url, timeout in waits.items():
            if url:
                self._rancher.ready(url, timeout)
                report["done"][url] = "ready"
        return report

    def upgrade(self, sls, some, members):
        """Out of service, apply, start again what ran, back into service."""
        dry = _fleet_minions.apply(self._opts, some, [sls], test=True)
        bad = {name: one for name, one in dry.items() if "failed" in one}
        if bad:
            # Known before any host was taken out of service for it.
            return bad
        to_do = [name for name in some if dry[name]["done"] != "nothing to change"]
        results, stay = dict(dry), {}
        for name in to_do:
            try:
                self._rancher.mark(name, members[name])
                stay[name] = self._out_of_service(name, members[name])
            except _ERRORS as exc:
                results[name] = {"failed": str(exc)}
        results.update(_fleet_minions.apply(self._opts, list(stay), [sls]))
        # Also those that an earlier run left out of service, but none that an operator did.
        whole = [name for name in some if "done" in results[name]]
        for name in whole:
            try:
                again = self._back_in_service(name, members[name])
                words = [results[name]["done"], stay.get(name), again]
                results[name] = {"done": "; ".join(filter(None, words))}
            except _ERRORS as exc:
                results[name] = {"failed": str(exc)}
        return results

    def remove(self, project, machine, sls, some, members):
        """Take one host out of Rancher for good; it must have lost its role."""
        (minion,) = some
        one = members[minion]
        if "agent" in one["roles"]:
            why = "its pillar still gives it the role agent; take that out first"
            return {minion: {"failed": why}}
        return {minion: self._leave(minion, _of_project(one, project), machine, sls)}

    def move(self, project, sls, leave, some, members):
        """Move one host from `project` to that of its pillar."""
        (minion,) = some
        one = members[minion]
        if one["project"] == project:
            return {minion: {"failed": f"its pillar names project {project!r} itself"}}
        # Begun earlier, and there already: its new agent must stay.
        if not self._rancher.known(one):
            left = self._leave(minion, _of_project(one, project), True, leave)
            if "failed" in left:
                return {minion: left}
        return self.register(sls, some, members)

    def _out_of_service(self, name, member):
        """Why its containers stay, or None when they were made elsewhere."""
        there = self._rancher.containers(member)
        why = None
        if there["lost"]:
            why = f"no service makes again: {', '.join(there['lost'])}"
        elif there["moves"] and not there["others"]:
            why = "no other host is active"
        self._at_rancher("deactivate" if why else "evacuate", member)
        running = self._answer(name, "docker_containers.running")
        if not isinstance(running, list):
            raise CommandExecutionError(
                f"deactivated; its containers could not be listed: {running or 'no answer'}"
            )
        self._rancher.remember(name, [one["id"] for one in running])
        return why and f"its containers stayed in place, {why}"

    def _back_in_service(self, name, member):
        """Start what ran before and does not any more; what was started, or None."""
        ids, words = self._rancher.ran(name), None
        if ids:
            started = self._answer(name, "docker_containers.start_again", [ids], timeout=120)
            if not isinstance(started, list):
                raise CommandExecutionError(
                    "upgraded, still inactive; not all could be started again: "
                    f"{started or 'no answer'}"
                )
            words = f"started again: {', '.join(started)}" if started else None
        if self._rancher.marked([name]):
            self._at_rancher("activate", member)
        self._rancher.unmark(name)
        return words

    def _answer(self, name, function, args=(), **limits):
        """What one minion returned; False when no answer came."""
        answer = _fleet_minions.call(self._opts, [name], function, args, **limits)[name]
        return answer and answer["ret"]

    def _leave(self, minion, member, machine, sls):
        if machine:
            problem = _fleet_minions.idle(self._opts, [minion]).get(minion)
            if problem:
                return {"failed": f"{problem}; machine=False if it is gone for good"}
        try:
            if machine and self._rancher.known(member):
                self._at_rancher("evacuate", member)
            self._at_rancher("remove", member)
        except _ERRORS as exc:
            words = str(exc)
            if "no service makes again" in words:
                words += (
                    f"; or let them run on without Rancher: apply {sls} on {minion} first, and "
                    "when Rancher shows it as disconnected, `salt-run fleet.remove` with "
                    "machine=False"
                )
            return {"failed": words}
        if not machine:
            return {"done": "forgotten by Rancher"}
        # It leaves, whatever its pillar says of the time after.
        pillar = {"rancher": {"roles": []}}
        return _fleet_minions.apply(self._opts, [minion], [sls], pillar=pillar)[minion]

    def _at_rancher(self, action, member):
        try:
            self._rancher.host(action, member)
        except _ERRORS as exc:
            raise CommandExecutionError(f"{action} in Rancher: {exc}") from exc


def _of_project(member, project):
    return {**member, "project": project or member["project"]}
