"""One lab: a master on this machine, a guest with its minion, and a snapshot to go back to."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import sys
import tempfile

from . import image
from .guest import Guest
from .master import CHECKOUT, Master
from .process import LabError, locked

CACHE = CHECKOUT / ".cache/lab"
DISKS = {"data": "8G", "pool": "20G"}
SNAPSHOT = "bare"
MINION = "guest"


class Lab:
    """
    The lab called ``name``: its own guest, disks, ports and master.

    Use it as a context (all processes end with it), or with ``kept`` to leave it running.
    """

    def __init__(self, name="default", *, kept=False, disks=None, memory=3072, recipe=None):
        self.name = name
        self.directory = CACHE / "labs" / name
        self._kept = kept
        self._wanted = {"disks": disks or DISKS, "memory": memory, "image": (recipe or image.Recipe())}
        self.guest = self.master = None

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    def up(self):
        """Master and guest running, from the image to the first answer of the minion."""
        base = image.ensure(self._wanted["image"], CACHE)
        self.directory.mkdir(parents=True, exist_ok=True)
        with locked(CACHE / f"labs/{self.name}.lock"):
            self._settle(base)
            try:
                self.master.start()
                if not self.guest.has_snapshot(SNAPSHOT):
                    self._make_snapshot()
                elif not self.guest.running:
                    self.fresh()
            except BaseException:
                self._explain()
                self.down()
                raise

    def fresh(self):
        """A bare host, just booted, whose minion answers; takes a few seconds."""
        self.attach()
        self.master.start()
        self.guest.load(SNAPSHOT)
        self.wait_for_minion()
        return self.guest

    def reboot(self):
        """Let the guest reboot itself and wait for its minion."""
        self.guest.reboot()
        self.wait_for_minion(timeout=180)

    def call(self, function, *args, timeout=900, **kwargs):
        """Run ``function`` on the guest's minion: ``lab.call("state.apply", "common", test=True)``."""
        return self.master.call(MINION, function, args, timeout=timeout, **kwargs)

    def wait_for_minion(self, timeout=120):
        if not self.master.ping(MINION, timeout):
            raise LabError(f"the minion does not answer within {timeout} s: {self.master.log_tail()}")

    def down(self):
        """End guest and master; the disks stay."""
        self.attach()
        if self.guest:
            self.guest.power_off()
            self.master.stop()

    def forget(self):
        """End everything and delete the disks; the image stays."""
        self.down()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.guest = self.master = None

    # Behind it.

    def _make_snapshot(self):
        print(f"lab: first boot of {self.name}, about a minute", file=sys.stderr, flush=True)
        self.guest.power_off()
        self.guest.create_disks()
        self.guest.start()
        self.guest.wait_for_boot()
        self.guest.write("/etc/salt/minion.d/ports.conf", self._minion_ports())
        self.guest.must("systemctl enable --now salt-minion", timeout=120)
        self.wait_for_minion(timeout=240)
        self.guest.must("sync; journalctl --rotate; journalctl --vacuum-time=1s", timeout=60)
        self.guest.save(SNAPSHOT)

    def _minion_ports(self):
        return f"publish_port: {self.master.publish_port}\nmaster_port: {self.master.return_port}\n"

    def _settle(self, base):
        """Attach to this lab as it is, or lay it out anew when it was made for something else."""
        wanted = {"image": base.key, "disks": self._wanted["disks"], "memory": self._wanted["memory"]}
        have = self._layout()
        if have is None or {key: have[key] for key in wanted} != wanted:
            self.forget()
            self.directory.mkdir(parents=True)
            with locked(CACHE / "ports.lock"):
                (self.directory / "layout.json").write_text(json.dumps({**wanted, "slot": _free_slot()}))
        self.attach()

    def _layout(self):
        try:
            return json.loads((self.directory / "layout.json").read_text())
        except FileNotFoundError:
            return None

    def attach(self):
        """Make the guest and master objects of the lab that is on disk."""
        layout = self._layout()
        if self.guest or not layout:
            return
        sockets = _socket_directory(self.directory)
        ports = _ports(layout["slot"])
        self.guest = Guest(
            image.Image(CACHE / "images" / layout["image"]), self.directory, sockets,
            ssh_port=ports["ssh"], disks=layout["disks"], memory=layout["memory"], kept=self._kept,
        )  # fmt: skip
        self.master = Master(
            self.directory / "master", sockets,
            publish_port=ports["publish"], return_port=ports["return"], kept=self._kept,
        )  # fmt: skip

    def _explain(self):
        print(f"lab: console of {self.name}:\n{self.guest.console_tail()}", file=sys.stderr, flush=True)


def names():
    """The labs that exist on disk."""
    return sorted(path.parent.name for path in CACHE.glob("labs/*/layout.json"))


def _socket_directory(directory):
    """A short path for sockets, whose names may not exceed 107 characters."""
    short = hashlib.sha256(str(directory).encode()).hexdigest()[:10]
    path = pathlib.Path(tempfile.gettempdir()) / f"lab-{os.getuid()}-{short}"
    (path / "master").mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _ports(slot):
    """Slot 0 has Salt's own ports."""
    first = 4505 + 10 * slot
    return {"publish": first, "return": first + 1, "ssh": first + 2}


def _free_slot():
    taken = {json.loads(path.read_text())["slot"] for path in CACHE.glob("labs/*/layout.json")}
    for slot in range(200):
        if slot not in taken and all(_is_free(port) for port in _ports(slot).values()):
            return slot
    raise LabError("no free ports for another lab")


def _is_free(port):
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
