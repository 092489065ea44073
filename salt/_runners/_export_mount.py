"""
What the containers of one pod mount: volumes of the stack, paths of the host, memory, secrets.
"""

import _export_names as names
import _export_volume as volume


class Mounts:
    """Of one pod: `volumes`, `templates` (of a StatefulSet) and `pinned` (its data is on a host)."""

    def __init__(self, volumes, workload, title, hosts):
        self._of_stack, self._workload, self._title, self._hosts = volumes, workload, title, hosts
        self._places, self._templates, self._by_container = {}, {}, {}
        self.pinned = False

    @property
    def volumes(self):
        """`spec.volumes`."""
        return [{"name": name, **source} for name, (_, source) in self._places.items()]

    @property
    def templates(self):
        """`spec.volumeClaimTemplates`."""
        return list(self._templates.values())

    def of(self, name, launch, ledger):
        """`volumeMounts` of one container; those it shares come from containers seen before."""
        made = {}
        for field in ("dataVolumesFromLaunchConfigs",):
            for other in launch.get(field) or ():
                made.update(self._by_container.get(other, {}))
            ledger.translated(field, "the same volumeMounts, in the same pod")
        ledger.person("dataVolumesFrom", "put both containers into one pod, or share a claim")
        for text in launch.get("dataVolumes") or ():
            self._data(text, launch, ledger, made)
        self._by_id(launch, ledger, made)
        self._memory(launch, ledger, made)
        self._secrets(name, launch, ledger, made)
        self._by_container[name] = made
        return list(made.values())

    def _place(self, kind, key, source):
        name = names.valid(f"{kind}-{key}", 63)
        while self._places.get(name, ((kind, key), None))[0] != (kind, key):
            name = f"{name[:61]}-x"
        self._places[name] = ((kind, key), source)
        return name

    def _data(self, text, launch, ledger, made):
        source, path, options = volume.split(text)
        if not path.startswith("/") or ".." in path.split("/"):
            ledger.person("dataVolumes", f"{text!r} names no path in the container")
            return
        if source is None:
            name = self._place("anonymous", path, {"emptyDir": {}})
            ledger.changed("dataVolumes", f"{path} has no name: an emptyDir, gone with its pod")
        elif source.startswith("/") and ".." not in source.split("/"):
            name = self._host_path(source, ledger)
        elif not volume.is_name(source):
            ledger.person("dataVolumes", f"{text!r} is no path of a host; mount the right one")
            return
        else:
            name = self._named(source, launch, ledger)
        mount = {"name": name, "mountPath": path}
        if "ro" in options:
            mount["readOnly"] = True
        spread = volume.propagation(options)
        if spread == "Bidirectional" and not launch.get("privileged"):
            ledger.person("dataVolumes", f"{text!r}: only a privileged container may share mounts")
        elif spread:
            mount["mountPropagation"] = spread
        made[path] = mount

    def _host_path(self, source, ledger):
        ledger.translated("dataVolumes", "volumes and volumeMounts")
        if volume.is_socket(source):
            ledger.person("dataVolumes", "Docker's socket: nodes of today have containerd")
        elif not volume.is_system(source):
            self.pinned = True
            hosts = ", ".join(self._hosts) or "no host now"
            ledger.changed("dataVolumes", f"{source} is a hostPath, on the hosts of today: {hosts}")
            place = f"{hosts}: {source}"
            self._of_stack.data.append(
                (self._title, source, place, "stays on its host, or copy it to the node")
            )
        return self._place("host", source, {"hostPath": {"path": source}})

    def _named(self, source, launch, ledger):
        driver = launch.get("volumeDriver")
        known, per_container, driver = self._of_stack.kind(source, driver)
        place, what = self._of_stack.where(source, driver, self._hosts)
        self._of_stack.data.append((self._title, source, place, what))
        ledger.translated("volumeDriver", "what the claims ask for")
        if not known:
            ledger.person(
                "dataVolumes", f"Rancher knows no volume {source}; look on the hosts, then copy it"
            )
        elif driver == "local" and not per_container and len(self._hosts) > 1:
            ledger.person(
                "dataVolumes", f"each host has its own volume {source}; decide which one is right"
            )
        elif what.startswith("stays"):
            ledger.changed("dataVolumes", f"{source} is a claim on the same folder of NFS")
        else:
            ledger.person("dataVolumes", f"{source} is an empty claim: {what}, from {place}")
        if per_container:
            made = self._of_stack.template(source, self._workload, driver)
            self._templates[made["metadata"]["name"]] = made
            return made["metadata"]["name"]
        claim = self._of_stack.claim(source, driver)
        return self._place("volume", claim, {"persistentVolumeClaim": {"claimName": claim}})

    def _by_id(self, launch, ledger, made):
        for text, one in sorted((launch.get("dataVolumeMounts") or {}).items()):
            path, _, options = text.partition(":")
            name = self._of_stack.by_id.get(one)
            if path in made:
                continue
            if name is None:
                ledger.person("dataVolumeMounts", f"{path}: the API shows no volume {one}")
                continue
            made[path] = {"name": self._named(name, launch, ledger), "mountPath": path}
            if "ro" in options.split(","):
                made[path]["readOnly"] = True
        ledger.translated("dataVolumeMounts", "volumes and volumeMounts")

    def _memory(self, launch, ledger, made):
        for path, text in sorted((launch.get("tmpfs") or {}).items()):
            options = dict(one.partition("=")[::2] for one in str(text or "").split(",") if one)
            size = volume.quantity(options.pop("size", None))
            source = {"medium": "Memory", **({"sizeLimit": size} if size else {})}
            name = self._place("tmpfs", path, {"emptyDir": source})
            made[path] = {"name": name, "mountPath": path}
            ledger.translated("tmpfs", "emptyDir in memory")
            if set(options) - {"rw"}:
                ledger.changed("tmpfs", f"emptyDir in memory, without {', '.join(sorted(options))}")
        if launch.get("shmSize"):
            source = {"emptyDir": {"medium": "Memory", "sizeLimit": str(launch["shmSize"])}}
            name = self._place("memory", "shm", source)
            made["/dev/shm"] = {"name": name, "mountPath": "/dev/shm"}
            ledger.translated("shmSize", "emptyDir in memory at /dev/shm")

    def _secrets(self, container, launch, ledger, made):
        sources, taken, scope = [], set(), self._of_stack.scope
        for number, one in enumerate(launch.get("secrets") or ()):
            part = ledger.at(f"secrets[{number}]")
            document = scope.environment.get("secrets", one.get("secretId"))
            if document is None:
                part.person("secretId", f"the API shows no secret {one.get('secretId')}")
                continue
            name = scope.secrets.of(one["secretId"])
            path = one.get("name") or document["name"]
            if path.startswith("/") or ".." in path.split("/") or path in taken:
                part.person("name", "no file name of its own below /run/secrets; decide")
                part.person("secretId", f"the file {path!r} is not made; mount it by hand")
                continue
            taken.add(path)
            item = {"key": "value", "path": path}
            if str(one.get("mode") or "").isdigit():
                item["mode"] = int(str(one["mode"]), 8)
            sources.append({"secret": {"name": name, "items": [item]}})
            part.person("secretId", f"make the Secret {name}: Rancher gives no value out")
            part.translated("name", "the file's name below /run/secrets")
            part.translated("mode", "items.mode")
            for field in ("uid", "gid"):
                if one.get(field) not in (None, "0"):
                    part.person(field, "files of a Secret belong to root; see fsGroup")
                part.translated(field, "root, as it is")
        if sources:
            place = self._place("secrets", container, {"projected": {"sources": sources}})
            made["/run/secrets"] = {"name": place, "mountPath": "/run/secrets", "readOnly": True}
