"""
The registration script of a Rancher 1.x server: fetched before the agent's bootstrap does it,
because that waits 10 minutes for a script that cannot come, and tells neither why nor at once.

Its URL ends with a secret, the registration token: no message and no log line shows it.
"""

import contextlib
import email.utils
import logging
import re
import time
import urllib.parse

from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

# Seconds that the clocks may differ. Tokens for logs and shells live 5 minutes.
CLOCK = 120
PAUSE = 5


def base(url):
    """
    Give the part of a registration URL that is no secret.

    url (str)
        ``http(s)://host[:port]/.../scripts/<token>``.

    Returns everything in front of ``/scripts/`` (str).

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_script.base http://rancher.example.com:8080/v1/scripts/token

    Source: Rancher 1.6 documentation, "Adding Hosts"
    """
    return url.partition("/scripts/")[0].rstrip("/")


def hidden(text, url):
    """
    Take the registration token out of a text.

    text (str)
        Any text.
    url (str)
        The registration URL.

    Returns the text with ``***`` in its place.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_script.hidden 'token is gone' http://rancher.example.com/v1/scripts/token

    Source: Rancher 1.6 documentation, "Adding Hosts"
    """
    token = url.partition("/scripts/")[2].strip("/")
    for form in {token, urllib.parse.unquote(token), urllib.parse.quote(token, safe="")} - {""}:
        text = text.replace(form, "***")
    # A message may have cut it off.
    return re.sub(r"(/scripts/)[^\s,;)\"']+", r"\1***", text)


def origin(url):
    """
    Give scheme, host and port of a URL in one spelling.

    url (str)
        Any http or https URL.

    Returns a str such as ``http://rancher.example.com:8080``, the port always there.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_script.origin http://rancher.example.com/v1

    Source: RFC 6454
    """
    parts = urllib.parse.urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def is_loopback(url):
    """
    Tell whether a URL means the machine that uses it.

    url (str)
        Any http or https URL.

    Returns a bool.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_script.is_loopback http://localhost:8080

    Source: rancher/agent's run.sh, which refuses such a URL
    """
    host = (urllib.parse.urlsplit(url).hostname or "").lower()
    return host in ("localhost", "::1", "0.0.0.0") or host.startswith("127.")  # noqa: S104


def refusal(url, answer, before, after):
    """
    Judge what came for a registration URL; pure.

    url (str)
        The registration URL.
    answer (dict)
        As ``rancher_http.exchange`` gives it.
    before, after (float)
        This host's clock when it was asked and when it was answered.

    Returns None when the script is good, else one line (str).

    CLI Example:

    .. code-block:: bash

        # Not for the command line: see rancher_script.fetch.

    Source: rancher/agent's run.sh; cattle's RegisterScriptHandler
    """
    where = base(url)
    if answer["status"] == 404:
        return (
            f"{where} knows no such registration token (HTTP 404): it was deactivated or removed, "
            "or the URL is cut off; take the URL that Rancher now shows under Infrastructure, "
            "Hosts, Add Host, for rancher:agent:registration_url"
        )
    if answer["problem"]:
        return f"{where}: {hidden(answer['problem'], url)}"
    if not str(answer["body"]).lstrip().startswith("#!/bin/sh"):
        return (
            f"{where} gives no registration script but {answer['kind']}; "
            "check host and port of the URL, Rancher's own port is 8080"
        )
    return clock(answer["date"], before, after) or wrong_url(where, server(answer["body"]))


def server(script):
    """
    Read from a registration script where the agent will report to.

    script (str)
        Its text.

    Returns the URL (str), or None when it names none.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_script.server 'export CATTLE_URL="http://rancher.example.com:8080/v1"'

    Source: cattle, resource "scripts/register"
    """
    found = re.search(r"^\s*export\s+CATTLE_URL=[\"']?([^\s\"']+)", str(script), re.M)
    return found[1] if found else None


def clock(date, before, after):
    """
    Compare the clocks; pure.

    date (str or None)
        HTTP header of the server's answer.
    before, after (float)
        This host's clock when it asked and when it was answered.

    Returns None when they agree, or the server does not tell, else one line (str).

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_script.clock 'Tue, 05 May 2020 08:00:00 GMT' 1588665600 1588665601

    Source: Rancher 1.6 documentation, FAQ: "accurate clock"
    """
    try:
        theirs = email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None
    off = before - theirs if before > theirs else min(0.0, after - theirs)
    if abs(off) <= CLOCK:
        return None
    return (
        f"this host's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the Rancher "
        "server's; set both right (chrony or another NTP service), then apply again"
    )


def wrong_url(where, reports_to=None):
    """
    Judge where a registration leads; pure.

    where (str)
        The registration URL, its secret part cut off.
    reports_to (str, optional)
        What the script says.

    Returns None when it is good, else one line (str).

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_script.wrong_url http://localhost:8080/v1

    Source: rancher/agent's run.sh
    """
    for url in filter(None, (where, reports_to)):
        if is_loopback(url):
            return (
                f"the registration URL leads to {url}, which inside the agent means the agent "
                "itself; in Rancher under Admin, Settings, set the Host Registration URL to an "
                "address that every host reaches, or change rancher:agent:server_url"
            )
    if reports_to and where.endswith("/v1") and where.lower() != reports_to.rstrip("/").lower():
        return (
            f"the registration URL begins with {where}, but the server's Host Registration URL is "
            f"{reports_to}, and the agent insists that they agree; take the URL that Rancher "
            "shows now, or change that setting in Rancher under Admin, Settings"
        )
    return None


def fetch(url, ca_certificate=None, timeout=60):
    """
    Fetch a registration script, which proves that the server is in reach and the token active.

    url (str)
        The registration URL, a secret.
    ca_certificate (str, PEM, optional)
        The authority that signed the server's certificate.
    timeout (seconds, default 60)
        For as long a server that does not answer is asked again.

    Returns the script (str), a secret.

    Raises CommandExecutionError with the reason and the way out.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it would show the token.

    Source: rancher/agent's run.sh
    """
    problem = wrong_url(base(url))
    if problem:
        raise CommandExecutionError(problem)
    until = time.monotonic() + timeout
    while True:
        before = time.time()
        with _unseen():
            answer = __salt__["rancher_http.exchange"](
                "GET",
                url,
                ca_certificate=ca_certificate,
                timeout=max(1, min(30, until - time.monotonic())),
            )
        problem = refusal(url, answer, before, time.time())
        if problem is None:
            return answer["body"]
        if not answer["passing"] or time.monotonic() + PAUSE > until:
            raise CommandExecutionError(problem)
        log.info("waiting for the registration script: %s", problem)
        time.sleep(PAUSE)


@contextlib.contextmanager
def _unseen():
    """Keep the HTTP library from writing the path, and with it the token, into the debug log."""

    def harmless(record):
        return "/scripts/" not in record.getMessage()

    library = logging.getLogger("urllib3.connectionpool")
    library.addFilter(harmless)
    try:
        yield
    finally:
        library.removeFilter(harmless)
