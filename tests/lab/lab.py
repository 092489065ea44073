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
LAYOUT = "layout.json"


class Lab:
    """
    The lab called ``name``: its own guest, disks, ports and master.

    Use it as a context, and all its processes end with it; with ``kept`` they outlive us.
    """

    def __init__(self, name="default", *, kept=False, disks=None, memory=3072, recipe=None):
        self.name = name
        self.directory = CACHE / "labs" / name
        self._kept = kept
        self._disks = disks or DISKS
        self._memory = memory
        self._recipe = recipe or image.Recipe()
        self.guest = self.master = None

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_):
        self.down()

    def up(self):
        """Master and guest running; a guest that was off starts as a bare host."""
        self._prepare()
        if not self.guest.running:
            self.fresh()

    def fresh(self):
        """A bare host, just booted, whose minion answers; takes a few seconds. Returns the guest."""
        self._prepare()
        with self._explained():
            self.guest.load(SNAPSHOT)
            self.wait_for_minion()
        return self.guest

    def reboot(self):
        """Let the guest reboot itself and wait for its minion."""
        with self._explained():
            self.guest.reboot()
            self.wait_for_minion()

    def power_cycle(self):
        """Cut the power, boot again and wait for the minion."""
        with self._explained():
            self.guest.power_off()
            self.guest.start()
            self.guest.wait_for_boot()
            self.wait_for_minion()

    def call(self, function, *args, timeout=900, **kwargs):
        """Run ``function`` on the guest's minion: ``lab.call("state.apply", "common", test=True)``."""
        return self.master.call(MINION, function, args, timeout=timeout, **kwargs)

    def wait_for_minion(self, timeout=300):
        if not self.master.ping(MINION, timeout, alive=lambda: self.guest.running):
            if not self.guest.running:
                raise LabError("the guest is off")
            raise LabError(f"the minion does not answer within {timeout} s; see {self.master.log}")

    def down(self):
        """End guest and master; the disks stay."""
        self.attach()
        if self.guest:
            self.guest.power_off()
            self.master.stop()

    def forget(self):
        """End everything and delete the disks; the image stays."""
        self.down()
        for directory in (self.directory, _socket_directory(self.directory)):
            shutil.rmtree(directory, ignore_errors=True)
        self.guest = self.master = None

    def attach(self):
        """Make ``guest`` and ``master`` of the lab that is on disk, without starting anything."""
        layout = self._layout()
        if self.guest or not layout:
            return
        sockets, ports = _socket_directory(self.directory), _ports(layout["slot"])
        self.guest = Guest(
            image.Image(CACHE / "images" / layout["image"]),
            self.directory,
            sockets,
            ssh_port=ports["ssh"],
            disks=layout["disks"],
            memory=layout["memory"],
            kept=self._kept,
        )
        self.master = Master(
            self.directory / "master",
            sockets,
            publish_port=ports["publish"],
            return_port=ports["return"],
            kept=self._kept,
        )

    # Behind it.

    def _prepare(self):
        """All that ``fresh`` needs: the image, this lab's disks and snapshot, a running master."""
        base = image.ensure(self._recipe, CACHE)
        with locked(CACHE / f"labs/{self.name}.lock"):
            self._settle({"image": base.key, "disks": self._disks, "memory": self._memory})
            with self._explained():
                self.master.start()
                if not self.guest.has_snapshot(SNAPSHOT):
                    self._make_snapshot()

    def _settle(self, wanted):
        """Attach to the lab on disk. One made for something else is laid out anew, unless it runs."""
        self.attach()
        have = self._layout() or {}
        if wanted.items() <= have.items():
            return
        if self.guest and self.guest.running:
            _say(f"{self.name} still runs on an older layout; `down` makes room for the new one")
            return
        self.forget()
        _drop_image(have.get("image"))
        with locked(CACHE / "ports.lock"):
            self.directory.mkdir(parents=True)
            layout = json.dumps({**wanted, "slot": _free_slot()})
            (self.directory / LAYOUT).write_text(layout)
        self.attach()

    def _layout(self):
        try:
            return json.loads((self.directory / LAYOUT).read_text())
        except FileNotFoundError:
            return None

    def _make_snapshot(self):
        _say(f"first boot of {self.name}, about a minute")
        self.guest.power_off()
        self.guest.create_disks()
        self.master.forget(MINION)
        self.guest.start()
        self.guest.wait_for_boot()
        self.guest.write("/etc/salt/minion.d/ports.conf", self._minion_ports())
        self.guest.must("systemctl enable --now salt-minion", timeout=300)
        self.wait_for_minion()
        self.guest.must("sync; journalctl --rotate; journalctl --vacuum-time=1s", timeout=60)
        self.guest.save(SNAPSHOT)

    def _minion_ports(self):
        return f"publish_port: {self.master.publish_port}\nmaster_port: {self.master.return_port}\n"

    @contextlib.contextmanager
    def _explained(self):
        """A failure shows what the guest's console said last."""
        try:
            yield
        except LabError as error:
            raise LabError(
                f"{error}\nconsole of {self.name}:\n{self.guest.console_tail()}"
            ) from error


def _say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


def _drop_image(key):
    """Delete an image that no lab uses any more."""
    if key and all(json.loads(path.read_text())["image"] != key for path in _layouts()):
        shutil.rmtree(CACHE / "images" / key, ignore_errors=True)


def _layouts():
    return CACHE.glob(f"labs/*/{LAYOUT}")


def names():
    """The labs that exist on disk."""
    return sorted(path.parent.name for path in _layouts())


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
    taken = {json.loads(path.read_text())["slot"] for path in _layouts()}
    for slot in range(200):
        if slot not in taken and all(_is_free(port) for port in _ports(slot).values()):
            return slot
    raise LabError("no free ports for another lab")


def _is_free(port):
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
