"""
Swap files on this machine's real kernel: the tree's modules, every step counted, so that a run
can be ended in front of any. Only fstab is imitated: this machine's own is not ours to write.
"""

import contextlib
import os
import subprocess

from fakes import Salt, load, load_state

MIB = 1024**2
READING = ("blkid", "findmnt")


class Killed(BaseException):
    """The run ended here."""


def must(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


class Machine:
    """Our modules on the real machine, but for fstab; `die` is the number of the last step."""

    def __init__(self, path):
        self.path = path
        self.fstab = []
        self.steps = []
        self.die = None
        self.real = load("_host")

    def apply(self, size, test=False):
        salt = {
            "_host.run": self.run,
            "_host.read": self.real.read,
            "_fstab.entries": lambda: self.fstab,
            "_fstab.set_entry": self.set_entry,
            "_settings.size": load("_settings").size,
            "_converge.run": load("_converge").run,
        }
        salt = Salt(salt)
        for name, functions in (
            ("_swapfile_plan", ("plan", "fits_beside")),
            ("_swapfile", ("status",)),
        ):
            for function in functions:
                salt[f"{name}.{function}"] = getattr(load(name, salt), function)
        make = load("_swapfile_make", salt)
        make.os, make._PIECE_MIB = Os(self), 40
        salt["_swapfile_make.apply"] = make.apply
        return load_state("swapfile", salt, test).active(self.path, size)

    def run(self, argv, timeout=60, accept=(0,)):
        if argv[0] in READING:
            return self.real.run(argv, timeout, accept)
        return self.step(" ".join(argv), lambda: self.real.run(argv, timeout, accept))

    def step(self, name, do):
        if self.die == len(self.steps):
            raise Killed(name)
        self.steps.append(name)
        return do()

    def set_entry(self, spec, file, type, options, freq=0, passno=0, key="file"):
        entry = {"spec": spec, "file": file, "type": type, "options": options}
        entry.update(freq=freq, passno=passno)
        self.step("fstab", lambda: self.fstab.append(entry))

    def is_done(self, size):
        have = os.stat(self.path)
        (area,) = [a for a in self.in_use() if a["path"] == self.path]
        # ext4 with blocks of 1 KiB: some more pages than the one of the signature are left out.
        assert size - MIB < area["size"] < size and not area["deleted"]
        assert (have.st_size, have.st_mode & 0o777, have.st_uid) == (size, 0o600, 0)
        assert os.listdir(os.path.dirname(self.path)) == ["swapfile"]
        return [entry["spec"] for entry in self.fstab] == [self.path]

    def in_use(self):
        return load("_swapfile").parse_swaps(self.real.read("/proc/swaps"))


class Os:
    def __init__(self, machine):
        self._machine = machine

    def __getattr__(self, name):
        if name not in ("unlink", "replace", "chmod", "chown"):
            return getattr(os, name)
        return lambda *args: self._machine.step(name, lambda: getattr(os, name)(*args))


def cleared(machine):
    """Not in use, and gone, with its folder."""
    for path in (machine.path, machine.path + ".new"):
        if os.path.lexists(path):
            with contextlib.suppress(subprocess.CalledProcessError):
                must("swapoff", path)
            os.unlink(path)
    if os.path.isdir(os.path.dirname(machine.path)):
        os.rmdir(os.path.dirname(machine.path))
