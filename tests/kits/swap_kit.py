"""
Swap files on this machine's real kernel: the tree's modules, every step counted, so that a run
can be ended in front of any. Only fstab is imitated: this machine's own is not ours to write.
"""

import contextlib
import os
import subprocess

import fakes
from disk_kit import laid
from fakes import Killed

import _converge
import _fstab
import _host
import _swapfile
import _swapfile_make
import swapfile

MIB = 1024**2
READING = ("blkid", "findmnt")


def must(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


class Machine:
    """Our modules on the real machine, but for fstab; `die` is the number of the last step."""

    def __init__(self, path):
        self.path = path
        self.fstab = []
        self.steps = []
        self.die = None
        # What a test lays over the modules: pairs of a module and a dict.
        self.over = []

    def apply(self, size, test=False):
        with self.installed():
            return swapfile.active(self.path, size, test=test)

    def installed(self):
        """For as long as a run takes, the modules are this machine's."""
        return laid(
            (_fstab, {"entries": lambda: self.fstab, "set_entry": self.set_entry}),
            (_swapfile_make, {"os": Os(self), "_PIECE_MIB": 40}),
            (_converge, {"LOCK": fakes.LOCK}),
            *self.over,
            lambda: (_host, {"run": self._counting(_host.run)}),
        )

    def _counting(self, real):
        def run(argv, timeout=60, accept=(0,)):
            if argv[0] in READING:
                return real(argv, timeout, accept)
            return self.step(" ".join(argv), lambda: real(argv, timeout, accept))

        return run

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
        return _swapfile.parse_swaps(_host.read("/proc/swaps"))


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
