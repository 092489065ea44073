"""
The double's sockets: the API port, its control port, and what goes wrong on the way.
"""

import contextlib
import dataclasses
import gzip
import http.server
import json
import re
import socket
import threading
import time
import urllib.parse

from . import api, documents
from .world import Clock, World

# refuse: nothing listens; close: accepted, then closed (docker's proxy without a process
# behind it); 502: Rancher's own proxy without Rancher; 503: a balancer without a server.
STAGES = ("refuse", "close", "502", "503", "page", "up")


@dataclasses.dataclass
class Fault:
    """Something that happens to matching requests, `times` times (None: for ever)."""

    kind: str
    times: int | None = None
    method: str | None = None
    path: str = ""
    after: bool = False  # True: the request takes effect, only its answer is spoilt
    value: str | float | None = None

    def hits(self, method, path):
        return (self.method in (None, method)) and re.search(self.path, path) is not None


@dataclasses.dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict
    headers: dict
    status: object = None


class FakeRancher:
    """
    A Rancher server on a free port of 127.0.0.1, and a control port.

    clock (Clock): stands by default, moved by `advance` or by each request (`per_request`).
    tls (certificates.Issued or None): serve https with this certificate.
    link_scheme (str or None): scheme in links; None: the port's own. "http" with TLS is a
    balancer that does not say X-Forwarded-Proto.
    versions: ("v1",) is a server older than 1.2.
    keep: called with the world after every request that may have changed it.
    """

    def __init__(
        self,
        host="127.0.0.1",
        port=0,
        control_port=0,
        tls=None,
        link_scheme=None,
        versions=("v1", "v2-beta"),
        clock=None,
        keep=None,
    ):
        self.keep = keep or (lambda world: None)
        self.world = World(clock or Clock())
        self.lock = threading.RLock()
        self.faults, self.journal = [], []
        self.versions = tuple(versions)
        self.tls = tls
        self.link_scheme = link_scheme or ("https" if tls else "http")
        self.clock_error = 0.0
        self.stage = "up"
        if self.versions == ("v1",):
            self.world.image = "rancher/agent:v1.0.2"
        self._host, self.stopping = host, threading.Event()
        self._control = _Server((host, control_port), _ControlHandler, self)
        self._api = _Server((host, port), _ApiHandler, self)
        self.port = self._api.server_address[1]
        self.control_port = self._control.server_address[1]

    def __enter__(self):
        self._api.begin()
        self._control.begin()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self._api.end()
        self._control.end()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self._host}:{self.port}"

    @property
    def control_url(self):
        return f"http://{self._host}:{self.control_port}"

    # Knobs. Each is also `POST /<name>` with a JSON object on the control port.

    def set_stage(self, stage):
        """Move to one of STAGES."""
        if stage not in STAGES:
            raise ValueError(f"stage is {stage!r}, allowed: {', '.join(STAGES)}")
        with self.lock:
            before, self.stage = self.stage, stage
        if stage == "refuse" and before != "refuse":
            self._api.end()
            # Bound without listening: the port stays ours and refuses everybody.
            self._api = _Server((self._host, self.port), _ApiHandler, self)
        elif before == "refuse" and stage != "refuse":
            self._api.begin()
        return {"stage": stage}

    def slow_start(self, stages):
        """Walk through [[stage, seconds], ...] in real time, then be up."""
        self.set_stage(stages[0][0])

        def walk():
            for stage, seconds in stages:
                self.set_stage(stage)
                if self.stopping.wait(seconds):
                    return
            self.set_stage("up")

        threading.Thread(target=walk, daemon=True).start()
        return {"stages": stages}

    def fail(self, kind, times=None, method=None, path="", after=False, value=None):
        """
        Spoil matching requests. kind: an HTTP status ("409", "500"), "html-500", "html",
        "close", "truncated", "cut-json", "slow-body", "slow-head", "gzip", "gigantic",
        "not-http", "redirect" (value: URL prefix), "bare-json" (value: the text).
        """
        with self.lock:
            self.faults.append(Fault(str(kind), times, method, path, after, value))
        return {"faults": len(self.faults)}

    def heal(self):
        """Forget all faults."""
        with self.lock:
            self.faults.clear()
        return {"faults": 0}

    def advance(self, seconds):
        """Move the clock."""
        with self.lock:
            self.world.clock.advance(seconds)
            return {"now": self.world.clock.now()}

    def configure(self, **settings):
        """
        Set any of: access_control, token_mode, token_seconds, seconds, address_seconds, image,
        version, liveness, restless_tokens, api_host, versions, link_scheme, clock_error, per_request.
        """
        with self.lock:
            for name, value in settings.items():
                if name == "api_host":
                    self.world.settings["api.host"] = value
                elif name == "per_request":
                    self.world.clock.per_request = value
                elif name in ("versions", "link_scheme", "clock_error"):
                    setattr(self, name, tuple(value) if name == "versions" else value)
                elif isinstance(getattr(World(Clock()), name, None), (bool, str, float)):
                    setattr(self.world, name, value)
                else:
                    raise ValueError(f"there is no setting {name!r}")
        return settings

    def add_host(self, hostname, **fields):
        """See World.add_host."""
        with self.lock:
            return dict(self.world.add_host(hostname, **fields))

    def add_instance(self, host, name, **fields):
        """See World.add_instance."""
        with self.lock:
            return dict(self.world.add_instance(host, name, **fields))

    def add_project(self, name, **fields):
        """See World.add_project."""
        with self.lock:
            return dict(self.world.add_project(name, **fields))

    def add_token(self, **fields):
        """See World.add_token."""
        with self.lock:
            return dict(self.world.add_token(**fields))

    def add_key(self, access, secret, **fields):
        """See World.add_key."""
        with self.lock:
            return {"access": self.world.add_key(access, secret, **fields).access}

    def change(self, id, **fields):
        """Set fields of a host, project or token as they are inside."""
        with self.lock:
            for rows in (self.world.hosts, self.world.projects, self.world.tokens):
                if id in rows:
                    rows[id].due.clear()
                    rows[id].update(fields)
                    return dict(rows[id])
        raise ValueError(f"there is no {id!r}")

    def show(self):
        """Everything that a test may want to see."""
        with self.lock:
            self.world.settle()
            return {
                "stage": self.stage,
                "now": self.world.clock.now(),
                "projects": list(self.world.projects.values()),
                "tokens": list(self.world.tokens.values()),
                "hosts": list(self.world.hosts.values()),
                "faults": [dataclasses.asdict(fault) for fault in self.faults],
                "requests": [f"{seen.method} {seen.path} {seen.status}" for seen in self.journal],
            }

    # Serving

    def fault_for(self, method, path):
        with self.lock:
            for fault in self.faults:
                if fault.hits(method, path):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self.faults.remove(fault)
                    return fault
        return None

    def answer(self, request):
        with self.lock:
            self.world.clock.advance(self.world.clock.per_request)
            self.world.settle()
            answer = api.answer(self.world, request, self.versions)
            if request.method != "GET":
                self.keep(self.world)
            return answer


KNOBS = (
    "set_stage",
    "slow_start",
    "fail",
    "heal",
    "advance",
    "configure",
    "add_host",
    "add_instance",
    "add_project",
    "add_token",
    "add_key",
    "change",
    "show",
)


class _Server(http.server.ThreadingHTTPServer):
    """Bound at once, listening from `begin` to `end`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    poll = 0.005

    def __init__(self, address, handler, fake):
        self.fake = fake
        super().__init__(address, handler, bind_and_activate=False)
        self.server_bind()
        self._thread = None

    def begin(self):
        self.server_activate()
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": self.poll}, daemon=True
        )
        self._thread.start()

    def end(self):
        if self._thread:
            self.shutdown()
            self._thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that went away, or does not trust us, is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True  # else head and body are 40 ms apart

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status, body, kind, headers=None):
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _ControlHandler(_Handler):
    def do_POST(self):
        name = self.path.strip("/")
        try:
            if name not in KNOBS:
                raise ValueError(f"there is no knob {name!r}, but: {', '.join(KNOBS)}")
            result = getattr(self.server.fake, name)(**json.loads(self.body() or b"{}"))
            with self.server.fake.lock:
                self.server.fake.keep(self.server.fake.world)
            status = 200
        except (ValueError, TypeError) as exc:
            status, result = 400, {"error": str(exc)}
        self.reply(status, json.dumps(result, default=str).encode(), "application/json")

    def do_GET(self):
        self.do_POST()


class _ApiHandler(_Handler):
    def setup(self):
        fake = self.server.fake
        if fake.tls:
            # The handshake belongs to the connection, it must not hold up the others.
            self.request.settimeout(self.timeout)
            self.request = fake.tls.context().wrap_socket(self.request, server_side=True)
        super().setup()

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) + self.server.fake.clock_error)

    def serve(self):
        fake = self.server.fake
        sent, _, query = self.path.partition("?")
        # Whole URLs are what a client sends that takes us for its proxy (RFC 9112, 3.2.2).
        path = re.sub(r"^http://[^/]+", "", sent)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = api.Request(
            method=self.command,
            path=path,
            query=dict(urllib.parse.parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            body=self.body(),
            address=self.client_address[0],
            base=self._base(headers),
        )
        seen = Seen(request.method, sent, request.query, headers)
        fake.journal.append(seen)
        seen.status = self._stage(fake.stage) or self._answer(request)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

    def _in_pieces(self, answer):
        """As the original's Jetty: chunked, compressed if the client takes that."""
        headers, body = dict(answer.headers), answer.body
        if answer.kind.startswith("application/json") and "gzip" in (
            self.headers.get("Accept-Encoding") or ""
        ):
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, 1)
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", answer.kind)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for piece in filter(None, (body[:512], body[512:])):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

    def _base(self, headers):
        scheme = headers.get("x-forwarded-proto") or self.server.fake.link_scheme
        return f"{scheme}://{headers.get('x-forwarded-host') or headers.get('host')}"

    def _stage(self, stage):
        if stage == "up":
            return None
        if stage in ("close", "refuse"):
            self._hang_up()
        elif stage == "502":
            self.send_response(502)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif stage == "503":
            self.reply(503, b"<html>No server is available</html>", "text/html")
        else:
            self.reply(200, documents.HTML.encode(), "text/html")
        return stage

    def _answer(self, request):
        fault = self.server.fake.fault_for(request.method, request.path)
        if fault is None:
            answer = self.server.fake.answer(request)
            self._in_pieces(answer)
            return answer.status
        answer = self.server.fake.answer(request) if fault.after else None
        if fault.kind.isdecimal():
            document = documents.encode(documents.error(int(fault.kind), message=fault.value))
            self.reply(int(fault.kind), document, "application/json; charset=utf-8")
        elif fault.kind.startswith("html-"):
            self.reply(int(fault.kind[5:]), b"<html>Something is wrong</html>", "text/html")
        else:
            answer = answer or self.server.fake.answer(request)
            getattr(self, "_" + fault.kind.replace("-", "_"))(answer, fault)
        return fault.kind

    def _hang_up(self, *_):
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    _close = _hang_up

    def _html(self, answer, fault):
        self.reply(200, documents.HTML.encode(), "text/html")

    def _bare_json(self, answer, fault):
        self.reply(200, str(fault.value).encode(), "application/json")

    def _gzip(self, answer, fault):
        headers = {**answer.headers, "Content-Encoding": "gzip", "Connection": "close"}
        self.reply(answer.status, gzip.compress(answer.body), answer.kind, headers)

    def _cut_json(self, answer, fault):
        self.reply(answer.status, answer.body[: len(answer.body) // 2], answer.kind)

    def _truncated(self, answer, fault):
        self._head(answer, len(answer.body))
        self.wfile.write(answer.body[: len(answer.body) // 2])
        self._hang_up()

    def _slow_body(self, answer, fault):
        self._head(answer, len(answer.body))
        self._drip(answer.body, fault)

    def _slow_head(self, answer, fault):
        self._drip(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 60000, fault)

    def _gigantic(self, answer, fault):
        self._head(answer, 1 << 40)
        block = b" " * (1 << 16)
        while not self.server.fake.stopping.is_set():
            self.wfile.write(block)

    def _not_http(self, answer, fault):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        self._hang_up()

    def _redirect(self, answer, fault):
        self.reply(301, b"", "text/html", {"Location": f"{fault.value}{self.path}"})

    def _head(self, answer, length):
        self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _drip(self, content, fault):
        for number in range(len(content)):
            self.wfile.write(content[number : number + 1])
            if self.server.fake.stopping.wait(float(fault.value or 0.2)):
                break
