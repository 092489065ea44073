"""Every request that is no question is a point, as processes and renames are."""

import re
import urllib.parse


def watch(points):
    import guest_driver
    import requests

    guest_driver.watch(points)
    send = requests.Session.send

    def sent(self, request, **options):
        what = plain(f"{request.method} {urllib.parse.urlsplit(request.url).path}")
        if request.method in ("GET", "HEAD"):
            return send(self, request, **options)
        return points.around(what, lambda: send(self, request, **options))

    requests.Session.send = sent


def plain(what):
    """Without what is another in every run."""
    what = re.sub(r"/tmp/(prove-\w+$|\S*/)", "", re.sub(r"/v1\.\d\d/", "/", what))
    any_id = r"\b[0-9a-f]{12,64}\b|(?<=rancher-agent-)\w+|(?<=\.rancher-salt-)[0-9a-f]{8}"
    return re.sub(any_id, "ID", what).replace("|", "/")
