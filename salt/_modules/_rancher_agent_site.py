"""
What else a Rancher 1.x server tells of itself: its projects, the address it gives to agents.
"""

from salt.exceptions import CommandExecutionError

import _rancher_api


def projects(pillar, url, access_key=None, secret_key=None, ca_certificate=None, timeout=60):
    """
    List the projects (in Rancher's web pages: environments) that these API keys may see. Returns a
    list of dicts: ``id`` and ``name`` (str).
    """
    api = _rancher_api.connect(pillar, url, access_key, secret_key, ca_certificate, timeout)
    _, rows = api.collection("projects")
    return [{"id": row["id"], "name": row.get("name")} for row in rows]


def registration_host(
    pillar, url, access_key=None, secret_key=None, ca_certificate=None, timeout=60
):
    """
    Ask for the setting "Host Registration URL": the address that agents are told to report to.
    Returns a URL (str), or None when it is not set, or these keys may not read it: then agents are
    told the address that the server was asked at.
    """
    api = _rancher_api.connect(pillar, url, access_key, secret_key, ca_certificate, timeout)
    answer = api.ask("GET", f"{api.base}/v1/settings/api.host")
    if answer["problem"] and answer["passing"]:
        raise CommandExecutionError(f"{api.base}: {answer['problem']}")
    body = answer["body"]
    return (body.get("value") or None) if isinstance(body, dict) else None
