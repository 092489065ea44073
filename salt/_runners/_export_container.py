"""
One container of a pod: image, command, environment, ports, resources, rights.
"""

import _export_names as names
import _export_port as port
import _export_secret as secret

# What no manifest can say, and what to do instead.
_PERSON = {
    "blkioDeviceOptions": "no such limit in a pod; limit it in the storage class or on the node",
    "blkioWeight": "no such weight in a pod; limit it in the storage class or on the node",
    "build": "push the image to a registry: Kubernetes builds none",
    "cgroupParent": "the kubelet places its pods itself; use a quality-of-service class",
    "cpuCount": "give resources.limits.cpu",
    "cpuPercent": "give resources.limits.cpu",
    "cpuRealtimePeriod": "no real-time scheduling in a pod; set it on the node",
    "cpuRealtimeRuntime": "no real-time scheduling in a pod; set it on the node",
    "cpuSet": "use the kubelet's CPU manager policy static, with whole CPUs requested",
    "cpuSetMems": "use the kubelet's memory manager",
    "devices": "use a device plugin, or mount the device by hostPath in a privileged pod",
    "diskQuota": "give resources.limits.ephemeral-storage",
    "disks": "of a virtual machine; see KubeVirt",
    "domainName": "set hostname and subdomain, or write it into the application's settings",
    "healthCmd": "write it as an exec probe; the units of its times are not certain",
    "healthInterval": "belongs to healthCmd",
    "healthRetries": "belongs to healthCmd",
    "healthTimeout": "belongs to healthCmd",
    "instanceLinks": "use the name of a Service",
    "ioMaximumBandwidth": "of Windows; limit it on the node",
    "ioMaximumIOps": "of Windows; limit it on the node",
    "ip": "pods have no fixed address; use the name of a Service",
    "ip6": "pods have no fixed address; use the name of a Service",
    "isolation": "of Windows; use a runtimeClassName",
    "kernelMemory": "no such limit in a pod",
    "lxcConf": "of LXC; nothing reads it today",
    "memoryMb": "of a virtual machine; give resources.limits.memory",
    "memorySwap": "pods have no limit of swap of their own; see the kubelet's memorySwap setting",
    "memorySwappiness": "set vm.swappiness on the node",
    "networkContainerId": "put both containers into one pod",
    "networkIds": "a pod has the cluster's network; see Multus for more",
    "oomKillDisable": "no such setting; give resources.limits.memory enough room",
    "oomScoreAdj": "the kubelet sets it by the quality-of-service class",
    "pidsLimit": "set podPidsLimit in the kubelet's configuration",
    "publishAllPorts": "name the ports, and give them hostPort or a Service",
    "requestedIpAddress": "pods have no fixed address; use the name of a Service",
    "stopSignal": "set STOPSIGNAL in the image, or send it in a preStop hook",
    "storageOpt": "give resources.limits.ephemeral-storage",
    "ulimits": "set them in the container runtime of the node, or in the image's start script",
    "userdata": "of a virtual machine; see KubeVirt",
    "usernsMode": "see hostUsers of a pod, which needs a new cluster",
    "uts": "only hostNetwork shares the host's name",
}


def container(name, launch, ledger, store, kept):
    """The container; `kept` names the Secret that gets what is secret in it."""
    made = {"name": name, "image": image(launch, ledger)}
    labels = launch.get("labels") or {}
    always = labels.get("io.rancher.container.pull_image") == "always"
    made["imagePullPolicy"] = "Always" if always else "IfNotPresent"
    ledger.translated("labels[io.rancher.container.pull_image]", "imagePullPolicy")
    environment = _environment(launch, ledger, store, kept)
    for field, theirs in (("entryPoint", "command"), ("command", "args")):
        words = _words(launch.get(field), field, environment, ledger, store, kept)
        if words:
            made[theirs] = words
            ledger.translated(field, theirs)
    if launch.get("workingDir"):
        made["workingDir"] = launch["workingDir"]
        ledger.translated("workingDir", "workingDir")
    made["ports"] = port.container_ports(launch, ledger)
    made["env"] = environment
    made["resources"] = _resources(launch, ledger)
    made["securityContext"] = _security(launch, ledger)
    for field, theirs in (("stdinOpen", "stdin"), ("tty", "tty")):
        if launch.get(field):
            made[theirs] = True
            ledger.translated(field, theirs)
    _logging(launch, ledger)
    for field, words in _PERSON.items():
        if launch.get(field) not in (False, None):
            ledger.person(field, words)
    return {key: value for key, value in made.items() if value not in (None, [], {})}


def _logging(launch, ledger):
    how = launch.get("logConfig") or {}
    if how.get("driver") in (None, "", "json-file"):
        ledger.changed("logConfig.driver", "the kubelet keeps logs as files on the node")
        words = "set containerLogMaxSize and containerLogMaxFiles in the kubelet's configuration"
        ledger.person("logConfig.config", words)
    else:
        for field in ("driver", "config"):
            ledger.person(f"logConfig.{field}", "run a log collector on the nodes that sends there")


def image(launch, ledger):
    """The image, without the word that Rancher puts in front; None when there is none."""
    given = str(launch.get("imageUuid") or "")
    kind, colon, rest = given.partition(":")
    if kind == "docker" and colon:
        ledger.translated("imageUuid", "image")
        return rest
    if given == "rancher/none" or not given:
        ledger.changed("imageUuid", "no image, so no pod")
        return None
    ledger.person("imageUuid", "this is no image of Docker; name one")
    return given


def literal(text):
    """A text that Kubernetes hands on as it is: it takes $(NAME) for a variable, and $$ for $."""
    text = str(text)
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def _environment(launch, ledger, store, kept):
    made, odd = [], []
    for name, value in sorted((launch.get("environment") or {}).items()):
        text = "" if value is None else str(value)
        if not names.is_variable(name):
            odd.append(name)
        elif text and (secret.is_named(name) or secret.is_written(text)):
            made.append({"name": name, "valueFrom": store.put(kept, name, text)})
        else:
            made.append({"name": name, "value": literal(text)})
    hidden = any("valueFrom" in one for one in made)
    words = f"env; what looks like a secret is in the Secret {kept}" if hidden else "env"
    ledger.translated("environment", words)
    if odd:
        ledger.person("environment", f"no names of variables in Kubernetes: {', '.join(odd)}")
    return made


def _words(words, field, environment, ledger, store, kept):
    """A command line in which secrets are variables."""
    hidden = secret.secret_arguments(words or ())
    made = []
    for number, word in enumerate(words or ()):
        if number not in hidden:
            made.append(literal(word))
            continue
        name = f"SECRET_{field.upper()}_{number}"
        environment.append({"name": name, "valueFrom": store.put(kept, name, str(word))})
        made.append(f"$({name})")
        ledger.changed(field, f"what looks like a secret comes from the Secret {kept}")
    return made


def _resources(launch, ledger):
    limits, requests = {}, {}
    memory, reserved = launch.get("memory"), launch.get("memoryReservation")
    if memory:
        limits["memory"] = str(memory)
        ledger.translated("memory", "resources.limits.memory")
    if reserved and (not memory or reserved <= memory):
        requests["memory"] = str(reserved)
        ledger.translated("memoryReservation", "resources.requests.memory")
    elif reserved:
        ledger.person("memoryReservation", "more than memory, which Kubernetes refuses")
    milli, shares = launch.get("milliCpuReservation"), launch.get("cpuShares")
    if milli:
        requests["cpu"] = f"{milli}m"
        ledger.translated("milliCpuReservation", "resources.requests.cpu")
        ledger.changed("cpuShares", "the weight follows resources.requests.cpu")
    elif shares:
        requests["cpu"] = f"{max(1, shares * 1000 // 1024)}m"
        ledger.changed("cpuShares", "resources.requests.cpu, 1024 shares are one CPU")
    quota, period = launch.get("cpuQuota"), launch.get("cpuPeriod") or 100000
    if quota and quota > 0:
        limits["cpu"] = f"{max(1, quota * 1000 // period)}m"
        ledger.translated("cpuQuota", "resources.limits.cpu")
        ledger.changed("cpuPeriod", "the kubelet's own period, with the same share")
        if int(requests.get("cpu", "0m")[:-1]) > max(1, quota * 1000 // period):
            del requests["cpu"]
            ledger.person("milliCpuReservation", "more than cpuQuota, which Kubernetes refuses")
            ledger.person("cpuShares", "more than cpuQuota, which Kubernetes refuses")
    else:
        ledger.changed("cpuPeriod", "means nothing without cpuQuota")
    return {key: one for key, one in (("limits", limits), ("requests", requests)) if one}


def _security(launch, ledger):
    made = {}
    if launch.get("privileged"):
        made["privileged"] = True
        ledger.translated("privileged", "securityContext.privileged")
    capabilities = {}
    for field, theirs in (("capAdd", "add"), ("capDrop", "drop")):
        if launch.get(field):
            capabilities[theirs] = list(launch[field])
            ledger.translated(field, f"securityContext.capabilities.{theirs}")
    if capabilities:
        made["capabilities"] = capabilities
    if launch.get("readOnly"):
        made["readOnlyRootFilesystem"] = True
        ledger.translated("readOnly", "securityContext.readOnlyRootFilesystem")
    user, _, group = str(launch.get("user") or "").partition(":")
    if user.isdecimal() and (group.isdecimal() or not group):
        made["runAsUser"] = int(user)
        if group:
            made["runAsGroup"] = int(group)
        ledger.translated("user", "securityContext.runAsUser, runAsGroup")
    else:
        ledger.person("user", "Kubernetes takes numbers only; look them up in the image")
    for option in launch.get("securityOpt") or ():
        _security_option(option, made, ledger)
    return made


def _security_option(option, made, ledger):
    kind, _, value = str(option).replace("=", ":", 1).partition(":")
    mighty = made.get("privileged") or "SYS_ADMIN" in made.get("capabilities", {}).get("add", ())
    if kind == "no-new-privileges" and value in ("", "true") and not mighty:
        made["allowPrivilegeEscalation"] = False
        ledger.translated("securityOpt", "securityContext.allowPrivilegeEscalation")
    elif (kind, value) == ("seccomp", "unconfined"):
        made["seccompProfile"] = {"type": "Unconfined"}
        ledger.translated("securityOpt", "securityContext.seccompProfile")
    elif (kind, value) == ("label", "disable"):
        made["seLinuxOptions"] = {"type": "spc_t"}
        ledger.changed("securityOpt", "label:disable is SELinux type spc_t")
    elif kind == "label" and value.partition(":")[0] in ("user", "role", "type", "level"):
        part, _, given = value.partition(":")
        made.setdefault("seLinuxOptions", {})[part] = given
        ledger.translated("securityOpt", "securityContext.seLinuxOptions")
    else:
        ledger.person("securityOpt", f"{option!r}: write it into securityContext by hand")
