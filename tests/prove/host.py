"""A guest in which runs can be held, ended at a point, and begun again: the proofs' own host."""

import io
import json
import shlex
import tarfile
import time

from fakes import ROOT
from lab.process import LabError

PYTHON, TREE, FOLDER = "/opt/salt/bin/python3", "/var/prove/tree", "/var/prove/runs"
HERE = ROOT / "tests/prove"


class Host:
    """The lab's guest with the tree and the driver in it; `guest` is the lab's."""

    def __init__(self, lab):
        self.lab, self.guest, self.number = lab, lab.guest, 0
        self.folder = FOLDER

    def prepare(self, pillar, steps):
        """From the bare guest to one with a driver that waits for orders."""
        self.guest = self.lab.fresh()
        # The driver is what runs Salt here; at a boot a minion would only take time.
        self.guest.must("systemctl disable -q --now salt-minion", timeout=120)
        self.guest.must(f"mkdir -p {TREE} {FOLDER}/pillar")
        self.guest.put(_archive(), f"{TREE}/tree.tar")
        self.guest.must(f"tar -xf {TREE}/tree.tar -C {TREE}")
        self.guest.put(HERE / "guest_driver.py", f"{TREE}/driver.py")
        self.guest.put(HERE / "family.py", f"{TREE}/family.py")
        self.begin(pillar, steps)

    def begin(self, pillar, steps):
        """A driver for these steps, which reads this pillar once."""
        self.guest.ssh("pkill -f driver.py", timeout=60)
        self.pillar(pillar)
        self.start_driver(steps)

    def pillar(self, data):
        for name, text in (("top", {"base": {"*": ["it"]}}), ("it", data)):
            self.guest.write(f"{FOLDER}/pillar/{name}.sls", "#!json\n" + json.dumps(text))
        # What is ours is not to be lost with the power: a run without settings is right at once.
        self.guest.must("sync", timeout=300)

    def start_driver(self, steps):
        self.guest.must(f"rm -f {FOLDER}/orders {FOLDER}/ready")
        self.guest.must(
            f"cd /; setsid nohup {PYTHON} {TREE}/driver.py {TREE} {FOLDER} {steps} >{FOLDER}/log 2>&1 "
            "</dev/null &"
        )
        self._until(f"test -e {FOLDER}/ready", 1200)

    def _until(self, probe, timeout):
        """
        Wait in the guest: one connection, not one for every look, and no process for every
        pause, which would take a fifth of an emulated processor.
        """
        pause = "read -t 0.2 -u 9"
        look = f"for n in $(seq {timeout * 5}); do {probe} && exit 0; {pause}; done; exit 9"
        line = f"exec 9<> <(:); {look}"
        code, out, err = self.guest.ssh(line, timeout=timeout + 60)
        if code:
            raise LabError(f"not within {timeout} s: {probe} {out} {err}")

    def order(self, function, *args, hold=False, record=False, **kwargs):
        """Begin a run; its name."""
        self.number += 1
        name = f"run{self.number}-{time.time_ns() % 10**9}"
        order = {"id": name, "function": function, "args": args, "kwargs": kwargs}
        line = json.dumps({**order, "hold": hold, "record": record})
        self.guest.must(f"echo {shlex.quote(line)} > {FOLDER}/orders")
        return name

    def answer(self, name, timeout=900):
        """What it returned, and how long it took in seconds."""
        path = f"{FOLDER}/{name}"
        self._until(f"test -e {path}.json -o -e {path}.failed", timeout)
        code, out, _ = self.guest.ssh(f"cat {path}.json", timeout=60)
        if code:
            raise LabError(self.guest.must(f"cat {path}.failed"))
        found = json.loads(out)
        return found["result"], found["took"]

    def apply(self, test=False, timeout=900):
        """A whole run: its report, and how long it took."""
        return self.answer(self.order("apply", test=test), timeout)

    def held(self, name, timeout=600):
        """The point at which a run is held, or None when it has ended."""
        path = f"{FOLDER}/{name}"
        self._until(f"test -e {path}.held -o -e {path}.json -o -e {path}.failed", timeout)
        code, out, _ = self.guest.ssh(f"cat {path}.held 2>/dev/null", timeout=60)
        return json.loads(out) if code == 0 else None

    def go(self, name, word="on"):
        """Let it go on; returns when it has left its point."""
        path = f"{FOLDER}/{name}"
        self.guest.must(
            f"was=$(cat {path}.held); echo {word} > {path}.go; for n in $(seq 600); do "
            f'[ "$(cat {path}.held 2>/dev/null)" != "$was" ] && exit 0; sleep 0.05; done; exit 9',
            timeout=90,
        )

    def gone(self, name, timeout=300):
        """Wait for the end of a run that ends itself."""
        self._until(f"! test -e /proc/$(cat {FOLDER}/{name}.pid)/exe", timeout)

    def power_cycle(self, steps):
        """Cut the power, boot, and have a driver again."""
        self.guest.power_off()
        self.guest.start()
        self.guest.wait_for_boot()
        self.guest.must(f"test -s {FOLDER}/pillar/top.sls && test -s {FOLDER}/pillar/it.sls")
        self.start_driver(steps)

    def kill(self, name):
        """SIGKILL for a run and all that it has begun."""
        self.guest.must(f"{PYTHON} {TREE}/family.py $(cat {FOLDER}/{name}.pid)")


def _archive():
    local = ROOT / ".cache/prove_tree.tar"
    local.parent.mkdir(exist_ok=True)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(ROOT / "salt", "salt", filter=_sources)
    local.write_bytes(archive.getvalue())
    return local


def _sources(member):
    return None if "__pycache__" in member.name else member
