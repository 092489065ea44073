"""
Which names, hosts and labels the manifests of one project have in common.
"""

import re

import _export_names as names

STANDALONE = "standalone"
# Labels of our own on every pod.
NAME, STACK = "app.kubernetes.io/name", "app.kubernetes.io/part-of"
_SELECTOR = re.compile(r"\s*(!?[^\s=!,]+)\s*(=|!=|\bin\b|\bnotin\b)?\s*(\(.*?\)|[^,()]*)\s*(?:,|$)")


class Scope:
    """Of an `Environment`: names of everything, and who matches a selector."""

    def __init__(self, environment):
        self.environment = environment
        stacks = {one["id"]: one["name"] for one in environment.all("stacks")}
        self._stacks = stacks
        self.spaces = names.namespaces({**stacks, None: STANDALONE})
        self._of_service, self._labels, by_stack = {}, {}, {}
        for one in environment.all("services"):
            self._of_service[one["id"]] = (one.get("stackId"), one["name"])
            self._labels[one["id"]] = (one.get("launchConfig") or {}).get("labels") or {}
            by_stack.setdefault(one.get("stackId"), {})[one["id"]] = one["name"]
        self._services = {stack: names.Names(several) for stack, several in by_stack.items()}
        self.hosts = {one["id"]: one for one in environment.all("hosts")}
        self.secrets = self._named("secrets")
        self.certificates = self._named("certificates")
        self.registries = self._named("registries")
        self._collect_volumes()
        self.aliases = self._aliases()
        self.targets = self._targets()

    def _named(self, kind):
        rows = self.environment.all(kind)
        return names.Names(
            {one["id"]: one.get("name") or one.get("serverAddress") or one["id"] for one in rows}
        )

    def _collect_volumes(self):
        """Volumes by name and by template, templates by stack, what drivers were started with."""
        environment = self.environment
        self.volumes = {one["name"]: one for one in environment.all("volumes") if one.get("name")}
        self.volume_names = {one["id"]: name for name, one in self.volumes.items()}
        self.of_template, self.templates, self.drivers = {}, {}, {}
        for one in self.volumes.values():
            if one.get("volumeTemplateId"):
                self.of_template.setdefault(one["volumeTemplateId"], []).append(one)
        for one in environment.all("volumeTemplates"):
            self.templates.setdefault(one.get("stackId"), {})[one["name"]] = one
        for one in environment.all("services"):
            if one["type"] == "storageDriverService":
                name = (one.get("storageDriver") or {}).get("name")
                self.drivers[name] = (one.get("launchConfig") or {}).get("environment") or {}

    def _aliases(self):
        """By service: labels that its pods need because an alias of its stack selects them."""
        found = {}
        for one in self.environment.all("services"):
            targets = sorted((one.get("linkedServices") or {}).values())
            if one["type"] != "dnsService" or len(targets) < 2:
                continue
            if {self.stack(target) for target in targets} == {one.get("stackId")}:
                key = alias_label(self.service(one["id"]))
                for target in targets:
                    found.setdefault(target, {})[key] = "true"
        return found

    def _targets(self):
        """By service: its ports that a load balancer sends to."""
        found = {}
        for one in self.environment.all("services"):
            for rule in (one.get("lbConfig") or {}).get("portRules") or ():
                port, source = rule.get("targetPort"), rule.get("sourcePort")
                wanted = [rule.get("serviceId") or (None if source else one["id"])]
                if rule.get("selector"):
                    wanted += self.matching(rule["selector"])
                for target in wanted:
                    if target and (port or source):
                        found.setdefault(target, set()).add(port or source)
        return found

    def namespace(self, stack_id):
        """The namespace of a stack; None: of what belongs to no stack."""
        return self.spaces.of(stack_id if stack_id in self._stacks else None)

    def stack(self, service_id):
        """The stack's id of a service."""
        return self._of_service.get(service_id, (None, None))[0]

    def stack_name(self, stack_id):
        """The stack's name in Rancher."""
        return self._stacks.get(stack_id, STANDALONE)

    def service(self, service_id):
        """The name of a service in Kubernetes."""
        return self._services[self.stack(service_id)].of(service_id)

    def services_of(self, stack_id):
        """Names of the services of a stack, with their mapping."""
        return self._services.get(stack_id) or names.Names({})

    def services_in(self, space):
        """Ids of the services of a namespace."""
        for stack, named in self._services.items():
            if self.namespace(stack) == space:
                yield from named.ids()

    def is_known(self, service_id):
        """Whether the API showed this service."""
        return service_id in self._of_service

    def find(self, stack_name, service_name):
        """The id of a service by its names in Rancher, or None."""
        for one, (stack, name) in self._of_service.items():
            if name == service_name and self._stacks.get(stack) == stack_name:
                return one
        return None

    def title(self, service_id):
        """`stack/service` as Rancher names it."""
        stack, name = self._of_service[service_id]
        return f"{self.stack_name(stack)}/{name}"

    def address(self, service_id):
        """The full name of a service inside the cluster."""
        space = self.namespace(self.stack(service_id))
        return f"{self.service(service_id)}.{space}.svc.cluster.local"

    def matching(self, selector):
        """Ids of the services whose labels match a selector, by their names."""
        found = [one for one, labels in self._labels.items() if matches(selector, labels)]
        return sorted(found, key=self.title)

    def hostname(self, host_id):
        """The name of a host as its node will have it."""
        host = self.hosts.get(host_id) or {}
        return str(host.get("hostname") or host_id).lower()


def alias_label(name):
    """The label by which an alias finds its pods."""
    return f"rancher-alias/{name}"


def parse_selector(text):
    """(key, operator, values) of each condition; `exists` for a key alone."""
    found = []
    for key, operator, value in _SELECTOR.findall(str(text)):
        values = [one.strip() for one in value.strip("() ").split(",") if one.strip()]
        negated = key.startswith("!")
        if not operator:
            found.append((key.lstrip("!"), "notexists" if negated else "exists", []))
        else:
            found.append((key, {"=": "in", "!=": "notin"}.get(operator, operator), values))
    return found


def matches(selector, labels):
    """Whether labels fulfil every condition of a selector of Rancher."""
    conditions = parse_selector(selector)
    if not conditions:
        return False
    for key, operator, values in conditions:
        have = labels.get(key)
        if operator == "in" and have not in values:
            return False
        if operator == "notin" and have in values:
            return False
        if operator in ("exists", "notexists") and (key in labels) != (operator == "exists"):
            return False
    return True
