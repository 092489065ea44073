"""The recorded environment whole: nothing lost, nothing leaked, the same bytes again."""

import json
import logging
import pathlib
import re

import pytest
import yaml
from export_kit import CASES, PROJECT, VERDICTS, Api, recorded, service, validate
from fake_rancher import environment
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _export_project as exports

RECORDED = environment.recorded()
SCHEMA = json.loads((CASES / "recorded/schema-fields.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("export")
    exports.export(recorded(), str(path))
    return path / "default"


def texts(folder):
    return {path: path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def bytes_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# Complete


def test_every_service_container_volume_secret_and_certificate_is_there(folder):
    inventory = "\n".join(path.read_text() for path in folder.rglob("inventory.yaml"))
    ids = set(re.findall(r"'(1[a-z]+\d+)'", inventory))
    for kind in environment.NAMES:
        missing = {one["id"] for one in RECORDED[kind]} - ids
        assert not missing, kind
    reports = "\n".join(path.read_text() for path in folder.rglob("REPORT.md"))
    for kind in ("services", "secrets", "certificates", "volumeTemplates", "registries"):
        for one in RECORDED[kind]:
            assert re.search(rf"^### {one['type']} {re.escape(one['name'])}$", reports, re.M), one[
                "name"
            ]


def has_value(value):
    return value not in (None, "") and value != [] and value != {}


def counted(document):
    """
    Fields with a value, counted without the code under test: those of the schema and those that
    no schema has; parts of launch configurations and of load balancers one by one.
    """
    for field, value in document.items():
        if field in ("links", "actions") or not has_value(value):
            continue
        if field == "launchConfig":
            yield from (f"launchConfig.{part}" for part in counted_launch(value))
        elif field == "secondaryLaunchConfigs":
            for one in value:
                yield from (f"{field}[{one['name']}].{part}" for part in counted_launch(one))
        elif field == "lbConfig":
            yield from counted_balancer(value)
        elif field in ("healthCheck", "scalePolicy"):
            yield from (f"{field}.{part}" for part, one in value.items() if has_value(one))
        elif field == "linkedServices":
            yield from (f"{field}[{name}]" for name in value)
        else:
            yield field


def counted_launch(launch):
    for field, value in launch.items():
        if not has_value(value):
            continue
        if field == "labels":
            yield from (f"labels[{name}]" for name, one in value.items() if one is not None)
        elif field in ("healthCheck", "logConfig", "restartPolicy"):
            yield from (f"{field}.{part}" for part, one in value.items() if has_value(one))
        elif field == "secrets":
            for number, one in enumerate(value):
                yield from (f"secrets[{number}].{part}" for part in one if has_value(one[part]))
        else:
            yield field


def counted_balancer(config):
    for field, value in config.items():
        if field == "portRules":
            for number, rule in enumerate(value or ()):
                for part, one in rule.items():
                    if has_value(one):
                        yield f"lbConfig.portRules[{number}].{part}"
        elif field == "stickinessPolicy":
            for part, one in (value or {}).items():
                if has_value(one):
                    yield f"lbConfig.stickinessPolicy.{part}"
        elif has_value(value):
            yield f"lbConfig.{field}"


def reported(text):
    """By heading: the verdict of each field that its table names."""
    found, heading = {}, None
    for line in text.splitlines():
        if line.startswith("### "):
            heading = line[4:]
            found[heading] = {}
        elif heading and line.startswith("| ") and not line.startswith("| field |"):
            cells = re.split(r" \| ", line.strip("| "))
            for field in cells[0].split(", "):
                found[heading][field] = next(one for one in cells[1:] if one in VERDICTS)
    return found


def test_the_report_accounts_for_every_field_with_a_value(folder):
    tables = {}
    for path in folder.rglob("REPORT.md"):
        tables.update(
            {(path.parent.name, name): one for name, one in reported(path.read_text()).items()}
        )
    stacks = {one["id"]: one["name"] for one in RECORDED["stacks"]}
    fields = 0
    for kind in (
        "stacks",
        "services",
        "volumes",
        "volumeTemplates",
        "secrets",
        "certificates",
        "registries",
    ):
        for one in RECORDED[kind]:
            if kind == "volumes" and not one.get("name"):
                continue
            place = stacks.get(one["id"]) or stacks.get(one.get("stackId")) or "default"
            table = tables[place, f"{one['type']} {one['name']}"]
            expected = set(counted(one))
            assert set(table) == expected, one["name"]
            fields += len(expected)
    for one in RECORDED["containers"]:
        if not one.get("deploymentUnitUuid"):
            kind = "native container" if one["nativeContainer"] else "container"
            table = tables["standalone", f"{kind} {one['name']}"]
            plain = {key: value for key, value in one.items() if key not in ("links", "actions")}
            assert set(table) == set(counted_launch(plain)), one["name"]
            fields += len(table)
    assert fields > 1800


def test_every_field_of_the_schema_is_known_to_the_recording_or_needs_a_person(folder):
    """Each field of a launch configuration, given alone with a value, is in the account."""
    from export_kit import Made

    import _export_ledger as ledgers

    for field in SCHEMA["launchConfig"]:
        value = {"int": 5, "boolean": True}.get(SCHEMA["launchConfig"][field].split()[0], "x")
        if SCHEMA["launchConfig"][field].startswith(("array", "map")) or field in (
            *("healthCheck", "logConfig", "build", "labels"),
        ):
            continue
        launch = {"imageUuid": "docker:busybox", "kind": "container", field: value}
        if field in ("imageUuid", "kind", "networkMode"):
            continue
        made = Made(service(launchConfig=launch))
        assert made.verdicts()[f"launchConfig.{field}"] in VERDICTS
        if made.verdicts()[f"launchConfig.{field}"] == ledgers.TRANSLATED:
            text = json.dumps(made.manifests)
            plain = Made(service(launchConfig={"imageUuid": "docker:busybox", "kind": "container"}))
            same = text == json.dumps(plain.manifests)
            assert not same, f"{field} is called translated, but changes no manifest"


# Manifests


def test_every_manifest_is_valid_for_three_versions(folder):
    count = 0
    for path in [*folder.rglob("kubernetes/*.yaml"), *folder.rglob("secrets.yaml")]:
        for one in yaml.safe_load_all(path.read_text()):
            validate([one])
            count += 1
    assert count > 70


def test_every_name_is_there_once(folder):
    seen = set()
    for path in [*folder.rglob("kubernetes/*.yaml"), *folder.rglob("secrets.yaml")]:
        for one in yaml.safe_load_all(path.read_text()):
            key = (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
            assert key not in seen, key
            seen.add(key)


@pytest.mark.parametrize("name", [one["name"] for one in RECORDED["stacks"]] + ["standalone"])
def test_the_manifests_are_those_that_were_read_by_eye(folder, name):
    """tests/unit/cases/export/golden; `python tests/kits/export_kit.py` writes them anew."""
    golden = CASES / "golden" / name
    made = {
        str(path.relative_to(folder / name)): path.read_text()
        for path in (folder / name).rglob("*.yaml")
        if path.name != "inventory.yaml"
    }
    expected = {str(path.relative_to(golden)): path.read_text() for path in golden.rglob("*.yaml")}
    assert made == expected


def test_the_summary(folder):
    report = (folder / "REPORT.md").read_text()
    assert "34 services and containers without one: " in report
    assert "kubectl label node node1.example.test disk=ssd zone=a" in report
    assert (
        "kubectl --namespace shop create secret generic db-password --from-file=value=FILE"
        in report
    )
    assert "kubectl --namespace edge create secret tls shop-cert --cert=FILE --key=FILE" in report
    assert (
        "kubectl --namespace shop create secret docker-registry house "
        "--docker-server=registry.example.test:5000 --docker-username=puller"
    ) in report


# The same again


def test_a_second_run_changes_no_byte(tmp_path):
    first = exports.export(recorded(), str(tmp_path))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    kept = bytes_of(tmp_path)
    second = exports.export(recorded(), str(tmp_path))
    assert second == {**first, "written": 0}
    assert bytes_of(tmp_path) == kept
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_order_in_which_the_api_answers_is_none(tmp_path, folder):
    """Pages of another size, documents and keys in another order."""
    turned = {
        kind: [dict(reversed(one.items())) for one in reversed(rows)]
        for kind, rows in RECORDED.items()
    }
    exports.export(Api(turned, page=100), str(tmp_path))
    assert bytes_of(tmp_path / "default") == bytes_of(folder)


def test_one_stack_leaves_the_others_alone(tmp_path):
    exports.export(recorded(), str(tmp_path))
    before = bytes_of(tmp_path)
    changed = {
        **RECORDED,
        "services": [one for one in RECORDED["services"] if one["name"] != "web"],
    }
    counts = exports.export(Api(changed), str(tmp_path), stack="shop")
    assert counts["stacks"] == 1
    after = bytes_of(tmp_path)
    assert "default/shop/kubernetes/service-web.yaml" not in after
    differs = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {name.split("/")[1] for name in differs} == {"shop"}
    assert exports.export(Api(changed), str(tmp_path), stack="1st7")["stacks"] == 1


def test_a_stack_that_is_gone_goes(tmp_path):
    exports.export(recorded(), str(tmp_path))
    (tmp_path / "default/quoting/notes.md").write_text("mine")
    left = {**RECORDED, "stacks": [one for one in RECORDED["stacks"] if one["name"] != "quoting"]}
    left["services"] = [one for one in RECORDED["services"] if one["stackId"] != "1st13"]
    counts = exports.export(Api(left), str(tmp_path))
    assert counts["removed"] > 4
    assert [path.name for path in (tmp_path / "default/quoting").rglob("*")] == ["notes.md"]


def test_a_changed_file_stops_the_project_before_anything_is_written(tmp_path):
    exports.export(recorded(), str(tmp_path))
    (tmp_path / "default/shop/REPORT.md").write_text("mine")
    before = bytes_of(tmp_path)
    changed = {**RECORDED, "services": RECORDED["services"][:5]}
    with pytest.raises(
        CommandExecutionError, match="shop/REPORT.md was changed since the last export"
    ):
        exports.export(Api(changed), str(tmp_path))
    assert bytes_of(tmp_path) == before


def test_no_such_project_and_no_such_stack(tmp_path):
    with pytest.raises(SaltInvocationError, match="no project 'Nobody'"):
        exports.export(recorded(), str(tmp_path), project="Nobody")
    with pytest.raises(SaltInvocationError, match="no project shows a stack 'nothing'"):
        exports.export(recorded(), str(tmp_path), stack="nothing")
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]


def test_several_projects(tmp_path):
    other = {**PROJECT, "id": "1a7", "name": "default"}
    counts = exports.export(Api(RECORDED, projects=[PROJECT, other]), str(tmp_path))
    assert counts["projects"] == 2 and counts["stacks"] == 20
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


# Secrets


def test_secrets_are_only_in_their_file(tmp_path, caplog):
    said = []
    with caplog.at_level(logging.DEBUG):
        counts = exports.export(recorded(), str(tmp_path), say=said.append)
    holding = {path.name for path, text in texts(tmp_path).items() if "REPLACED" in text}
    assert holding == {"secrets.yaml"}
    assert "REPLACED" not in repr((counts, said, caplog.text))
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (tmp_path / ".gitignore").read_text() == "secrets.yaml\n"


def test_progress_is_told(tmp_path):
    said = []
    exports.export(recorded(), str(tmp_path), say=said.append)
    assert "Default: 40 containers read, that is all" in said
    assert said[-1] == "Default: 10 of 10 stacks written"


def test_nothing_is_outside_of_the_folder(tmp_path):
    rows = [{"id": "1st1", "type": "stack", "name": "../../outside", "state": "active"}]
    odd = {**dict.fromkeys(RECORDED, []), "stacks": rows}
    odd["services"] = [service(name="../../x")]
    project = {**PROJECT, "name": "../up"}
    out = tmp_path / "a/b/out"
    out.mkdir(parents=True)
    exports.export(Api(odd, projects=[project]), str(out))
    assert {path.relative_to(out).parts[0] for path in out.rglob("*")} == {".gitignore", "up"}
    assert [
        path for path in tmp_path.rglob("*") if path.is_file() and out not in path.parents
    ] == []
    assert pathlib.Path(out, "up/outside/kubernetes/service-x.yaml").exists()
