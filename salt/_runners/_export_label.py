"""
Labels of a pod, and what those for Rancher itself become.
"""

import _export_names as names
import _export_scope as scopes
import _export_secret as secret

_HANDLED = {
    "io.rancher.scheduler.global": "the kind of the workload",
    "io.rancher.sidekicks": "containers of the same pod",
    "io.rancher.container.start_once": "the kind of the workload",
    "io.rancher.container.pull_image": "imagePullPolicy",
    "io.rancher.container.dns": "dnsPolicy",
    "cron.schedule": "the kind of the workload",
}
_OWN_RECORD = ("io.rancher.service.", "io.rancher.stack", "io.rancher.project")
_OWN_RECORD += (
    "io.rancher.environment.uuid",
    "io.rancher.container.uuid",
    "io.rancher.container.ip",
)


def of_pod(service, every, ledger, scope):
    """Labels and annotations of the pod."""
    own = {scopes.NAME: scope.service(service["id"])}
    own[scopes.STACK] = scope.namespace(service.get("stackId"))
    labels, notes = dict(own), {}
    labels |= scope.aliases.get(service["id"], {})
    for one, launch, part in every:
        at = ledger.at(part)
        for key, value in sorted((launch.get("labels") or {}).items()):
            if not _ours(key, one, at):
                _label(key, "" if value is None else str(value), labels, notes, at)
    return dict(sorted(labels.items())), dict(sorted(notes.items()))


def _ours(key, sidekick, ledger):
    """Whether a label speaks to Rancher; then it is accounted for here or elsewhere."""
    path = f"labels[{key}]"
    if key in _HANDLED:
        ledger.translated(path, _HANDLED[key])
    elif key.startswith(_OWN_RECORD):
        ledger.changed(path, "Rancher's own record; Kubernetes keeps its own")
    elif key == "io.rancher.container.hostname_override":
        ledger.changed(path, "the host name of a pod is its own name")
    elif key in ("io.rancher.container.create_agent", "io.rancher.container.agent.role"):
        ledger.person(path, "it is given keys of Rancher's API; see a ServiceAccount and its roles")
    elif key.startswith("io.rancher.scheduler."):
        if sidekick:
            ledger.changed(path, "a pod is placed as a whole, by the labels of its service")
    elif key.startswith(("io.rancher.", "cron.")):
        ledger.person(path, "a label for Rancher or its helpers; see what it did, and decide")
    else:
        return False
    return True


def _label(key, value, labels, notes, ledger):
    path = f"labels[{key}]"
    if secret.is_written({key: value}):
        ledger.person(path, "looks like a secret, so it is in no manifest; use a Secret")
    elif not names.is_label_key(key):
        ledger.person(path, "no key of a label in Kubernetes; give it another")
    elif key in labels and labels[key] != value:
        ledger.person(path, f"the pod has the label {key} with another value already")
    elif names.is_label(value):
        labels[key] = value
        ledger.translated(path, "label of the pod")
    else:
        notes[key] = value
        ledger.changed(path, "annotation of the pod: a label cannot have this value")
