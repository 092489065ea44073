"""
Kill anywhere: a first converge is held at every process that it starts to change something and
at every file that it renames; there the whole run is ended, and one normal run must do the rest.

What a run does is recorded first. Then one run goes from point to point: the guest is saved,
the run killed, the rest checked, the guest restored, and the run goes on to the next point. So
each moment is tried on a host that got there by itself. Behind one step and in front of the
next is one moment: between the two nothing is written. Steps that take long are ended in their
middle, too, and at `POWER` the guest's power is cut as well.
"""

import json

from .journal import code

SETTINGS = {
    "hostname": "node1.example.test",
    "packages": {"install": ["gdisk"]},
    "data_disk": {"device": "/dev/disk/by-id/virtio-data"},
    "thin_pool": {"device": "/dev/disk/by-id/virtio-pool"},
    "swap": {"size": "128M"},
    "docker": {"daemon": {"log-driver": "json-file", "log-opts": {"max-size": "10m"}}},
}
HOST = "common.hostname,common.packages,common.selinux,common.data_disk,common.swap"
HOST += ",common.conntrack,common.thin_pool,docker.configured"
TOOLS = "lvm2 thin-provisioning-tools dmeventd parted xfsprogs e2fsprogs util-linux gdisk"
INSTALL = f"apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy {TOOLS}"
# Name of a pass: the steps, and what is there before it begins.
PASSES = {"host": (HOST, INSTALL), "packages": (HOST, "true")}
# Seconds from which on a step is also ended in its middle.
LONG = 0.5
# Power is cut behind these.
POWER = (
    "mkpart rancher-data", "mkfs", "mkdir /data", "replace /etc/fstab", "dd if", "mkswap",
    "replace /data/swap/swapfile", "mkpart rancher-docker", "pvcreate", "vgcreate", "lvcreate -y",
    "lvconvert", "replace /etc/lvm", "metadataprofile", "replace /etc/docker",
)  # fmt: skip
UUIDS = (
    "pvs --noheadings -o pv_uuid,vg_uuid 2>/dev/null; "
    "blkid -p -s UUID -o value /dev/vdb1 2>/dev/null; true"
)
POOL = "lvs --noheadings -o segtype docker/thinpool 2>/dev/null | tr -d ' '; true"


class Kills:
    def __init__(self, host, journal, say, section="kills"):
        self.host, self.journal, self.say, self.section = host, journal, say, section
        # Of what is in a snapshot, and decides what is a point.
        self.key = code("tests/prove/guest_driver.py", "tests/prove/host.py")

    def recorded(self, name):
        """The points of a pass, as one undisturbed run went through them."""
        key = f"{name}: recorded by {self.key}"
        if not self.journal.has("points", key):
            self.ready(name)
            run = self.host.order("apply", test=False, record=True)
            report, took = self.host.answer(run, 1800)
            text = self.host.guest.must(f"cat {self.host.folder}/{run}.points")
            points = [json.loads(line) for line in text.splitlines()]
            failed = failures(report)
            self.journal.add("points", key, not failed, points=points, took=took, failed=failed)
            if failed:
                raise AssertionError(f"the undisturbed run fails: {failed}")
        return self.journal.rows["points", key]["points"]

    def ready(self, name):
        """The guest before the pass, from a snapshot when there is one."""
        snapshot = f"prove-{name}-{self.key}"
        if self.host.guest.has_snapshot(snapshot):
            self.host.guest.load(snapshot)
            return
        steps, before = PASSES[name]
        self.host.prepare({"rancher": SETTINGS}, steps, before)
        self.host.guest.save(snapshot)

    def moments(self, name):
        """(number of the point, how) for everything that is to be tried."""
        points = self.recorded(name)
        for point in points:
            if point["when"] == "after":
                if point["took"] >= LONG:
                    yield point["number"] - 1, "middle"
                if name != "packages":
                    yield point["number"], "behind"
                    if name == "host" and self.on_disk(name, point["number"]):
                        yield point["number"], "power"
            elif point["number"] == 1:
                yield 1, "front"

    def label(self, name, number, how):
        what = self.recorded(name)[number - 1]["what"]
        return f"{name} {number:03d} {how}: {what}"

    def run(self, name, over):
        """Try what is not in the journal yet, the disks first; `over` says when time is up."""
        todo = [m for m in self.moments(name) if not self._known(name, *m)]
        first = [m for m in todo if m[1] != "power" and self.on_disk(name, m[0])]
        for chosen in (first, [m for m in todo if m not in first]):
            if chosen and not over():
                self.round(name, chosen, over)

    def on_disk(self, name, number):
        return any(words in self.recorded(name)[number - 1]["what"] for words in POWER)

    def round(self, name, todo, over):
        self.ready(name)
        took = {p["number"] - 1: p["took"] for p in self.recorded(name) if p["when"] == "after"}
        run = self.host.order("apply", test=False, hold=True)
        while todo and not over():
            point = self.host.held(run)
            if point is None:
                raise AssertionError(f"{name}: the run ended before {todo[0]}")
            here = [moment for moment in todo if moment[0] == point["number"]]
            if here:
                self.host.guest.save("prove-point")
            for moment in here:
                if not over():
                    self.one(name, run, *moment, took.get(point["number"]))
                    self.host.guest.load("prove-point")
                todo.remove(moment)
            self.host.go(run)

    def _known(self, name, number, how):
        row = self.journal.rows.get((self.section, self.label(name, number, how)))
        return bool(row and row["ok"])

    def one(self, name, run, number, how, took):
        label = self.label(name, number, how)
        if how == "middle":
            self.host.go(run, f"middle {took * 0.4:.2f}")
            self.host.gone(run)
        elif how == "power":
            self.host.power_cycle(PASSES[name][0])
        else:
            self.host.kill(run)
        self.journal.add(self.section, label, **self.verdict())
        row = self.journal.rows[self.section, label]
        self.say(self.section, label, row)

    def verdict(self):
        """What holds after a kill: a dry run, the normal run, a further one."""
        host = self.host
        before = host.guest.must(UUIDS, timeout=120).split()
        pool = host.guest.must(POOL, timeout=120).strip()
        dry, _ = host.apply(test=True)
        done = host.order("apply", test=False, record=True)
        report, took = host.answer(done, 1800)
        made = host.guest.must(f"cat {host.folder}/{done}.points 2>/dev/null || true")
        again, _ = host.apply()
        after = host.guest.must(UUIDS, timeout=120).split()
        problems = failures(report) + [f"again: {line}" for line in failures(again)]
        problems += [f"again changes {key}" for key in changes(again)]
        if pool == "thin-pool" and "lvconvert" in made:
            problems.append("converted a second time")
        if not set(before) <= set(after):
            problems.append(f"UUIDs were {before}, are {after}")
        differ = different(dry, report)
        return {"ok": not problems, "problems": problems, "took": took, "dry": differ}


def failures(report):
    if not isinstance(report, dict):
        return [str(report)[:300]]
    return [
        f"{state['__id__']}: {state['comment'][:300]}"
        for state in report.values()
        if state["result"] is False
    ]


def changes(report):
    return {s["__id__"]: s["changes"] for s in report.values() if s["changes"]}


def different(dry, real):
    """States whose predicted changes are not the ones that were made; packages by their names."""
    if not isinstance(dry, dict) or not isinstance(real, dict):
        return ["no report"]
    predicted, made = changes(dry), changes(real)
    packages = {s["__id__"] for key, s in real.items() if key.startswith("pkg_")}
    return [
        key for key in sorted({*predicted, *made} - packages) if predicted.get(key) != made.get(key)
    ]
