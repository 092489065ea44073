"""
What is done to a host in Rancher: deactivate, evacuate, activate, remove.

Each function looks first, asks once, waits with a limit, and may be called again at any time.
"""

import itertools

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _rancher_api
import _rancher_project

GONE = ("removed", "purging", "purged")
# On every container that a service made, and makes again.
UNIT = "io.rancher.service.deployment.unit"
# On every container that Rancher runs for itself, and on what its agent starts.
SYSTEM = "io.rancher.container.system"
_MOVING = ("deactivating", "registering", "activating")


def at(
    pillar,
    url,
    host,
    project=None,
    access_key=None,
    secret_key=None,
    ca_certificate=None,
    timeout=300,
):
    """A host of a project, in a conversation of its own; see ``rancher_host.deactivate``."""
    pick([], host)
    api = _rancher_api.connect(pillar, url, access_key, secret_key, ca_certificate, timeout)
    return Host(_rancher_project.Project(api, project), host)


def pick(rows, host):
    """The row of the host that is meant by id, full name or the first part of it; None: not there."""
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


def sorted_out(instances):
    """
    What an evacuation means to each container of a host; pure. A dict of lists of names: ``moves``
    (a service makes them again elsewhere), ``lost`` (removed for good), ``stays`` (Rancher's own).
    """
    found = {"moves": [], "lost": [], "stays": []}
    for one in instances:
        if one.get("state") in GONE:
            continue
        name, labels = one.get("name") or one["id"], one.get("labels") or {}
        if one.get("system") or SYSTEM in labels:
            found["stays"].append(name)
        elif one.get("nativeContainer"):
            found["lost"].append(f"{name} (started without Rancher)")
        elif labels.get(UNIT):
            found["moves"].append(name)
        else:
            # Also one that a service only picks by its labels.
            found["lost"].append(f"{name} (started without a service)")
    return {key: sorted(names) for key, names in found.items()}


# Pure: the next step on the way to a goal: "done", "wait", or the action to ask for.


def _to_inactive(row):
    if row["state"] == "inactive":
        return "done"
    return _offered(row, "deactivate", _MOVING)


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
    return _offered(row, way, ("removing", *_MOVING))


def _offered(row, action, waits=()):
    actions = row.get("actions") or {}
    if action in actions:
        return action
    if row["state"] in waits or row.get("transitioning") == "yes":
        return "wait"
    words = f"host {row['id']} ({row.get('hostname')}) is {row['state']}, and Rancher offers no {action}"
    if not actions:
        raise CommandExecutionError(
            f"{words}: these API keys may only read; take keys of an owner or a member of the project"
        )
    raise CommandExecutionError(
        f"{words} for it, only {', '.join(sorted(actions))}; look at it in Rancher"
    )


def _still_heard(row):
    """Whether an order to remove containers could reach the machine."""
    return row.get("agentState") not in ("reconnecting", "disconnected")


class Host:
    """One host of one project, while somebody leads it to a state."""

    def __init__(self, project, host):
        self.api, self.project = project.api, project
        self.name, self.id = host, None

    def deactivate(self):
        """Let Rancher start nothing new on it; what runs there goes on."""
        return self._drive(_to_inactive, "inactive")

    def activate(self):
        """Let Rancher use it again, and wait until it and its agent are active."""
        return self._drive(_to_active, "active")

    def containers(self):
        """What an evacuation would do: as ``sorted_out``, and ``others``, hosts that could take over."""
        row = self._there()
        others = [
            one["id"]
            for one in self.project.hosts()
            if one["id"] != self.id and "active" == one["state"] == (one["agent_state"] or "active")
        ]
        return {**self._sorted_out(row), "others": others}

    def evacuate(self):
        """
        Deactivate it and let the services' containers be made again elsewhere. Refused while it
        has containers that nobody makes again: Rancher removes those, too, at once.
        """
        row = self._there()
        # Before anything is done, else the host would be left inactive.
        if self.api.old:
            raise CommandExecutionError(
                f"{self.api.base} has API v1 only (Rancher before 1.2), which cannot evacuate host "
                f"{row['id']}; nothing was done. Deactivate it, and remove its containers in Rancher"
            )
        _offered(row, "evacuate", _MOVING)
        self._refuse_loss(row, "an evacuation")
        done = self._drive(_to_inactive, "inactive")
        return self._empty(done)

    def remove(self):
        """
        Deactivate it and take it out of Rancher. Refused while its agent is heard and it has
        containers that nobody makes again: the server orders the agent to remove all.
        """
        row = self._look()
        if row is not None and row["state"] not in (*GONE, "removing") and _still_heard(row):
            self._refuse_loss(row, "removing a host whose agent runs")
        return self._drive(_to_gone, "removed")

    def _look(self):
        """The row as it is now, or None."""
        rows = self.project.host_rows()
        if self.id:
            return next((row for row in rows if row["id"] == self.id), None)
        found = pick(rows, self.name)
        self.id = found and found["id"]
        return found

    def _there(self):
        row = self._look()
        if row is None:
            raise CommandExecutionError(
                f"project {self.project.id} of {self.api.base} has no host {self.name!r}; "
                "rancher.hosts lists them"
            )
        return row

    def _sorted_out(self, row):
        return sorted_out(self.api.pages(self.api.link(row, "instances")))

    def _refuse_loss(self, row, what):
        lost = self._sorted_out(row)["lost"]
        if lost:
            raise CommandExecutionError(
                f"host {row['id']} ({row.get('hostname')}) has containers that no service makes "
                f"again: {_few(lost)}. Rancher removes them at once at {what}. Nothing was done; "
                "move their data and remove them first, or leave the host in service"
            )

    def _drive(self, step_of, goal):
        """Take steps until the goal is there."""
        changed = False
        for turn in itertools.count():
            row = self._look() if goal == "removed" else self._there()
            step = step_of(row)
            if step == "done":
                break
            text = row.get("transitioningMessage")
            why = f"it is {row['state']}" + (f" ({text})" if text else "")
            if step != "wait":
                why = self._act(row, step) or f"{step} was asked for"
                changed = True
            self._pause(turn, row, goal, why)
        name = (row or {}).get("hostname") or self.name
        return {"id": self.id, "hostname": name, "state": goal, "changed": changed}

    def _empty(self, done):
        """Ask for the evacuation and wait until nothing is left that it moves."""
        asked = False
        for turn in itertools.count():
            row = self._look()
            if row is None:
                raise CommandExecutionError(f"host {self.id} was removed while it was emptied")
            if not asked:
                # The last look: nothing may have come since.
                self._refuse_loss(row, "an evacuation")
            left = self._sorted_out(row)["moves"]
            if not left:
                break
            why = f"still there: {_few(left)}"
            if not asked:
                problem = self._act(row, _offered(row, "evacuate"))
                asked, why = problem is None, problem or why
            self._pause(turn, row, "empty", why)
        return {**done, "changed": done["changed"] or asked}

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


def _few(names):
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
