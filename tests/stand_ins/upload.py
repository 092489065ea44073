"""Blobs and manifests to a registry, over its HTTP API (version 2)."""

import urllib.error
import urllib.parse
import urllib.request

from .images import MANIFEST


class Registry:
    """The registry at ``url``, asked without proxy and without password."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def has(self, name, tag, manifest):
        """Whether the tag already points to this very manifest."""
        headers = {"Accept": MANIFEST}
        status, answer = self._ask("HEAD", f"/v2/{name}/manifests/{tag}", headers=headers)
        return status == 200 and answer.get("Docker-Content-Digest") == manifest.digest

    def push(self, name, tag, manifest, blobs):
        """Blobs first: the registry refuses a manifest whose parts it does not have."""
        for blob in blobs:
            if self._ask("HEAD", f"/v2/{name}/blobs/{blob.digest}")[0] != 200:
                self._upload(name, blob)
        kind = {"Content-Type": MANIFEST}
        self._must(201, "PUT", f"/v2/{name}/manifests/{tag}", manifest.data, kind)

    def _upload(self, name, blob):
        begun = self._must(202, "POST", f"/v2/{name}/blobs/uploads/", b"")
        place = urllib.parse.urljoin(self.url, begun["Location"])
        mark = "&" if "?" in place else "?"
        place += f"{mark}digest={urllib.parse.quote(blob.digest)}"
        self._must(201, "PUT", place, blob.data, {"Content-Type": "application/octet-stream"})

    def _must(self, wanted, method, path, data=None, headers=None):
        status, answer = self._ask(method, path, data, headers)
        if status != wanted:
            raise OSError(f"the registry answered {status} to {method} {path}")
        return answer

    def _ask(self, method, path, data=None, headers=None):
        """Status and headers of the answer."""
        url = urllib.parse.urljoin(self.url, path)
        request = urllib.request.Request(url, data, headers or {}, method=method)
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers
