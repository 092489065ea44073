"""
The workload of a service: Deployment, DaemonSet, StatefulSet, Job or CronJob.
"""

import re

import _export_mount as mount
import _export_pod as pods
import _export_scope as scopes
import _export_secret as secret
import _export_yaml as yaml

_FIELD = (
    r"(?:\*|\d+(?:-\d+)?|\w{3})(?:-\w{3})?(?:/\d+)?(?:,(?:\d+|\w{3})(?:-(?:\d+|\w{3}))?(?:/\d+)?)*"
)
_CRON = re.compile(rf"(?:{_FIELD}\s+){{4}}{_FIELD}")
_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_OFF = ("inactive", "deactivating", "requested", "registering")
# A pod must not run there: no node has it.
_NOWHERE = {"fleet.export/inactive": "true"}


def is_infrastructure(service):
    """Whether it makes Rancher itself work."""
    return bool(service.get("system")) or service["type"] in (
        "networkDriverService",
        "storageDriverService",
    )


def has_pods(service):
    """Whether Rancher runs containers of an image for it."""
    launch = service.get("launchConfig") or {}
    return (
        service["type"] in ("service", "scalingGroup")
        and launch.get("kind", "container") == "container"
        and str(launch.get("imageUuid") or "") not in ("", "rancher/none", "docker:")
    )


def workload(service, ledger, scope, volumes, store, containers):
    """Manifests that run it; `containers` are those that Rancher has now."""
    launch, at = service.get("launchConfig") or {}, ledger.at("launchConfig")
    name = scope.service(service["id"])
    labels = launch.get("labels") or {}
    hosts = sorted({scope.hostname(one["hostId"]) for one in containers if one.get("hostId")})
    mounts = mount.Mounts(volumes, name, service["name"], hosts)
    ended = {one["sidekick"] for one in containers if one.get("sidekick")} - {
        one.get("sidekick") for one in containers if one.get("state") != "stopped"
    }
    template = pods.pod(service, ledger, scope, mounts, store, ended)
    is_global = labels.get("io.rancher.scheduler.global") == "true"
    pin = hosts if mounts.pinned and not is_global else ()
    template["spec"] |= pods.placed(service, ledger, scope, pin)
    is_off = _state(service, ledger)
    made = _kind(service, template, mounts, ledger, is_global, is_off)
    head = {"name": name, "namespace": scope.namespace(service.get("stackId"))}
    head["labels"] = {
        key: template["metadata"]["labels"][key] for key in (scopes.NAME, scopes.STACK)
    }
    if service.get("description"):
        head["annotations"] = {"kubernetes.io/description": service["description"]}
        ledger.translated("description", "annotation kubernetes.io/description")
    api = "batch/v1" if made["kind"] in ("Job", "CronJob") else "apps/v1"
    manifests = [{"apiVersion": api, "kind": made["kind"], "metadata": head, "spec": made["spec"]}]
    if launch.get("networkMode") == "none":
        manifests.append(_no_network(head))
    manifests += _metadata(service, head, ledger, store)
    ledger.translated("name", f"{made['kind']} {name}")
    at.person("selectorContainer", "it also takes in containers by their labels; add a Service")
    return manifests


def _state(service, ledger):
    """Whether it is switched off."""
    if service.get("state") in _OFF:
        ledger.changed("state", "inactive here: made, but nothing of it runs")
        return True
    if str(service.get("state", "")).startswith(("upgrad", "rolling", "canceled")):
        ledger.person("state", "an upgrade is open; finish or roll it back, then export again")
    elif service.get("state") not in ("active", None):
        ledger.person("state", "not at rest in Rancher; look what is wrong, then export again")
    return False


def _kind(service, template, mounts, ledger, is_global, is_off):
    labels = (service.get("launchConfig") or {}).get("labels") or {}
    at = ledger.at("launchConfig")
    replicas = _replicas(service, ledger, is_global)
    cron = _cron(labels, at)
    if cron or labels.get("io.rancher.container.start_once") == "true":
        return _job(template, replicas, cron, is_off, is_global, at)
    selector = {"matchLabels": {scopes.NAME: template["metadata"]["labels"][scopes.NAME]}}
    batch, surge, pause = _upgrade(service, ledger)
    spec = {"selector": selector, "template": template}
    if is_global:
        at.translated("labels[io.rancher.scheduler.global]", "DaemonSet")
        if is_off:
            template["spec"]["nodeSelector"] = dict(_NOWHERE)
        how = {"updateStrategy": {"rollingUpdate": {"maxUnavailable": batch}}}
        return {"kind": "DaemonSet", "spec": {**spec, "minReadySeconds": pause, **how}}
    spec = {"replicas": 0 if is_off else replicas, **spec, "minReadySeconds": pause}
    if mounts.templates:
        return _stateful(service, spec, mounts, ledger)
    rolling = {"maxSurge": batch, "maxUnavailable": 0} if surge else {}
    rolling = rolling or {"maxSurge": 0, "maxUnavailable": batch}
    return {"kind": "Deployment", "spec": {**spec, "strategy": {"rollingUpdate": rolling}}}


def _stateful(service, spec, mounts, ledger):
    for _, _, part in pods.launches(service):
        ledger.at(part).changed("dataVolumes", "StatefulSet: a claim for each pod")
    own = {"serviceName": spec["selector"]["matchLabels"][scopes.NAME]}
    own |= {"podManagementPolicy": "Parallel", "volumeClaimTemplates": mounts.templates}
    return {"kind": "StatefulSet", "spec": {**spec, **own}}


def _replicas(service, ledger, is_global):
    if service.get("scalePolicy"):
        for field in ("min", "max", "increment"):
            ledger.person(f"scalePolicy.{field}", "see a HorizontalPodAutoscaler, or a DaemonSet")
        ledger.changed("scale", "replicas: as many as Rancher runs now")
        return service.get("currentScale") or service.get("scale") or 1
    if is_global:
        ledger.translated("scale", "one pod on each node")
    else:
        ledger.translated("scale", "replicas")
    scale = service.get("scale")
    return 1 if scale is None else scale


def _cron(labels, ledger):
    given = labels.get("cron.schedule")
    if not given:
        return None
    fields = str(given).split()
    if len(fields) == 6 and fields[0] == "0":
        ledger.changed("labels[cron.schedule]", "CronJob, without the seconds")
        fields = fields[1:]
    text = " ".join(fields)
    action = labels.get("cron.action", "start")
    if action != "start" or not (_CRON.fullmatch(text) or text in _NAMED):
        ledger.person("labels[cron.schedule]", "no CronJob can do that; see a CronJob with kubectl")
        return None
    ledger.translated("labels[cron.schedule]", "CronJob")
    ledger.translated("labels[cron.action]", "CronJob")
    return text


def _job(template, replicas, cron, is_off, is_global, ledger):
    template["spec"]["restartPolicy"] = "Never"
    for one in template["spec"]["containers"]:
        # A Job is done when it is done: nothing sends it requests.
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            if one.pop(probe, None):
                ledger.changed("healthCheck.port", "no probe: nothing sends requests to a Job")
    if is_global:
        ledger.person(
            "labels[io.rancher.scheduler.global]", "no Job runs once on each node; decide"
        )
    spec = {
        "completions": max(1, replicas),
        "parallelism": max(1, replicas),
        "backoffLimit": 0,
        "template": template,
    }
    if cron is None:
        return {"kind": "Job", "spec": {**({"suspend": True} if is_off else {}), **spec}}
    made = {"schedule": cron, "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": spec}}
    return {"kind": "CronJob", "spec": {**({"suspend": True} if is_off else {}), **made}}


def _upgrade(service, ledger):
    """(how many at once, new ones first, seconds between)."""
    how = (service.get("upgrade") or {}).get("inServiceStrategy") or {}
    ledger.changed("upgrade", "the update strategy; the version before it is not carried over")
    pause = how.get("intervalMillis")
    pause = 2 if pause is None else -(-pause // 1000)
    return how.get("batchSize") or 1, bool(how.get("startFirst")), pause


def _no_network(head):
    selector = {"matchLabels": {scopes.NAME: head["labels"][scopes.NAME]}}
    spec = {"podSelector": selector, "policyTypes": ["Ingress", "Egress"]}
    head = {"name": head["name"], "namespace": head["namespace"]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": head,
        "spec": spec,
    }


def _metadata(service, head, ledger, store):
    """What Rancher's metadata service tells, as a ConfigMap or, with secrets in it, a Secret."""
    given = service.get("metadata") or {}
    given = {key: one for key, one in given.items() if key != "io.rancher.service.hash"}
    if not given:
        ledger.changed("metadata", "a record of rancher-compose alone")
        return []
    name, text = f"{head['name']}.metadata", yaml.dump(given)
    if secret.is_written(given):
        store.put(name, "metadata.yaml", text)
        ledger.changed("metadata", f"Secret {name}; nothing reads it as Rancher's metadata service")
        return []
    ledger.changed("metadata", f"ConfigMap {name}; nothing reads it as Rancher's metadata service")
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": head["namespace"]},
            "data": {"metadata.yaml": text},
        }
    ]
