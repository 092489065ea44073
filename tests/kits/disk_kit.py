"""
Real disks for tests: loop devices over sparse files, the tree's modules on this machine, and
runs that are ended at a chosen command.

Only fstab is imitated: this machine's own is not ours to write.
"""

import contextlib
import hashlib
import os
import re
import struct
import subprocess
import time
from unittest import mock

import fakes
from fakes import Killed

import _converge
import _disk_make
import _disk_marks
import _fstab
import _host
import datadisk

MIB = 1024**2
# Commands that only look.
LOOKS = ("blkid", "wipefs --no-act", "partx --pairs", "udevadm")


def must(*argv):
    """Run a command for the test itself."""
    argv = list(map(str, argv))
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout


def patiently(*argv):
    """A scan by somebody else's LVM holds a disk exclusively for a moment."""
    for _ in range(30):
        if subprocess.run(argv, capture_output=True, check=False, timeout=120).returncode == 0:
            return
        time.sleep(0.2)
    must(*argv)


def advised(comment, lead="If this disk may be erased, run on this host: "):
    """The commands that a message gives behind these words."""
    return re.search(re.escape(lead) + r"(.+?)\.(?: [A-Z]|$)", comment)[1]


class Disk:
    """A loop device with partitions over a sparse file."""

    def __init__(self, folder, size=80 * MIB, name="disk.img", read_only=False):
        self.image = str(folder / name)
        with open(self.image, "wb") as out:
            out.truncate(size)
        self.size = size
        self.path = None
        self.attach(read_only)

    def attach(self, read_only=False):
        options = ["--read-only"] if read_only else []
        self.path = must("losetup", "--partscan", "--find", "--show", *options, self.image).strip()

    def detach(self):
        for part in [*self.partitions(), self.path]:
            subprocess.run(["swapoff", part], capture_output=True, check=False)
        while self.path in _mounted() or any(part in _mounted() for part in self.partitions()):
            for part in [*self.partitions(), self.path]:
                subprocess.run(["umount", part], capture_output=True, check=False)
        must("losetup", "--detach", self.path)

    def partitions(self):
        base = os.path.basename(self.path)
        folder = f"/sys/class/block/{base}"
        return [
            f"/dev/{name}" for name in sorted(os.listdir(folder)) if name.startswith(f"{base}p")
        ]

    def parted(self, *words):
        must("parted", "-s", self.path, *words)

    def put(self, offset, data):
        with open(self.path, "r+b") as out:
            out.seek(offset)
            out.write(data)
            out.flush()
            os.fsync(out.fileno())

    def clear(self, start=0, length=None):
        """Make it zeros again, as a disk fresh from the factory is."""
        for part in self.partitions():
            subprocess.run(["wipefs", "-qa", part], capture_output=True, check=False)
        if length is None:
            patiently("blkdiscard", "--zeroout", self.path)
            patiently("blockdev", "--rereadpt", self.path)
        else:
            self.put(start, bytes(length))

    def hash(self):
        """Of every byte that the kernel would give."""
        must("blockdev", "--flushbufs", self.path)
        with open(self.path, "rb") as image:
            return hashlib.file_digest(image, "sha256").hexdigest() if _DIGEST else _digest(image)


_DIGEST = hasattr(hashlib, "file_digest")


def _digest(image):
    found = hashlib.sha256()
    while block := image.read(MIB):
        found.update(block)
    return found.hexdigest()


def _mounted():
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        return [line.split(" - ")[1].split()[1] for line in lines]


@contextlib.contextmanager
def laid(*pairs):
    """Lay values over modules, one pair of a module and a dict after the other."""
    with contextlib.ExitStack() as stack:
        for pair in pairs:
            module, values = pair() if callable(pair) else pair
            for name, value in values.items():
                stack.enter_context(mock.patch.object(module, name, value, create=True))
        yield


class Tree:
    """The tree's modules on this machine, with an fstab of their own; commands are counted."""

    def __init__(self, folder, pool=None):
        self.fstab = folder / "fstab"
        if not self.fstab.exists():
            self.fstab.write_text("# this host\nproc\t/proc  proc defaults 0 0\n")
        self.pillar = {"rancher": {"thin_pool": {"device": pool}}}
        self.steps, self.end_at = [], None
        # What a test lays over the modules: pairs of a module and a dict.
        self.over = []

    def mounted(self, point, device, test=False, **settings):
        with self.installed():
            return datadisk.mounted(str(point), device, test=test, **settings)

    def installed(self):
        """For as long as a run takes, the modules are this tree's."""
        return laid(
            (_fstab, {"FSTAB": str(self.fstab)}),
            (_disk_make, {"WAIT": 5}),
            (_converge, {"LOCK": fakes.LOCK}),
            (datadisk, {"__pillar__": self.pillar}),
            *self.over,
            lambda: (
                _host,
                {"run": self._counting(_host.run), "write": self._counting(_host.write)},
            ),
        )

    def _counting(self, real):
        def call(first, *args, **kwargs):
            words = " ".join(first) if isinstance(first, list) else f"write {first}"
            if words.startswith(LOOKS):
                return real(first, *args, **kwargs)
            self._tick(words)
            answer = real(first, *args, **kwargs)
            self._tick(None)
            return answer

        return call

    def _tick(self, words):
        """One point in time: before a step (with its words) or after it."""
        if words:
            self.steps.append(words)
        point = 2 * len(self.steps) - bool(words)
        if point == self.end_at:
            raise Killed


@contextlib.contextmanager
def killed_at(tree, point):
    """End the run at this point in time; yields a list that tells whether it was."""
    tree.steps.clear()
    tree.end_at, ended = point, []
    try:
        yield ended
    except Killed:
        ended.append(True)
    finally:
        tree.end_at = None


# --- What cannot be made with a tool here, byte by byte ---


def iso9660(disk):
    disk.put(16 * 2048, b"\x01CD001\x01\0" + b"LINUX".ljust(32) + b"OLD CD".ljust(32) + bytes(1976))
    disk.put(17 * 2048, b"\xffCD001\x01" + bytes(2041))


def luks(disk):
    disk.put(0, b"LUKS\xba\xbe" + struct.pack(">H", 1) + bytes(160) + b"6b3f\0".ljust(40, b"\0"))


def mdraid(disk, offset=4096, start=0):
    """A member of a RAID 1: metadata 1.2 at 4 KiB, or 1.0 near the end of an area."""
    head = struct.pack("<IIII16s32s", 0xA92B4EFC, 1, 0, 0, b"\x01" * 16, b"host:0")
    head += struct.pack("<QIIQ", 0, 1, 0, 1024) + struct.pack("<III", 0, 2, 0)
    head = head.ljust(128, b"\0") + struct.pack("<QQQQ", 2048, 1024, offset // 512, 0)
    disk.put(start + offset, head.ljust(512, b"\0"))


def zfs(disk):
    for number in range(32):
        disk.put(128 * 1024 + number * 1024, struct.pack("<QQ", 0x00BAB10C, 5000))


def ntfs(disk):
    """A boot sector, and as much of the two tables of files as tools look for."""
    head = b"\xebR\x90NTFS    " + struct.pack("<HB", 512, 8) + bytes(7) + b"\xf8"
    head = head.ljust(40, b"\0") + struct.pack("<QQQ", disk.size // 512 - 1, 4, 9)
    head += struct.pack("<b3xb3xQ", -10, 1, 0xC0FFEE)
    disk.put(0, head.ljust(510, b"\0") + b"\x55\xaa")
    for place in (4 * 4096, 4 * 4096 + 3 * 1024, 9 * 4096):
        disk.put(place, b"FILE" + bytes(16) + struct.pack("<HH4xI", 56, 1, 60) + b"\xff" * 32)


def drbd(disk):
    disk.put(disk.size - 4096, bytes(60) + struct.pack(">I", 0x8374026D) + bytes(32))


def luks_copy(disk):
    """The second header of a LUKS2 whose first one is lost."""
    disk.put(16384, b"SKUL\xba\xbe" + struct.pack(">HQ", 2, 16384) + bytes(232))
    disk.put(16384 + 256, struct.pack(">Q", 16384))


def vmfs(disk):
    disk.put(1024 * 1024, struct.pack("<I", 0xC001D00D))


# --- What diskprobe.examine would find, for tests without a disk ---

LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
LVM = "e6d6d379-f507-44c2-a23c-238f2a3df928"


def found(*parts, **over):
    """A blank disk of 1 GiB, or one with these partitions."""
    disk = {
        "asked": "/dev/disk/by-id/virtio-data",
        "path": "/dev/vdb",
        "devno": "254:16",
        "size": 1024 * MIB,
        "sector": 512,
        "serial": "data",
        "model": None,
        "read_only": False,
        "removable": False,
        "is_disk": True,
        "parent": None,
        "system": None,
        "busy": False,
        "holders": [],
        "mounts": [point for part in parts for point in part["mounts"]],
        "swaps": [],
        "table": "gpt" if parts else None,
        "table_damaged": None,
        "half_written": False,
        "signatures": [],
        "offset_signature": None,
        "stale": None,
        "users": [],
        "content": None,
        "shrunk": None,
        "sectors": None,
        "partitions": list(parts),
    }
    assert set(over) <= set(disk)
    return {**disk, **over}


def part(label="rancher-data-new", **over):
    """Our blank partition, while its content is being made."""
    entry = {
        "path": "/dev/vdb1",
        "devno": "254:17",
        "number": 1,
        "start": MIB,
        "size": 1022 * MIB,
        "label": label,
        "mark": _disk_marks.of(label),
        "finished": _disk_marks.finished(label),
        "content": None,
        "unused": False,
        "backup": None,
        "type": LINUX,
        "signatures": [],
        "filesystem": None,
        "uuid": None,
        "fs_label": None,
        "mounts": [],
        "holders": [],
        "busy": False,
    }
    assert set(over) <= set(entry)
    return {**entry, **over}


def signature(kind, offset=0, uuid=None, label=None):
    """One line of wipefs."""
    return {"type": kind, "offset": offset, "uuid": uuid, "label": label}


def formatted(kind="xfs", label="data", uuid="8d3c-11", name="rancher-data", **over):
    """Our partition with a file system."""
    content = {"filesystem": kind, "fs_label": label, "uuid": uuid}
    return part(name, signatures=[signature(kind, 0, uuid, label)], **content, **over)
