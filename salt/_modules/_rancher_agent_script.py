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

import _rancher_http

log = logging.getLogger(__name__)

# Seconds that the clocks may differ. Tokens for logs and shells live 5 minutes.
CLOCK = 120
PAUSE = 5


def base(url):
    """The part of a registration URL that is no secret: everything in front of ``/scripts/``."""
    return url.partition("/scripts/")[0].rstrip("/")


def hidden(text, url):
    """A text with ``***`` in place of the registration token."""
    token = url.partition("/scripts/")[2].strip("/")
    for form in {token, urllib.parse.unquote(token), urllib.parse.quote(token, safe="")} - {""}:
        text = text.replace(form, "***")
    # A message may have cut it off.
    return re.sub(r"(/scripts/)[^\s,;)\"']+", r"\1***", text)


def origin(url):
    """Scheme, host and port of a URL in one spelling: ``http://rancher.example.com:8080``."""
    parts = urllib.parse.urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def is_loopback(url):
    """Whether a URL means the machine that uses it."""
    host = (urllib.parse.urlsplit(url).hostname or "").lower()
    return host in ("localhost", "::1", "0.0.0.0") or host.startswith("127.")  # noqa: S104


def refusal(url, answer, before, after):
    """Judge what came for a registration URL; pure. None when the script is good, else one line."""
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
    """Where the agent will report to, as a registration script says; None when it does not."""
    found = re.search(r"^\s*export\s+CATTLE_URL=[\"']?([^\s\"']+)", str(script), re.M)
    return found[1] if found else None


def clock(date, before, after):
    """Compare the clocks; pure. None when they agree, or the server does not tell, else one line."""
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
    """Judge where a registration leads; pure. None when it is good, else one line."""
    for url in filter(None, (where, reports_to)):
        if is_loopback(url):
            return (
                f"the registration URL leads to {url}, which inside the agent means the agent "
                "itself; in Rancher under Admin, Settings, set the Host Registration URL to an "
                "address that every host reaches, or change rancher:agent:server_url"
            )
    # The agent's own start script cuts the URL off like this, and insists only when that ends in /v1.
    begins = re.sub(r"/v1.*/scripts.*", "/v1", f"{where}/scripts/")
    if reports_to and begins.endswith("/v1") and begins != reports_to:
        return (
            f"the registration URL begins with {begins}, but the server's Host Registration URL is "
            f"{reports_to}, and the agent insists that they agree; take the URL that Rancher "
            "shows now, or change that setting in Rancher under Admin, Settings"
        )
    return None


def fetch(url, ca_certificate=None, proxy=None, timeout=60):
    """
    Fetch a registration script, which proves that the server is in reach and the token active.
    Returns the script (str), a secret.
    """
    problem = wrong_url(base(url))
    if problem:
        raise CommandExecutionError(problem)
    until = time.monotonic() + timeout
    while True:
        before = time.time()
        with _unseen():
            answer = _rancher_http.exchange(
                "GET",
                url,
                ca_certificate=ca_certificate,
                proxy=proxy,
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
