"""
Kill anywhere: a first converge is held at every process that it starts to change something and
at every file that it renames; there the whole run is ended, and one normal run must do the rest.

What a run does is recorded first. Then one run goes from point to point: the guest is saved,
the run killed, the rest checked, the guest restored, and the run goes on to the next point. So
each moment is tried on a host that got there by itself. Behind one step and in front of the
next is one moment: between the two nothing is written. Steps that take long are ended in their
middle, too, and at `POWER` the guest's power is cut as well. Packages are there already: what
apt leaves when it is killed is tried by `services`, where it is not emulated.
"""

import functools
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
# Where they are there before a run, they are there after it: nothing was made anew. A pool that
# is converted a second time keeps its UUID, and may be given other metadata.
UUIDS = (
    "pvs --noheadings -o pv_uuid,vg_uuid 2>/dev/null; "
    "lvs --noheadings -o lv_uuid,segtype -S segtype=thin-pool docker 2>/dev/null; "
    "blkid -p -s UUID -o value /dev/vdb1 2>/dev/null; true"
)


class Kills:
    """`share` is (n, of how many): which part of the moments is ours."""

    SECTION = "kills"
    STEPS = "common"
    # Ended in their middle, too.
    LONG = ("mkfs", "mount -t", "dd if", "lvcreate -y", "lvconvert", "systemctl start docker")
    # Power is cut behind these.
    POWER = (
        "mkfs", "replace /etc/fstab", "replace /data/swap/swapfile", "vgcreate", "lvcreate -y",
        "lvconvert", "replace /etc/lvm", "replace /etc/docker", "systemctl start docker",
    )  # fmt: skip

    def __init__(self, host, journal, say, share=(0, 1)):
        self.host, self.journal, self.say = host, journal, say
        self.share = share

    @functools.cached_property
    def key(self):
        """Of what is in a snapshot, and decides what is a point."""
        files = ("guest_driver", "family", "host", "kills_of_hosts")
        return code(*(f"tests/prove/{name}.py" for name in files), rancher=False)

    @classmethod
    def moments(cls, points):
        """(number of the point, how) for everything that is to be tried."""
        yield 1, "front"
        for point in points:
            what, number = point["what"], point["number"]
            if point["when"] == "after":
                if any(words in what for words in cls.LONG):
                    yield number - 1, "middle"
                yield number, "behind"
                if any(words in what for words in cls.POWER):
                    yield number, "power"

    def recorded(self):
        """The points of a run that nothing disturbs."""
        key = f"recorded by {self.key}"
        if not self.journal.has("points", key):
            self.ready()
            run = self.host.order("apply", test=False, record=True)
            report, took = self.host.answer(run, 1800)
            text = self.host.guest.must(f"cat {self.host.folder}/{run}.points")
            points = [json.loads(line) for line in text.splitlines()]
            failed = failures(report)
            self.journal.add(
                "points", key, not failed, of=self.SECTION, points=points, took=took, failed=failed
            )
            if failed:
                raise AssertionError(f"the undisturbed run fails: {failed}")
        return self.journal.rows["points", key]["points"]

    def ready(self):
        """The guest before the run, from a snapshot when there is one."""
        snapshot = f"prove-{self.key}"
        if self.host.guest.has_snapshot(snapshot):
            self.host.guest.load(snapshot)
            return
        self.prepare()
        self.host.guest.save(snapshot)

    def prepare(self):
        self.host.prepare({"rancher": SETTINGS}, self.STEPS)

    def run(self, over):
        """Try what is not in the journal yet; `over` says when time is up."""
        ours = list(self.moments(self.recorded()))[self.share[0] :: self.share[1]]
        todo = [case for case in ours if not self.journal.holds(self.SECTION, self.label(*case))]
        if todo and not over():
            self.round(todo, over)

    def label(self, number, how):
        return f"{number:03d} {how}: {self.recorded()[number - 1]['what']}"

    def round(self, todo, over):
        self.ready()
        took = {p["number"] - 1: p["took"] for p in self.recorded() if p["when"] == "after"}
        run = self.host.order("apply", test=False, hold=True)
        while todo and not over():
            point = self.host.held(run)
            if point is None:
                raise AssertionError(f"the run ended before {todo[0]}")
            if point["what"] != self.recorded()[point["number"] - 1]["what"]:
                raise AssertionError(f"{point} is not what was recorded")
            here = [moment for moment in todo if moment[0] == point["number"]]
            if here:
                self.host.guest.save("prove-point")
            for moment in here:
                if not over():
                    self.one(run, *moment, took.get(point["number"]))
                    self.host.guest.load("prove-point")
                todo.remove(moment)
            self.host.go(run)

    def one(self, run, number, how, took):
        case = self.label(number, how)
        if how == "middle":
            self.host.go(run, f"middle {took * 0.4:.2f}")
            self.host.gone(run)
        elif how == "power":
            self.host.power_cycle(self.STEPS)
        else:
            self.host.kill(run)
        row = self.journal.add(self.SECTION, case, **self.verdict())
        self.say(self.SECTION, case, row)

    def verdict(self):
        """What holds after a kill: a dry run, the normal run, a further one."""
        before = self.precious()
        dry, _ = self.host.apply(test=True)
        run = self.host.order("apply", test=False, record=True)
        report, took = self.host.answer(run, 1800)
        made = self.host.guest.must(f"cat {self.host.folder}/{run}.points 2>/dev/null || true")
        again, _ = self.host.apply()
        problems = failures(report) + [f"again: {line}" for line in failures(again)]
        problems += [f"again changes {key}" for key in changes(again)]
        differ = list(self.different(dry, report))
        problems += [f"foretold otherwise: {key}" for key in differ]
        if "thin-pool" in before and "lvconvert" in made:
            problems.append("converted a second time")
        problems += self.wrong()
        if lost := before - self.precious():
            problems.append(f"lost: {sorted(lost)}")
        return {"ok": not problems, "problems": problems, "took": took, "dry": differ}

    def precious(self):
        """What must be there after the next run, and be the same."""
        return {*self.host.guest.must(UUIDS, timeout=120).split()}

    def wrong(self):
        """What is not as a whole run leaves it."""
        driver = self.host.guest.ssh("docker info -f '{{.Driver}}'", timeout=120)[1].strip()
        if driver != "devicemapper":
            yield f"the storage driver of Docker is {driver!r}"

    @staticmethod
    def different(dry, real):
        """States whose predicted changes are not the ones that were made."""
        if not isinstance(dry, dict) or not isinstance(real, dict):
            return ["no report"]
        told, made = changes(dry), changes(real)
        return [key for key in sorted({*told, *made}) if told.get(key) != made.get(key)]


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
