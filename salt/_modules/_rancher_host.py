"""
What is done to a host in Rancher: deactivate, evacuate, activate, remove.

Each function looks first, asks once, waits with a limit, and may be called again at any time.
`rancher` tells what there is; the API keys come from the pillar `rancher:agent` unless given.
"""

import itertools

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _rancher
import _rancher_api

GONE = ("removed", "purging", "purged")
# Containers in these states use a host no longer.
_OVER = (*GONE, "removing", "error", "stopped")


def deactivate(
    pillar,
    url,
    host,
    project=None,
    access_key=None,
    secret_key=None,
    ca_certificate=None,
    timeout=300,
):
    """
    Let Rancher start nothing new on a host; what runs there goes on. Returns a dict: ``id``,
    ``hostname``, ``state`` (all str) and ``changed`` (bool).
    """
    there = _Host(pillar, url, host, project, access_key, secret_key, ca_certificate, timeout)
    return there.drive(_to_inactive, "inactive")


def activate(
    pillar,
    url,
    host,
    project=None,
    access_key=None,
    secret_key=None,
    ca_certificate=None,
    timeout=300,
):
    """
    Let Rancher use a host again, and wait until it and its agent are active. Returns a dict:
    ``id``, ``hostname``, ``state`` (all str) and ``changed`` (bool).
    """
    there = _Host(pillar, url, host, project, access_key, secret_key, ca_certificate, timeout)
    return there.drive(_to_active, "active")


def evacuate(
    pillar,
    url,
    host,
    project=None,
    access_key=None,
    secret_key=None,
    ca_certificate=None,
    timeout=300,
):
    """
    Deactivate a host and move its containers elsewhere. Rancher's own ones (system), and those
    that somebody started without Rancher (native), stay. Returns a dict: ``id``, ``hostname``,
    ``state`` (all str) and ``changed`` (bool).
    """
    there = _Host(pillar, url, host, project, access_key, secret_key, ca_certificate, timeout)
    done = there.drive(_to_inactive, "inactive")
    return there.empty(done)


def remove(
    pillar,
    url,
    host,
    project=None,
    access_key=None,
    secret_key=None,
    ca_certificate=None,
    timeout=300,
):
    """
    Deactivate a host and take it out of Rancher. Nothing is done on the machine itself. Returns a
    dict: ``id`` (None when there was no such host), ``hostname``, ``state`` (``removed``) and
    ``changed`` (bool).
    """
    there = _Host(pillar, url, host, project, access_key, secret_key, ca_certificate, timeout)
    return there.drive(_to_gone, "removed")


def pick(rows, host):
    """Find the host that is meant. Returns the row, or None."""
    if not isinstance(host, str) or not host.strip() or host != host.strip():
        raise SaltInvocationError(f"host is {host!r}, allowed is an id or a host name")
    for fits in (
        lambda row: row["id"] == host,
        lambda row: (row.get("hostname") or "").lower() == host.lower(),
        lambda row: (row.get("hostname") or "").lower().partition(".")[0] == host.lower(),
    ):
        found = [row for row in rows if fits(row)]
        if len(found) > 1:
            listed = ", ".join(f"{row['id']} ({row['hostname']})" for row in found)
            raise CommandExecutionError(
                f"there is more than one host {host!r}: {listed}; name the right one by its id"
            )
        if found:
            return found[0]
    return None


# Pure: the next step on the way to a goal: "done", "wait", or the action to ask for.


def _to_inactive(row):
    if row["state"] == "inactive":
        return "done"
    return _offered(row, "deactivate", waits=("deactivating", "registering", "activating"))


def _to_active(row):
    if row["state"] == "active" and row.get("agentState") in ("active", None):
        return "done"
    if row["state"] == "inactive":
        return _offered(row, "activate")
    return "wait"


def _to_gone(row):
    if row is None or row["state"] in GONE:
        return "done"
    actions = row.get("actions") or {}
    way = "remove" if "remove" in actions else "deactivate"
    return _offered(row, way, waits=("deactivating", "removing", "registering", "activating"))


def _offered(row, action, waits=()):
    if action in (row.get("actions") or {}):
        return action
    if row["state"] in waits or row.get("transitioning") == "yes":
        return "wait"
    raise CommandExecutionError(
        f"Rancher offers no {action} for host {row['id']} ({row.get('hostname')}), which is "
        f"{row['state']}; take API keys of an owner or a member of the project"
    )


def _stays(instance):
    """Whether a container is none that an evacuation moves."""
    labels = instance.get("labels") or {}
    system = instance.get("system") or "io.rancher.container.system" in labels
    return bool(system or instance.get("nativeContainer") or instance.get("state") in _OVER)


class _Host:
    """One host of one project, while somebody leads it to a state."""

    def __init__(self, pillar, url, host, project, access_key, secret_key, ca_certificate, timeout):
        keys = {"access_key": access_key, "secret_key": secret_key}
        keys["ca_certificate"] = ca_certificate
        pick([], host)
        self.api = _rancher_api.connect(pillar, url, timeout=timeout, **keys)
        where = _rancher.project(pillar, url, project, timeout=timeout, **keys)
        projects, _ = self.api.collection("projects")
        self.list = f"{projects}/{where}/hosts"
        self.name, self.project, self.id = host, where, None

    def look(self):
        """The row as it is now, or None."""
        rows = self.api.pages(self.list)
        if self.id:
            return next((row for row in rows if row["id"] == self.id), None)
        found = pick(rows, self.name)
        self.id = found and found["id"]
        return found

    def drive(self, step_of, goal):
        """Take steps until the goal is there."""
        turns, changed = itertools.count(), False
        while True:
            row = self.look()
            if row is None and goal != "removed":
                raise CommandExecutionError(
                    f"project {self.project} of {self.api.base} has no host {self.name!r}; "
                    "rancher.hosts lists them"
                )
            step = step_of(row)
            if step == "done":
                return self._result(row, goal, changed)
            why = f"it is {row['state']}" + self._message(row)
            if step != "wait":
                why = self._act(row, step) or f"{step} was asked for"
                changed = True
            self._pause(next(turns), row, goal, why)

    def empty(self, done):
        """Ask for the evacuation and wait until nothing is left that it moves."""
        turns, asked = itertools.count(), False
        while True:
            row = self.look()
            if row is None:
                raise CommandExecutionError(f"host {self.id} was removed while it was emptied")
            rows = self.api.pages(self.api.link(row, "instances"))
            left = [one.get("name") or one["id"] for one in rows if not _stays(one)]
            if not left:
                return {**done, "changed": done["changed"] or asked}
            why = f"still there: {', '.join(left[:5])}"
            if not asked:
                problem = self._act(row, _offered(row, "evacuate"))
                asked, why = problem is None, problem or why
            self._pause(next(turns), row, "empty", why)

    def _pause(self, turn, row, goal, why):
        self.api.pause(turn, f"host {row['id']} ({row.get('hostname')}) to be {goal}", why)

    def _act(self, row, action):
        """Ask for an action; None, or why it did not come to pass this time."""
        answer = self.api.ask("POST", self.api.action(row, action), {})
        # 422: it moved on between look and question; the next look tells.
        if answer["problem"] and not (answer["passing"] or answer["status"] == 422):
            raise CommandExecutionError(
                f"{self.api.base} did not {action} host {row['id']}: {answer['problem']}"
            )
        return answer["problem"]

    def _result(self, row, goal, changed):
        name = (row or {}).get("hostname") or self.name
        return {"id": self.id, "hostname": name, "state": goal, "changed": changed}

    @staticmethod
    def _message(row):
        text = row.get("transitioningMessage")
        return f" ({text})" if text else ""
