"""A host with one disk in memory, for the data disk's look and its steps."""

from disk_kit import found

import _datadisk
import _datadisk_make
import _disk
import _disk_kernel
import _disk_make
import _disk_read
import _fstab
import _host

PATH = "/dev/vdb1"


class Machine:
    """One disk as `looks` gives it, look by look; commands are recorded and mount works."""

    def __init__(self, folder, replace):
        self.point = str(folder / "data")
        self.looks, self.ran, self.mounts, self.written = [found()], [], [], []
        self.entries, self.holders, self.interrupted, self.hidden = [], [], False, False
        self.nodes = {"/dev/vdb": "254:16", "/dev/vdc": "254:32"}
        replace(_host, run=self.run)
        replace(_disk, examine=self.examine)
        replace(
            _disk_make,
            partition=lambda disk, mark, kind: self.ran.append(mark) or PATH,
            finish=lambda disk, mark: self.ran.append("finished"),
        )
        replace(
            _disk_kernel,
            mounts=lambda: self.mounts,
            below=lambda number: [number, "254:16"] if number else [],
            devno=self.nodes.get,
            known_as=lambda number: f"disk {number}",
            reached=lambda point: not self.hidden,
        )
        replace(
            _disk_read,
            blkid=lambda path: {"UUID": "8d3c-11", "LABEL": self.label, "TYPE": self.made},
            interrupted_xfs=lambda path: self.interrupted,
            with_tag=lambda name, value: self.holders,
        )
        replace(
            _fstab,
            entries=lambda: self.entries,
            set_entry=lambda **entry: self.written.append(entry) or True,
        )
        replace(_datadisk, SYSFS=str(folder / "sys"))

    def examine(self, device, key=None, looked=False):
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    made, old, label = None, None, None

    def run(self, argv, timeout=60, accept=(0,)):
        self.ran.append(argv)
        if argv[0].startswith("mkfs."):
            self.made = self.made or argv[0].removeprefix("mkfs.")
        if argv[0] == "mount":
            self.mount("254:17", argv[-2])

    def mount(self, number, source, kind="xfs"):
        entry = {"point": self.point, "devnos": [number], "root": "/", "type": kind}
        self.mounts.append({**entry, "source": source, "devno": number})

    def status(self, pool=None):
        return _datadisk.status(self.point, "/dev/vdb", pool)

    def apply(self, *keys, filesystem="xfs"):
        changes = {key: {"old": None, "new": None} for key in keys}
        if "filesystem" in changes:
            new = f"{filesystem} labelled data on partition 1 of /dev/vdb"
            changes["filesystem"] = {"old": self.old, "new": new}
        _datadisk_make.apply(self.status(), changes, filesystem, "data", ["defaults", "nofail"])
