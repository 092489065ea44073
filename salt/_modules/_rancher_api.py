"""
A conversation with one Rancher 1.x API: which server, which keys, how long at most.

Above it `rancher` knows what the answers mean; below it `_rancher_http` makes one exchange.
API keys and their certificate authority come from the pillar `rancher:agent` unless given,
so that no key need ever stand on a command line.
"""

import itertools
import logging
import time
import urllib.parse

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _host
import _rancher_http

log = logging.getLogger(__name__)

# Newest first; every server has the last one.
VERSIONS = ("v2-beta", "v1")
# Seconds between two looks; the last one repeats.
PAUSES = (0.25, 0.5, 1, 2, 4, 5)
# Seconds for one exchange, however much time is left for all of them.
ONE_EXCHANGE = 30
# Seconds without which another look would only tell that it was cut short.
SHORTEST = 1


def connect(pillar, url, access_key=None, secret_key=None, ca_certificate=None, timeout=60):
    """
    Prepare a conversation with a server; made for modules. Nothing is sent yet. Returns an object
    with ``base``, ``project`` (of the pillar), ``ask``, ``knock``, ``get``, ``collection``,
    ``pages``, ``link``, ``action``, ``passed`` and ``pause``. It never shows the keys or the proxy.
    """
    # Not pillar.get: from Salt 3008 on it gives modules asterisks in place of values.
    pillar = (pillar.get("rancher") or {}).get("agent") or {}
    if access_key is None and secret_key is None:
        access_key, secret_key = pillar.get("access_key"), pillar.get("secret_key")
    if bool(access_key) != bool(secret_key):
        given = "access_key" if access_key else "secret_key"
        raise SaltInvocationError(f"{given} is given alone; give both API keys or neither")
    access = {
        "access_key": access_key and str(access_key),
        "secret_key": secret_key and str(secret_key),
        "ca_certificate": _certificate(ca_certificate or pillar.get("ca_certificate")),
        "proxy": pillar.get("proxy"),
    }
    return _Conversation(_base(url), access, _seconds(timeout), pillar.get("project"))


class Refused(CommandExecutionError):
    """A server's no, with its HTTP status."""

    def __init__(self, words, status):
        super().__init__(words)
        self.status = status


def _certificate(given):
    """PEM text, out of a file if a path is given."""
    if not given or "-----BEGIN" in given:
        return given or None
    text = _host.read(given)
    if text is None:
        raise SaltInvocationError(f"ca_certificate is neither PEM text nor a file: {given!r}")
    return text


def _base(url):
    """Scheme, host, port and any path in front of the API: the base of every request."""
    text = str(url or "").strip().rstrip("/")
    if "@" in text:
        raise SaltInvocationError(
            "the server's URL must not contain user and password; "
            "API keys go into rancher:agent:access_key and secret_key"
        )
    if "/scripts/" in text:
        raise SaltInvocationError(
            "the server's URL is that of a registration script; "
            "set rancher:agent:registration_url to it, and server_url to the part before its path"
        )
    for version in VERSIONS:
        text = text.removesuffix(f"/{version}")
    try:
        parts = urllib.parse.urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise SaltInvocationError(
            f"the server's URL is {text!r}, allowed is http(s)://host[:port], "
            "for example http://rancher.example.com:8080"
        )
    return text


def _seconds(timeout):
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise SaltInvocationError(f"timeout is {timeout!r}, allowed is a number of seconds above 0")
    return timeout


def _rebased(link, base):
    """A link of an answer on the caller's base: behind TLS the server may not know its own."""
    parts = urllib.parse.urlsplit(link)
    path = parts.path.removeprefix(urllib.parse.urlsplit(base).path)
    return f"{base}{path}" + (f"?{parts.query}" if parts.query else "")


def _is_collection(body):
    return (
        isinstance(body, dict)
        and body.get("type") == "collection"
        and isinstance(body.get("data"), list)
        and all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in body["data"])
    )


class _Conversation:
    def __init__(self, base, access, limit, project):
        self.base = base
        self.limit = limit
        self.project = project
        self._access = access
        self._start = time.monotonic()
        # Whether the server is known to have the oldest version only.
        self.old = False

    def passed(self):
        """Seconds since the conversation began."""
        return time.monotonic() - self._start

    def ask(self, method, url, body=None):
        """One exchange, whatever comes of it: see ``_rancher_http.exchange``."""
        return _rancher_http.exchange(method, url, body=body, timeout=self._left(), **self._access)

    def knock(self, path):
        """One GET below the base that carries no keys, whatever comes of it."""
        return _rancher_http.exchange(
            "GET",
            f"{self.base}{path}",
            ca_certificate=self._access["ca_certificate"],
            proxy=self._access["proxy"],
            timeout=self._left(),
        )

    def _left(self):
        return min(ONE_EXCHANGE, max(SHORTEST, self.limit - self.passed()))

    def get(self, url):
        """The answer to a GET, asked for again while there is hope and time."""
        turns = itertools.count()
        while True:
            answer = self.ask("GET", url)
            if answer["problem"] is None:
                return answer
            if not answer["passing"]:
                raise Refused(f"{self.base}: {answer['problem']}", answer["status"])
            self.pause(next(turns), "an answer", answer["problem"])

    def collection(self, name):
        """URL and rows of a collection at the root, in the newest version the server has."""
        for version in VERSIONS:
            if self.old and version != VERSIONS[-1]:
                continue
            url = f"{self.base}/{version}/{name}"
            first = self.get(url)
            # An old server answers paths that it does not know with its web pages.
            if first["kind"] == "json":
                return url, self.pages(url, first)
            self.old = True
        raise CommandExecutionError(
            f"{self.base} answers with a web page where the API should be; "
            "check host and port of the URL, Rancher's own port is 8080"
        )

    def pages(self, url, first=None):
        """All rows of a collection; `first` is the answer to `url` when that is there already."""
        rows, seen = [], set()
        while url and url not in seen:
            seen.add(url)
            body = (first or self.get(url))["body"]
            first = None
            if not _is_collection(body):
                raise CommandExecutionError(
                    f"{self.base}: {urllib.parse.urlsplit(url).path} is no list of a Rancher API; "
                    "check the URL, and what a proxy in front does with it"
                )
            rows += body["data"]
            link = (body.get("pagination") or {}).get("next")
            url = link and _rebased(link, self.base)
        return rows

    def link(self, row, name):
        """URL of a link that a row offers."""
        link = (row.get("links") or {}).get(name)
        if not isinstance(link, str):
            raise CommandExecutionError(
                f"{self.base} offers no {name} for {row['id']} to these API keys; "
                "take keys of an owner or a member of the project"
            )
        return _rebased(link, self.base)

    def action(self, row, name):
        """URL of an action that a row offers."""
        return self.link({**row, "links": row.get("actions")}, name)

    def pause(self, turn, what, why):
        """Wait before the next look, or give up when the time is over."""
        pause = PAUSES[min(turn, len(PAUSES) - 1)]
        passed = self.passed()
        if passed + pause + SHORTEST > self.limit:
            raise CommandExecutionError(f"{self.base}: waited {self.limit:g} s for {what}: {why}")
        log.info("%s: waiting for %s (%s): %d s of %d s", self.base, what, why, passed, self.limit)
        time.sleep(pause)
