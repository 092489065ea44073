"""
One exchange with a Rancher 1.x API: bounded in time and size, explained in words.

Nothing is repeated here, and an unhappy answer is a value, not an exception: patience is the
business of `_rancher_api`, meaning that of `rancher`. The HTTP library's exceptions end here,
because they carry the request and with it the API keys.
"""

import base64
import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
import time
import urllib.parse

import requests
import urllib3
from salt.exceptions import SaltInvocationError

LARGEST = 32 * 1024 * 1024
REDIRECTS = 3

_LATE = "no complete answer in time"

# What went wrong below HTTP, and whether another try can help. The first match counts.
_TROUBLES = [
    (socket.gaierror, "the name {host} cannot be resolved; check it, and this host's DNS", True),
    (
        ConnectionRefusedError,
        "connection refused; does the server run, and is this its port?",
        True,
    ),
    (
        requests.ConnectTimeout,
        "no connection in time; a firewall in between, or a wrong address",
        True,
    ),
    ((requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError), _LATE, True),
    (
        (http.client.IncompleteRead, urllib3.exceptions.IncompleteRead),
        "the connection broke in the middle of the answer",
        True,
    ),
    (
        (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError),
        "the connection was closed without an answer",
        True,
    ),
    (ssl.SSLError, "TLS failed ({detail}); is this really an https port?", False),
    (urllib3.exceptions.DecodeError, "the answer is compressed in a broken way", True),
    (http.client.HTTPException, "the answer is not HTTP; is this the right port?", False),
    (
        requests.exceptions.ProxyError,
        "the proxy does not work; check rancher:agent:proxy, or the environment",
        True,
    ),
    (requests.exceptions.InvalidURL, "the URL is not valid", False),
]

_REFUSALS = {
    400: "the server did not understand the request",
    403: "this user may not do that; take API keys of an owner or a member of the project",
    404: "there is no such thing on this server, or not for this user",
    405: "the server does not allow that to this user or in this state",
    407: "the proxy wants a user and a password; set them in rancher:agent:proxy",
    409: "the server is busy with the same thing",
    422: "the server did not accept the request",
    500: "the server failed inside; its log tells why",
    502: "the proxy in front of Rancher runs, Rancher itself does not yet; a start takes minutes",
    503: "a load balancer in front has no server to send this to",
    504: "a load balancer in front got no answer from the server",
}


def exchange(
    method,
    url,
    body=None,
    access_key=None,
    secret_key=None,
    ca_certificate=None,
    proxy=None,
    timeout=30,
):
    """
    Send one request to a Rancher API and give its answer, good or bad, as a value. Returns a dict:
    ``problem`` (None or one line), ``passing`` (bool: another try can help), ``status`` (int or
    None), ``kind`` (``json``, ``html``, ``other`` or None), ``body`` (parsed JSON or text) and
    ``date`` (the server's clock as it says it, or None). ``proxy`` is ``agent:proxy``.
    """
    until = time.monotonic() + timeout
    data = None if body is None else json.dumps(body).encode()
    headers = _headers(data, access_key, secret_key)
    for _ in range(REDIRECTS + 1):
        trust = _trust(ca_certificate) if url.startswith("https:") else None
        answer = _within(until, _send, method, url, headers, data, trust, proxy, until)
        if answer["location"] is None:
            break
        target = _next_hop(url, answer["location"])
        if target is None:
            answer["problem"] = _elsewhere(answer["location"])
            break
        url = target
    else:
        answer["problem"] = "the server redirects in a circle"
    del answer["location"]
    if answer["problem"] == _LATE:
        answer["problem"] = f"no complete answer within {round(timeout, 1):g} s"
    return _explained(answer, access_key, secret_key)


def _headers(data, access_key, secret_key):
    headers = {"Accept": "application/json", "User-Agent": "rancher-salt"}
    if data is not None:
        headers["Content-Type"] = "application/json"
    if access_key:
        headers["Authorization"] = f"Basic {_basic(access_key, secret_key)}"
    return headers


def _basic(access_key, secret_key):
    # As UTF-8: requests would insist on latin-1 and quote the key when that fails.
    return base64.b64encode(f"{access_key}:{secret_key}".encode()).decode()


def _answer(problem=None, passing=False, **known):
    unknown = dict.fromkeys(("status", "kind", "body", "date", "location"))
    return {"problem": problem, "passing": passing, **unknown, **known}


def _within(until, work, *args):
    """
    Give the answer of `work`, or give up on it.

    A socket's time limit starts anew with every byte and does not cover the look-up of a
    name: only a thread that can be left behind bounds the whole.
    """
    box = []
    thread = threading.Thread(target=lambda: box.append(work(*args)), daemon=True)
    thread.start()
    thread.join(max(0.0, until - time.monotonic()))
    if box:
        return box[0]
    if thread.is_alive():
        return _answer(_LATE, passing=True)
    return _answer("the HTTP library failed in a new way; the traceback is on standard error")


def _send(method, url, headers, data, trust, proxy, until):
    adapter = _Adapter(trust)
    left = max(0.1, until - time.monotonic())
    try:
        response = adapter.send(
            requests.Request(method, url, headers=headers, data=data).prepare(),
            stream=True,
            timeout=(min(10, left), left),
            proxies=_proxies(url, proxy),
        )
        with contextlib.closing(response):
            content = _content(response, until)
    except (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException) as exc:
        return _answer(*_trouble(exc, urllib.parse.urlsplit(url).hostname))
    finally:
        adapter.close()
    if content is None:
        return _answer(f"the answer is larger than {LARGEST // 1024} KiB, no sane API sends that")
    known = {"status": response.status_code, "date": response.headers.get("Date")}
    if response.status_code in (301, 302, 303, 307, 308):
        return _answer(location=response.headers.get("Location", ""), **known)
    return _read(content, response.headers.get("Content-Type", ""), known)


def _proxies(url, given):
    """Those of the settings, else of the environment; none for this host itself."""
    host = urllib.parse.urlsplit(url).hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return {}
    if not given:
        return requests.utils.get_environ_proxies(url)
    if requests.utils.should_bypass_proxies(url, given.get("no_proxy") or ""):
        return {}
    return {
        kind: given[f"{kind}_proxy"] for kind in ("http", "https") if given.get(f"{kind}_proxy")
    }


def _content(response, until):
    pieces, size = [], 0
    for piece in response.iter_content(1024):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            return None
        if time.monotonic() > until:
            raise TimeoutError
    return b"".join(pieces)


def _read(content, content_type, known):
    text = content.decode("utf-8", "replace")
    if "json" not in content_type:
        return _answer(kind="html" if "html" in content_type else "other", body=text, **known)
    try:
        return _answer(kind="json", body=json.loads(text), **known)
    except (ValueError, RecursionError):
        return _answer("the answer is no valid JSON, it may have been cut off", True, **known)


def _explained(answer, access_key, secret_key):
    """Put the verdict on the HTTP status into the answer; pure."""
    status = answer["status"]
    if answer["problem"] or status is None or status < 300:
        return answer
    words = _REFUSALS.get(status, "the server refused")
    if status == 401 and access_key:
        words = (
            "the server does not know these API keys; check pillar rancher:agent:access_key (a "
            "project's own keys end with it when it is deactivated)"
        )
    elif status == 401:
        words = "the server wants API keys; set pillar rancher:agent:access_key and secret_key"
    if answer["kind"] == "html" and status not in (502, 503, 504):
        words += "; a web page says so, perhaps of a proxy in front or of another application"
    said = _said(answer["body"], access_key, secret_key)
    answer["problem"] = f"{words} (HTTP {status}{': ' + said if said else ''})"
    answer["passing"] = status in (408, 409, 429) or status >= 500
    return answer


def _said(body, access_key, secret_key):
    """What a JSON error says beyond its number, on one line and without a secret."""
    if not isinstance(body, dict):
        return ""
    parts = (body.get(key) for key in ("code", "fieldName", "message", "detail"))
    text = ", ".join(dict.fromkeys(str(part) for part in parts if part))
    if access_key:
        secrets = {str(access_key), str(secret_key), _basic(access_key, secret_key)}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
    return " ".join(re.sub(r"[^\w\s!-~]", "?", text).split())[:300]


def _next_hop(url, location):
    """Where a redirect leads, or None when that is another server."""
    try:
        target = urllib.parse.urljoin(url, location)
        here, there = urllib.parse.urlsplit(url), urllib.parse.urlsplit(target)
        same = (here.scheme, here.port) == (there.scheme, there.port)
    except ValueError:
        return None
    upgrade = (here.scheme, there.scheme) == ("http", "https")
    trusted = location and here.hostname == there.hostname and "@" not in there.netloc
    return target if trusted and (same or upgrade) else None


def _elsewhere(location):
    shown = re.sub(r"[^!-~]", "?", location.rpartition("@")[2].partition("?")[0])[:100]
    return f"it redirects to another server, {shown or 'unnamed'}; name that one if it is right"


def _trouble(exc, host):
    """Words for an exception of the HTTP library, and whether another try can help; pure."""
    causes = _causes(exc)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _distrust(cause.verify_message.strip(".")), False
    for kinds, words, passing in _TROUBLES:
        for cause in causes:
            if isinstance(cause, kinds):
                detail = str(getattr(cause, "reason", "")).lower().replace("_", " ")
                return words.format(host=host, detail=detail), passing
    known = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    detail = known[-1].lower() if known else type(causes[-1]).__name__
    return f"the connection failed ({detail})", True


def _causes(exc):
    """Everything that an exception wraps, outermost first."""
    found, queue = [], [exc]
    while queue:
        one = queue.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            queue += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def _distrust(verdict):
    if "expired" in verdict or "not yet valid" in verdict:
        return f"the server's {verdict}; renew it, or set this host's clock right"
    if "mismatch" in verdict.lower():
        return f"the server's certificate has other names ({verdict}); use one of them in the URL"
    return (
        f"the server's certificate is not trusted ({verdict}); set pillar "
        "rancher:agent:ca_certificate to the PEM of the authority that signed it"
    )


def _trust(pem):
    context = ssl.create_default_context()
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blocks = re.findall(r"-----BEGIN CERT.+?-----END CERT[^-]+-----", pem, re.DOTALL)
        try:
            context.load_verify_locations(cadata="\n".join(blocks))
        except (ssl.SSLError, ValueError) as exc:
            raise SaltInvocationError("ca_certificate holds no certificate in PEM form") from exc
    else:
        context.load_verify_locations(cafile=requests.certs.where())
    # Authorities made by hand years ago lack what newer Pythons insist on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class _Adapter(requests.adapters.HTTPAdapter):
    """Makes `requests` verify by our TLS context alone."""

    def __init__(self, trust):
        self.trust = trust
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, ssl_context=self.trust, **kwargs)

    def proxy_manager_for(self, *args, **kwargs):
        return super().proxy_manager_for(*args, ssl_context=self.trust, **kwargs)

    def cert_verify(self, conn, url, verify, cert):
        conn.cert_reqs = "CERT_REQUIRED"
