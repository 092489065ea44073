"""
Probes of a container, from a health check of Rancher.
"""

import re

import _export_secret as secret

_LINE = re.compile(
    r"\s*\"?([A-Z]+)\"?\s+\"?([^\s\"]+)\"?(?:\s+\"?HTTP/[\d.]+\"?)?\s*(.*)", re.DOTALL
)


def probes(check, ledger):
    """livenessProbe, readinessProbe and startupProbe; empty without a health check."""
    ledger = ledger.at("healthCheck")
    if not check or not 0 < (check.get("port") or 0) < 65536:
        ledger.person("port", "no port, so no probe")
        return {}
    how = _handler(check, ledger)
    if how is None:
        return {}
    every, patience = _seconds(check.get("interval"), 2), _seconds(check.get("responseTimeout"), 2)
    base = {**how, "periodSeconds": every, "timeoutSeconds": patience}
    bad = check.get("unhealthyThreshold") or 3
    made = {
        "readinessProbe": {
            **base,
            "successThreshold": check.get("healthyThreshold") or 2,
            "failureThreshold": bad,
        }
    }
    ledger.translated("interval", "periodSeconds, in whole seconds")
    ledger.translated("responseTimeout", "timeoutSeconds, in whole seconds")
    ledger.translated("healthyThreshold", "readinessProbe.successThreshold")
    ledger.translated("unhealthyThreshold", "failureThreshold")
    strategy = check.get("strategy") or "recreate"
    if strategy != "none":
        made = {"livenessProbe": {**base, "failureThreshold": bad}, **made}
    _strategy(strategy, ledger)
    starting = _seconds(check.get("initializingTimeout"), 0)
    if starting and strategy != "none":
        made["startupProbe"] = {**base, "failureThreshold": -(-starting // every)}
    ledger.translated("initializingTimeout", "startupProbe: as long, in periods")
    ledger.changed(
        "reinitializingTimeout", "a container that comes back has its startupProbe again"
    )
    ledger.changed("name", "a probe has no name")
    return made


def _handler(check, ledger):
    port, line = check["port"], check.get("requestLine")
    ledger.translated("port", "port of the probes")
    if not line:
        return {"tcpSocket": {"port": port}}
    found = _LINE.fullmatch(line)
    if not found or secret.is_written(line):
        ledger.person("requestLine", "this is no request that a probe can send; write one by hand")
        return None
    method, path, more = found.groups()
    ledger.translated("requestLine", "httpGet.path")
    if method != "GET":
        ledger.changed("requestLine", f"httpGet.path, asked for by GET, not by {method}")
    if more.strip():
        ledger.person("requestLine", "the lines after the first are left out; see httpHeaders")
    return {"httpGet": {"path": path, "port": port}}


def _strategy(strategy, ledger):
    if strategy == "recreateOnQuorum":
        ledger.changed("strategy", "restarted where it runs; Kubernetes has no quorum here")
        ledger.changed("recreateOnQuorumStrategyConfig", "restarted without a quorum")
    elif strategy == "none":
        ledger.translated("strategy", "a readinessProbe alone")
    else:
        ledger.changed(
            "strategy", "livenessProbe: restarted where it runs, not made anew elsewhere"
        )


def _seconds(milliseconds, otherwise):
    """Whole seconds, rounded up."""
    return -(-milliseconds // 1000) if milliseconds else otherwise
