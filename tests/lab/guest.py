"""A Debian 12 guest under QEMU, by KVM or software emulation: power, disks, snapshots, ssh."""

import contextlib
import datetime
import functools
import json
import os
import shlex
import socket
import subprocess

from .process import Daemon, LabError, run, wait_until

# Seconds without a sign of life.
BOOT_TIMEOUT = 300
# Datagrams on the loopback device: a wire that needs no hub and no power of its own.
# Seconds in which a kernel under KVM has to panic for want of a root.
PROBE = 20
LAN_GROUP = "230.0.0.1"
# One processor: two that are emulated wait for each other, and two guests share two real ones.
EMULATED = ("-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "max")
VIRTUAL = ("-machine", "q35", "-accel", "kvm", "-cpu", "host")
# The clock that Linux prefers to an emulated TSC, the HPET, costs a way out of the guest per look.
# Without random addresses: QEMU finds what it has translated by the virtual address of the code.
KERNEL_ARGUMENTS = (
    "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=error net.ifnames=0 "
    "tsc=reliable norandmaps"
)
# As CentOS 7 has it, and as the agent of Rancher 1.6 needs it.
CGROUP_V1 = " systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller"


class Guest:
    """
    The guest whose files are in ``directory`` and whose sockets are in ``sockets``.

    ``disks`` maps the serial number of a blank data disk to its size: ``data`` is found
    in the guest as /dev/disk/by-id/virtio-data. With ``kept`` it outlives this process.
    ``lan``, a (UDP port, number of this guest) pair, is a second network card on the wire
    that all guests with the same port share. ``kernel`` is its command line.
    """

    def __init__(
        self,
        image,
        directory,
        sockets,
        *,
        ssh_port,
        disks,
        memory=3072,
        lan=None,
        kept=False,
        kernel=KERNEL_ARGUMENTS,
    ):
        self.image = image
        self.directory = directory
        self.disks = disks
        self.memory = memory
        self.ssh_port = ssh_port
        self.lan = lan
        self.kept = kept
        self.kernel = kernel
        self.console = directory / "console.log"
        self._monitor = sockets / "monitor"
        self._ssh = Ssh(ssh_port, image.ssh_key, sockets / "ssh")
        self._qemu = Daemon(directory / "qemu.pid", directory / "qemu.log")

    # Power.

    @property
    def running(self):
        return bool(self._qemu.pid)

    def create_disks(self):
        """Lay a fresh overlay on the image, and blank data disks beside it."""
        backing = ["-F", "qcow2", "-b", self.image.disk]
        run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, self._disk("root")], timeout=30)
        for serial, size in self.disks.items():
            run(["qemu-img", "create", "-q", "-f", "qcow2", self._disk(serial), size], timeout=30)

    def start(self, snapshot=None):
        """Power on, from ``snapshot`` when it is given; returns before the guest has booted."""
        self._monitor.unlink(missing_ok=True)
        self._qemu.start(self.arguments(snapshot), kept=self.kept)
        wait_until(self._answers_monitor, timeout=120, what="QEMU's monitor")

    def wait_for_boot(self, timeout=BOOT_TIMEOUT):
        """Wait until ssh answers."""
        wait_until(
            self._boot_id,
            timeout=timeout,
            what=f"boot of {self.directory.name}",
            every=1,
            signs=self.signs,
        )

    def signs(self):
        """What changes while the guest does something: its console and the operations of its disks."""
        size = self.console.stat().st_size if self.console.exists() else 0
        try:
            disks = monitor_command(self._monitor, "query-blockstats", timeout=5)
        except (OSError, ValueError):
            return size, None
        keys = ("rd_operations", "wr_operations", "flush_operations")
        return size, [[each["stats"][key] for key in keys] for each in disks]

    def reboot(self, timeout=BOOT_TIMEOUT):
        """Let the guest reboot itself, and wait until it is back."""
        before = self._boot_id()
        with contextlib.suppress(LabError):
            self.ssh("systemctl reboot", timeout=30)
        self._ssh.disconnect()
        wait_until(
            lambda: self._boot_id() not in (None, before),
            timeout=timeout,
            what=f"reboot of {self.directory.name}",
            every=1,
            signs=self.signs,
        )

    def power_off(self):
        """Cut the power: what the guest has not written to its disks is lost."""
        self._ssh.disconnect()
        self._qemu.kill()

    # Snapshots.

    def save(self, name):
        """Save memory and all disks under ``name``."""
        self._command(f"savevm {name}", timeout=600)

    def load(self, name):
        """
        Go back to the snapshot ``name``, with the right time of day.

        In a new QEMU: the old one's network would answer for connections that the guest
        of the snapshot holds in another state, and they would hang instead of break.
        """
        self.power_off()
        self.start(snapshot=name)
        wait_until(self._set_clock, timeout=180, what="ssh after the snapshot was loaded")

    def has_snapshot(self, name):
        disk = self._disk("root")
        if not disk.exists():
            return False
        listing = run(["qemu-img", "info", "-U", "--output=json", disk], timeout=30).stdout
        return name in [each["name"] for each in json.loads(listing).get("snapshots", [])]

    # Commands and files.

    def ssh(self, command, *, timeout=60, input=None):
        """
        Run ``command``, a list of words or a line for the guest's shell.

        Returns (exit code, stdout, stderr); 255 means that ssh could not reach the guest.
        """
        return self._ssh.run(command, timeout=timeout, input=input)

    def must(self, command, *, timeout=60, input=None):
        """Run ``command`` and return its stdout; LabError when it fails."""
        code, out, err = self.ssh(command, timeout=timeout, input=input)
        if code:
            raise LabError(
                f"in the guest, {command!r} exited {code}: {(err or out).strip()[-2000:]}"
            )
        return out

    def write(self, path, text, mode="0644"):
        """Write ``text`` to the file ``path`` of the guest."""
        name = shlex.quote(str(path))
        self.must(f"mkdir -p $(dirname {name}) && cat > {name} && chmod {mode} {name}", input=text)

    def put(self, source, path, timeout=120):
        """Copy the local file ``source`` to ``path`` in the guest."""
        self._ssh.copy(source, f"guest:{path}", timeout)

    def get(self, path, target, timeout=120):
        """Copy the guest's file ``path`` to the local ``target``."""
        self._ssh.copy(f"guest:{path}", target, timeout)

    def publish(self, port):
        """Make the guest's TCP port a free one of this machine, until power off; returns that."""
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            here = free.getsockname()[1]
        self._command(f"hostfwd_add net tcp:127.0.0.1:{here}-:{port}", timeout=30)
        return here

    def interactive(self, command):
        """Run ``command`` (or a login shell) on this terminal; returns the exit code."""
        return self._ssh.interactive(command)

    def console_tail(self, lines=40):
        """The last lines of the serial console, and what QEMU itself said."""
        try:
            text = self.console.read_text(errors="replace")
        except FileNotFoundError:
            text = ""
        return "\n".join([*text.splitlines()[-lines:], self._qemu.tail(5)])

    # Behind it.

    def arguments(self, snapshot=None):
        """QEMU's command line."""
        words = [
            "qemu-system-x86_64", "-name", self.directory.name, "-nodefaults", "-no-user-config", "-display", "none",
            *machine(self.image), "-m", self.memory,
            "-kernel", self.image.kernel, "-initrd", self.image.initrd, "-append", self.kernel,
            "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console",
            "-qmp", f"unix:{self._monitor},server=on,wait=off",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22", "-device", "virtio-net-pci,netdev=net",
            "-device", "virtio-rng-pci",
        ]  # fmt: skip
        if self.lan:
            port, number = self.lan
            words += ["-netdev", f"socket,id=lan,mcast={LAN_GROUP}:{port},localaddr=127.0.0.1"]
            words += ["-device", f"virtio-net-pci,netdev=lan,mac=52:54:00:00:03:{number:02x}"]
        for name in ["root", *self.disks]:
            words += [
                "-drive",
                f"if=none,id={name},file={self._disk(name)},cache=unsafe,discard=unmap",
            ]
            words += ["-device", f"virtio-blk-pci,drive={name},serial={name}"]
        return words + (["-loadvm", snapshot] if snapshot else [])

    def _disk(self, name):
        return self.directory / f"{name}.qcow2"

    def _boot_id(self):
        if not self.running:
            raise LabError(f"the guest is off; QEMU said: {self._qemu.tail()}")
        code, out, _ = self.ssh(["cat", "/proc/sys/kernel/random/boot_id"], timeout=30)
        return out.strip() if code == 0 else None

    def _set_clock(self):
        now = datetime.datetime.now(datetime.timezone.utc).timestamp()
        return self.ssh(["date", "-s", f"@{now:.1f}"], timeout=30)[0] == 0

    def _answers_monitor(self):
        if not self.running:
            raise LabError(f"QEMU did not start: {self._qemu.tail()}")
        try:
            monitor_command(self._monitor, "query-status", timeout=5)
        except (OSError, ValueError):
            return False
        return True

    def _command(self, line, timeout):
        try:
            said = monitor_command(
                self._monitor, "human-monitor-command", timeout, **{"command-line": line}
            )
        except (OSError, ValueError) as error:
            raise LabError(f"QEMU did not answer to {line}: {error}") from error
        if said.strip():
            raise LabError(f"QEMU refused {line}: {said.strip()}")


@functools.cache
def machine(image):
    """KVM where it works; it can be offered and hang, so a kernel has to say something there first."""
    if not os.path.exists("/dev/kvm"):
        return EMULATED
    words = ["-nodefaults", "-no-user-config", "-display", "none", "-m", "256", "-no-reboot"]
    words += ["-kernel", image.kernel, "-append", "console=ttyS0 panic=-1", "-serial", "stdio"]
    try:
        # Without a root it ends by itself, after its first words.
        done = run(["qemu-system-x86_64", *VIRTUAL, *words], timeout=PROBE, check=False)
    except LabError:
        return EMULATED
    return VIRTUAL if "Linux version" in done.stdout else EMULATED


def monitor_command(path, command, timeout, **arguments):
    """One exchange with QEMU's monitor (QMP) on the socket ``path``."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(timeout)
        link.connect(str(path))
        with link.makefile("rw") as lines:
            lines.readline()  # its greeting
            for word, given in (("qmp_capabilities", {}), (command, arguments)):
                lines.write(json.dumps({"execute": word, "arguments": given}) + "\n")
                lines.flush()
                answer = _answer(lines)
            return answer


def _answer(lines):
    for line in lines:
        message = json.loads(line)
        if "error" in message:
            raise LabError(f"QEMU: {message['error']['desc']}")
        if "return" in message:
            return message["return"]
    raise OSError("the monitor hung up")


class Ssh:
    """Commands over one kept connection; a handshake costs a second under emulation."""

    def __init__(self, port, key, control):
        self._control = control
        self._options = [
            f"-oControlPath={control}", f"-oIdentityFile={key}", "-oIdentitiesOnly=yes", "-oBatchMode=yes",
            "-oUserKnownHostsFile=/dev/null", "-oStrictHostKeyChecking=no", "-oLogLevel=ERROR",
            "-oHostName=127.0.0.1", f"-oPort={port}", "-oUser=root",
            "-oConnectTimeout=10", "-oServerAliveInterval=15", "-oServerAliveCountMax=4",
        ]  # fmt: skip

    def run(self, command, *, timeout, input=None):
        line = command if isinstance(command, str) else shlex.join(str(word) for word in command)
        self._connect()
        done = run(
            ["ssh", "-F/dev/null", *self._options, "guest", line],
            timeout=timeout,
            input=input,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def copy(self, source, target, timeout):
        self._connect()
        run(["scp", "-q", "-F/dev/null", *self._options, source, target], timeout=timeout)

    def interactive(self, command):
        return subprocess.call(["ssh", "-t", "-F/dev/null", *self._options, "guest", *command])

    def _connect(self):
        """Start the kept connection, in the background; without one ssh connects by itself."""
        if self._control.exists():
            return
        words = ["ssh", "-F/dev/null", "-fMN", "-oControlPersist=yes", *self._options, "guest"]
        with contextlib.suppress(subprocess.TimeoutExpired):
            null = subprocess.DEVNULL
            subprocess.call(words, stdin=null, stdout=null, stderr=null, timeout=30)

    def disconnect(self):
        """End the kept connection: it does not survive a reboot or a loaded snapshot."""
        if self._control.exists():
            run(["ssh", "-F/dev/null", "-Oexit", *self._options, "guest"], timeout=15, check=False)
            self._control.unlink(missing_ok=True)
