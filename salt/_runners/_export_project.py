"""
One project, from the API to its folder.
"""

import os

from salt.exceptions import SaltInvocationError

import _export_inventory as inventory
import _export_names as names
import _export_objects as objects
import _export_read as reads
import _export_report as report
import _export_scope as scopes
import _export_stack as stacks
import _export_write as writes
import _export_yaml as yaml

# What git must never see.
_IGNORED = "secrets.yaml\n"


def export(api, path, project=None, stack=None, say=lambda words: None):
    """Every wanted project; gives counts, and no secret."""
    found = reads.projects(api, project)
    folders = names.Names({one["id"]: one.get("name") or one["id"] for one in found})
    total = {"folder": path, "projects": len(found), "stacks": 0, "services": 0, "containers": 0}
    total |= {"files": 0, "written": 0, "removed": 0, "need a person": 0}
    if not os.path.lexists(os.path.join(path, ".gitignore")):
        writes.write(os.path.join(path, ".gitignore"), _IGNORED)
    hits = 0
    for one in found:
        there = reads.read(api, one, say)
        hits += _one(there, os.path.join(path, folders.of(one["id"])), stack, say, total)
    if stack is not None and not hits:
        raise SaltInvocationError(f"no project shows a stack {stack!r}")
    return total


def _one(there, path, wanted, say, total):
    scope = scopes.Scope(there)
    every = sorted(there.all("stacks"), key=lambda one: (one["name"], one["id"]))
    chosen = [one for one in every if wanted is None or wanted in (one["id"], one["name"])]
    if not chosen and wanted is not None:
        return 0
    writes.directory(path)
    known = sorted(name for name in os.listdir(path) if os.path.isdir(os.path.join(path, name)))
    writes.refuse_edited([path, *(os.path.join(path, name) for name in known)])
    users = inventory.users_of_volumes(there, scope)
    overview, kept = _Overview(there, scope), set()
    for number, one in enumerate(chosen, 1):
        name = scope.namespace(one["id"])
        kept.add(name)
        overview.take(one["name"], name, _write(stacks.stack(one, scope, users), path, name, total))
        if number % 20 == 0 or number == len(chosen):
            say(f"{there.project.get('name')}: {number} of {len(chosen)} stacks written")
    total["stacks"] += len(chosen)
    if wanted is not None:
        return len(chosen)
    alone = stacks.alone(scope, users)
    if alone:
        name = scope.namespace(None)
        kept.add(name)
        overview.take("(containers without a service)", name, _write(alone, path, name, total))
    for name in known:
        if name not in kept and os.path.exists(os.path.join(path, name, writes.INDEX)):
            total["removed"] += writes.remove(os.path.join(path, name))
    _count(writes.folder(path, overview.files(users)), 2, total)
    return len(chosen)


def _write(made, path, name, total):
    _count(writes.folder(os.path.join(path, name), made.files), len(made.files), total)
    total["services"] += made.services
    total["containers"] += made.containers
    total["need a person"] += made.tally.verdicts["needs a person"]
    made.files = None
    return made


def _count(done, files, total):
    total["files"] += files
    total["written"] += done["written"]
    total["removed"] += done["removed"]


class _Overview:
    """The project's own report."""

    def __init__(self, there, scope):
        self._there, self._scope = there, scope
        self._tally, self._rows = report.Tally("services and containers without one"), []
        self._claims, self._wanted = {}, set()

    def take(self, title, folder, made):
        """Note what one folder holds."""
        self._tally.merge(made.tally)
        verdicts = made.tally.verdicts
        self._rows.append(
            (
                title,
                folder,
                sum(verdicts.values()),
                *(verdicts[one] for one in ("translated", "changed", "needs a person")),
            )
        )
        self._claims |= made.claims
        self._wanted |= made.wanted

    def files(self, users):
        """REPORT.md and inventory.yaml of the project."""
        there, scope = self._there, self._scope
        lines = [f"# {report.cell(there.project.get('name'))}", "", *self._tally.lines()]
        lines += ["## Stacks", ""]
        heads = ("stack", "folder and namespace", "services", "as they are", "changed")
        lines += report.table((*heads, "need a person"), self._rows)
        lines += report.commands("Labels that the nodes need", self._labels())
        lines += report.commands("Secrets to make by hand", self._secrets())
        lines += ["## Field by field", ""]
        for title, ledger in self._accounts():
            lines += report.account(title, ledger)
        roots = [one["id"] for one in there.all("volumes") if not one.get("name")]
        if roots:
            lines += [f"### {len(roots)} volumes without a name", ""]
            lines += [f"{', '.join(roots)}: each a container's own file system, made of its image;"]
            lines += ["nothing to move. Changed: all of their fields are Rancher's own record.", ""]
        whole = inventory.project(there, scope, users)
        return {"REPORT.md": "\n".join(lines), "inventory.yaml": yaml.dump(whole)}

    def _labels(self):
        for one in self._there.all("hosts"):
            labels = {
                key: value
                for key, value in sorted((one.get("labels") or {}).items())
                if not key.startswith("io.rancher.")
            }
            good = [
                f"{key}={value}"
                for key, value in labels.items()
                if names.is_label_key(key) and names.is_label(str(value))
            ]
            if good:
                yield f"kubectl label node {self._scope.hostname(one['id'])} {' '.join(good)}"

    def _secrets(self):
        servers = {}
        for one in self._there.all("registryCredentials"):
            known = self._there.get("registries", one.get("registryId")) or {}
            if known:
                name = self._scope.registries.of(known["id"])
                servers[name] = (known["serverAddress"], one.get("publicValue"))
        for space, kind, name in sorted(self._wanted):
            how = {
                "generic": "--from-file=value=FILE",
                "tls": "--cert=FILE --key=FILE",
                "docker-registry": "--docker-server={} --docker-username={} --docker-password=...",
            }[kind].format(*servers.get(name, ("SERVER", "USER")))
            yield f"kubectl --namespace {space} create secret {kind} {name} {how}"

    def _accounts(self):
        there, scope = self._there, self._scope
        for one in there.all("volumes"):
            if one.get("name") and not one.get("stackId"):
                title = f"volume {one['name']}"
                yield title, objects.volume(one, self._claims.get(one["name"]))
        for one in there.all("secrets"):
            yield f"secret {one.get('name')}", objects.secret(one, scope.secrets.of(one["id"]))
        for one in there.all("certificates"):
            name = scope.certificates.of(one["id"])
            yield f"certificate {one.get('name')}", objects.certificate(one, name)
        for one in there.all("registries"):
            name = scope.registries.of(one["id"])
            yield f"registry {one.get('name')}", objects.registry(one, name)
        for one in there.all("registryCredentials"):
            known = one.get("registryId")
            name = scope.registries.of(known) if known in scope.registries.ids() else known
            yield f"registryCredential {one['id']}", objects.credential(one, name)
