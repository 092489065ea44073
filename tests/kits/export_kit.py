"""
What the tests of the export have in common: environments of a few documents, and named cases.

A case says what Rancher's API shows (`service`, `more` collections), a part of what is made of it
(`makes`: by kind and name), and what the report says of its fields (`account`).
"""

import functools
import json
import pathlib
import shutil
import tempfile

import kubernetes_validate
import pytest
import yaml
from fake_rancher import environment
from fakes import ROOT

import _export_ledger as ledgers
import _export_pod as pods
import _export_project as exports
import _export_read as reads
import _export_scope as scopes
import _export_stack as stacks

# It reads megabytes of schemas anew for each manifest.
for _slow in ("schema_contents", "all_versions"):
    setattr(
        kubernetes_validate.utils,
        _slow,
        functools.cache(getattr(kubernetes_validate.utils, _slow)),
    )

CASES = ROOT / "tests/unit/cases/export"
VERSIONS = ("1.28", "1.32", "1.36")
VERDICTS = (ledgers.TRANSLATED, ledgers.CHANGED, ledgers.PERSON)
PROJECT = {"id": "1a5", "type": "project", "name": "Default", "state": "active"}


class Api:
    """The conversation with a server that shows these collections, in pages of a few documents."""

    base = "http://rancher.example.test:8080"

    def __init__(self, collections, projects=(PROJECT,), page=7):
        self.collections, self._projects, self._page = collections, list(projects), page
        self.asked = []

    def collection(self, name):
        return f"{self.base}/v2-beta/{name}", self._projects

    def pages(self, url):
        return self._projects

    def ask(self, method, url):
        assert method == "GET"
        self.asked.append(url)
        path, _, query = url.partition("?")
        start = int(query.partition("marker=m")[2] or 0)
        name = path.rpartition("/")[2]
        if name not in self.collections:
            return {"problem": "there is no such thing", "status": 404, "body": None}
        rows = self.collections[name]
        following = start + self._page
        # Behind TLS the server may name itself as it likes.
        link = f"http://inside:8080/v2-beta/x?limit=200&marker=m{following}"
        body = {
            "type": "collection",
            "data": rows[start:following],
            "pagination": {"next": link if following < len(rows) else None},
        }
        return {
            "problem": None,
            "status": 200,
            "kind": "json",
            "body": json.loads(json.dumps(body)),
        }

    def get(self, url):
        answer = self.ask("GET", url)
        assert answer["problem"] is None, url
        return answer


def recorded():
    """The conversation with the recorded server."""
    return Api(environment.recorded())


def project(**collections):
    """An `Environment` of these documents."""
    every = {"stacks": [{"id": "1st1", "name": "shop"}], **collections}
    there = reads.Environment(PROJECT)
    for kind, documents in every.items():
        for document in documents:
            there.add(kind, {"type": kind[:-1], "state": "active", **document})
    return there


def service(**fields):
    """A service of one busybox, unless told otherwise."""
    launch = {"imageUuid": "docker:busybox:1.28", "networkMode": "managed"}
    made = {"id": "1s1", "type": "service", "name": "web", "stackId": "1st1", "scale": 1}
    launch |= fields.pop("launchConfig", None) or {}
    return {**made, "launchConfig": launch, "state": "active", **fields}


class Made:
    """What is made of one service."""

    def __init__(self, one, more=None):
        more = dict(more or {})
        others = [service(**each) for each in more.pop("services", ())]
        self.environment = project(services=[one, *others], **more)
        scope = scopes.Scope(self.environment)
        every = [one, *others]
        launches = [launch for each in every for _, launch, _ in pods.launches(each)]
        self.stack = stacks._Stack(scope, one.get("stackId"), launches)
        self.ledger = ledgers.Ledger(one)
        containers = self.environment.containers(one["id"])
        self.manifests = stacks.of_service(one, self.ledger, self.stack, containers)
        claims = self.stack.volumes.claims
        self.manifests += [each for name in sorted(claims) for each in claims[name]]
        self.manifests += self.stack.links.manifests()
        self.manifests += self.stack.store.manifests()

    def find(self, title):
        """The one manifest of `kind/name`."""
        kind, _, name = title.partition("/")
        (found,) = (
            one
            for one in self.manifests
            if one["kind"] == kind and name in ("", one["metadata"]["name"])
        )
        return found

    def verdicts(self):
        """What became of each field, by its path."""
        return {path: verdict for path, _, verdict, _ in self.ledger.rows()}


def cases(name):
    """The named cases of a file, for `pytest.mark.parametrize`."""
    known = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return pytest.mark.parametrize("case", [pytest.param(known[one], id=one) for one in known])


def check(case):
    """Whether a case is as it says, its manifests valid, and each of its fields accounted for."""
    made = Made(service(**case["service"]), case.get("more"))
    for title, expected in (case.get("makes") or {}).items():
        if expected is None:
            assert not [one for one in made.manifests if one["kind"] == title], title
        else:
            differences = list(missing(expected, made.find(title)))
            assert not differences, "\n".join([title, *differences])
    verdicts = made.verdicts()
    expected = case.get("account") or {}
    assert {path: verdicts.get(path) for path in expected} == expected
    assert set(verdicts.values()) <= set(VERDICTS)
    validate(made.manifests)
    return made


def missing(expected, found, path=""):
    """Where a structure lacks a part of the expected one; lists are compared as a whole."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, one in expected.items():
            if one is None and key not in found:
                continue
            if key not in found:
                yield f"{path}/{key} is missing"
            else:
                yield from missing(one, found[key], f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, one in enumerate(expected):
            yield from missing(one, found[number], f"{path}/{number}")
    elif expected != found or type(expected) is not type(found):
        yield f"{path} is {found!r}, not {expected!r}"


def validate(manifests, versions=VERSIONS):
    """Raise what a strict schema of any version does not take."""
    for one in manifests:
        for version in versions:
            kubernetes_validate.validate(one, version, strict=True)


def received(container, secrets):
    """The environment as the kubelet gives it to the process; `secrets`: of secrets.yaml."""
    values = {
        (one["metadata"]["name"], key): value
        for one in secrets
        for key, value in one["stringData"].items()
    }
    made = {}
    for one in container.get("env", ()):
        if "value" in one:
            made[one["name"]] = expanded(one["value"], made)
        else:
            place = one["valueFrom"]["secretKeyRef"]
            made[one["name"]] = values[place["name"], place["key"]]
    return made


def expanded(text, known):
    """What the kubelet makes of `$`: `$$` is one, `$(NAME)` a variable that is known."""
    made, rest = "", text
    while rest:
        before, dollar, rest = rest.partition("$")
        made += before
        if not dollar:
            break
        if rest.startswith("$"):
            made, rest = made + "$", rest[1:]
        elif rest.startswith("(") and ")" in rest:
            name, _, rest = rest[1:].partition(")")
            made += known.get(name, f"$({name})")
        else:
            made += "$"
    return made


def write_golden():
    """The manifests of the recorded environment, to be read by eye before they are committed."""
    golden = CASES / "golden"
    shutil.rmtree(golden, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        exports.export(recorded(), folder)
        made = pathlib.Path(folder, "default")
        for path in sorted(made.rglob("*.yaml")):
            if path.name != "inventory.yaml":
                target = golden / path.relative_to(made)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(path.read_text())


if __name__ == "__main__":
    write_golden()
