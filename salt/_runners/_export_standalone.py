"""
A container that was started without a service: a workload on the host where it runs.
"""

import _export_ledger as ledgers
import _export_names as names
import _export_service as services
import _export_workload as workloads

# What a service does not have.
_CONTAINER = (
    "hostId",
    "name",
    "description",
    "restartPolicy.name",
    "restartPolicy.maximumRetryCount",
)
_OWN = ("io.rancher.container.system", "io.rancher.container.agent_id")


def is_native(container):
    """Whether somebody started it by Docker, so that Rancher knows little of it."""
    return bool(container.get("nativeContainer"))


def is_infrastructure(container):
    """Whether it is a part of Rancher."""
    return any(key in (container.get("labels") or {}) for key in _OWN)


def as_service(container):
    """The same as a service of one container."""
    return {
        "id": container["id"],
        "name": container.get("name") or container["id"],
        "type": "service",
        "state": "active" if container.get("state") == "running" else "inactive",
        "scale": 1,
        "description": container.get("description"),
        "launchConfig": {**container, "kind": "container"},
    }


class Alone:
    """A scope in which containers without a service have names, too."""

    def __init__(self, scope, containers):
        self._scope = scope
        named = {one["id"]: one.get("name") or one["id"] for one in containers}
        self._names = names.Names(named)

    def __getattr__(self, name):
        return getattr(self._scope, name)

    def service(self, one):
        return self._names.of(one) if one in self._names.ids() else self._scope.service(one)

    def services_of(self, stack_id):
        return self._names if stack_id is None else self._scope.services_of(stack_id)


def manifests(container, scope, volumes, store):
    """(manifests, ledger) of a container."""
    ledger = ledgers.Ledger(container)
    if is_infrastructure(container):
        ledger.all(ledgers.CHANGED, "a part of Rancher, which goes with it")
        return [], ledger
    if is_native(container):
        ledger.person("name", "started by Docker itself: Rancher does not know how; see its host")
        ledger.all(ledgers.CHANGED, "in inventory.yaml; no manifest is made of a native container")
        return [], ledger
    service = as_service(container)
    inner = ledgers.Ledger(service)
    made = workloads.workload(service, inner, scope, volumes, store, [container])
    made += services.for_pods(service, inner, scope)
    spec = made[0]["spec"]
    template = (spec.get("jobTemplate") or {}).get("spec", spec).get("template")
    pin = {scope.hostname(container["hostId"])} if container.get("hostId") else set()
    if pin and not container.get("requestedHostId"):
        template["spec"].setdefault("nodeSelector", {})["kubernetes.io/hostname"] = min(pin)
    ledger.translated("hostId", "the node of that name")
    for path, _, verdict, words in inner.rows():
        field = path.removeprefix("launchConfig.")
        if path.startswith("launchConfig.") and field not in _CONTAINER:
            _take(ledger, field, verdict, words)
    _own(container, ledger, made[0], inner)
    return made, ledger


def _take(ledger, field, verdict, words):
    if verdict == ledgers.PERSON:
        ledger.person(field, words)
    elif verdict == ledgers.CHANGED:
        ledger.changed(field, words)
    else:
        ledger.translated(field, words)


def _own(container, ledger, made, inner):
    """What only a container says."""
    ledger.translated("name", f"{made['kind']} {made['metadata']['name']}")
    policy = (container.get("restartPolicy") or {}).get("name")
    if made["kind"] == "Job" or policy in ("always", "unless-stopped"):
        ledger.translated("restartPolicy.name", "restartPolicy")
    else:
        ledger.changed("restartPolicy.name", "a Deployment restarts its pods always")
    ledger.changed("restartPolicy.maximumRetryCount", "a Deployment restarts its pods always")
    for path, _, verdict, words in inner.rows():
        if path == "state" and verdict != ledgers.TRANSLATED and words != ledgers.RECORDED:
            ledger.changed("state", words)
    ledger.translated("description", "annotation kubernetes.io/description")
