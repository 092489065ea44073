"""
Names inside the cluster: Services for pods, links, aliases and what lies outside.
"""

import ipaddress

import _export_ledger as ledgers
import _export_names as names
import _export_pod as pods
import _export_port as port
import _export_scope as scopes


def for_pods(service, ledger, scope):
    """
    The Service of a workload: without an address of its own, so that, as in Rancher, its name
    gives the addresses of its pods, with every port that they listen to.
    """
    name, space = scope.service(service["id"]), scope.namespace(service.get("stackId"))
    ports = known_ports(service, scope)
    fixed = service.get("assignServiceIpAddress") or service.get("vip")
    made = _service(name, space, ports, {scopes.NAME: name})
    if fixed and ports:
        words = "a Service with an address of its own, a new one"
        ledger.changed("assignServiceIpAddress", words)
        ledger.changed("vip", words)
    else:
        made["spec"] = {"clusterIP": "None", **made["spec"]}
    if fixed and not ports:
        for field in ("assignServiceIpAddress", "vip"):
            ledger.person(field, "Kubernetes gives one only with a known port; name the ports")
    if service.get("retainIp"):
        ledger.person("retainIp", "pods have no fixed address; see that nobody uses it")
    ledger.person("fqdn", "see external-dns for names outside of the cluster")
    manifests = [made]
    for _, launch, part in pods.launches(service):
        for alias in launch.get("netAlias") or ():
            if not _free(alias, service, scope):
                ledger.at(part).person("netAlias", f"{alias!r} cannot be a Service here; decide")
                continue
            alias_made = _service(alias.lower(), space, ports, {scopes.NAME: name})
            alias_made["spec"] = {"clusterIP": "None", **alias_made["spec"]}
            manifests.append(alias_made)
            ledger.at(part).translated("netAlias", "a Service of that name")
    return manifests


def known_ports(service, scope):
    """(port, protocol) of everything that is known to listen, sorted."""
    found = {(port, "TCP") for port in scope.targets.get(service["id"], ())}
    for _, launch, _ in pods.launches(service):
        for field in ("ports", "expose"):
            found |= {one[2:] for one in port.parse_ports(launch.get(field))}
        check = launch.get("healthCheck") or {}
        if 0 < (check.get("port") or 0) < 65536:
            found.add((check["port"], "TCP"))
    return sorted(found)


def _free(alias, service, scope):
    taken = {scope.service(one) for one in scope.services_of(service.get("stackId")).ids()}
    return names.valid(alias, 63) == alias.lower() and alias.lower() not in taken


def _service(name, space, ports, selector):
    spec = {"selector": selector} if selector else {}
    if ports:
        spec["ports"] = [
            {"name": f"{protocol.lower()}-{port}", "port": port, "protocol": protocol}
            for port, protocol in ports
        ]
    head = {"name": name, "namespace": space}
    return {"apiVersion": "v1", "kind": "Service", "metadata": head, "spec": spec}


def pointer(name, space, address):
    """A name for another name."""
    made = _service(name, space, (), None)
    made["spec"] = {"type": "ExternalName", "externalName": address}
    return made


class Links:
    """The names that the links of one stack need beside those of its services."""

    def __init__(self, scope, stack_id, has_name):
        """has_name: tells whether a service has a Service of its own name."""
        self._scope, self._stack, self._has_name = scope, stack_id, has_name
        self._taken = {
            scope.service(one): one for one in scope.services_of(stack_id).ids() if has_name(one)
        }
        self._made = {}

    def add(self, service, ledger):
        """Take the links of a service."""
        for given, target in sorted((service.get("linkedServices") or {}).items()):
            self._link(given, target, ledger)
        if service.get("selectorLink"):
            ledger.changed("selectorLink", "the services that it finds today; new ones need a name")

    def _link(self, given, target, ledger):
        scope, path = self._scope, f"linkedServices[{given}]"
        alias = given.rpartition("/")[2].lower()
        if not scope.is_known(target):
            ledger.person(path, f"the API shows no service {target}; export its project, too")
        elif not self._has_name(target):
            ledger.person(path, f"{scope.title(target)} has no Service here; decide where it is")
        elif names.valid(alias, 63) != alias:
            ledger.person(path, f"{alias!r} cannot be a Service; use {scope.address(target)}")
        elif self._taken.get(alias, target) != target:
            ledger.person(
                path, f"{alias!r} is another service here; use {scope.address(target)} instead"
            )
        elif alias in self._taken and alias not in self._made:
            ledger.translated(path, f"the Service {alias}")
        else:
            self._taken[alias] = target
            space = scope.namespace(self._stack)
            self._made[alias] = pointer(alias, space, scope.address(target))
            ledger.changed(path, f"the Service {alias}, for the whole namespace")

    def manifests(self):
        """Every name, sorted."""
        return [self._made[alias] for alias in sorted(self._made)]


def alias(service, ledger, scope):
    """A service that only gives other services a name."""
    name, space = scope.service(service["id"]), scope.namespace(service.get("stackId"))
    links = service.get("linkedServices") or {}
    targets = sorted({one for one in links.values() if scope.is_known(one)}, key=scope.title)
    _outer(service, ledger)
    if len(targets) == 1:
        for given in links:
            ledger.translated(f"linkedServices[{given}]", "ExternalName")
        ledger.translated("name", f"Service {name}")
        return [pointer(name, space, scope.address(targets[0]))]
    together = {scope.stack(one) for one in targets} == {service.get("stackId")}
    if targets and together:
        for given in links:
            ledger.translated(f"linkedServices[{given}]", "a label that the Service selects")
        ledger.translated("name", f"Service {name}")
        made = _service(name, space, (), {scopes.alias_label(name): "true"})
        made["spec"] = {"clusterIP": "None", **made["spec"]}
        return [made]
    words = ", ".join(scope.title(one) for one in targets) or "nothing"
    for given in links:
        ledger.person(
            f"linkedServices[{given}]", "one Service cannot reach over several namespaces"
        )
    ledger.person("name", f"no Service {name} is made: it stands for {words}; decide")
    return []


def external(service, ledger, scope):
    """A service outside of the cluster."""
    name, space = scope.service(service["id"]), scope.namespace(service.get("stackId"))
    check = service.get("healthCheck") or {}
    _outer(service, ledger)
    ledger.person("healthCheck.port", "Kubernetes checks nothing outside; let a monitor do it")
    ledger.all(ledgers.CHANGED, "Kubernetes checks nothing outside", below="healthCheck.")
    addresses = usable(service)
    if len(addresses) < len(service.get("externalIpAddresses") or ()):
        ledger.person("externalIpAddresses", "Kubernetes takes no such addresses; decide")
    outside = str(service.get("hostname") or "").lower().rstrip(".")
    if names.is_host(outside) and not addresses:
        ledger.translated("hostname", "ExternalName")
        ledger.translated("name", f"Service {name}")
        return [pointer(name, space, outside)]
    if not addresses:
        ledger.person("hostname", "no host name that Kubernetes takes; give it another")
        ledger.person("name", "neither an address nor a host name: no Service is made")
        return []
    ledger.person("hostname", "the addresses count; decide which of the two is right")
    ports = [(port, "TCP") for port in sorted(scope.targets.get(service["id"], ()))]
    if check.get("port") and (check["port"], "TCP") not in ports:
        ports.append((check["port"], "TCP"))
    made = _service(name, space, sorted(ports), None)
    made["spec"] = {"clusterIP": "None", **made["spec"]}
    ledger.translated("externalIpAddresses", "EndpointSlice")
    ledger.translated("name", f"Service {name}")
    return [made, *slices(name, space, addresses, sorted(ports))]


def usable(service):
    """Addresses of an external service that Kubernetes takes, sorted as they were given."""
    given = [*(service.get("externalIpAddresses") or ())]
    if not given and names.address(service.get("hostname")):
        given = [service["hostname"]]
    return [str(found) for found in map(names.address, given) if found]


def slices(name, space, addresses, ports):
    """EndpointSlices: addresses behind a Service without pods."""
    by_family = {}
    for address in addresses:
        family = f"IPv{ipaddress.ip_address(address).version}"
        by_family.setdefault(family, []).append(address)
    for family, several in sorted(by_family.items()):
        made = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-{family.lower()}",
                "namespace": space,
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": family,
            "endpoints": [{"addresses": [one]} for one in several],
        }
        if ports:
            made["ports"] = [
                {"name": f"{protocol.lower()}-{port}", "port": port, "protocol": protocol}
                for port, protocol in ports
            ]
        yield made


def _outer(service, ledger):
    """What a service without containers of its own says nevertheless."""
    ledger.all(ledgers.CHANGED, "no container runs for it", below="launchConfig.")
    ledger.changed("metadata", "in inventory.yaml only: no pod could read it")
    ledger.changed("description", "in inventory.yaml only")
    ledger.changed("selectorLink", "the services that it finds today; new ones need a name")
    if service.get("state") == "inactive":
        ledger.person("state", "inactive here, but a name in Kubernetes is always there; decide")
