"""Docker's API over its socket, in the version that the agent's own client speaks."""

import http.client
import json
import socket
import urllib.parse

API = "/v1.22"
SOCKET = "/var/run/docker.sock"


class DockerError(Exception):
    """What the daemon said."""


class Docker:
    def __init__(self, path=SOCKET):
        self.path = path

    def ask(self, method, path, body=None, wanted=(200, 201, 204), timeout=120):
        """The decoded answer; None when it is empty, or 404 and that is ``wanted``."""
        link = _Link(self.path, timeout)
        try:
            data = None if body is None else json.dumps(body)
            link.request(method, API + path, data, {"Content-Type": "application/json"})
            answer = link.getresponse()
            text = answer.read()
        except OSError as error:
            raise DockerError(
                f"Cannot connect to the Docker daemon at unix://{self.path}: {error}"
            ) from error
        finally:
            link.close()
        if answer.status not in wanted:
            raise DockerError(f"Error response from daemon: {_message(text)}")
        if not text or answer.status == 404:
            return None
        kind = answer.headers.get("Content-Type", "")
        return json.loads(text) if kind.startswith("application/json") else text

    def inspect(self, name):
        """The container, or None."""
        return self.ask("GET", f"/containers/{name}/json", wanted=(200, 404))

    def remove(self, name):
        """End and remove the container, if there is one."""
        self.ask("DELETE", f"/containers/{name}?force=1&v=1", wanted=(204, 404, 409))

    def create(self, name, config):
        """Create and start a container; returns its id."""
        query = f"?{urllib.parse.urlencode({'name': name})}" if name else ""
        made = self.ask("POST", f"/containers/create{query}", config)["Id"]
        self.ask("POST", f"/containers/{made}/start", wanted=(204, 304))
        return made

    def output(self, made):
        """Wait for the container's end: its exit code and what it printed."""
        code = self.ask("POST", f"/containers/{made}/wait", timeout=300)["StatusCode"]
        text = self.ask("GET", f"/containers/{made}/logs?stdout=1")
        return code, (text or b"").decode("utf-8", "replace").replace("\r\n", "\n")

    def version(self):
        return self.ask("GET", "/version")["Version"]


def _message(text):
    try:
        return json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        return text.decode("utf-8", "replace").strip()


class _Link(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
