"""
Throwaway Debian 12 hosts for tests and demonstrations: guests under QEMU, a Salt master
beside them, and a way back to the bare hosts in seconds.

    export PYTHONPATH=tests                  # in the checkout, with the Python of its environment
    python -m lab up                         # build what is missing, start guest and master
    python -m lab fresh                      # the bare host again, its minion answering
    python -m lab pillar FILE                # give the guest this pillar
    python -m lab salt state.apply common    # what `salt guest state.apply common` would do
    python -m lab ssh lsblk                  # a command in the guest; without one, a shell
    python -m lab reboot / cut               # let the guest reboot itself / cut its power, boot
    python -m lab save NAME / load NAME      # a snapshot of your own
    python -m lab console                    # follow the serial console
    python -m lab status / down / forget     # what runs / end it / delete its disks too
    python -m lab registry                   # stand-ins for Rancher's images, for the guests
    python -m lab database                   # a MariaDB for the guests
    python -m lab --name mine up             # a second lab beside the first
    python -m lab --name two --guests server1,node1 up    # two guests on one network
    python -m lab --name two ssh @node1 ip address        # in which guest
    python -m lab --name new --salt 3008.3 up             # another Salt in the guests

Each guest has two blank disks, /dev/disk/by-id/virtio-data (8 GiB) and virtio-pool
(20 GiB), no internet, and the packages of `image.OFFERED` in a local apt repository.
In Python:

    with Lab("mine") as lab:
        lab.fresh()
        lab.master.pillar({"rancher": {}})
        report = lab.call("state.apply", "common", test=True)
        lab.guest.must("lsblk")
    with Lab("two", guests=["server1", "node1"], recipe=Recipe(salt="3008.3")) as lab:
        lab.registry.start()
        lab.master.pillar({"rancher": {"docker": {"daemon": lab.registry.daemon}}})
        lab.fresh()
        reports = lab.call_all("state.apply", "common")
        lab.guests["node1"].must(["ping", "-c1", lab.address("server1")])
"""

from .image import Recipe
from .lab import MINION, SNAPSHOT, Lab
from .process import LabError

__all__ = ["MINION", "SNAPSHOT", "Lab", "LabError", "Recipe"]
