"""A server that gives recorded answers and knows nothing else: no double, no rules."""

import contextlib
import http.server
import json
import threading
import urllib.parse


def based(value, url):
    """A case's value with the server's address where it says B."""
    if isinstance(value, dict):
        return {key: based(one, url) for key, one in value.items()}
    if isinstance(value, list):
        return [based(one, url) for one in value]
    if isinstance(value, str):
        value = value.replace("B/", f"{url}/")
    return value


@contextlib.contextmanager
def replay(cases):
    """Serve the answers of `cases`; gives the base URL and the list of what was asked."""
    journal = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def serve(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urllib.parse.unquote(self.path)
            journal.append(f"{self.command} {path}")
            for case in cases:
                if case["ask"] == f"{self.command} {path}":
                    return self.give(case)
            return self.give({"status": 500, "text": f"not recorded: {self.command} {path}"})

        def give(self, case):
            url = f"http://127.0.0.1:{self.server.server_address[1]}"
            text = case.get("text")
            body = based(case["body"] if text is None else text, url)
            data = (body if text is not None else json.dumps(body)).encode()
            self.send_response_only(case["status"])
            headers = {"Content-Type": "text/plain", **case.get("headers", {})}
            for name, value in headers.items():
                if value is not None and name not in ("Transfer-Encoding", "Content-Length"):
                    self.send_header(name, based(value, url))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = serve

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    ).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", journal
    finally:
        server.shutdown()
        server.server_close()
