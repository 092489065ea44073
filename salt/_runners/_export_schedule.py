"""
Where pods go: affinity and spread from the scheduler's labels, and the host that was asked for.
"""

import re

import _export_names as names
import _export_scope as scopes

_RULE = re.compile(
    r"io\.rancher\.scheduler\.affinity:(host_label|container_label|container)(_soft)?(_ne)?"
)
_HOST = "kubernetes.io/hostname"
# `${stack_name}/${service_name}`, also with the `$` doubled.
_OWN = re.compile(r"\$+\{(stack_name|service_name)\}")


def affinity(service, labels, ledger, scope, hosts=()):
    """
    What goes into the pod's spec. `hosts`: names of the only hosts that have its data, or that
    somebody asked for.
    """
    found = _Found()
    for label, value in sorted(labels.items()):
        rule = _RULE.fullmatch(label)
        if rule:
            found.take(rule.groups(), value, f"labels[{label}]", service, ledger, scope)
    if hosts:
        found.node[False].append({"key": _HOST, "operator": "In", "values": sorted(hosts)})
    made = {}
    for name, rules, shape in (
        ("nodeAffinity", found.node, _node_affinity),
        ("podAffinity", found.near, _pod_affinity),
        ("podAntiAffinity", found.far, _pod_affinity),
    ):
        if rules[0] or rules[1]:
            made[name] = shape(*rules)
    spec = {"affinity": made} if made else {}
    if found.spread:
        spec["topologySpreadConstraints"] = found.spread[:1]
    return spec


class _Found:
    """Rules by what they are about; each a pair of those that must be kept and those that may."""

    def __init__(self):
        self.node, self.near, self.far, self.spread = ([], []), ([], []), ([], []), []

    def take(self, parts, value, path, service, ledger, scope):
        """Take one label."""
        kind, soft, negative = parts
        if kind == "container":
            ledger.person(path, "names a container; pods have no lasting name, use their labels")
            return
        terms = _terms(value, service, scope)
        if not terms or not all(_usable(term) for term in terms):
            ledger.person(path, f"{value!r} is not understood; write the affinity by hand")
        elif kind == "host_label":
            self.node[bool(soft)].extend(_expression(term, negative) for term in terms)
            ledger.translated(path, "nodeAffinity; the nodes need the hosts' labels")
        elif negative and soft and _is_own(terms, service, scope):
            self.spread.append(_spread(service, scope))
            ledger.translated(path, "topologySpreadConstraints over the nodes")
        else:
            pods = self.far if negative else self.near
            pods[bool(soft)].extend(_pod_term(term, scope) for term in terms)
            ledger.translated(path, f"pod{'Anti' if negative else ''}Affinity on the same node")


def _terms(value, service, scope):
    """(key, value) pairs of `a=b,c=d`; Rancher's own labels become those of our pods."""
    found = []
    for part in str(value).split(","):
        key, equals, text = (one.strip() for one in part.partition("="))
        if not key or not equals:
            return None
        own = {
            "stack_name": scope.stack_name(service.get("stackId")),
            "service_name": service["name"],
        }
        text = _OWN.sub(lambda match, own=own: own[match.group(1)], text)
        if key == "io.rancher.stack_service.name":
            stack, _, name = text.partition("/")
            one = scope.find(stack, name)
            if one is None:
                return None
            found.append((scopes.NAME, scope.service(one), scope.namespace(scope.stack(one))))
        elif key == "io.rancher.stack.name":
            found.append((scopes.STACK, names.valid(text), None))
        else:
            found.append((key, text, None))
    return found


def _usable(term):
    return names.is_label_key(term[0]) and names.is_label(term[1])


def _is_own(terms, service, scope):
    own = (scopes.NAME, scope.service(service["id"]), scope.namespace(service.get("stackId")))
    return own in terms


def _expression(term, negative):
    return {"key": term[0], "operator": "NotIn" if negative else "In", "values": [term[1]]}


def _spread(service, scope):
    return {
        "maxSkew": 1,
        "topologyKey": _HOST,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {scopes.NAME: scope.service(service["id"])}},
    }


def _pod_term(term, scope):
    key, value, space = term
    where = {"namespaces": [space]} if space else {"namespaceSelector": {}}
    return {"labelSelector": {"matchLabels": {key: value}}, **where, "topologyKey": _HOST}


def _node_affinity(hard, soft):
    made = {}
    if hard:
        made["requiredDuringSchedulingIgnoredDuringExecution"] = {
            "nodeSelectorTerms": [{"matchExpressions": hard}]
        }
    if soft:
        made["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": 50, "preference": {"matchExpressions": [one]}} for one in soft
        ]
    return made


def _pod_affinity(hard, soft):
    made = {}
    if hard:
        made["requiredDuringSchedulingIgnoredDuringExecution"] = hard
    if soft:
        made["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": 50, "podAffinityTerm": one} for one in soft
        ]
    return made
