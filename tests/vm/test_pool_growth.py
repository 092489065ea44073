"""A further disk for a real thin pool: dry, real, again, and after a reboot."""

import os

import pytest
from lab import Lab

POOL, MORE, DATA = (f"/dev/disk/by-id/virtio-{name}" for name in ("pool", "more", "data"))


@pytest.fixture(scope="module")
def lab():
    """A guest of its own: others have no third disk."""
    name = os.environ.get("LAB_NAME", "test") + "-growth"
    with Lab(name, disks={"data": "1G", "pool": "8G", "more": "4G"}) as running:
        yield running
    running.forget()


def apply(lab, **options):
    answer = lab.call("state.apply", "common.thin_pool", timeout=1500, **options)
    assert isinstance(answer, dict), answer
    return {row["__id__"]: row for row in answer.values()}


def settings(*extra):
    return {"rancher": {"thin_pool": {"device": POOL, "extra_devices": list(extra)}}}


def test_a_pool_gets_room(lab):
    lab.master.pillar(settings())
    assert apply(lab)["thin-pool-present"]["result"] is True
    before = lab.call("thinpool.status", "docker", "thinpool")

    lab.guest.must("mkfs.ext4 -q /dev/vdb")
    lab.master.pillar(settings(MORE, DATA))
    refused = apply(lab)["thin-pool-extended"]
    assert refused["result"] is False and refused["changes"] == {}
    assert "ext4" in refused["comment"] and "Nothing was written" in refused["comment"]
    assert lab.guest.must("wipefs --no-act /dev/vdd").strip() == ""

    lab.master.pillar(settings(MORE))
    dry = apply(lab, test=True)["thin-pool-extended"]
    assert dry["result"] is None and len(dry["changes"]) == 3
    done = apply(lab)["thin-pool-extended"]
    assert (done["result"], done["changes"]) == (True, dry["changes"]), done["comment"]
    gained = int(dry["changes"][f"{MORE}: volume group"]["new"].split()[1])
    after = lab.call("thinpool.status", "docker", "thinpool")
    assert after["free"] - before["free"] == gained * 4 * 1024**2
    assert after["size"] == before["size"]

    again = apply(lab)
    assert not [row["__id__"] for row in again.values() if row["changes"]]

    # What the room is for: the pool grows beyond its first disk.
    lab.guest.must("lvextend -l +100%FREE docker/thinpool", timeout=120)
    lab.reboot()
    last = lab.call("thinpool.status", "docker", "thinpool")
    assert last["active"] and last["health"] == "ok" and last["size"] > 8 * 1024**3
    assert not [row["__id__"] for row in apply(lab).values() if row["changes"]]
