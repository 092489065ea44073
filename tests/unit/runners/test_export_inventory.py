from export_kit import project, service

import _export_inventory as inventory
import _export_scope as scopes
import _export_secret as secret

HOSTS = [
    {"id": "1h1", "hostname": "node1.example.test", "labels": {"a": "b"}, "instanceIds": ["1i1"]}
]
CONTAINER = {
    "id": "1i1",
    "name": "shop-web-1",
    "state": "running",
    "hostId": "1h1",
    "serviceIds": ["1s1"],
    "deploymentUnitUuid": "u",
    "ports": ["80:80/tcp"],
    "dataVolumes": ["/srv:/srv:ro", "data:/data", "/anon"],
    "dataVolumeMounts": {"/data": "1v1"},
}


def test_a_service_with_its_containers():
    launch = {"environment": {"A": "b", "DB_PASSWORD": "x"}, "command": ["--token=x"]}
    one = service(
        launchConfig=launch, secondaryLaunchConfigs=[{"name": "side", "imageUuid": "docker:a"}]
    )
    there = project(
        services=[one], hosts=HOSTS, containers=[CONTAINER], volumes=[{"id": "1v1", "name": "data"}]
    )
    made = inventory.service(one, scopes.Scope(there), there.containers("1s1"))
    assert made["launchConfig"]["environment"] == {"A": "b", "DB_PASSWORD": secret.HIDDEN}
    assert made["launchConfig"]["command"] == [secret.HIDDEN]
    assert made["sidekicks"] == {"side": {"imageUuid": "docker:a"}}
    assert made["containers"] == [
        {
            "name": "shop-web-1",
            "host": "node1.example.test",
            "id": "1i1",
            "state": "running",
            "ports": ["80:80/tcp"],
            "hostPaths": ["/srv:/srv:ro"],
            "volumes": {"/data": "data"},
        }
    ]


def test_who_uses_a_volume():
    there = project(
        services=[service()],
        hosts=HOSTS,
        containers=[CONTAINER],
        volumes=[{"id": "1v1", "name": "data"}],
    )
    users = inventory.users_of_volumes(there, scopes.Scope(there))
    assert users == {"1v1": {("shop-web-1", "node1.example.test")}}
    made = inventory.volume({"id": "1v1", "name": "data", "driver": "local"}, users["1v1"])
    assert made["usedBy"] == ["shop-web-1 on node1.example.test"]


def test_what_belongs_to_no_stack():
    there = project(
        hosts=HOSTS,
        volumes=[{"id": "1v1", "name": "data"}, {"id": "1v2", "instanceId": "1i1"}],
        secrets=[{"id": "1se1", "name": "x", "value": "hidden"}],
        certificates=[{"id": "1c1", "name": "x", "cert": "PEM", "key": "hidden"}],
        registryCredentials=[
            {"id": "1c2", "registryId": "1sp1", "publicValue": "u", "secretValue": "hidden"}
        ],
    )
    made = inventory.project(there, scopes.Scope(there), {})
    assert [one["name"] for one in made["volumes"]] == ["data"]
    assert made["rootVolumes"] == {"1v2": "1i1"}
    assert made["certificates"][0]["cert"] == "PEM"
    assert made["registryCredentials"] == [{"id": "1c2", "registry": "1sp1", "user": "u"}]
    assert made["hosts"][0]["containers"] == 1
    assert "hidden" not in repr(made)
