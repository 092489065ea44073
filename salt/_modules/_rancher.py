"""
What this tree needs to know from a Rancher 1.x server: is it up, which project, which
token makes a host join it, which hosts it has.

Everything but the URL comes from the pillar `rancher:agent` unless given.
"""

import itertools

from salt.exceptions import CommandExecutionError

import _rancher_api

# Seconds after which a token that somebody else asked for counts as stuck.
STUCK = 15


def ready(pillar, url, ca_certificate=None, timeout=10):
    """
    Look once whether a Rancher server answers ``pong``, which it does when its API is usable.
    Returns a dict: ``ready`` (bool) and ``reason`` (str), why it is or is not.
    """
    api = _rancher_api.connect(pillar, url, ca_certificate=ca_certificate, timeout=timeout)
    problem = _not_pong(api.knock("/ping"))
    return {"ready": problem is None, "reason": problem or "the server answers pong"}


def project(
    pillar, url, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=60
):
    """
    Find the project (in Rancher's web pages: environment) that hosts shall join. Returns the
    project's id (str), for example ``1a5``.
    """
    api = _rancher_api.connect(pillar, url, access_key, secret_key, ca_certificate, timeout)
    return _find_project(api, project)["id"]


def registration(
    pillar,
    url,
    project=None,
    access_key=None,
    secret_key=None,
    ca_certificate=None,
    timeout=60,
    create=True,
):
    """
    Give an active registration token of a project; create one and wait for it if need be. Returns
    a dict: ``id``, ``image`` (of the agent), ``url`` (of the registration script) and ``command``
    (what Rancher's web pages show), all str. Treat url and command as secrets. None when there is
    no active token and none shall be created.
    """
    api = _rancher_api.connect(pillar, url, access_key, secret_key, ca_certificate, timeout)
    where = _find_project(api, project)
    link = api.link(where, "registrationTokens")
    if not create and _next_step(api.pages(link), None, patient=False)[0] != "use":
        return None
    token = _await_token(api, where["id"], link)
    return {
        "id": token["id"],
        "image": token["image"],
        "url": token["registrationUrl"],
        "command": token["command"],
    }


def hosts(
    pillar, url, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=60
):
    """List the hosts of a project, sorted by name."""
    api = _rancher_api.connect(pillar, url, access_key, secret_key, ca_certificate, timeout)
    where = _find_project(api, project)
    rows = [_host(row) for row in api.pages(api.link(where, "hosts"))]
    return sorted(rows, key=lambda row: (row["hostname"] or "", _number(row)))


# Pure: what the answers mean.


def _not_pong(answer):
    if answer["problem"]:
        return answer["problem"]
    if str(answer["body"]).strip() == "pong":
        return None
    what = "a web page" if answer["kind"] == "html" else "something else"
    return f"the answer is {what} instead of pong: another application, or a wrong port or path"


def _choose(projects, wanted):
    """The project that is meant, or None when it is not among them."""
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
    return ", ".join(f"{one['id']} ({one.get('name')})" for one in projects) or "none"


def _next_step(tokens, made, patient):
    """What to do about a project's tokens: ("use", one), ("wait", one) or ("create", None)."""
    complete = [one for one in tokens if one.get("state") == "active" and _is_complete(one)]
    if complete:
        return "use", min(complete, key=_number)
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
    return ("wait", max(coming, key=_number)) if coming else ("create", None)


def _is_complete(token):
    return all(token.get(key) for key in ("command", "image", "registrationUrl"))


def _number(row):
    digits = row["id"].lstrip("1").lstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits) if digits.isdecimal() else 0


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


# Asking.


def _find_project(api, wanted):
    wanted = api.project if wanted is None else wanted
    wanted = None if wanted is None else str(wanted)
    url, projects = api.collection("projects")
    found = _choose(projects, wanted)
    if found is None and wanted is not None:
        # An administrator's list holds only his own projects unless asked for all.
        projects = api.pages(f"{url}?all=true")
        found = _choose(projects, wanted)
    if found is None and wanted is not None:
        raise CommandExecutionError(
            f"{api.base} shows no project {wanted!r}, but: {_listed(projects)}; "
            "set rancher:agent:project to one of them, or take other API keys"
        )
    if found is None:
        raise CommandExecutionError(
            f"{api.base} shows no project at all; create one (in the web pages: environment), "
            "or take API keys that may see one"
        )
    return found


def _await_token(api, project_id, link):
    made = None
    for turn in itertools.count():
        step, token = _next_step(api.pages(link), made, patient=api.passed() < STUCK)
        if step == "use":
            break
        if step == "create":
            # Asked once: when the answer gets lost, the list shows whether a token came of it.
            answer = api.ask("POST", link, {"type": "registrationToken"})
            if answer["problem"] and not answer["passing"]:
                raise CommandExecutionError(
                    f"{api.base} gave no registration token for project {project_id}: "
                    f"{answer['problem']}"
                )
            if answer["problem"] is None and answer["kind"] == "json":
                made = answer["body"].get("id")
            why = answer["problem"] or f"{made} was just created"
        else:
            why = f"{token['id']} is {token['state']}; the server's log knows more"
        api.pause(turn, f"a registration token of project {project_id}", why)
    return token
