"""
A minion's daemon whose beacon has loaded our modules uses what a sync brought, private files too.

Salt loads the faces anew after a sync; what they import stays in Python's memory.
"""

import pytest
from fakes import ROOT
from fleet_kit import Fleet
from lab.process import wait_until

USAGE = '''

def usage():
    """Says which copy of this file was asked, and by which process."""
    with open({log!r}, "a") as log:
        log.write("{copy} %d\\n" % os.getpid())
    return {{"count": 1, "max": 100, "buckets": 1, "percent": {percent}}}
'''


class Host:
    """A minion that asks its beacon each second, and what served it."""

    def __init__(self, fleet):
        self.fleet, self.log = fleet, fleet.folder / "asked"
        self.roots = fleet.folder / "roots/_modules"
        self.log.write_text("")

    def serve(self, copy, percent):
        text = (ROOT / "salt/_modules/_conntrack_size.py").read_text()
        more = USAGE.format(log=str(self.log), copy=copy, percent=percent)
        (self.roots / "_conntrack_size.py").write_text(text + more)

    def sync(self):
        (answer,) = self.fleet.salt("m", "saltutil.sync_all").values()
        return answer["modules"]

    def begin(self):
        settings = '[{"conntrack": 80}, {"interval": 1}]'
        self.fleet.salt("m", "beacons.add", "rancher_capacity", f"beacon_data={settings}")
        self.wait_for("first")

    def asked(self):
        """The copies that the daemon itself has asked, in order; a job is another process."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [copy for copy, process in lines if process == lines[0][1]]

    def wait_for(self, copy):
        wait_until(lambda: self.asked()[-1:] == [copy], timeout=60, what=f"a look at {copy}")

    def answers(self):
        """What an operator is answered by the same minion."""
        return self.fleet.salt("m", "conntrack.usage")["m"]["percent"]


@pytest.fixture(scope="module")
def master(salt_factories):
    with Fleet(salt_factories) as fleet:
        yield fleet


@pytest.fixture
def host(master):
    with master.guest("m"):
        yield Host(master)
    for name in ("_conntrack.py", "_fresh.py"):
        (master.folder / "roots/_modules" / name).unlink(missing_ok=True)


def test_a_beacon_went_on_with_the_private_file_from_before_the_sync(host):
    host.serve("first", 10)
    assert "modules._conntrack_size" in host.sync()
    host.begin()
    host.serve("second", 20)
    assert host.sync() == ["modules._conntrack_size"]
    host.wait_for("second")
    assert host.answers() == 20


def test_without_that_look_the_old_copy_is_used_for_good(host):
    """What _fresh.py is there for: should Salt drop such copies one day, it can go."""
    (host.roots / "_fresh.py").write_text("checked = None\n")
    host.serve("first", 10)
    host.sync()
    host.begin()
    host.serve("second", 20)
    assert host.sync() == ["modules._conntrack_size"]
    seen = len(host.asked())
    wait_until(lambda: len(host.asked()) > seen + 5, timeout=60, what="five looks of the beacon")
    assert host.asked()[-1] == "first"
    assert host.answers() == 10
