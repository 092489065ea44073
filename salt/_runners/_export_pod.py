"""
The pod of a service: its container, its sidekicks, and what they share.
"""

import _export_container as containers
import _export_names as names
import _export_probe as probe
import _export_schedule as schedule
import _export_scope as scopes
import _export_secret as secret

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
# The name server that Rancher gives to its containers.
_RANCHERS = "169.254.169.250"
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
    labels, notes = _labels(service, every, ledger, scope)
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


def _labels(service, every, ledger, scope):
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
    spec |= _dns(launch, ledger, host)
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


def _dns(launch, ledger, host):
    spec, config = {}, {}
    servers = [one for one in launch.get("dns") or () if one != _RANCHERS]
    searches = [
        one for one in launch.get("dnsSearch") or () if not one.endswith("rancher.internal")
    ]
    own = (launch.get("labels") or {}).get("io.rancher.container.dns")
    if host:
        spec["dnsPolicy"] = "ClusterFirstWithHostNet" if own == "true" else "Default"
    elif own == "false":
        spec["dnsPolicy"] = "None" if servers else "Default"
    if servers:
        config["nameservers"] = servers[:3]
        ledger.changed("dns", "dnsConfig.nameservers, asked after the cluster's own")
        if len(servers) > 3:
            ledger.person("dns", "a pod has three name servers at most")
    if searches:
        config["searches"] = searches
        ledger.translated("dnsSearch", "dnsConfig.searches")
    if len(servers) < len(launch.get("dns") or ()):
        ledger.changed("dns", "Rancher's own name server; the cluster has its own")
    if len(searches) < len(launch.get("dnsSearch") or ()):
        ledger.changed("dnsSearch", "without rancher.internal, which the cluster does not know")
    if launch.get("dnsOpt"):
        pairs = [str(one).partition(":") for one in launch["dnsOpt"]]
        config["options"] = [
            {"name": key, **({"value": value} if colon else {})} for key, colon, value in pairs
        ]
        ledger.translated("dnsOpt", "dnsConfig.options")
    if config:
        spec["dnsConfig"] = config
    by_address = {}
    for text in launch.get("extraHosts") or ():
        name, _, address = (one.strip() for one in str(text).partition(":"))
        if names.is_host(name) and containers.is_address(address):
            by_address.setdefault(address, []).append(name)
        else:
            ledger.person("extraHosts", f"{text!r} is no host name with an address")
    if by_address:
        spec["hostAliases"] = [
            {"ip": address, "hostnames": several} for address, several in sorted(by_address.items())
        ]
        ledger.translated("extraHosts", "hostAliases")
    return spec


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
