"""
`inventory.yaml`: what there is and where it runs, without a secret.
"""

import _export_pod as pods
import _export_secret as secret

_SERVICE = ("type", "state", "healthState", "scale", "currentScale", "scalePolicy", "description")
_SERVICE += ("linkedServices", "selectorLink", "selectorContainer", "externalIpAddresses")
_SERVICE += ("hostname", "lbConfig", "metadata", "publicEndpoints", "system", "vip", "externalId")
_LAUNCH = ("imageUuid", "entryPoint", "command", "environment", "labels", "ports", "expose")
_LAUNCH += ("dataVolumes", "networkMode", "secrets", "healthCheck", "memory", "privileged")
_CONTAINER = ("id", "state", "healthState", "imageUuid", "primaryIpAddress", "ports", "sidekick")
_VOLUME = ("id", "state", "driver", "driverOpts", "externalId", "uri", "accessMode", "sizeMb")
_NO_NAME = "(no name)"


def _some(document, fields):
    """The fields that have a value, sorted as given, without secrets."""
    kept = {name: document[name] for name in fields if document.get(name) not in (None, "", [], {})}
    return secret.without(kept)


def container(one, scope):
    """One container."""
    made = {"name": one.get("name") or _NO_NAME, "host": scope.hostname(one.get("hostId"))}
    made |= _some(one, _CONTAINER)
    mounts = {path: scope.volume_names.get(name, name) for path, name in _mounts(one)}
    binds = [text for text in one.get("dataVolumes") or () if text.startswith("/") and ":" in text]
    if binds:
        made["hostPaths"] = binds
    if mounts:
        made["volumes"] = mounts
    return made


def _mounts(one):
    return sorted((one.get("dataVolumeMounts") or {}).items())


def service(one, scope, containers):
    """One service with its containers."""
    made = {"name": one["name"], "id": one["id"], **_some(one, _SERVICE)}
    if (one.get("lbConfig") or {}).get("config"):
        made["lbConfig"]["config"] = secret.HIDDEN
    for name, launch, _ in pods.launches(one):
        if launch:
            part = _some(launch, _LAUNCH)
            if name == pods.PRIMARY:
                made["launchConfig"] = part
            else:
                made.setdefault("sidekicks", {})[name] = part
    made["containers"] = [container(each, scope) for each in containers]
    return made


def alone(one, scope):
    """A container that belongs to no service."""
    made = container(one, scope)
    made["native"] = bool(one.get("nativeContainer"))
    return made | _some(one, (*_LAUNCH, "restartPolicy", "externalId", "requestedHostId"))


def volume(one, users):
    """One volume, and who uses it where."""
    made = {"name": one.get("name") or _NO_NAME, **_some(one, _VOLUME)}
    if users:
        made["usedBy"] = [f"{name} on {host}" for name, host in sorted(users)]
    return made


def users_of_volumes(environment, scope):
    """By volume id: (container, host) of every container that mounts it."""
    found = {}
    every = (one for name in environment.ids("services") for one in environment.containers(name))
    for one in (*every, *environment.alone()):
        who = (one.get("name") or one["id"], scope.hostname(one.get("hostId")))
        for _, name in _mounts(one):
            found.setdefault(name, set()).add(who)
    return found


def stack(document, scope, services, volumes, templates):
    """The inventory of one stack."""
    made = {"stack": document.get("name"), "id": document.get("id")}
    fields = ("state", "description", "group", "externalId", "system", "environment", "answers")
    made |= _some(document, fields)
    made["namespace"] = scope.namespace(document.get("id"))
    made["services"] = services
    if volumes:
        made["volumes"] = volumes
    if templates:
        made["volumeTemplates"] = [
            _some(one, ("name", "id", "driver", "driverOpts", "external", "perContainer"))
            for one in templates
        ]
    return made


def project(environment, scope, users):
    """What belongs to no stack."""
    there, made = environment, {"project": environment.project.get("name")}
    made["id"] = environment.project["id"]
    named = {one["id"]: one for one in there.all("volumes")}
    made["hosts"] = [_host(one) for one in there.all("hosts")]
    made["volumes"] = [
        volume(one, users.get(one["id"]))
        for one in named.values()
        if one.get("name") and not one.get("stackId")
    ]
    made["rootVolumes"] = {
        name: one.get("instanceId") or one.get("state")
        for name, one in named.items()
        if not one.get("name")
    }
    fields = ("name", "id", "state", "description")
    made["secrets"] = [_some(one, fields) for one in there.all("secrets")]
    made["certificates"] = [
        _some(one, (*fields, "CN", "subjectAlternativeNames", "issuer", "expiresAt", "cert"))
        | _some(one, ("certChain", "certFingerprint", "serialNumber"))
        for one in there.all("certificates")
    ]
    made["registries"] = [_some(one, (*fields, "serverAddress")) for one in there.all("registries")]
    made["registryCredentials"] = [
        {"id": one["id"], "registry": one.get("registryId"), "user": one.get("publicValue")}
        for one in there.all("registryCredentials")
    ]
    fields = (*fields, "kind", "subnets", "dns", "dnsSearch", "driverName", "scope", "cniConfig")
    for kind in ("networks", "networkDrivers", "storageDrivers"):
        made[kind] = [_some(one, (*fields, "volumeAccessMode")) for one in there.all(kind)]
    return made


def _host(one):
    fields = ("id", "state", "agentState", "agentIpAddress", "labels", "memory", "milliCpu")
    made = {"hostname": one.get("hostname"), **_some(one, (*fields, "localStorageMb"))}
    return made | {"containers": len(one.get("instanceIds") or ())}
