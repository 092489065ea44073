"""
As much of a Kubernetes API server as `kubectl apply --dry-run=client` asks for: which kinds there
are. It knows no object, and takes none.

    with Discovery() as there:
        there.apply(folder)   # what kubectl made of the files, as one list
"""

import http.server
import json
import os
import subprocess
import threading

# Group and version: kind, plural, whether it is in a namespace.
KINDS = {
    "v1": {
        "ConfigMap": ("configmaps", True),
        "Namespace": ("namespaces", False),
        "PersistentVolume": ("persistentvolumes", False),
        "PersistentVolumeClaim": ("persistentvolumeclaims", True),
        "Secret": ("secrets", True),
        "Service": ("services", True),
    },
    "apps/v1": {
        "DaemonSet": ("daemonsets", True),
        "Deployment": ("deployments", True),
        "StatefulSet": ("statefulsets", True),
    },
    "batch/v1": {"CronJob": ("cronjobs", True), "Job": ("jobs", True)},
    "discovery.k8s.io/v1": {"EndpointSlice": ("endpointslices", True)},
    "networking.k8s.io/v1": {
        "Ingress": ("ingresses", True),
        "NetworkPolicy": ("networkpolicies", True),
    },
}


def answer(path):
    """The document of a path, or None."""
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [one.split("/") for one in KINDS if "/" in one]
        versions = [
            (group, {"groupVersion": f"{group}/{version}", "version": version})
            for group, version in groups
        ]
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [
                {"name": group, "versions": [one], "preferredVersion": one}
                for group, one in versions
            ],
        }
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version not in KINDS:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": [
            {
                "name": plural,
                "singularName": "",
                "namespaced": inside,
                "kind": kind,
                "verbs": ["get"],
            }
            for kind, (plural, inside) in KINDS[version].items()
        ],
    }


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        found = answer(self.path.partition("?")[0])
        missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
        body = json.dumps(found or {**missing, "reason": "NotFound", "message": "no such"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        # A dry run of the client must not come here.
        self.send_error(405)

    do_PUT = do_PATCH = do_DELETE = do_POST


class Discovery:
    """The server, and kubectl against it."""

    def __init__(self, home):
        self._home = str(home)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def apply(self, *paths):
        """The objects that kubectl read from files and folders; raises what it did not take."""
        argv = ["kubectl", f"--server=http://127.0.0.1:{self._server.server_address[1]}"]
        argv += ["apply", "--dry-run=client", "--validate=false", "--output=json"]
        argv += [f"--filename={path}" for path in paths]
        environment = {**os.environ, "HOME": self._home, "KUBECONFIG": "/dev/null"}
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=120, check=False, env=environment
        )
        if done.returncode:
            raise AssertionError(done.stderr)
        found = json.loads(done.stdout)
        return found["items"] if found["kind"] == "List" else [found]
