"""
What the answers of a Rancher 1.x server mean: is it up, its projects, their hosts and tokens.

A `Project` is found once in a conversation (`_rancher_api.connect`) and then asked for the rest.
"""

import itertools

from salt.exceptions import CommandExecutionError

import _rancher_api

# Seconds after which a token that somebody else asked for counts as stuck.
STUCK = 15
_MEMBER = "take API keys of an owner or a member of the project"


def ready(pillar, url, ca_certificate=None, timeout=10):
    """
    Look once whether a server answers ``pong``, which it does when its API is usable. Returns a
    dict: ``ready`` (bool) and ``reason`` (str), why it is or is not.
    """
    api = _rancher_api.connect(pillar, url, ca_certificate=ca_certificate, timeout=timeout)
    problem = _not_pong(api.knock("/ping"))
    return {"ready": problem is None, "reason": problem or "the server answers pong"}


def at(
    pillar, url, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=60
):
    """A project of a server, in a conversation of its own; the arguments are ``rancher.hosts``'s."""
    api = _rancher_api.connect(pillar, url, access_key, secret_key, ca_certificate, timeout)
    return Project(api, project)


def hosts(pillar, url, *project_and_keys, **options):
    """The hosts of a project, sorted by name; the arguments are those of ``at``."""
    return at(pillar, url, *project_and_keys, **options).hosts()


def registration(pillar, url, *project_and_keys, create=True, **options):
    """An active token of a project; the arguments are those of ``at``."""
    return at(pillar, url, *project_and_keys, **options).registration(create)


def registration_host(api):
    """
    The setting "Host Registration URL", the address that agents report to, with the
    scheme that the server puts in front of a bare host. None when it is not set.
    """
    answer = api.ask("GET", f"{api.base}/v1/settings/api.host")
    # Old servers do not show what was never set.
    if answer["problem"] and answer["status"] != 404:
        raise CommandExecutionError(f"{api.base}: {answer['problem']}")
    body = answer["body"] if isinstance(answer["body"], dict) else {}
    value = body.get("value") or None
    return f"http://{value}" if value and not value.startswith("http") else value


class Project:
    """One project of one server."""

    def __init__(self, api, wanted=None):
        """Find it: by id, by exact name, or the one that the server was born with, else the only one."""
        self.api = api
        self.row = _find(api, api.project if wanted is None else wanted)
        self.id = self.row["id"]
        if self.row.get("state") not in ("active", None):
            raise CommandExecutionError(
                f"{api.base}: project {_listed([self.row])} is {_plain(self.row['state'])}; activate it in "
                "Rancher (Manage Environments), or set rancher:agent:project to another one"
            )

    def hosts(self):
        """Its hosts, all pages, sorted by name: see ``rancher.hosts``."""
        rows = [_host(row) for row in self.host_rows()]
        return sorted(rows, key=lambda row: (row["hostname"] or "", number(row)))

    def host_rows(self):
        """Its hosts as the server shows them."""
        return self.api.pages(self.api.link(self.row, "hosts"))

    def registration(self, create=True):
        """An active token, created and awaited if need be: see ``rancher.registration``."""
        link = self.api.link(self.row, "registrationTokens")
        try:
            if not create and _next_step(self.api.pages(link), None, False)[0] != "use":
                return None
            token = self._await_token(link)
        except _rancher_api.Refused as exc:
            if exc.status != 404:
                raise
            # To a read-only or restricted member the server does not show that there are any.
            raise CommandExecutionError(
                f"{self.api.base}: these API keys may not see or make registration tokens of "
                f"project {_listed([self.row])}, the server shows none (HTTP 404); {_MEMBER}"
            ) from exc
        return {
            "id": token["id"],
            "image": token["image"],
            "url": token["registrationUrl"],
            "command": token["command"],
        }

    def _await_token(self, link):
        made, began = None, self.api.passed()
        what = f"a registration token of project {self.id}"
        for turn in itertools.count():
            patient = self.api.passed() - began < STUCK
            step, token = _next_step(self.api.pages(link), made, patient)
            if step == "use":
                return token
            if step == "create":
                # Asked once: when the answer gets lost, the list shows whether a token came of it.
                answer = self.api.ask("POST", link, {"type": "registrationToken"})
                if answer["problem"] and not answer["passing"]:
                    raise _rancher_api.Refused(
                        f"{self.api.base} gave no registration token for project {self.id}: "
                        f"{answer['problem']}",
                        answer["status"],
                    )
                if answer["problem"] is None and answer["kind"] == "json":
                    made = answer["body"].get("id")
                why = answer["problem"] or f"{made} was just created"
            else:
                why = f"{token['id']} is {token['state']}; the server's log knows more"
            self.api.pause(turn, what, why)
        raise AssertionError("not reached")

    def others(self):
        """
        The other projects that these keys may see, of an administrator all: a list of those that
        are open, and one of those that are not, as text.
        """
        _, rows = self.api.collection("projects?all=true")
        rows = [row for row in rows if row["id"] != self.id]
        closed = [row for row in rows if row.get("state") not in ("active", None)]
        return [_Other(self.api, row) for row in rows if row not in closed], [
            f"{_listed([row])}, which is {_plain(row['state'])}" for row in closed
        ]


class _Other(Project):
    """A project whose row is there already."""

    def __init__(self, api, row):
        self.api, self.row, self.id = api, row, row["id"]

    def __str__(self):
        return f"{self.row.get('name')} ({self.id})"


def number(row):
    """The number in an id, which tells what came first."""
    digits = row["id"].lstrip("1").lstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits) if digits.isdecimal() else 0


def _find(api, wanted):
    wanted = None if wanted is None else str(wanted)
    _, projects = api.collection("projects")
    found = _choose(projects, wanted)
    if found is None:
        # An administrator's list holds only projects of which it is a member unless asked for all.
        _, projects = api.collection("projects?all=true")
        found = _choose(projects, wanted)
    if found is not None:
        return found
    if wanted is not None:
        raise CommandExecutionError(
            f"{api.base} shows no project {wanted!r}, but: {_listed(projects)}; "
            "set rancher:agent:project to one of them, or take other API keys"
        )
    raise CommandExecutionError(
        f"{api.base} shows no project at all; create one (in the web pages: environment), "
        "or take API keys that may see one"
    )


def _choose(projects, wanted):
    """The project that is meant, or None when it is not among them; pure."""
    if wanted is not None:
        by_id = [one for one in projects if one["id"] == wanted]
        found = by_id or [one for one in projects if one.get("name") == wanted]
    else:
        found = [one for one in projects if one.get("uuid") == "adminProject"] or projects
    if len(found) > 1:
        kind = "project" if wanted is None else f"project named {wanted!r}"
        raise CommandExecutionError(
            f"there is more than one {kind}: {_listed(found)}; "
            "set rancher:agent:project to the id of the right one"
        )
    return found[0] if found else None


def _listed(projects):
    return ", ".join(f"{one['id']} ({_plain(one.get('name'))})" for one in projects) or "none"


def _plain(text):
    """On one line and without control characters, whatever somebody called it."""
    return "".join(c if c.isprintable() else "?" for c in str(text))[:80]


def _next_step(tokens, made, patient):
    """
    What to do about a project's tokens: ("use", one), ("wait", one) or ("create", None); pure.
    `made` is the id of the one that we created; `patient`: those of others are waited for, too.
    """
    complete = [one for one in tokens if one.get("state") == "active" and _is_complete(one)]
    if complete:
        return "use", min(complete, key=number)
    for one in tokens:
        if one["id"] == made and one.get("transitioning") == "error":
            raise CommandExecutionError(
                f"the server could not activate registration token {made}: "
                f"{one.get('transitioningMessage') or 'it gives no reason'}; see the server's log"
            )
    coming = [
        one
        for one in tokens
        if one.get("state") in ("requested", "registering", "activating", "active")
        and one.get("transitioning") != "error"
        and (patient or one["id"] == made)
    ]
    return ("wait", max(coming, key=number)) if coming else ("create", None)


def _is_complete(token):
    return all(token.get(key) for key in ("command", "image", "registrationUrl"))


def _host(row):
    labels = row.get("labels") or {}
    made = ("io.rancher.", "rancher.salt.")
    own_first = sorted(labels, key=lambda key: (key.startswith(made), key))
    return {
        "id": row["id"],
        "hostname": row.get("hostname"),
        "state": row.get("state"),
        "agent_state": row.get("agentState"),
        "ip": row.get("agentIpAddress"),
        "labels": {key: labels[key] for key in own_first},
    }


def _not_pong(answer):
    if answer["problem"]:
        return answer["problem"]
    if str(answer["body"]).strip() == "pong":
        return None
    what = "a web page" if answer["kind"] == "html" else "something else"
    return f"the answer is {what} instead of pong: another application, or a wrong port or path"
