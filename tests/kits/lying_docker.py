"""
A Docker daemon's socket that does not tell the truth.

    with LyingDocker(folder / "docker.sock", truth) as daemon:
        daemon.lie = "hangs"             # of LIES; None: nothing but the truth
        daemon.about = "/containers/json"  # what the path ends in; None: about everything

``truth`` gives (status, body) of a method and a path without its version; long ids are ID for
``about``.
"""

import http.server
import json
import os
import re
import socketserver
import threading

NONSENSE = b'\377\376{"what": [\n\n<html>'


def _other_shape(body):
    try:
        told = json.loads(body)
    except ValueError:
        return b"[7]"
    return b'["what"]' if isinstance(told, dict) else b'{"what": 7}'


# What becomes of (status, body); None: no answer at all.
LIES = {
    "says that it failed": lambda status, body: (500, b'{"message": "driver failed\\nbadly"}'),
    "fails with nonsense": lambda status, body: (500, NONSENSE),
    "fails with another shape": lambda status, body: (500, b"[7]"),
    "talks nonsense": lambda status, body: (200, NONSENSE),
    "says nothing": lambda status, body: (200, b""),
    "says null": lambda status, body: (200, b"null"),
    "says half, as if it were all": lambda status, body: (status, body[: len(body) // 2]),
    "tells of another shape": lambda status, body: (200, _other_shape(body)),
    "breaks off": None,
    "hangs up": None,
    "hangs": None,
}


class LyingDocker:
    """See above; `asked` are the requests, as "GET /containers/json"."""

    version = "1.41"  # of the API, in every header; None: an old Docker does not tell it there

    def __init__(self, path, truth):
        self.lie, self.about, self.asked, self.ended = None, None, [], threading.Event()
        daemon = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                path = re.sub(r"^/v[0-9.]+(?=/)", "", self.path)
                plain = re.sub("[0-9a-f]{64}", "ID", path.partition("?")[0])
                daemon.asked.append(f"{self.command} {plain}")
                status, said = truth(self.command, path, body)
                if not daemon.lie or not plain.endswith(daemon.about or ""):
                    self.say(status, said)
                    return
                if daemon.lie == "breaks off":
                    self.say(status, said, short=len(said) // 2 + 1)
                elif daemon.lie == "hangs":
                    daemon.ended.wait(120)
                elif daemon.lie != "hangs up":
                    self.say(*LIES[daemon.lie](status, said))
                self.close_connection = True

            do_GET = do_HEAD = do_POST = do_DELETE = answer

            def say(self, status, body, short=0):
                self.send_response(status)
                if daemon.version:
                    self.send_header("Api-Version", daemon.version)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) - short])

            def address_string(self):
                return "here"

            def log_message(self, *_):
                """Nobody reads it."""

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

            def handle_error(self, *_):
                """Who asked has gone."""

        if os.path.exists(path):
            os.unlink(path)
        self.server = Server(str(path), Handler)
        self.url = f"unix://{path}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
