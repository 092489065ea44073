import pytest
from export_kit import project, validate

import _export_ledger as ledgers
import _export_scope as scopes
import _export_secret as secret
import _export_standalone as standalone
import _export_volume as volumes

HOSTS = [{"id": "1h1", "hostname": "node1.example.test"}]


def made(**fields):
    container = {
        "id": "1i1",
        "name": "Lonely_One",
        "imageUuid": "docker:busybox",
        "state": "running",
    }
    container |= {"hostId": "1h1", **fields}
    scope = standalone.Alone(scopes.Scope(project(hosts=HOSTS)), [container])
    store = secret.Store("standalone")
    manifests, ledger = standalone.manifests(
        container, scope, volumes.Volumes(scope, None, [container]), store
    )
    validate(manifests)
    return manifests, {path: verdict for path, _, verdict, _ in ledger.rows()}


def test_a_container_runs_on_the_host_where_it_is():
    (workload, named), verdicts = made(restartPolicy={"name": "always"}, ports=["80:80"])
    assert workload["kind"] == "Deployment" and workload["metadata"]["name"] == "lonely-one"
    assert workload["metadata"]["namespace"] == "standalone"
    assert workload["spec"]["template"]["spec"]["nodeSelector"] == {
        "kubernetes.io/hostname": "node1.example.test"
    }
    assert named["kind"] == "Service"
    assert (
        verdicts["hostId"]
        == verdicts["ports"]
        == verdicts["restartPolicy.name"]
        == ledgers.TRANSLATED
    )


@pytest.mark.parametrize("policy", ["no", "on-failure"])
def test_a_policy_that_no_deployment_has(policy):
    _, verdicts = made(restartPolicy={"name": policy, "maximumRetryCount": 3})
    assert (
        verdicts["restartPolicy.name"]
        == verdicts["restartPolicy.maximumRetryCount"]
        == ledgers.CHANGED
    )


def test_one_that_runs_once():
    (workload, _), verdicts = made(labels={"io.rancher.container.start_once": "true"})
    assert workload["kind"] == "Job"
    assert workload["spec"]["template"]["spec"]["nodeSelector"]


def test_a_stopped_one_is_off():
    (workload, _), verdicts = made(state="stopped")
    assert workload["spec"]["replicas"] == 0
    assert verdicts["state"] == ledgers.CHANGED


def test_a_native_one_needs_a_person():
    manifests, verdicts = made(nativeContainer=True, networkMode="host")
    assert manifests == []
    assert verdicts["name"] == ledgers.PERSON
    assert verdicts["networkMode"] == ledgers.CHANGED


def test_a_part_of_rancher():
    manifests, verdicts = made(labels={"io.rancher.container.system": "rancher-agent"})
    assert manifests == []
    assert ledgers.PERSON not in verdicts.values()


def test_an_unknown_field_needs_a_person():
    assert made(newIn17=3)[1]["newIn17"] == ledgers.PERSON
