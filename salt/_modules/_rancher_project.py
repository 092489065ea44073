"""
What the answers of a Rancher 1.x server mean: is it up, its projects and their hosts.

A `Project` is found once in a conversation (`_rancher_api.connect`) and then asked for the rest.
"""

from salt.exceptions import CommandExecutionError

import _rancher_api


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


class Project:
    """One project of one server."""

    def __init__(self, api, wanted=None):
        """Find it: by id, by exact name, or the one that the server was born with, else the only one."""
        self.api = api
        self.row = _find(api, api.project if wanted is None else wanted)
        self.id = self.row["id"]
        if self.row.get("state") not in ("active", None):
            raise CommandExecutionError(
                f"{api.base}: project {listed([self.row])} is {_plain(self.row['state'])}; activate it in "
                "Rancher (Manage Environments), or set rancher:agent:project to another one"
            )

    def hosts(self):
        """Its hosts, all pages, sorted by name: see ``rancher.hosts``."""
        rows = [_host(row) for row in self.host_rows()]
        return sorted(rows, key=lambda row: (row["hostname"] or "", number(row)))

    def host_rows(self):
        """Its hosts as the server shows them."""
        return self.api.pages(self.api.link(self.row, "hosts"))

    def others(self):
        """
        The other projects that these keys may see, of an administrator all: a list of those that
        are open, and one of those that are not, as text.
        """
        _, rows = self.api.collection("projects?all=true")
        rows = [row for row in rows if row["id"] != self.id]
        closed = [row for row in rows if row.get("state") not in ("active", None)]
        return [_Other(self.api, row) for row in rows if row not in closed], [
            f"{listed([row])}, which is {_plain(row['state'])}" for row in closed
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
            f"{api.base} shows no project {wanted!r}, but: {listed(projects)}; "
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
            f"there is more than one {kind}: {listed(found)}; "
            "set rancher:agent:project to the id of the right one"
        )
    return found[0] if found else None


def listed(projects):
    """Projects as a message names them."""
    return ", ".join(f"{one['id']} ({_plain(one.get('name'))})" for one in projects) or "none"


def _plain(text):
    """On one line and without control characters, whatever somebody called it."""
    return "".join(c if c.isprintable() else "?" for c in str(text))[:80]


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
