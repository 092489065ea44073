"""
Becoming a member of a project: its registration token, and the address that agents report to.
"""

import itertools

from salt.exceptions import CommandExecutionError

import _rancher_api
import _rancher_project

# Seconds after which a token that somebody else asked for counts as stuck.
STUCK = 15
_MEMBER = "take API keys of an owner or a member of the project"


def registration(pillar, url, *project_and_keys, create=True, **options):
    """``token`` in a conversation of its own; the other arguments are ``rancher.hosts``'s."""
    return token(_rancher_project.at(pillar, url, *project_and_keys, **options), create)


def token(project, create=True):
    """
    An active token of a `Project`, created and awaited if need be: see ``rancher.registration``.
    """
    api = project.api
    link = api.link(project.row, "registrationTokens")
    try:
        if not create and _next_step(api.pages(link), None, False)[0] != "use":
            return None
        found = _await(api, project.id, link)
    except _rancher_api.Refused as exc:
        if exc.status != 404:
            raise
        # To a read-only or restricted member the server does not show that there are any.
        raise CommandExecutionError(
            f"{api.base}: these API keys may not see or make registration tokens of project "
            f"{_rancher_project.listed([project.row])}, the server shows none (HTTP 404); {_MEMBER}"
        ) from exc
    return {
        "id": found["id"],
        "image": found["image"],
        "url": found["registrationUrl"],
        "command": found["command"],
    }


def host(api):
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


def _await(api, project_id, link):
    made, began = None, api.passed()
    what = f"a registration token of project {project_id}"
    for turn in itertools.count():
        patient = api.passed() - began < STUCK
        step, found = _next_step(api.pages(link), made, patient)
        if step == "use":
            return found
        if step == "create":
            # Asked once: when the answer gets lost, the list shows whether a token came of it.
            answer = api.ask("POST", link, {"type": "registrationToken"})
            if answer["problem"] and not answer["passing"]:
                raise _rancher_api.Refused(
                    f"{api.base} gave no registration token for project {project_id}: "
                    f"{answer['problem']}",
                    answer["status"],
                )
            if answer["problem"] is None and answer["kind"] == "json":
                made = answer["body"].get("id")
            why = answer["problem"] or f"{made} was just created"
        else:
            why = f"{found['id']} is {found['state']}; the server's log knows more"
        api.pause(turn, what, why)
    raise AssertionError("not reached")


def _next_step(tokens, made, patient):
    """
    What to do about a project's tokens: ("use", one), ("wait", one) or ("create", None); pure.
    `made` is the id of the one that we created; `patient`: those of others are waited for, too.
    """
    complete = [one for one in tokens if one.get("state") == "active" and _is_complete(one)]
    if complete:
        return "use", min(complete, key=_rancher_project.number)
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
    if coming:
        return "wait", max(coming, key=_rancher_project.number)
    return "create", None


def _is_complete(found):
    return all(found.get(key) for key in ("command", "image", "registrationUrl"))
