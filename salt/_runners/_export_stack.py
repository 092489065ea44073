"""
All files of one stack, made of its documents.
"""

import dataclasses

import _export_ingress as ingress
import _export_inventory as inventory
import _export_ledger as ledgers
import _export_objects as objects
import _export_pod as pods
import _export_report as report
import _export_secret as secret
import _export_service as services
import _export_standalone as standalone
import _export_volume as volumes
import _export_workload as workloads
import _export_yaml as yaml

_OUTER = {
    "dnsService": services.alias,
    "externalService": services.external,
    "loadBalancerService": ingress.balancer,
}


@dataclasses.dataclass
class Made:
    """One folder: its files by name, and what the project's report needs of it."""

    files: dict
    tally: report.Tally
    services: int
    containers: int
    claims: dict
    wanted: set


class _Stack:
    def __init__(self, scope, stack_id, launches):
        self.scope, self.space = scope, scope.namespace(stack_id)
        self.volumes = volumes.Volumes(scope, stack_id, launches)
        self.store = secret.Store(self.space)
        self.links = services.Links(scope, stack_id, lambda one: has_name(one, scope))
        self.tally = report.Tally("services" if stack_id else "containers")
        self.files, self.accounts, self.wanted = {}, [], set()

    def put(self, name, manifests):
        """Keep the manifests of one service."""
        if manifests:
            self.files[f"kubernetes/service-{name}.yaml"] = yaml.dump(*manifests)
        for one in manifests:
            space = one["metadata"].get("namespace")
            self.wanted |= {(space, *found) for found in _wanted(one)}

    def finish(self, space_notes):
        """The files that are there once."""
        claims = [one for name in sorted(self.volumes.claims) for one in self.volumes.claims[name]]
        for name, manifests in (
            ("kubernetes/10-volumes.yaml", claims),
            ("kubernetes/20-links.yaml", self.links.manifests()),
        ):
            if manifests:
                self.files[name] = yaml.dump(*manifests)
        kept = list(self.store.manifests())
        if kept:
            self.files["secrets.yaml"] = yaml.dump(*kept)
        if self.files:
            head = {"name": self.space, **({"annotations": space_notes} if space_notes else {})}
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": head}
            self.files["kubernetes/00-namespace.yaml"] = yaml.dump(space)


def _wanted(value):
    """(kind, name) of the Secrets that a manifest needs and nobody but a person can make."""
    if isinstance(value, list):
        for one in value:
            yield from _wanted(one)
    if isinstance(value, dict):
        if "secretName" in value:
            yield "tls", value["secretName"]
        for one in value.get("imagePullSecrets") or ():
            yield "docker-registry", one["name"]
        for one in (value.get("projected") or {}).get("sources") or ():
            yield "generic", one["secret"]["name"]
        for key, one in value.items():
            if key not in ("stringData", "data"):
                yield from _wanted(one)


def has_name(service_id, scope):
    """Whether a Service of the service's own name is made."""
    one = scope.environment.get("services", service_id)
    if one is None:
        # A container without a service, which gets one here.
        return True
    if workloads.is_infrastructure(one):
        return False
    if one["type"] == "loadBalancerService":
        return one.get("state") != "inactive" and ingress.has_name(one, scope)
    if one["type"] in _OUTER:
        if one.get("state") == "inactive":
            return False
        return bool(_OUTER[one["type"]](one, ledgers.Ledger({}), scope))
    return workloads.has_pods(one)


def of_service(one, ledger, stack, containers):
    """Manifests of one service; the ledger tells what became of it."""
    scope, outer = stack.scope, _OUTER.get(one["type"])
    if workloads.is_infrastructure(one):
        for field in ("networkDriver", "storageDriver"):
            ledger.person(
                field, "the new cluster has its own network and storage; see that it fits"
            )
        ledger.all(ledgers.CHANGED, "a part of Rancher, which the new cluster replaces")
        return []
    if outer and one.get("state") == "inactive":
        ledger.person(
            "state", "inactive: nothing is made; switch it on and export again, or forget it"
        )
        ledger.all(ledgers.CHANGED, "inactive: nothing is made of it")
        return []
    if outer:
        own = (one.get("lbConfig") or {}).get("config")
        if own:
            # HAProxy's passwords look like any other word.
            stack.store.put(f"{scope.service(one['id'])}.haproxy", "haproxy.cfg", own)
        return outer(one, ledger, scope)
    if workloads.has_pods(one):
        made = workloads.workload(one, ledger, scope, stack.volumes, stack.store, containers)
        made += services.for_pods(one, ledger, scope)
        stack.links.add(one, ledger)
        ledger.person("selectorContainer", "it also takes in containers by their labels; decide")
        _as_target(one, ledger)
        return made
    return _of_nothing(one, ledger)


def _of_nothing(one, ledger):
    """A service that runs no container of an image."""
    if one.get("selectorContainer"):
        words = "it only gives containers that stand alone a name; select their pods by a Service"
        ledger.person("selectorContainer", words)
        ledger.all(ledgers.CHANGED, "no pod of its own")
        return []
    kind = (one.get("launchConfig") or {}).get("kind") or one["type"]
    ledger.person("name", f"no manifest is made of a {kind}; for virtual machines see KubeVirt")
    ledger.all(ledgers.PERSON, f"of a {kind}: no manifest is made")
    return []


def _as_target(one, ledger):
    """What a service says to load balancers that select it."""
    at = ledger.at("lbConfig")
    for number in range(len((one.get("lbConfig") or {}).get("portRules") or ())):
        for field in ("hostname", "path", "targetPort", "backendName"):
            words = "part of the Ingress of each load balancer that selects it"
            at.at(f"portRules[{number}]").changed(field, words)


def stack(document, scope, users):
    """The folder of one stack."""
    environment, stack_id = scope.environment, document["id"]
    ids = scope.services_of(stack_id).ids()
    every = [environment.get("services", one) for one in ids]
    every.sort(key=lambda one: one["name"])
    launches = [launch for one in every for _, launch, _ in pods.launches(one)]
    made = _Stack(scope, stack_id, launches)
    listed, count = [], 0
    for one in every:
        containers = environment.containers(one["id"])
        count += len(containers)
        ledger = ledgers.Ledger(one)
        made.put(scope.service(one["id"]), of_service(one, ledger, made, containers))
        made.tally.add(ledger)
        made.accounts += report.account(f"{one['type']} {one['name']}", ledger)
        listed.append(inventory.service(one, scope, containers))
    return _folder(made, document, scope, users, listed, count)


def _folder(made, document, scope, users, listed, count):
    stack_id = document["id"]
    notes = {}
    if document.get("description"):
        notes["kubernetes.io/description"] = document["description"]
    made.finish(notes)
    its = [one for one in scope.volumes.values() if one.get("stackId") == stack_id]
    templates = sorted(scope.templates.get(stack_id, {}).values(), key=lambda one: one["name"])
    made.files["inventory.yaml"] = yaml.dump(
        inventory.stack(
            document,
            scope,
            listed,
            [inventory.volume(one, users.get(one["id"])) for one in its],
            templates,
        )
    )
    claims = made.volumes.used
    has_space = "kubernetes/00-namespace.yaml" in made.files
    lines = [f"# {report.cell(document['name'])}", "", *made.tally.lines()]
    changed = scope.services_of(stack_id).changed()
    space = [(document["name"], made.space)] if document["name"] != made.space else []
    lines += report.names("Names that had to change", space + changed)
    lines += report.data(made.volumes.data)
    lines += ["## Field by field", ""]
    lines += report.account(
        f"stack {document['name']}", objects.stack(document, made.space, bool(listed), has_space)
    )
    for one in its:
        ledger = objects.volume(one, claims.get(one["name"]))
        lines += report.account(f"volume {one['name']}", ledger)
    for one in templates:
        ledger = objects.template(one, one["name"] in made.volumes.asked)
        lines += report.account(f"volumeTemplate {one['name']}", ledger)
    made.files["REPORT.md"] = "\n".join([*lines, *made.accounts])
    return Made(made.files, made.tally, len(listed), count, claims, made.wanted)


def alone(scope, users):
    """The folder of the containers that belong to no service; None when there are none."""
    containers = scope.environment.alone()
    if not containers:
        return None
    inner = standalone.Alone(scope, containers)
    made = _Stack(inner, None, containers)
    listed = []
    for one in containers:
        manifests, ledger = standalone.manifests(one, inner, made.volumes, made.store)
        if manifests:
            made.put(inner.service(one["id"]), manifests)
        made.tally.add(ledger)
        kind = "native container" if standalone.is_native(one) else "container"
        made.accounts += report.account(f"{kind} {one.get('name') or one['id']}", ledger)
        listed.append(inventory.alone(one, inner))
    made.finish({})
    made.files["inventory.yaml"] = yaml.dump({"namespace": made.space, "containers": listed})
    lines = ["# Containers without a service", "", *made.tally.lines()]
    lines += report.data(made.volumes.data)
    lines += ["## Field by field", "", *made.accounts]
    made.files["REPORT.md"] = "\n".join(lines)
    claims = made.volumes.used
    return Made(made.files, made.tally, 0, len(containers), claims, made.wanted)
