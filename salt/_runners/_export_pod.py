"""
The pod of a service: its container, its sidekicks, and what they share.
"""

import _export_container as containers
import _export_dns as dns
import _export_label as label
import _export_names as names
import _export_probe as probe
import _export_schedule as schedule

PRIMARY = ""
# One for the whole pod, so that a sidekick cannot have its own.
_SHARED = ("pidMode", "ipcMode", "hostname", "dns", "dnsSearch", "dnsOpt", "extraHosts")
_SHARED += ("groupAdd", "sysctls", "runInit")
_SAFE = {
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"),
    *("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"),
    *("net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time"),
    *("net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"),
}


def launches(service):
    """[(name, launch configuration, part of the ledger)]: the primary one, then the sidekicks."""
    found = [(PRIMARY, service.get("launchConfig") or {}, "launchConfig")]
    for one in service.get("secondaryLaunchConfigs") or ():
        found.append((one.get("name"), one, f"secondaryLaunchConfigs[{one.get('name')}]"))
    return found


def pod(service, ledger, scope, mounts, store, ended=()):
    """`template` of a workload; `ended`: sidekicks that have run and stopped."""
    every = launches(service)
    name = scope.service(service["id"])
    known = names.Names({one or PRIMARY: one or name for one, _, _ in every})
    made, mounted = {}, {}
    for one, launch, part in _in_order(every, service["name"]):
        at = ledger.at(part)
        mounted[one] = mounts.of(one or service["name"], launch, at)
        kept = ".".join([name, *([known.of(one)] if one else []), "environment"])
        made[one] = containers.container(known.of(one), launch, at, store, kept)
        if mounted[one]:
            made[one]["volumeMounts"] = mounted[one]
        made[one] |= probe.probes(launch.get("healthCheck"), at)
    labels, notes = label.of_pod(service, every, ledger, scope)
    spec = _spec(every[0][1], ledger.at("launchConfig"), notes)
    for one, launch, part in every[1:]:
        _sidekick(one, launch, every[0][1], ledger.at(part), one in ended)
        ledger.at(part).translated("name", f"container {known.of(one)}")
    early = [one for one, launch, _ in every[1:] if one in ended and _is_once(launch)]
    for one in early:
        made[one] = {key: value for key, value in made[one].items() if "Probe" not in key}
    spec["containers"] = [made[one] for one, _, _ in every if one not in early]
    if early:
        spec["initContainers"] = [made[one] for one in early]
    spec |= _grace(every, ledger)
    pulls = _pull_secrets(every, ledger, scope)
    if pulls:
        spec["imagePullSecrets"] = [{"name": one} for one in pulls]
    if mounts.volumes:
        spec["volumes"] = mounts.volumes
    head = {"labels": labels, **({"annotations": notes} if notes else {})}
    return {"metadata": head, "spec": spec}


def _in_order(every, primary):
    """Those first whose volumes others share."""
    left, done = list(every), set()
    while left:
        for one in left:
            wanted = {
                PRIMARY if name == primary else name
                for name in one[1].get("dataVolumesFromLaunchConfigs") or ()
            }
            if not wanted & {name for name, _, _ in left if name != one[0]}:
                break
        else:
            one = left[0]
        left.remove(one)
        done.add(one[0])
        yield one


def _is_once(launch):
    return (launch.get("labels") or {}).get("io.rancher.container.start_once") == "true"


def _spec(launch, ledger, notes):
    """What is the pod's own."""
    # A container of Rancher has neither a token of the cluster nor variables of other services.
    spec = {"automountServiceAccountToken": False, "enableServiceLinks": False}
    host = launch.get("networkMode") == "host"
    if host:
        spec["hostNetwork"] = True
    _network_mode(launch, ledger)
    for field, theirs in (("pidMode", "hostPID"), ("ipcMode", "hostIPC")):
        if launch.get(field) == "host":
            spec[theirs] = True
            ledger.translated(field, theirs)
        elif launch.get(field) in ("shareable", "private", ""):
            ledger.changed(field, "containers of one pod share it")
        else:
            ledger.person(field, "put both containers into one pod")
    spec |= dns.of_pod(launch, ledger, host)
    if "io.rancher.container.hostname_override" in (launch.get("labels") or {}):
        ledger.changed("hostname", "Rancher takes the container's name, a pod takes its own")
    elif launch.get("hostname"):
        if names.valid(launch["hostname"], 63) == launch["hostname"]:
            spec["hostname"] = launch["hostname"]
            ledger.translated("hostname", "hostname")
        else:
            ledger.person("hostname", "no host name that Kubernetes takes; give it another")
    if launch.get("runInit") and launch.get("pidMode") == "host":
        ledger.changed("runInit", "hostPID: the host's own init reaps children")
    elif launch.get("runInit"):
        spec["shareProcessNamespace"] = True
        ledger.changed("runInit", "shareProcessNamespace: the pod's pause process reaps children")
    context = _context(launch, ledger, host)
    return {**spec, **({"securityContext": context} if context else {})}


def _network_mode(launch, ledger):
    mode = launch.get("networkMode")
    if mode in ("managed", None):
        ledger.translated("networkMode", "the cluster's network")
    elif mode == "host":
        ledger.translated("networkMode", "hostNetwork")
    elif mode == "none":
        ledger.changed("networkMode", "a NetworkPolicy that lets nothing in or out")
    elif mode == "bridge":
        ledger.changed("networkMode", "the cluster's network")
    else:
        ledger.person("networkMode", "no such network in a cluster; decide")


def _context(launch, ledger, host):
    context = {}
    groups = [str(one) for one in launch.get("groupAdd") or ()]
    if groups and all(one.isdecimal() for one in groups):
        context["supplementalGroups"] = [int(one) for one in groups]
        ledger.translated("groupAdd", "securityContext.supplementalGroups")
    else:
        ledger.person("groupAdd", "Kubernetes takes numbers only; look them up in the image")
    settings = []
    for key, value in sorted((launch.get("sysctls") or {}).items()):
        if host and key.startswith("net."):
            ledger.person(
                "sysctls", f"{key}: set it on the nodes, as with hostNetwork it is theirs"
            )
            continue
        settings.append({"name": key, "value": str(value)})
        ledger.translated("sysctls", "securityContext.sysctls")
        if key not in _SAFE:
            ledger.person("sysctls", f"allow {key} in the kubelet's allowedUnsafeSysctls")
    if settings:
        context["sysctls"] = settings
    return context


def _sidekick(name, launch, primary, ledger, has_ended):
    """What a sidekick cannot have for itself."""
    mode = launch.get("networkMode")
    if mode in ("container", None) or mode == primary.get("networkMode") == "host":
        ledger.translated("networkMode", "one network for the whole pod")
    else:
        ledger.changed("networkMode", "one network for the whole pod: two ports must not be equal")
    ledger.translated("networkLaunchConfig", "one network for the whole pod")
    for field in _SHARED:
        if launch.get(field) not in (None, False, primary.get(field)):
            ledger.person(field, "one for the whole pod; move it to the service, or split them")
        elif launch.get(field):
            ledger.translated(field, "as the whole pod")
    if _is_once(launch) and has_ended:
        ledger.changed("labels[io.rancher.container.start_once]", "initContainers: runs before")
    elif _is_once(launch):
        ledger.person(
            "labels[io.rancher.container.start_once]",
            "it still runs: here it is restarted when it ends; make it an init container or a Job",
        )


def _grace(every, ledger):
    longest = 0
    for _, launch, part in every:
        at = ledger.at(part)
        drain = -(-(launch.get("drainTimeoutMs") or 0) // 1000)
        stop = launch.get("stopTimeout")
        if stop or drain:
            longest = max(longest, (10 if stop is None else stop) + drain)
        if stop is not None and stop < 0:
            at.person("stopTimeout", "a pod is stopped some day; give it enough seconds")
        at.translated("stopTimeout", "terminationGracePeriodSeconds")
        if drain:
            at.changed("drainTimeoutMs", "part of terminationGracePeriodSeconds")
    return {"terminationGracePeriodSeconds": longest} if longest else {}


def _pull_secrets(every, ledger, scope):
    found = []
    rows = list(scope.environment.all("registries"))
    credentials = list(scope.environment.all("registryCredentials"))
    with_credential = {one.get("registryId") for one in credentials}
    for _, launch, part in every:
        asked = launch.get("registryCredentialId")
        of = {one["id"]: one.get("registryId") for one in credentials}
        server = registry_of(launch.get("imageUuid"))
        for one in rows:
            address = one["serverAddress"].partition("://")[2] or one["serverAddress"]
            if of.get(asked) == one["id"] or (
                address.strip("/") == server and one["id"] in with_credential
            ):
                found.append(scope.registries.of(one["id"]))
        ledger.at(part).person(
            "registryCredentialId", "make the Secret of imagePullSecrets: no password is given out"
        )
    return sorted(set(found))


def registry_of(image_uuid):
    """The registry of an image as Rancher names it."""
    text = str(image_uuid or "").removeprefix("docker:")
    first, slash, _ = text.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "index.docker.io"


def placed(service, ledger, scope, hosts):
    """Affinity and spread of the pod."""
    launch, at = service.get("launchConfig") or {}, ledger.at("launchConfig")
    wanted = set(hosts)
    if launch.get("requestedHostId"):
        wanted = {scope.hostname(launch["requestedHostId"])}
        at.translated("requestedHostId", "nodeAffinity to the node of that name")
    return schedule.affinity(service, launch.get("labels") or {}, at, scope, wanted)
