"""
Volumes of a stack: claims for those that have a name, host paths with the host they are on, and a
list of the data that somebody has to carry over.
"""

import re

import _export_names as names

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")
# The same on every host: nothing there is data.
_SYSTEM = ("/dev", "/proc", "/sys", "/run", "/var/run", "/lib/modules", "/etc/localtime", "/boot")
_ACCESS = {"multiHostRW": "ReadWriteMany"}
_PROPAGATION = {
    **dict.fromkeys(("shared", "rshared"), "Bidirectional"),
    **dict.fromkeys(("slave", "rslave"), "HostToContainer"),
}


class Volumes:
    """
    Of one stack. `claims`: the manifests that services share; `data`: what is to be moved;
    `used`: the claim of each volume; `asked`: names that services mount.
    """

    def __init__(self, scope, stack_id, launches):
        self.scope, self.stack_id = scope, stack_id
        self.space = scope.namespace(stack_id)
        self.claims, self.data, self.used, self.asked = {}, [], {}, set()
        self.templates = scope.templates.get(stack_id, {})
        self.volumes, self.by_id = scope.volumes, scope.volume_names
        used = {name for launch in launches for name in self._named(launch)}
        self._names = names.Names({name: name for name in {*used, *self.templates}})

    def _named(self, launch):
        for text in launch.get("dataVolumes") or ():
            source = split(text)[0]
            if source and is_name(source):
                yield source
        for one in (launch.get("dataVolumeMounts") or {}).values():
            if one in self.by_id:
                yield self.by_id[one]

    def claim_name(self, name):
        """The name of the claim of a volume."""
        return self._names.of(name)

    def kind(self, name, driver=None):
        """(document, per container, driver) of a volume by its name in the stack."""
        self.asked.add(name)
        for one in self.instances(name):
            self.used[one["name"]] = f"{self.space}/{self.claim_name(name)}"
        found = self.templates.get(name) or {}
        real = self.volumes.get(name) or {}
        known = {**real, **{key: one for key, one in found.items() if one not in (None, {})}}
        per_container = bool(found.get("perContainer")) and not found.get("external")
        return known, per_container, known.get("driver") or driver or "local"

    def instances(self, name):
        """The volumes that Rancher made for a name, in the order of the containers."""
        template = self.templates.get(name) or {}
        made = self.scope.of_template.get(template.get("id"), [])
        if not made and name in self.volumes:
            made = [self.volumes[name]]
        return sorted(made, key=lambda one: (len(one["id"]), one["id"]))

    def claim(self, name, driver=None):
        """Make the claim of a volume that is shared; gives its name."""
        claim = self.claim_name(name)
        if claim not in self.claims:
            known, _, driver = self.kind(name, driver)
            spec = self._spec(known, driver)
            instances = self.instances(name)
            share = self._share(instances[0] if instances else {**known, "name": name}, driver)
            made = []
            if share:
                volume = self._persistent(claim, spec, share)
                made.append(volume)
                spec = {**spec, "storageClassName": "", "volumeName": volume["metadata"]["name"]}
            head = {"name": claim, "namespace": self.space}
            kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
            self.claims[claim] = [*made, {**kind, "metadata": head, "spec": spec}]
        return claim

    def template(self, name, workload, driver=None):
        """volumeClaimTemplate of a volume that each container has for itself."""
        known, _, driver = self.kind(name, driver)
        spec, claim = self._spec(known, driver), self.claim_name(name)
        for number, one in enumerate(self.instances(name)):
            share = self._share(one, driver)
            if share:
                bound = f"{claim}-{workload}-{number}"
                self.claims[bound] = [self._persistent(bound, spec, share)]
                spec = {**spec, "storageClassName": ""}
        return {"metadata": {"name": claim}, "spec": spec}

    def _spec(self, known, driver):
        access = _ACCESS.get(known.get("accessMode") or "", "ReadWriteOnce")
        if driver == "rancher-nfs" or driver == "rancher-efs":
            access = "ReadWriteMany"
        size = size_of(known) or "1Gi"
        return {"accessModes": [access], "resources": {"requests": {"storage": size}}}

    def _share(self, volume, driver):
        """The folder on the NFS server that holds a volume of Rancher's own driver, or None."""
        if driver != "rancher-nfs":
            return None
        default, options = self.scope.drivers.get(driver) or {}, volume.get("driverOpts") or {}
        server = options.get("host") or default.get("NFS_SERVER")
        base = options.get("exportBase") or default.get("MOUNT_DIR")
        folder = volume.get("externalId") or volume.get("name")
        path = options.get("export") or (base and folder and f"{base.rstrip('/')}/{folder}")
        whole = server and path and path.startswith("/") and ".." not in path.split("/")
        return {"server": server, "path": path} if whole else None

    def _persistent(self, claim, spec, share):
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{self.space}.{claim}"},
            "spec": {
                "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                "accessModes": spec["accessModes"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "claimRef": {"namespace": self.space, "name": claim},
                "nfs": share,
            },
        }

    def where(self, name, driver, hosts):
        """In words: where the data of a named volume is now, and whether it must be copied."""
        shares = [self._share(one, driver) for one in self.instances(name)]
        if driver == "rancher-nfs" and shares and all(shares):
            places = ", ".join(f"{one['server']}:{one['path']}" for one in shares)
            return places, "stays there: the PersistentVolume names it; check that path"
        folders = [one.get("externalId") or one["name"] for one in self.instances(name)] or [name]
        if driver == "local":
            paths = ", ".join(f"/var/lib/docker/volumes/{one}/_data" for one in folders)
            return f"{', '.join(hosts) or 'no host now'}: {paths}", "copy it into the claim"
        return f"driver {driver}: {', '.join(folders)}", "copy it into the claim"


def split(text):
    """(source or None, path in the container, options) of a volume of a container."""
    parts = str(text).split(":")
    if len(parts) == 1:
        return None, parts[0], []
    return parts[0], parts[1], parts[2].split(",") if len(parts) > 2 else []


def is_name(source):
    """Whether it names a volume, not a path."""
    return bool(source.strip()) and "/" not in source and not source.startswith((".", "~"))


def is_socket(path):
    """Whether it is Docker's own."""
    return path in _SOCKETS


def is_system(path):
    """Whether a path of a host is the same on every host."""
    return any(path == one or path.startswith(f"{one}/") for one in _SYSTEM)


def propagation(options):
    """mountPropagation, or None."""
    return next((_PROPAGATION[one] for one in options if one in _PROPAGATION), None)


def size_of(known):
    """The size that a volume's options or its document name, or None."""
    given = (known.get("driverOpts") or {}).get("size") or known.get("sizeMb")
    if isinstance(given, int):
        return f"{given}Mi"
    return quantity(given)


def quantity(text):
    """A size of Docker, `64m`, as a quantity of Kubernetes; None when it is none."""
    found = _SIZE.fullmatch(str(text or "").strip())
    if not found or not float(found.group(1)):
        return None
    unit = {"": "", "k": "Ki"}.get(found.group(2).lower(), f"{found.group(2).upper()}i")
    return f"{found.group(1)}{unit}"
