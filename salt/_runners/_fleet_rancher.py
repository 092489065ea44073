"""
What a fleet's master does at the Rancher server itself.

The API keys are those of the master's own pillar (`rancher:agent` of the id that `salt-run
config.get id` shows): no minion has them. The code that talks to Rancher is that of `_modules`.
"""

import contextlib
import functools
import importlib
import json
import os
import sys
import time

import salt.loader
import salt.pillar
import salt.utils.minions
from salt.exceptions import CommandExecutionError, SaltInvocationError

# Seconds between two looks at the list of hosts.
_PAUSE = 3
# Seconds for a server that gave no answer for another project of it.
_LAST = 1
# Whoever took a host out of service in Rancher meant it.
_ON_PURPOSE = ("inactive", "deactivating")


class Rancher:
    """
    The Rancher servers of a fleet, asked with the master's own keys. A `member` is one value of
    what `_fleet_minions.members` returned, `members` the whole of it.
    """

    def __init__(self, opts):
        self._opts = opts

    # Looks.

    def ready(self, url, timeout=600):
        """Wait until a server answers; raises CommandExecutionError after `timeout` seconds."""
        until = time.monotonic() + timeout
        while True:
            answer = self._private("_rancher_project").ready(self._pillar, url)
            if answer["ready"]:
                return
            if time.monotonic() + _PAUSE > until:
                raise CommandExecutionError(
                    f"{url} was not ready in {timeout} s: {answer['reason']}"
                )
            time.sleep(_PAUSE)

    def active(self, members):
        """
        Wait until Rancher shows the host of each minion as active, or as one that somebody took
        out of service. Returns the reason for each that is not after its ``registered_timeout``.
        """
        start = time.monotonic()
        while True:
            problems = {
                name: words
                for name, (state, words) in self._looked(members).items()
                if state not in ("active", *_ON_PURPOSE)
            }
            passed = time.monotonic() - start
            if not any(passed + _PAUSE < members[name]["registered_timeout"] for name in problems):
                return problems
            time.sleep(_PAUSE)

    def known(self, member):
        """Tell whether Rancher lists the host of a minion in the project of its settings."""
        return self._row(self._hosts(member), member) is not None

    def states(self, members, timeout=60):
        """Tell the state of each minion's host as Rancher shows it, or why it is not known."""
        looked = self._looked(members, timeout)
        return {name: state or words for name, (state, words) in looked.items()}

    def _hosts(self, member, timeout=60):
        url, project = _server_of(member), member["project"]
        return self._private("_rancher_project").hosts(self._pillar, url, project, timeout=timeout)

    def _row(self, rows, member):
        return self._private("_rancher_host").pick(rows, member["hostname"])

    def _looked(self, members, timeout=60):
        """
        By minion: (state or None, what to say of it). A server that is down is asked once for each
        of its projects, for all of them together hardly longer than `timeout`.
        """
        lists, found, down, until = {}, {}, {}, {}
        for name, one in members.items():
            place = (one["server_url"], one["project"])
            if place in down:
                found[name] = (None, down[place])
                continue
            try:
                if place not in lists:
                    end = until.setdefault(one["server_url"], time.monotonic() + timeout)
                    lists[place] = self._hosts(one, max(_LAST, end - time.monotonic()))
                    # It answers: the next project has all the time again.
                    del until[one["server_url"]]
                row = self._row(lists[place], one)
            except (CommandExecutionError, SaltInvocationError) as exc:
                found[name] = (None, str(exc))
                if place not in lists:
                    down[place] = str(exc)
                continue
            if row is None:
                found[name] = (None, f"Rancher lists no host {one['hostname']!r}")
            else:
                # API v1 keeps `state` at active while the agent is gone.
                state = row["agent_state"] or "active" if row["state"] == "active" else row["state"]
                found[name] = (state, f"its host {row['id']} is {state} in Rancher, not active")
        return found

    def conversation(self, url, timeout=7200):
        """
        A conversation with a server by the master's own keys. `url` may be a function: it finds
        the URL when the master's own pillar names none.
        """
        own = (self._pillar.get("rancher") or {}).get("agent") or {}
        if callable(url):
            url = own.get("server_url") or url()
        return self._private("_rancher_api").connect(self._pillar, url, timeout=timeout)

    # The registration, handed to single minions by pillar: docs/decisions/orchestrated-secrets.md

    def hand_over(self, members):
        """
        Fetch the registration once for each project and hand its URL, and the agent's image that
        belongs to the server, to each minion. Returns the reason for each that gets none.
        """
        folder, write = self._folder(), self._private("_host").write
        problems, found = {}, {}
        for name, one in members.items():
            if one["registration_given"]:
                continue
            place = (one["server_url"], one["project"])
            if place not in found:
                found[place] = self._registration(one)
            token, problem = found[place]
            if problem:
                problems[name] = problem
                continue
            given = {"registration_url": token["url"]}
            if not one["image_given"]:
                given["image"] = token["image"]
            path = os.path.join(folder, f"{name}.json")
            write(path, json.dumps({"rancher": {"agent": given}}), "0600")
        return problems

    def take_back(self, minions):
        """Delete what was handed over to these minions. Returns the number of files."""
        folder = self._folder()
        paths = [os.path.join(folder, f"{name}.json") for name in minions]
        found = [path for path in paths if os.path.exists(path)]
        for path in found:
            os.unlink(path)
        return len(found)

    def _registration(self, member):
        """(registration, None) or (None, reason)."""
        try:
            url = _server_of(member)
            rancher = self._private("_rancher_registration")
            return rancher.registration(self._pillar, url, member["project"], timeout=300), None
        except (CommandExecutionError, SaltInvocationError) as exc:
            return None, str(exc)

    def _folder(self):
        """The directory of the ext_pillar, which must be configured: made, and closed to others."""
        for source in self._opts.get("ext_pillar") or []:
            if "rancher_handover" in source:
                folder = source["rancher_handover"]
                os.makedirs(folder, mode=0o700, exist_ok=True)
                os.chmod(folder, 0o700)
                return folder
        raise CommandExecutionError(
            "the master's configuration lacks ext_pillar: rancher_handover; see etc/master.d"
        )

    # Hosts out of service.

    def host(self, action, member, timeout=600):
        """Deactivate, evacuate, activate or remove the host of one minion."""
        return getattr(self._at(member, timeout), action)()

    def containers(self, member):
        """What an evacuation of its host would do to each container: see ``rancher_host.containers``."""
        return self._at(member, 60).containers()

    def _at(self, member, timeout):
        at = self._private("_rancher_host").at
        name, project = member["hostname"], member["project"]
        return at(self._pillar, _server_of(member), name, project, timeout=timeout)

    def mark(self, name, member):
        """
        Remember that this master takes a host out of service, unless an operator did that already.
        Returns whether it is remembered.
        """
        if self.states({name: member})[name] in _ON_PURPOSE and not self.marked([name]):
            return False
        os.makedirs(self._marks, mode=0o700, exist_ok=True)
        with open(os.path.join(self._marks, name), "a", encoding="utf-8"):
            return True

    def remember(self, name, ids):
        """Keep which containers ran before the work began, unless a killed run did that."""
        if self.ran(name) is None:
            os.makedirs(self._running, mode=0o700, exist_ok=True)
            path = os.path.join(self._running, name)
            self._private("_host").write(path, json.dumps(ids), "0600")

    def ran(self, name):
        """The ids of the containers that are remembered; None: nothing is."""
        path = os.path.join(self._running, name)
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as source:
            return json.load(source)

    def marked(self, names):
        """Pick the minions whose host this master took out of service, also in a killed run."""
        return [name for name in names if os.path.exists(os.path.join(self._marks, name))]

    def unmark(self, name):
        """Forget that a host is out of service, and what ran on it."""
        for folder in (self._running, self._marks):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))

    @property
    def _marks(self):
        return os.path.join(self._opts["cachedir"], "fleet-out-of-service")

    @property
    def _running(self):
        return os.path.join(self._opts["cachedir"], "fleet-containers")

    # What all of it is done with.

    @functools.cached_property
    def _pillar(self):
        """The master's own pillar."""
        own = self._opts["id"]
        if salt.utils.minions.CkMinions(self._opts).check_minions(own, "list")["minions"]:
            raise CommandExecutionError(
                f"a minion has the master's own id {own}, so it would get the master's pillar; "
                "give the master another id"
            )
        grains = salt.loader.grains(self._opts)
        return salt.pillar.Pillar(self._opts, grains, own, "base").compile_pillar()

    def _private(self, name):
        """A private file of `_modules`, where the master's own sync put it."""
        own = os.path.join(self._opts["extension_modules"], "modules")
        folders = [
            os.path.join(folder, kind)
            for folder in self._opts.get("module_dirs") or []
            for kind in ("modules", "_modules")
        ]
        folder = next(
            (each for each in [*folders, own] if os.path.exists(os.path.join(each, f"{name}.py"))),
            None,
        )
        if folder is None:
            raise CommandExecutionError(
                "the master does not have this tree's modules yet: "
                "salt-run state.orchestrate orch.sync"
            )
        sys.path.insert(0, folder)
        try:
            # First of all: it drops what a long-running master imported before the last sync.
            importlib.import_module("_fresh").checked  # noqa: B018
            return importlib.import_module(name)
        finally:
            sys.path.remove(folder)


def _server_of(member):
    if not member["server_url"]:
        raise SaltInvocationError("its pillar names no rancher:agent:server_url")
    return member["server_url"]
