"""A host leaves Rancher for real: a real Docker daemon, the stand-in agent, the double."""

import io
import tarfile

import pytest

from .test_rancher_agent import IMAGE, LINES, fake, host, names, pytestmark  # noqa: F401 - fixtures

ABSENT = "rancher_member.absent"
with io.BytesIO() as _out:
    tarfile.open(fileobj=_out, mode="w").close()
    EMPTY = _out.getvalue()


@pytest.mark.parametrize("python", LINES, ids=lambda path: path.parents[1].name)
def test_it_leaves_and_nothing_else_goes(host, fake, python):  # noqa: F811
    given = {"server_url": fake.url, "timeout": 120, "python": python}
    joined, _ = host.apply(**given)
    assert joined["result"] is True, joined["comment"]
    for volume in ("rancher-cni", "rancher-agent-state", "data"):
        host.client.create_volume(volume)
    # Of an image without Rancher's label, which that of the agent has.
    host.client.import_image_from_data(EMPTY, repository="web", tag="1")
    host.client.create_container("web:1", name="web", command=["run"])
    system = {"io.rancher.container.system": "true"}
    network = host.client.create_host_config(binds=["rancher-cni:/cni"])
    # What a bootstrap left that was ended while it looked at the host.
    host.client.create_container(IMAGE, name="look", command=["inspect-host"])
    host.client.create_container(IMAGE, name="r-ipsec", labels=system, host_config=network)
    state = host.path("/var/lib/rancher/state")
    assert state.is_dir() and names(host) == ["look", "r-ipsec", "rancher-agent", "web"]

    changes = {
        "containers": {"old": "rancher-agent, look, r-ipsec", "new": None},
        "volumes": {"old": "rancher-agent-state, rancher-cni", "new": None},
        "state directory": {"old": "/var/lib/rancher/state", "new": None},
    }
    dry, _ = host.apply(test=True, python=python, state=ABSENT)
    assert (dry["result"], dry["changes"]) == (None, changes), dry["comment"]
    assert state.is_dir() and names(host) == ["look", "r-ipsec", "rancher-agent", "web"]
    real, _ = host.apply(python=python, state=ABSENT)
    assert (real["result"], real["changes"]) == (True, changes), real["comment"]
    assert not state.exists() and names(host) == ["web"]
    volumes = [one["Name"] for one in host.client.volumes()["Volumes"]]
    assert "data" in volumes and not {"rancher-cni", "rancher-agent-state"} & set(volumes)
    again, _ = host.apply(python=python, state=ABSENT)
    assert (again["result"], again["changes"]) == (True, {}), again["comment"]
    host.client.remove_volume("data")
