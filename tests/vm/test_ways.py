"""
Every way that Salt is run takes a whole bare host, disks included, to the same end.

In a guest, with the Salt of the Python that runs the tests. A guest is slow: `make vm` goes the
one way that test_common does not cover in kind, `make ways` goes them all, on both lines.
"""

import json
import os
import shutil

import pytest
import salt.version
import yaml
from fakes import ROOT
from functional.masters import Salt
from ways_table import Row, by_id

from vm.test_common import SETTINGS

LINE = salt.version.__version__
FOLDERS = ["etc", "salt", "pillar"]


class Here:
    """This machine's own network, where salt-ssh finds the guest's forwarded port."""

    def inside(self, argv):
        return argv


def minion(lab, folder):
    lab.master.pillar({"rancher": SETTINGS})
    return lambda *sls, test=False: lab.call("state.apply", *sls, test=test)


def ssh(lab, folder):
    """The guest has no Salt then: its minion is off, and /usr/bin/python3 knows of none."""
    lab.guest.must(
        "systemctl disable --now salt-minion; mv /opt/salt /opt/away; rm -rf /etc/salt", timeout=300
    )
    client = Salt(folder, Here(), LINE)
    client.settings(SETTINGS)
    entry = {"port": lab.guest.ssh_port, "priv": str(lab.guest.image.ssh_key)}
    keys = lab.guest.must("cat /etc/ssh/ssh_host_*.pub").splitlines(keepends=True)
    client.write_roster({"guest": entry}, {"guest": keys})

    def apply(*sls, test=False):
        words = ["state.apply", *sls, f"test={test}"]
        return client.ssh("guest", *words, timeout=1800)["guest"]

    return apply


def masterless(lab, folder):
    """In a checkout, as the README tells."""
    lab.guest.must("systemctl disable --now salt-minion; rm -rf /etc/salt", timeout=300)
    tree = folder / "checkout"
    tree.mkdir()
    shutil.copy(ROOT / "Saltfile", tree)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, symlinks=True)
    (tree / "pillar/rancher.sls").write_text(yaml.safe_dump({"rancher": SETTINGS}))
    packed = shutil.make_archive(folder / "packed", "tar", folder, "checkout")
    lab.guest.put(packed, "/root/packed.tar")
    lab.guest.must("tar -xf /root/packed.tar -C /root")

    def apply(*sls, test=False):
        line = f"salt-call --out=json --log-level=error state.apply {' '.join(sls)} test={test}"
        return json.loads(lab.guest.must(f"cd /root/checkout && {line}", timeout=1800))["local"]

    return apply


WAYS = {
    "salt '*' state.apply common": (minion, "common"),
    "salt '*' state.apply": (minion,),
    "salt-ssh '*' state.apply common": (ssh, "common"),
    "salt-ssh '*' state.apply": (ssh,),
    "salt-call state.apply common": (masterless, "common"),
    "salt-call state.apply": (masterless,),
}


CHOSEN = WAYS if os.environ.get("WAYS") == "all" else ["salt-ssh '*' state.apply common"]


@pytest.mark.vm
@pytest.mark.parametrize("way", CHOSEN)
def test_a_whole_bare_host_converges(bare, lab, way, tmp_path):
    row = Row(way, LINE, "guest")
    open_way, *sls = WAYS[way]
    apply = open_way(lab, tmp_path)
    row.judge(*(by_id(apply(*sls, test=test)) for test in (True, False, False)))
    assert not row.problems
    assert "Pool Name: docker-thinpool" in lab.guest.must("docker info", timeout=120)
