"""
A load balancer of Rancher: Ingresses for its HTTP rules, Services for the others.

Each stands in the namespace of what it sends to, as an Ingress reaches no other. Kubernetes'
controllers listen on 80 and 443 only: rules of other ports get a class of their own, which
nobody serves until somebody decides.
"""

import re

import _export_ledger as ledgers
import _export_names as names
import _export_port as ports
import _export_rule as balancing
import _export_scope as scopes
import _export_service as services

_USUAL = {("http", 80), ("https", 443)}
_PATH = re.compile(r"(?!.*(//|/\.\.?(/|$)|%2[fF]))/.*")
_STICKY = "nginx.ingress.kubernetes.io"


def balancer(service, ledger, scope):
    """Manifests of a load balancer."""
    at = ledger.at("lbConfig")
    rules = [one for one in balancing.rules_of(service, at, scope) if one.target]
    made, by_source = [], {}
    for one in rules:
        by_source.setdefault(one.source, []).append(one)
    for source, several in sorted(by_source.items()):
        protocols = {one.protocol for one in several}
        part = _Part(
            service, at, scope, several, own_name=balancing.is_whole(rules, service, scope)
        )
        if protocols <= {"tcp", "udp"} or (
            protocols == {"http"} and source != 80 and len(several) == 1 and several[0].is_bare
        ):
            made += part.plain()
        elif protocols <= {"http", "https"} and len(protocols) == 1:
            made += part.ingresses()
        else:
            part.nobody(sorted(protocols))
    _account(service, ledger, at, bool(made))
    return made


def has_name(service, scope):
    """Whether a Service has the load balancer's own name."""
    rules = [one for one in balancing.rules_of(service, None, scope) if one.target]
    return balancing.is_whole(rules, service, scope) and all(
        balancing.is_plain(one, rules) for one in rules
    )


class _Part:
    """The rules of one port."""

    def __init__(self, service, ledger, scope, rules, own_name):
        self.service, self.ledger, self.scope, self.own_name = service, ledger, scope, own_name
        self.source = rules[0].source
        self.rules = sorted(rules, key=lambda one: (one.priority is None, one.priority or 0))
        self.known = [one for one in self.rules if self._knows(one)]
        launch = service.get("launchConfig") or {}
        exposed = {port[2] for port in ports.parse_ports(launch.get("expose"))}
        self.inside = self.source in exposed and rules[0].public is None
        for one in self.rules:
            if one.public is None and not self.inside:
                self.at(one).person("sourcePort", "neither published nor exposed; decide")

    def at(self, rule):
        return self.ledger.at(f"portRules[{rule.number}]")

    def _knows(self, rule):
        if self.scope.is_known(rule.target):
            return True
        self.at(rule).person("serviceId", f"the API shows no service {rule.target}")
        return False

    def nobody(self, protocols):
        """No manifest can do it."""
        for one in self.rules:
            words = f"no Ingress and no Service does {'+'.join(protocols)}; see a Gateway, or keep HAProxy"
            self.at(one).person("protocol", words)
            self.at(one).all(ledgers.PERSON, "of a rule that is in no manifest")

    # Services

    def plain(self):
        """Connections as they come, to one target."""
        if len(self.known) > 1:
            for one in self.rules:
                self.at(one).person("priority", "a Service has one target, not several; decide")
            return []
        return [made for one in self.known for made in self._service(one)]

    def _service(self, rule):
        scope, at = self.scope, self.at(rule)
        space = scope.namespace(scope.stack(rule.target))
        name = scope.service(self.service["id"]) if self.own_name else self._name(space)
        protocol = "UDP" if rule.protocol == "udp" else "TCP"
        target = scope.environment.get("services", rule.target)
        port = {"port": rule.public or rule.source, "targetPort": rule.port, "protocol": protocol}
        port = {"name": f"{protocol.lower()}-{port['port']}", **port}
        spec = {"type": "LoadBalancer"} if rule.public else {}
        made = {"apiVersion": "v1", "kind": "Service"}
        made["metadata"] = {"name": name, "namespace": space}
        if target.get("launchConfig") and target["type"] == "service":
            spec["selector"] = {scopes.NAME: scope.service(rule.target)}
            more = []
        elif services.usable(target):
            ends = [(rule.port, protocol)]
            more = list(services.slices(name, space, services.usable(target), ends))
            for one in more:
                one["ports"] = [{"name": port["name"], "port": rule.port, "protocol": protocol}]
        else:
            at.person("serviceId", "behind it are no pods; send to them yourself, by HAProxy")
            return []
        kind = "Service of type LoadBalancer" if rule.public else "Service"
        how = at.translated if rule.protocol != "http" else at.changed
        how("protocol", f"{kind} {name}: connections, not requests")
        at.translated("sourcePort", f"port of the {kind}")
        self._done(rule, at)
        return [{**made, "spec": {**spec, "ports": [port]}}, *more]

    def _name(self, space):
        scope = self.scope
        own = scope.namespace(self.service.get("stackId"))
        name = f"{scope.service(self.service['id'])}-{self.source}"
        if space != own:
            name = names.valid(f"{own}-{name}")
        taken = {scope.service(one) for one in scope.services_in(space)}
        return f"{name}-balancer" if name in taken else name

    # Ingresses

    def ingresses(self):
        """One for each namespace."""
        by_space = {}
        for one in self._possible():
            by_space.setdefault(self.scope.namespace(self.scope.stack(one.target)), []).append(one)
        return [self._ingress(space, several) for space, several in sorted(by_space.items())]

    def _possible(self):
        seen = {}
        for one in self.known:
            at = self.at(one)
            if one.host and not names.is_host(one.host.removeprefix("*.")):
                words = "an Ingress takes host names, with a star only as their first part"
                at.person("hostname", words)
            elif one.path and not _PATH.fullmatch(one.path):
                words = "an Ingress takes whole paths only, which begin with a slash"
                at.person("path", words)
            elif (one.host, one.path) in seen:
                first = self.scope.title(seen[one.host, one.path])
                at.person("sourcePort", f"the same host and path go to {first} already; decide")
            else:
                seen[one.host, one.path] = one.target
                yield one

    def _ingress(self, space, rules):
        usual = (rules[0].protocol, rules[0].public or self.source) in _USUAL
        spec = {}
        if not usual or self.inside:
            own = scope_name(self.service, self.scope)
            spec["ingressClassName"] = names.valid(f"rancher-{own}-{self.source}")
        secure = rules[0].protocol == "https"
        if secure:
            spec |= self._tls(rules)
        by_host = {}
        for one in rules:
            by_host.setdefault(one.host, []).append(one)
            self._done(one, self.at(one))
            self._told(one, spec.get("ingressClassName"))
        self._order(rules)
        spec["rules"] = [
            {
                **({"host": host} if host else {}),
                "http": {"paths": [self._path(one) for one in _longest_first(several)]},
            }
            for host, several in sorted(by_host.items())
        ]
        head = {"name": self._name(space), "namespace": space}
        notes = self._sticky(space)
        if notes:
            head["annotations"] = notes
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": head,
            "spec": spec,
        }

    def _path(self, rule):
        backend = {"name": self.scope.service(rule.target), "port": {"number": rule.port}}
        return {"path": rule.path or "/", "pathType": "Prefix", "backend": {"service": backend}}

    def _told(self, rule, own_class):
        at = self.at(rule)
        at.translated("protocol", "Ingress")
        if own_class:
            words = f"controllers listen on 80 and 443: serve the class {own_class}, or move it"
            at.person("sourcePort", words)
        else:
            at.translated("sourcePort", "the ingress controller's port")

    def _done(self, rule, at):
        at.translated("serviceId", "backend")
        at.translated("targetPort", "port of the backend")
        at.translated("hostname", "host of the rule")
        if rule.host.startswith("*"):
            at.changed("hostname", "the star stands for one part of a name, not for several")
        at.changed("path", "whole parts of a path: /api is not /apis")
        at.translated("priority", "Kubernetes' own order gives the same")
        at.person("weight", "an Ingress has no weights; see a canary or a Gateway")
        at.changed("backendName", "a name in HAProxy only")
        at.person("region", "a service of another region; send to it yourself")
        at.person("environment", "a service of another environment; send to it yourself")

    def _order(self, rules):
        """Kubernetes takes the exact host, then the longest path; Rancher the priority."""
        for number, first in enumerate(rules):
            for later in rules[number + 1 :]:
                if balancing.covers(first, later) and not balancing.covers(later, first):
                    words = "here the more exact rule comes first, in Rancher this one does; decide"
                    self.at(first).person("priority", words)

    def _tls(self, rules):
        config, scope = self.service.get("lbConfig") or {}, self.scope
        wanted = [config.get("defaultCertificateId"), *(config.get("certificateIds") or ())]
        known = [one for one in dict.fromkeys(wanted) if one and one in scope.certificates.ids()]
        if not known:
            for one in rules:
                self.at(one).person("protocol", "https without a certificate; name its Secret")
            return {}
        hosts = sorted({one.host for one in rules if one.host})
        by_certificate = {one: [] for one in known}
        for host in hosts:
            fits = [one for one in known if _fits(host, scope.environment.get("certificates", one))]
            by_certificate[(fits or known)[0]].append(host)
        entries = []
        for one, its in by_certificate.items():
            if its or (one == known[0] and not all(rule.host for rule in rules)):
                entry = {"hosts": its} if its else {}
                entries.append({**entry, "secretName": scope.certificates.of(one)})
        return {"tls": entries}

    def _sticky(self, space):
        policy = (self.service.get("lbConfig") or {}).get("stickinessPolicy") or {}
        if not policy:
            return {}
        made = {f"{_STICKY}/affinity": "cookie"}
        name = policy.get("cookie") or policy.get("name")
        if name:
            made[f"{_STICKY}/session-cookie-name"] = name
        if policy.get("domain"):
            made[f"{_STICKY}/session-cookie-domain"] = policy["domain"]
        return made


def scope_name(service, scope):
    """Stack and name of a service as one name."""
    return f"{scope.namespace(service.get('stackId'))}-{scope.service(service['id'])}"


def _longest_first(rules):
    return sorted(rules, key=lambda one: (-len(one.path), one.path))


def _fits(host, certificate):
    known = [certificate.get("CN"), *(certificate.get("subjectAlternativeNames") or ())]
    parent = host.partition(".")[2]
    return any(one in (host, f"*.{parent}") for one in known if one)


def _account(service, ledger, at, made):
    """The rest of the load balancer's fields."""
    policy = at.at("stickinessPolicy")
    for field in ("name", "cookie", "domain"):
        policy.changed(field, "annotations for ingress-nginx; another controller has its own")
    for field in ("indirect", "nocache", "postonly", "mode"):
        policy.changed(field, "as the ingress controller does it")
    mode = ((service.get("lbConfig") or {}).get("stickinessPolicy") or {}).get("mode")
    if mode in ("rewrite", "prefix"):
        policy.person("mode", "controllers set a cookie of their own only; decide")
    words = "HAProxy's own settings, kept in secrets.yaml; write them as the controller's"
    at.person("config", words)
    for field in ("certificateIds", "defaultCertificateId"):
        at.person(field, "make the TLS Secret: Rancher gives no private key out")
    for path in ledger.values:
        if path.startswith("launchConfig.labels[io.rancher.scheduler.affinity"):
            ledger.person(path, "place the ingress controller there, if it matters")
        elif path.startswith("linkedServices["):
            ledger.translated(path, "the targets of its rules")
    own = "of Rancher's balancer; the ingress controller has its own"
    ledger.all(ledgers.CHANGED, own, below="launchConfig.")
    ledger.changed("scale", "as many as the ingress controller has")
    ledger.changed("scalePolicy.min", "as many as the ingress controller has")
    for field in ("scalePolicy.max", "scalePolicy.increment", "metadata", "description"):
        ledger.changed(field, own)
    ledger.changed("selectorLink", "the services that it finds today")
    ledger.changed("upgrade", own)
    for field in ("assignServiceIpAddress", "vip", "fqdn"):
        if service.get(field):
            ledger.person(field, "the controller, or the Service, has another address")
    if made:
        ledger.translated("name", "Ingress or Service, see its rules")
    else:
        ledger.person("name", "nothing is made of it; see its rules")
    if service.get("state") == "inactive":
        ledger.person("state", "inactive here, but rules in Kubernetes are always there; decide")
