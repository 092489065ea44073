"""
What else a Rancher 1.x server tells of itself: its projects, the address it gives to agents.
"""

from salt.exceptions import CommandExecutionError


def projects(url, access_key=None, secret_key=None, ca_certificate=None, timeout=60):
    """
    List the projects (in Rancher's web pages: environments) that these API keys may see.

    url (str)
        ``http(s)://host[:port]`` of the server.
    access_key (str, default pillar rancher:agent:access_key)
        API key. None in both places: none is sent.
    secret_key (str, default pillar rancher:agent:secret_key)
        The second half of the API key.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
        Authority that signed the server's certificate.
    timeout (seconds, default 60)
        For everything, retries included.

    Returns a list of dicts: ``id`` and ``name`` (str).

    Raises SaltInvocationError for wrong arguments, CommandExecutionError when the server
    cannot be asked.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_site.projects http://rancher.example.com:8080

    Source: Rancher 1.6 documentation, API, "Project"
    """
    api = __salt__["rancher_api.connect"](url, access_key, secret_key, ca_certificate, timeout)
    _, rows = api.collection("projects")
    return [{"id": row["id"], "name": row.get("name")} for row in rows]


def registration_host(url, access_key=None, secret_key=None, ca_certificate=None, timeout=60):
    """
    Ask for the setting "Host Registration URL": the address that agents are told to report to.

    url (str)
        ``http(s)://host[:port]``. This and the rest are as in ``rancher_site.projects``.
    access_key (str, default pillar rancher:agent:access_key)
    secret_key (str, default pillar rancher:agent:secret_key)
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 60)

    Returns a URL (str), or None when it is not set, or these keys may not read it: then agents
    are told the address that the server was asked at.

    Raises SaltInvocationError for wrong arguments, CommandExecutionError when the server gives
    no answer.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_site.registration_host http://rancher.example.com:8080

    Source: Rancher 1.6 documentation, "Settings"; cattle, ServerContext
    """
    api = __salt__["rancher_api.connect"](url, access_key, secret_key, ca_certificate, timeout)
    answer = api.ask("GET", f"{api.base}/v1/settings/api.host")
    if answer["problem"] and answer["passing"]:
        raise CommandExecutionError(f"{api.base}: {answer['problem']}")
    body = answer["body"]
    return (body.get("value") or None) if isinstance(body, dict) else None
