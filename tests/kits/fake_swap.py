"""
A machine whose swap tools and kernel are imitated on real files, and that can be killed anywhere.

Our own modules run on it unchanged. Every step that changes something is counted, so
that a test can end the run before it, in the middle of it or after it.
"""

import os
import shutil

from disk_kit import laid
from fakes import LOCK, Killed
from salt.exceptions import CommandExecutionError

import _converge
import _disk_users
import _fstab
import _host
import _swapfile_make
import swapfile

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024**2
SIGNATURE = b"SWAPSPACE2"


class Machine:
    def __init__(self, folder, die=None):
        folder.chmod(0o755)
        self.path = str(folder / "swap" / "swapfile")
        self.active = {}
        self.memory = 1024 * MIB
        self.fstab = []
        self.steps = []
        self.die = die  # (number of the step, "before" or "middle" or "after")
        self.failing = {}  # command -> its message
        self.data_disk = None

    # What the states call.

    def state(self, test, size="2M"):
        with self.installed():
            return swapfile.active(self.path, size, self.data_disk, test=test)

    def installed(self):
        """For as long as a run takes, the modules work on this machine."""
        return laid(
            (_host, {"run": self.run, "read": self.read}),
            (
                _fstab,
                {"entries": lambda: [dict(e) for e in self.fstab], "set_entry": self.set_entry},
            ),
            (_swapfile_make, {"os": _Os(self), "_PIECE_MIB": 1}),
            (_disk_users, {"of_file": lambda path: []}),
            (_converge, {"LOCK": LOCK}),
        )

    # Steps.

    def step(self, name, do, half=None):
        number = len(self.steps)
        self.steps.append(name)
        if self.die == (number, "before"):
            raise Killed
        if self.die == (number, "middle") and half:
            half()
            raise Killed
        result = do()
        if self.die and self.die[0] == number:
            raise Killed
        return result

    def run(self, argv, timeout=60, accept=(0,)):
        tool = argv[0]
        if tool == "findmnt":
            return {"retcode": 0, "stdout": "ext4\n", "stderr": ""}
        if tool == "blkid":
            return self._blkid(argv[-1])
        if tool in self.failing:
            raise CommandExecutionError(f"`{tool}` failed with exit code 1: {self.failing[tool]}")
        half = (lambda: self._dd(argv, MIB // 2)) if tool == "dd" else None
        self.step(" ".join(argv[:1] + argv[-1:]), lambda: getattr(self, f"_{tool}")(argv), half)
        return {"retcode": 0, "stdout": "", "stderr": ""}

    def read(self, path):
        if path == "/proc/meminfo":
            return f"MemAvailable: {self.memory // 1024} kB\n"
        if path != "/proc/swaps":
            return None
        lines = ["Filename Type Size Used Priority"]
        for name, (size, used) in self.active.items():
            lines.append(f"{name} file {(size - PAGE) // 1024} {used // 1024} -2")
        return "\n".join(lines) + "\n"

    def set_entry(self, spec, file, type, options, freq=0, passno=0, key="file"):
        assert key == "spec"
        entry = {"spec": spec, "file": file, "type": type, "options": options}
        entry.update(freq=freq, passno=passno)

        def replace():
            self.fstab = [line for line in self.fstab if line["spec"] != spec] + [entry]

        self.step("fstab", replace)
        return True

    # The tools.

    def _blkid(self, path):
        with open(path, "rb") as handle:
            found = handle.read(PAGE)[-len(SIGNATURE) :] == SIGNATURE
        out = "TYPE=swap\n" if found else ""
        return {"retcode": 0 if found else 2, "stdout": out, "stderr": ""}

    def _install(self, argv):
        if "-d" in argv:
            for folder in argv[4:]:
                os.mkdir(folder, 0o755)
        else:
            shutil.copyfile(argv[-2], argv[-1])
            os.chmod(argv[-1], int(argv[argv.index("-m") + 1], 8))

    def _dd(self, argv, amount=MIB):
        words = dict(word.split("=", 1) for word in argv[1:])
        with open(words["of"], "r+b") as out:
            out.seek(int(words["seek"]) * MIB)
            out.write(bytes(amount * int(words["count"])))
            os.fsync(out.fileno())

    def _mkswap(self, argv):
        assert argv[1] not in self.active
        with open(argv[1], "r+b") as out:
            out.seek(PAGE - len(SIGNATURE))
            out.write(SIGNATURE)

    def _swapon(self, argv):
        assert argv[1] not in self.active
        assert self._blkid(argv[1])["retcode"] == 0, "swapon on a file without a signature"
        assert os.stat(argv[1]).st_mode & 0o777 == 0o600
        self.active[argv[1]] = (os.stat(argv[1]).st_size, 0)

    def _swapoff(self, argv):
        del self.active[argv[1]]

    # Looking at it.

    def is_done(self, size):
        have = os.stat(self.path)
        return (
            self.active == {self.path: (size, 0)}
            and (have.st_size, have.st_mode & 0o777) == (size, 0o600)
            and os.listdir(os.path.dirname(self.path)) == ["swapfile"]
            and [line["spec"] for line in self.fstab] == [self.path]
        )


class _Os:
    """`os`, its changing functions being steps; the kernel protects files that it swaps to."""

    def __init__(self, machine):
        self._machine = machine

    def __getattr__(self, name):
        if name not in ("unlink", "replace", "chmod", "chown"):
            return getattr(os, name)

        def call(*args):
            assert name in ("chmod", "chown") or not set(args) & set(self._machine.active)
            return self._machine.step(name, lambda: getattr(os, name)(*args))

        return call
