"""
Everything that Rancher's API says about one project, read page by page and kept small: of ten
thousand containers only as much stays in memory as is needed later.
"""

import json
import urllib.parse

from salt.exceptions import CommandExecutionError, SaltInvocationError

PAGE = 200
# Read whole; a server may lack the last ones.
COLLECTIONS = (
    *("stacks", "services", "hosts", "volumes", "volumeTemplates", "certificates"),
    *("registries", "registryCredentials", "networks", "secrets", "storageDrivers"),
    *("networkDrivers", "virtualMachines", "containers"),
)
_OPTIONAL = ("secrets", "storageDrivers", "networkDrivers", "virtualMachines", "volumeTemplates")
_GONE = ("removed", "purging", "purged")
# Of a container of a service: the rest is in the service's own document.
_OWN = (
    *("id", "name", "state", "healthState", "hostId", "imageUuid", "primaryIpAddress", "ports"),
    *("dataVolumes", "dataVolumeMounts", "createIndex", "deploymentUnitUuid", "externalId"),
)
_OF_SERVICE = ("io.rancher.stack_service.name", "io.rancher.project_service.name")


class Environment:
    """One project as the API showed it; documents are unpacked when they are asked for."""

    def __init__(self, project):
        self.project = project
        self.standalone = []
        self._tables = {name: {} for name in COLLECTIONS}
        self._containers = {}

    def add(self, kind, document):
        """Take a document of a collection."""
        lean = {
            key: value
            for key, value in document.items()
            if key not in ("links", "actions") and value is not None
        }
        if kind in ("containers", "virtualMachines"):
            self._add_container(lean)
        else:
            self._tables[kind][lean["id"]] = json.dumps(lean, separators=(",", ":"))

    def _add_container(self, document):
        labels = document.get("labels") or {}
        managed = document.get("deploymentUnitUuid") or any(one in labels for one in _OF_SERVICE)
        # Services are read before: one that is gone meanwhile does not take its containers along.
        known = [one for one in document.get("serviceIds") or () if one in self._tables["services"]]
        if not (managed and known):
            self.standalone.append(json.dumps(document, separators=(",", ":")))
            return
        own = {key: document[key] for key in _OWN if key in document}
        sidekick = labels.get("io.rancher.service.launch.config", "io.rancher.service.primary")
        if not sidekick.startswith("io.rancher.service.primary"):
            own["sidekick"] = sidekick
        text = json.dumps(own, separators=(",", ":"))
        self._containers.setdefault(known[0], []).append(text)

    def ids(self, kind):
        """Ids of a collection, in the order of their numbers."""
        return sorted(self._tables[kind], key=number)

    def get(self, kind, name):
        """One document, or None."""
        text = self._tables[kind].get(name)
        return None if text is None else json.loads(text)

    def all(self, kind):
        """Every document of a collection, one after the other."""
        return (self.get(kind, name) for name in self.ids(kind))

    def containers(self, service_id):
        """The containers of a service, by name."""
        found = [json.loads(text) for text in self._containers.get(service_id, ())]
        return sorted(found, key=lambda one: (one.get("name") or "", number(one["id"])))

    def alone(self):
        """Containers that belong to no service."""
        found = map(json.loads, self.standalone)
        return sorted(found, key=lambda one: (one.get("name") or "", number(one["id"])))

    def count_containers(self):
        """How many containers there are."""
        return len(self.standalone) + sum(map(len, self._containers.values()))


def number(name):
    """The number in an id such as `1s12`, to sort by."""
    digits = "".join(char if char.isdigit() else " " for char in str(name)).split()
    return (int(digits[-1]) if digits else 0, str(name))


def projects(api, wanted=None):
    """Documents of the projects to export: the one that is wanted, or all that the keys show."""
    url, rows = api.collection("projects")
    if "/v2-beta/" not in f"{url}/":
        raise CommandExecutionError(
            f"{api.base} does not have the API v2-beta; an export needs Rancher 1.2 or newer"
        )
    found = _chosen(rows, wanted)
    if wanted is not None and not found:
        rows = api.pages(f"{url}?all=true")
        found = _chosen(rows, wanted)
    if not found:
        names = ", ".join(sorted(str(row.get("name")) for row in rows)) or "none"
        raise SaltInvocationError(
            f"{api.base} shows no project {wanted!r} to these API keys, but: {names}"
        )
    return sorted(found, key=lambda row: number(row["id"]))


def _chosen(rows, wanted):
    there = [row for row in rows if row.get("state") not in _GONE]
    if wanted is None:
        return there
    same_id = [row for row in there if row["id"] == str(wanted)]
    return same_id or [row for row in there if row.get("name") == str(wanted)]


def read(api, project, say=lambda words: None):
    """The whole project as an `Environment`."""
    there = Environment(project)
    for kind in COLLECTIONS:
        count = 0
        for document in _each(api, f"{api.base}/v2-beta/projects/{project['id']}/{kind}", kind):
            if document.get("state") not in _GONE:
                there.add(kind, document)
                count += 1
                if count % 1000 == 0:
                    say(f"{project.get('name')}: {count} {kind} read")
        if kind in ("services", "containers"):
            say(f"{project.get('name')}: {count} {kind} read, that is all")
    stacks = there.ids("stacks")
    for one in there.all("services"):
        if one.get("stackId") not in stacks:
            raise CommandExecutionError(
                f"{api.base} shows no stack {one.get('stackId')} of the service {one['name']}: "
                "it changed while it was read; export again"
            )
    return there


def _each(api, url, kind):
    """Rows of a collection, page by page."""
    link, seen = f"{url}?limit={PAGE}", set()
    while link and link not in seen:
        seen.add(link)
        body = _page(api, link, kind)
        if body is None:
            return
        if not isinstance(body, dict) or not isinstance(body.get("data"), list):
            raise CommandExecutionError(
                f"{api.base}: {kind} is no list of a Rancher API; "
                "check the URL, and what a proxy in front does with it"
            )
        yield from body["data"]
        following = (body.get("pagination") or {}).get("next")
        # Behind TLS the server may not know its own address: only the query counts.
        link = following and f"{url}?{urllib.parse.urlsplit(following).query}"


def _page(api, link, kind):
    if kind in _OPTIONAL:
        answer = api.ask("GET", link)
        if answer["problem"] is None:
            return answer["body"]
        if answer["status"] == 404:
            return None
    return api.get(link)["body"]
