"""
Whole environments for the double: the recorded one, and one as large as anybody has.

    fake.world.collections = environment.recorded()
"""

import json
import pathlib

RECORDED = pathlib.Path(__file__).resolve().parent.parent / "unit/cases/export/recorded"
# The collections of a project that an export reads.
NAMES = (
    *("stacks", "services", "hosts", "volumes", "volumeTemplates", "certificates", "registries"),
    *("registryCredentials", "networks", "secrets", "storageDrivers", "networkDrivers"),
    *("containers", "virtualMachines"),
)
_LINKS = ("account", "consumedByServices", "consumedServices", "instances", "serviceLogs", "stack")
_LINKS += ("healthcheckInstanceHostMaps", "hosts", "images", "mounts", "ports", "volumes", "stats")


def recorded():
    """The documents of tests/unit/cases/export/recorded by collection."""
    found = {}
    for name in NAMES:
        path = RECORDED / f"{name}.json"
        found[name] = json.loads(path.read_text())["data"] if path.exists() else []
    return found


def large(stacks=200, services=10, containers=5, hosts=50):
    """
    An environment of `stacks` stacks, each with `services` services of `containers` containers,
    with links and empty fields as the original sends them.
    """
    made = {name: [] for name in NAMES}
    for number in range(1, hosts + 1):
        host = {"hostname": f"node{number}.example.test", "labels": {"zone": f"z{number % 3}"}}
        made["hosts"].append(_document("host", f"1h{number}", **host))
    for stack in range(1, stacks + 1):
        made["stacks"].append(_document("stack", f"1st{stack}", name=f"stack{stack}", system=False))
        for place in range(1, services + 1):
            _service(made, stack, (stack - 1) * services + place, containers, hosts)
    return made


def _service(made, stack, number, containers, hosts):
    own = f"service{number}"
    launch = _launch(number)
    first = (number - 1) * containers + 1
    ids = [f"1i{one}" for one in range(first, first + containers)]
    volume = f"data{number}"
    made["services"].append(
        _document(
            "service",
            f"1s{number}",
            name=own,
            stackId=f"1st{stack}",
            scale=containers,
            currentScale=containers,
            launchConfig={**launch, "type": "launchConfig", "dataVolumes": [f"{volume}:/data"]},
            linkedServices={"before": f"1s{number - 1}"} if number > 1 else None,
            instanceIds=ids,
            metadata={"owner": f"team {number % 7}"},
        )
    )
    made["volumes"].append(
        _document("volume", f"1v{number}", name=volume, driver="local", externalId=volume)
    )
    for one in ids:
        made["containers"].append(
            _document(
                "container",
                one,
                **launch,
                name=f"stack{stack}-{own}-{one}",
                state="running",
                hostId=f"1h{int(one[2:]) % hosts + 1}",
                serviceIds=[f"1s{number}"],
                deploymentUnitUuid=f"unit-{one}",
                primaryIpAddress=f"10.42.{int(one[2:]) // 250}.{int(one[2:]) % 250}",
                dataVolumes=[f"{volume}:/data"],
                dataVolumeMounts={"/data": f"1v{number}"},
            )
        )


def _launch(number):
    return {
        "imageUuid": f"docker:registry.example.test:5000/team/app{number % 40}:1.{number}",
        "command": ["serve", "--port", "8080"],
        "environment": {
            **{f"SETTING_{place}": f"value {place} of {number}" for place in range(12)},
            "DB_PASSWORD": f"very-secret-{number}",
        },
        "labels": {
            "team": f"t{number % 7}",
            "io.rancher.container.pull_image": "always",
            "io.rancher.scheduler.affinity:host_label": f"zone=z{number % 3}",
        },
        "ports": [f"{10000 + number}:8080/tcp"],
        "healthCheck": {"port": 8080, "interval": 2000, "requestLine": "GET /health HTTP/1.0"},
        "memory": 268435456,
        "networkMode": "managed",
        "privileged": False,
        **dict.fromkeys(("dns", "dnsSearch", "capAdd", "capDrop", "expose", "tmpfs", "ulimits")),
        **dict.fromkeys(("hostname", "user", "cpuSet", "cpuShares", "logConfig", "sysctls")),
    }


def _document(kind, known_as, **fields):
    where = f"http://rancher.example.test:8080/v2-beta/projects/1a5/{kind}s/{known_as}"
    return {
        "id": known_as,
        "type": kind,
        "baseType": kind,
        "kind": kind,
        "state": "active",
        "accountId": "1a5",
        "created": "2026-11-30T00:00:00Z",
        "createdTS": 1795996800000,
        "uuid": f"uuid-of-{known_as}",
        "transitioning": "no",
        "removed": None,
        "links": {link: f"{where}/{link.lower()}" for link in ("self", *_LINKS)},
        "actions": {one: f"{where}/?action={one}" for one in ("update", "remove", "restart")},
        **fields,
    }
