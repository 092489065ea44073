"""One lab: a master on this machine, guests with their minions, snapshots to go back to."""

import concurrent.futures
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
from .guest import CGROUP_V1, KERNEL_ARGUMENTS, Guest, machine
from .master import CHECKOUT, Master
from .process import LabError, Patience, locked
from .services import Database, Registry

CACHE = CHECKOUT / ".cache/lab"
DISKS = {"data": "8G", "pool": "20G"}
SNAPSHOT = "bare"
MINION = "guest"
LAYOUT = "layout.json"
DOMAIN = "example.test"
MOST_GUESTS = 5


class Lab:
    """
    The lab called ``name``: its own guests, disks, ports and master.

    ``guests`` are the names of its guests, which are also the ids of their minions. Several
    share a network (10.0.3.11, .12, ...) and know each other as NAME.example.test.
    ``cgroup`` is the version that their systemd takes; Rancher's agent needs 1.
    With ``events`` their minions tell of each state as it ends.
    ``registry`` and ``database`` run on this machine once they are started.
    Use it as a context, and all its processes end with it; with ``kept`` they outlive us.
    """

    def __init__(
        self,
        name="default",
        *,
        kept=False,
        disks=None,
        memory=3072,
        recipe=None,
        guests=(MINION,),
        events=False,
        cgroup=2,
    ):
        if not 1 <= len(guests) <= MOST_GUESTS:
            raise LabError(f"a lab has 1 to {MOST_GUESTS} guests, not {len(guests)}")
        self.name = name
        self.directory = CACHE / "labs" / name
        self._kept = kept
        self._disks = disks or DISKS
        self._memory = memory
        self._recipe = recipe or image.Recipe()
        self._names = tuple(guests)
        self._events = events
        self._kernel = KERNEL_ARGUMENTS + (CGROUP_V1 if cgroup == 1 else "")
        self._threads = None
        self._detach()

    @property
    def guest(self):
        """The first guest, and in most labs the only one; None before there is any."""
        return next(iter(self.guests.values()), None)

    @property
    def running(self):
        return bool(self.guests) and all(guest.running for guest in self.guests.values())

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
        """Master and guests running; guests that were off start as bare hosts."""
        self._prepare()
        if not self.running:
            self.fresh()

    def fresh(self):
        """Bare hosts, just booted, whose minions answer; a few seconds. Returns the first guest."""
        self._prepare()
        with self._explained():
            self._each(lambda guest: guest.load(SNAPSHOT))
            self.wait_for_minions()
        return self.guest

    def reboot(self, *names):
        """Let the guests (without names: all) reboot themselves and wait for their minions."""
        with self._explained():
            self._each(lambda guest: guest.reboot(), names)
            self.wait_for_minions()

    def power_cycle(self, *names):
        """Cut the power of the guests (without names: all), boot again, wait for their minions."""

        def cycle(guest):
            guest.power_off()
            guest.start()
            guest.wait_for_boot()

        with self._explained():
            self._each(cycle, names)
            self.wait_for_minions()

    def call(self, function, *args, timeout=900, **kwargs):
        """Run ``function`` on the first minion: ``lab.call("state.apply", "common", test=True)``."""
        return self.master.call(self._names[0], function, args, timeout=timeout, **kwargs)

    def call_all(self, function, *args, timeout=900, **kwargs):
        """Run ``function`` on all minions at once; returns what each returned, by its id."""
        return self.master.call_all(self._names, function, args, timeout=timeout, **kwargs)

    def address(self, name):
        """The address of the guest ``name`` on the network that the guests share."""
        return lan_address(self._names.index(name) + 1)

    def wait_for_minions(self, timeout=300):
        for name, guest in self.guests.items():
            patience = Patience(f"the minion of {name}", timeout, guest.signs)
            if self.master.ping(name, patience, alive=lambda guest=guest: guest.running):
                continue
            if not guest.running:
                raise LabError(f"{name} is off")
            raise LabError(f"{patience.error()}; see {self.master.log}")

    def down(self):
        """End guests, master and services; the disks stay."""
        self.attach()
        for guest in self.guests.values():
            guest.power_off()
        for service in (self.master, self.registry, self.database):
            if service:
                service.stop()

    def forget(self):
        """End everything and delete the disks; the image stays."""
        self.down()
        for directory in (self.directory, _socket_directory(self.directory)):
            shutil.rmtree(directory, ignore_errors=True)
        self._detach()

    def attach(self):
        """Make the parts of the lab that is on disk, without starting anything."""
        layout = self._layout()
        if self.guests or not layout:
            return
        sockets, ports = _socket_directory(self.directory), _ports(layout["slot"])
        self._names = tuple(layout.get("guests", [MINION]))
        several = len(self._names) > 1
        for number, name in enumerate(self._names, 1):
            own = [self.directory / name, sockets / name] if several else [self.directory, sockets]
            for directory in own:
                directory.mkdir(parents=True, exist_ok=True)
            self.guests[name] = Guest(
                image.Image(CACHE / "images" / layout["image"]),
                *own,
                ssh_port=ports["ssh"][number - 1],
                disks=layout["disks"],
                memory=layout["memory"],
                lan=(ports["lan"], number) if several else None,
                kept=self._kept,
                kernel=layout.get("machine", [KERNEL_ARGUMENTS])[-1],
            )
        self.master = Master(
            self.directory / "master",
            sockets,
            publish_port=ports["publish"],
            return_port=ports["return"],
            kept=self._kept,
        )
        own = self.directory / "registry"
        self.registry = Registry(own, port=ports["registry"], kept=self._kept)
        own = self.directory / "database"
        self.database = Database(own, sockets, port=ports["database"], kept=self._kept)

    def _detach(self):
        self.guests = {}
        self.master = self.registry = self.database = None

    # Behind it.

    def _prepare(self):
        """All that ``fresh`` needs: the image, this lab's disks and snapshot, a running master."""
        base = image.ensure(self._recipe, CACHE)
        with locked(CACHE / f"labs/{self.name}.lock"):
            self._settle(self._wanted(base))
            with self._explained():
                self.master.start()
                if not all(guest.has_snapshot(SNAPSHOT) for guest in self.guests.values()):
                    self._make_snapshots()

    def _wanted(self, base):
        return {
            "image": base.key,
            # A snapshot fits the machine that it was saved on.
            "machine": [*machine(base), self._kernel],
            "salt": self._recipe.salt,
            "disks": self._disks,
            "memory": self._memory,
            "guests": list(self._names),
            "events": self._events,
        }

    def _settle(self, wanted):
        """Attach to the lab on disk. One made for something else is laid out anew, unless it runs."""
        self.attach()
        have = self._layout()
        if wanted.items() <= have.items():
            return
        if any(guest.running for guest in self.guests.values()):
            _say(f"{self.name} still runs on an older layout; `down` makes room for the new one")
            return
        self.forget()
        self._names = tuple(wanted["guests"])
        _drop_image(have.get("image"))
        with locked(CACHE / "ports.lock"):
            self.directory.mkdir(parents=True)
            layout = json.dumps({**wanted, "slot": _free_slot()})
            (self.directory / LAYOUT).write_text(layout)
        self.attach()

    def _layout(self):
        return saved(self.name)

    def _make_snapshots(self):
        _say(f"first boot of {self.name}, about a minute")
        for name in self._names:
            self.master.forget(name)
        self._each(self._first_boot)
        self.wait_for_minions()
        for guest in self.guests.values():
            guest.must("sync; journalctl --rotate; journalctl --vacuum-time=1s", timeout=60)
            guest.save(SNAPSHOT)

    def _first_boot(self, guest):
        guest.power_off()
        guest.create_disks()
        guest.start()
        guest.wait_for_boot()
        name = next(name for name, each in self.guests.items() if each is guest)
        ports = {"publish_port": self.master.publish_port, "master_port": self.master.return_port}
        guest.write(
            "/etc/salt/minion.d/lab.conf",
            json.dumps({"id": name, **ports, "state_events": self._events}),
        )
        if guest.lan:
            guest.write("/etc/hosts", hosts_file(self._names))
            guest.write("/etc/hostname", f"{name}\n")
            guest.write("/etc/systemd/network/lan1.network", lan_config(guest.lan[1]))
            guest.must(f"hostname {name}; networkctl reload", timeout=60)
        guest.must("systemctl enable --now salt-minion", timeout=300)

    def _each(self, act, names=()):
        """``act`` on the named guests, or on all, side by side."""
        chosen = [self.guests[name] for name in names or self._names]
        if len(chosen) == 1:
            act(chosen[0])
            return
        # These threads live as long as we do: the kernel would end a QEMU with its thread.
        if not self._threads:
            self._threads = concurrent.futures.ThreadPoolExecutor(MOST_GUESTS)
        begun = [self._threads.submit(act, guest) for guest in chosen]
        concurrent.futures.wait(begun)
        for each in begun:
            each.result()

    @contextlib.contextmanager
    def _explained(self):
        """A failure shows what the guests' consoles said last."""
        try:
            yield
        except LabError as error:
            raise LabError(f"{error}\n{self.consoles()}") from error

    def consoles(self):
        """The last lines of every guest's console."""
        return "\n".join(
            f"console of {name} in {self.name}:\n{guest.console_tail()}"
            for name, guest in self.guests.items()
        )


def lan_address(number):
    """The address of the guest with this number, counted from 1."""
    return f"10.0.3.{10 + number}"


def lan_config(number):
    """What networkd shall know of the card on the shared network."""
    return f"[Match]\nName=eth1\n\n[Network]\nAddress={lan_address(number)}/24\nLinkLocalAddressing=no\n"


def hosts_file(names):
    """/etc/hosts of each guest: all of them by name and by name with domain."""
    lines = [f"{lan_address(n)} {name}.{DOMAIN} {name}" for n, name in enumerate(names, 1)]
    return "\n".join(["127.0.0.1 localhost", *lines]) + "\n"


def saved(name):
    """What the lab ``name`` on disk was made of: its layout, or an empty dict."""
    try:
        return json.loads((CACHE / "labs" / name / LAYOUT).read_text())
    except FileNotFoundError:
        return {}


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
    return {
        "publish": first,
        "lan": first,  # UDP
        "return": first + 1,
        "ssh": [first + 2, *range(first + 5, first + 5 + MOST_GUESTS - 1)],
        "registry": first + 3,
        "database": first + 4,
    }


def _free_slot():
    taken = {json.loads(path.read_text())["slot"] for path in _layouts()}
    for slot in range(200):
        first = _ports(slot)["publish"]
        if slot not in taken and all(_is_free(port) for port in range(first, first + 9)):
            return slot
    raise LabError("no free ports for another lab")


def _is_free(port):
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
