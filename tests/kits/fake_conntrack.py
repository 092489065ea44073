"""
A host whose kernel tracks connections, imitated in a directory: it loads modules with
their options, it boots, and the run on it can be ended before any step.

Our own modules run on it unchanged: fresh copies of them, whose `_host` is the machine.
"""

import os
import re
import types

from fakes import Killed, copy, state_over
from salt.exceptions import CommandExecutionError

GIB = 1 << 30
OURS = {
    "sysctl": "/etc/sysctl.d/99-zz-rancher-conntrack.conf",
    "options": "/etc/modprobe.d/zz-rancher-conntrack.conf",
    "modules": "/etc/modules-load.d/rancher-conntrack.conf",
}
PARAMETERS = "/sys/module/nf_conntrack/parameters/hashsize"
SYSCTLS = "/proc/sys/net/netfilter/nf_conntrack_"
# The kernel's own, in seconds.
TIMEOUTS = {
    "tcp_timeout_established": 432000,
    "tcp_timeout_close_wait": 60,
    "tcp_timeout_fin_wait": 120,
    "tcp_timeout_time_wait": 120,
}


HOST = copy("_modules/_host")
# A power cut is not imitated here.
HOST.os = types.SimpleNamespace(**{**vars(os), "fsync": lambda handle: None})


class Machine:
    def __init__(self, folder, gib=8, release="6.1.0-18-amd64", die=None):
        self.root = str(folder)
        self.release = release
        self.mem_total = int(gib * GIB * 0.96) // 1024 * 1024
        self.separate = release.startswith("3.")  # the timeouts are of nf_conntrack_ipv4
        self.available = {"nf_conntrack", "nf_conntrack_ipv4"} - (
            set() if self.separate else {"nf_conntrack_ipv4"}
        )
        self.read_only = set()
        self._load()
        self.steps = []
        self.die = die  # number of the step before which the run ends
        self.put("/sys/devices/system/memory/memory0/state", "online\n")
        self.put("/sys/devices/system/memory/memory8/state", "online\n")
        self.put("/sys/devices/system/memory/block_size_bytes", f"{gib * GIB // 2:x}\n")
        self.put("/proc/meminfo", f"MemTotal:  {self.mem_total // 1024} kB\nMemFree: 1 kB\n")
        self.put("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro\n")
        self.put("/proc/self/status", "Name:\tpython\nCapEff:\t000001ffffffffff\n")

    # Files.

    def put(self, path, text):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w", encoding="utf-8") as out:
            out.write(str(text))

    def get(self, path):
        return HOST.read(self.root + path)

    def tree(self):
        """Everything that a dry run must leave as it is."""
        found = {}
        for folder, _, names in os.walk(self.root):
            for path in (os.path.join(folder, name) for name in names):
                have = os.lstat(path)
                text = None if os.path.islink(path) else HOST.read(path)
                found[path] = (have.st_ino, have.st_mtime_ns, text)
        return found

    # The kernel.

    def load_module(self, name):
        self.put(f"/sys/module/{name}/initstate", "live\n")
        if name == "nf_conntrack_ipv4" or not self.separate:
            for key, value in TIMEOUTS.items():
                self.put(SYSCTLS + key, f"{value}\n")
        if name == "nf_conntrack_ipv4" and self.get(SYSCTLS + "max") is not None:
            return
        options = self.boot_files.module_options("nf_conntrack", "hashsize")
        made = self.conntrack.kernel_default(
            hashsize=self.boot_files.number(options[-1]["value"]) if options else None
        )
        self.put(PARAMETERS, f"{made['buckets']}\n")
        self.put("/sys/module/nf_conntrack/initstate", "live\n")
        self.set_live(made["max"], count=0, buckets=made["buckets"])

    def set_live(self, entries, **more):
        for key, value in {"max": entries, **more}.items():
            self.put(SYSCTLS + key, f"{value}\n")

    def live(self):
        keys = ["max", *TIMEOUTS]
        return {key: int(self.get(SYSCTLS + key)) for key in keys} | {
            "buckets": int(self.get(PARAMETERS))
        }

    def boot(self, with_sysctls=True):
        """systemd-modules-load, then systemd-sysctl; later file names win."""
        for path in list(self.tree()):
            path = path.removeprefix(self.root)
            if path.startswith((SYSCTLS, "/sys/module/")):
                os.unlink(self.root + path)
        for folder in ("nf_conntrack", "nf_conntrack_ipv4"):
            if os.path.isdir(f"{self.root}/sys/module/{folder}"):
                os.rename(
                    f"{self.root}/sys/module/{folder}",
                    f"{self.root}/gone-{folder}-{os.urandom(4).hex()}",
                )
        for line in (self.get(OURS["modules"]) or "").splitlines():
            if not line.startswith("#"):
                self.load_module(line)
        folder = f"{self.root}/etc/sysctl.d"
        for name in sorted(os.listdir(folder)) if with_sysctls and os.path.isdir(folder) else []:
            for key, value in self.boot_files.parse_sysctl(
                self.get(f"/etc/sysctl.d/{name}")
            ).items():
                path = "/proc/sys/" + key.replace(".", "/")
                if self.get(path) is not None:
                    self.put(path, f"{value}\n")

    # What the state calls.

    def state(self, test, **arguments):
        return state_over(self.face, test).tuned("conntrack", **arguments)

    def _load(self):
        self.boot_files, self.conntrack = (
            copy("_modules/_boot_files"),
            copy("_modules/_conntrack_size"),
        )
        self.conntrack_host, self.face = (
            copy("_modules/_conntrack_host"),
            copy("_modules/conntrack"),
        )
        self.lines = HOST.lines
        for module in (self.boot_files, self.conntrack, self.conntrack_host):
            module.ROOT, module.os, module._host = self.root, _Os(self), self
        self.conntrack_host._boot_files = self.boot_files
        self.face._conntrack_size = self.conntrack_host._conntrack_size = self.conntrack
        self.face._conntrack_host = self.conntrack_host
        self.conntrack_host._set = self._counted(
            self.conntrack_host._set, lambda path, value: f"set {path}={value}"
        )

    # What our modules find as `_host`.

    def read(self, path):
        return HOST.read(path)

    def write(self, path, text, mode="0644"):
        step = self._counted(HOST.write, lambda path, *_: f"write {path}")
        return step(path, text, mode)

    def run(self, argv, timeout=60, accept=(0,)):
        if argv[0] == "modinfo":
            assert argv[1:3] == ["--field", "filename"] and accept == (0, 1)
            there = argv[3] in self.available
            path = f"/lib/modules/{self.release}/kernel/net/netfilter/{argv[3]}.ko.xz\n"
            return {"retcode": 0 if there else 1, "stdout": path if there else "", "stderr": ""}
        assert argv[0] == "modprobe" and len(argv) == 2
        if argv[1] not in self.available:
            raise CommandExecutionError(f"`modprobe {argv[1]}` failed with exit code 1: not found")
        self._counted(self.load_module, lambda name: f"modprobe {name}")(argv[1])
        return {"retcode": 0, "stdout": "", "stderr": ""}

    def _counted(self, function, words):
        def call(*args):
            self.steps.append(words(*args).replace(self.root, ""))
            if self.die == len(self.steps) - 1:
                raise Killed
            return function(*args)

        return call


class _Os:
    """The os module, on a kernel of our choice."""

    def __init__(self, machine):
        self._machine = machine

    def __getattr__(self, name):
        return getattr(os, name)

    def uname(self):
        return types.SimpleNamespace(machine="x86_64", release=self._machine.release)

    def sysconf(self, name):
        return {"SC_PAGE_SIZE": 4096}[name]

    def access(self, path, mode):
        return path.removeprefix(self._machine.root) not in self._machine.read_only


def numbers(text):
    """The assignments of a file of ours, without its comment."""
    return dict(re.findall(r"^([a-z_.]+) = (\d+)$", text, re.MULTILINE))
