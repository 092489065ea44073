"""
Rules of a load balancer, one for each target.
"""

import dataclasses

import _export_port as port


@dataclasses.dataclass
class Rule:
    """One rule for one target."""

    number: int
    protocol: str
    source: int
    public: int | None
    target: str
    port: int
    host: str
    path: str
    priority: int | None

    @property
    def is_bare(self):
        return not self.host and not self.path


def rules_of(service, ledger, scope):
    """Every rule for every target; what has none is accounted for, when there is a ledger."""
    launch = service.get("launchConfig") or {}
    public = {one[2]: one[1] for one in port.parse_ports(launch.get("ports"))}
    for number, rule in enumerate((service.get("lbConfig") or {}).get("portRules") or ()):
        source = rule.get("sourcePort")
        base = Rule(
            number=number,
            protocol=rule.get("protocol") or "http",
            source=source,
            public=public.get(source),
            target=rule.get("serviceId") or "",
            port=rule.get("targetPort") or source,
            host=host_of(rule.get("hostname")),
            path=(rule.get("path") or "").strip(),
            priority=rule.get("priority"),
        )
        if not rule.get("selector"):
            yield base
            continue
        found = scope.matching(rule["selector"])
        if ledger is not None:
            titles = ", ".join(scope.title(one) for one in found) or "none"
            ledger.at(f"portRules[{number}]").changed(
                "selector", f"the services of today: {titles}"
            )
        for one in found:
            yield from _chosen(base, one, scope)


def _chosen(base, target, scope):
    """What a service that a selector found says itself."""
    own = (scope.environment.get("services", target).get("lbConfig") or {}).get("portRules") or ()
    if not own:
        yield dataclasses.replace(base, target=target)
    for rule in own:
        yield dataclasses.replace(
            base,
            target=target,
            port=rule.get("targetPort") or base.port,
            host=host_of(rule.get("hostname")) or base.host,
            path=rule.get("path") or base.path,
        )


def host_of(text):
    """The host of a rule; empty for every host."""
    host = str(text or "").strip().lower()
    return "" if host == "*" else host


def is_plain(rule, rules):
    """Whether connections can be passed on as they come."""
    alone = len([one for one in rules if one.source == rule.source]) == 1
    http = rule.protocol == "http" and rule.source != 80 and rule.is_bare and alone
    return rule.protocol in ("tcp", "udp") or http


def is_whole(rules, service, scope):
    """Whether one Service of the load balancer's own name can do all of it."""
    targets = {one.target for one in rules}
    plain = all(is_plain(one, rules) for one in rules)
    return plain and len(targets) == 1 and scope.stack(*targets) == service.get("stackId")


def covers(wide, narrow):
    """Whether every request of `narrow` would fit `wide`, too."""
    host = (
        not wide.host
        or wide.host == narrow.host
        or (wide.host.startswith("*.") and narrow.host.endswith(wide.host[1:]))
    )
    return host and (not wide.path or narrow.path.startswith(wide.path))
