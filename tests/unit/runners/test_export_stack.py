import json

import hypothesis
import hypothesis.strategies as st
import pytest
import yaml
from export_kit import CASES, Made, check, project, received, service, validate

import _export_inventory as inventory
import _export_ledger as ledgers
import _export_scope as scopes
import _export_stack as stacks

# What YAML, a shell or Kubernetes itself could take for something else.
ODD = {
    "y": "y",
    "n": "n",
    "OCTAL": "0400",
    "FLOAT": "1e3",
    "NULL": "null",
    "TILDE": "~",
    "EMPTY": "",
    "MULTI": "a\nb\n",
    "LINES": "\n  indented\n\n\tend ",
    "UNICODE": "é\u2028☃\U0001f600\xa0",
    "PRICE": "$5",
    "DOUBLED": "$$5",
    "VARIABLE": "$(PRICE)",
    "BOTH": "$$(PRICE) $$$(PRICE) $( $)",
    "BRACES": "${PRICE:-x} #{y} {{z}}",
    "LAST": "x$",
    "QUOTES": "\"q\": 'y' \\n",
    "CONTROL": "a\tb\r\nc\x07",
    "HASH": "a # b",
    "SPACES": "  x  ",
    "DB_PASSWORD": "p$$w$(PRICE)\n0400",
    "TIME": "12:30:45",
    "a.b-c": "1_000",
}


def files_of(one, **collections):
    there = project(services=[one], **collections)
    scope = scopes.Scope(there)
    (document,) = there.all("stacks")
    return stacks.stack(document, scope, inventory.users_of_volumes(there, scope)).files


def loaded(files, name):
    return list(yaml.safe_load_all(files[name]))


def test_odd_values_arrive_in_the_process_as_they_were():
    files = files_of(service(launchConfig={"environment": ODD}))
    workload = loaded(files, "kubernetes/service-web.yaml")[0]
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert received(container, loaded(files, "secrets.yaml")) == ODD


@hypothesis.settings(deadline=None, max_examples=30)
@hypothesis.given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True),
        st.text(st.characters(codec="utf-8")) | st.text("$(){}A \n'\"", max_size=12),
        max_size=5,
    )
)
def test_every_value_arrives_in_the_process_as_it_was(values):
    files = files_of(service(launchConfig={"environment": values}))
    workload = loaded(files, "kubernetes/service-web.yaml")[0]
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    secrets = loaded(files, "secrets.yaml") if "secrets.yaml" in files else []
    assert received(container, secrets) == values


def test_secrets_are_in_the_one_file_for_them():
    launch = {
        "environment": {
            "DB_PASSWORD": "s3cret-1",
            "URL": "http://u:s3cret-2@h/",
            "apiKey": "s3cret-3",
        },
        "command": ["x", "--token=s3cret-4", "--password", "s3cret-5"],
        "entryPoint": ["/e", "--secret", "s3cret-6"],
        "labels": {"db.password": "s3cret-7"},
        "healthCheck": {"port": 80, "requestLine": "GET /?token=s3cret-8 HTTP/1.0"},
        "logConfig": {"driver": "splunk", "config": {"splunk-token": "s3cret-9"}},
    }
    side = {"name": "side", "imageUuid": "docker:a", "environment": {"PGPASSWORD": "s3cret-10"}}
    one = service(
        launchConfig=launch,
        secondaryLaunchConfigs=[side],
        metadata={"password": "s3cret-11"},
        upgrade={"inServiceStrategy": {"launchConfig": launch, "previousLaunchConfig": launch}},
    )
    stack = {
        "id": "1st1",
        "name": "shop",
        "environment": {"ROOT_PASSWORD": "s3cret-12"},
        "dockerCompose": "password: s3cret-13",
    }
    files = files_of(one, stacks=[stack])
    found = {name for name, text in files.items() if "s3cret" in text}
    assert found == {"secrets.yaml"}
    kept = {
        value for secret in loaded(files, "secrets.yaml") for value in secret["stringData"].values()
    }
    for number in (1, 3, 5, 6, 10):
        assert f"s3cret-{number}" in kept


def test_haproxys_own_settings_are_kept_as_a_secret():
    config = "userlist u\n  user admin insecure-password s3cret\n"
    rule = {"sourcePort": 80, "serviceId": "1s1", "targetPort": 80}
    one = service(
        type="loadBalancerService", lbConfig={"config": config, "portRules": [rule]}, name="lb"
    )
    files = files_of(one)
    assert {name for name, text in files.items() if "s3cret" in text} == {"secrets.yaml"}
    (kept,) = loaded(files, "secrets.yaml")
    assert kept["metadata"]["name"] == "lb.haproxy"
    assert kept["stringData"] == {"haproxy.cfg": config}


def test_names_that_had_to_change_are_listed():
    one = service(name="Web_App")
    files = files_of(one, stacks=[{"id": "1st1", "name": "My.Shop"}])
    assert "| My.Shop | my-shop |" in files["REPORT.md"]
    assert "| Web_App | web-app |" in files["REPORT.md"]
    assert "kubernetes/service-web-app.yaml" in files


def test_where_the_data_is():
    one = service(launchConfig={"dataVolumes": ["/srv/www:/www", "data:/data"]})
    container = {
        "id": "1i1",
        "name": "shop-web-1",
        "serviceIds": ["1s1"],
        "deploymentUnitUuid": "u",
        "hostId": "1h1",
    }
    report = files_of(
        one,
        hosts=[{"id": "1h1", "hostname": "node1.example.test"}],
        containers=[container],
        volumes=[{"id": "1v1", "name": "data", "driver": "local"}],
    )["REPORT.md"]
    assert (
        "| web | /srv/www | node1.example.test: /srv/www | stays on its host, or copy it to the node |"
        in report
    )
    assert (
        "node1.example.test: /var/lib/docker/volumes/data/_data | copy it into the claim |"
        in report
    )


def test_a_stack_of_nothing_has_no_manifest():
    there = project(stacks=[{"id": "1st1", "name": "shop", "dockerCompose": "x: {"}])
    (document,) = there.all("stacks")
    files = stacks.stack(document, scopes.Scope(there), {}).files
    assert sorted(files) == ["REPORT.md", "inventory.yaml"]


SCHEMA = json.loads((CASES / "recorded/schema-fields.json").read_text())


def fitting(kind):
    """Values of the type that the schema names."""
    text = st.text(max_size=8) | st.sampled_from(
        ["80:80/tcp", "/a:/b:ro", "data:/c", "a=b", "1s1", "true", "10.0.0.1", "host", "../x", "é"]
    )
    number = st.integers(0, 70000)
    simple = {"string": text, "int": number, "boolean": st.booleans(), "enum": text}
    word = kind.partition(" ")[0]
    if word.startswith("array[string") or word.startswith("array[enum"):
        return st.lists(text, max_size=3)
    if word.startswith("array[reference"):
        return st.lists(st.sampled_from(["1s1", "1s2", "1c1"]), max_size=2)
    if word.startswith("map["):
        return st.dictionaries(text, text, max_size=3)
    if word.startswith("reference["):
        return st.sampled_from(["1h1", "1s2", "1c1", "1se1"])
    return simple.get(word)


def documents(name):
    known = {field: fitting(kind) for field, kind in SCHEMA[name].items()}
    return st.fixed_dictionaries({}, optional={f: v for f, v in known.items() if v is not None})


@hypothesis.settings(
    deadline=None, max_examples=50, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(
    documents("service"),
    documents("externalService"),
    documents("launchConfig"),
    documents("secondaryLaunchConfig"),
    documents("instanceHealthCheck"),
    st.lists(documents("portRule"), max_size=3),
    st.sampled_from(["service", "loadBalancerService", "dnsService", "externalService"]),
    st.text(min_size=1, max_size=5),
)
def test_whatever_the_api_says_is_accounted_for_and_valid(
    one, outer, launch, side, check_, rules, kind, name
):
    """Any values of the types of the schema: no crash, valid manifests, nothing dropped."""
    launch = {**launch, "healthCheck": check_, "imageUuid": "docker:busybox"}
    launch["kind"] = "container"
    one = {
        **outer,
        **one,
        "id": "1s1",
        "name": name,
        "stackId": "1st1",
        "type": kind,
        "system": False,
    }
    side = {**side, "name": f"{name}-side", "imageUuid": "docker:busybox", "kind": "container"}
    one |= {"launchConfig": launch, "secondaryLaunchConfigs": [side], "state": "active"}
    one["lbConfig"] = {"portRules": [{"sourcePort": 80, **rule} for rule in rules]}
    made = Made(one, {"services": [{"id": "1s2", "name": "other", "stackId": "1st1"}]})
    validate(made.manifests, versions=("1.32",))
    assert set(made.verdicts()) == set(dict(ledgers.leaves(one)))


@pytest.mark.parametrize("state", ["active", "inactive"])
def test_a_service_that_takes_in_containers_and_has_its_own(state):
    made = check({"service": {"state": state, "selectorContainer": "a=b"}})
    assert made.verdicts()["selectorContainer"] == ledgers.PERSON
    assert made.find("Deployment/web")["spec"]["replicas"] == (1 if state == "active" else 0)
