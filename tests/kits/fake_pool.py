"""
A host with one disk and an LVM that remembers: what the thin pool's modules call, without
a machine. `fail_at` ends the run in front of or behind the nth command that writes.
"""

from fakes import Killed
from salt.exceptions import CommandExecutionError

import _disk
import _disk_blank
import _disk_make
import _disk_read
import _host
import _lvm_backup
import _thinpool_look
import _thinpool_make
import _thinpool_plan

GIB, MIB = 1024**3, 1024**2
DISK, PART, MARK = "/dev/vdc", "/dev/vdc1", "rancher-docker-pool"
PROFILE = "/etc/lvm/profile/docker-thinpool.profile"
READERS = {"lvm", "pvs", "vgs", "lvs", "blkid", "modprobe"}
SETTINGS = {
    "device": DISK,
    "volume_group": "docker",
    "name": "thinpool",
    "profile": "docker-thinpool",
    "data_percent": 80,
    "metadata_percent": 1,
    "chunk_size": "512K",
    "autoextend_threshold": 80,
    "autoextend_percent": 20,
}


class Host:
    """The machine: the modules see it, until another one is made; `wrote` is what was done to it."""

    def __init__(self, replace, state, size=20 * GIB):
        self.replace, self.state_of = replace, state
        self.size = size
        self.steps = []  # of the partition: label, partition, type
        self.pv, self.vg, self.lvs, self.files = None, None, {}, {}
        self.serial, self.version, self.tools = "pool", "2.03.16", {"lvm", "parted"}
        self.tools |= {"thin_check", "dmeventd", "modprobe"}
        self.stderr, self.wrote, self.countdown, self.after = "", [], None, False
        self.begun = False  # the group
        self.finished = False  # the partition, by its name
        tool = lambda name: f"/sbin/{name}" if name in self.tools else None  # noqa: E731
        replace(_host, run=self.run, read=self.files.get, write=self.write, tool=tool)
        replace(_disk, examine=self.examine, stage=self.stage)
        replace(_disk_make, partition=self.partition, finish=self.finish)
        replace(_disk_read, blkid=self.blkid)
        replace(_disk_blank, look=lambda path, *area, **how: None)
        replace(_lvm_backup, look=lambda group: None)

    def present(self, test=False, **over):
        settings = {"device": DISK, **over}
        return self.state_of("thinpool", test).present("thinpool", **settings)

    def observe(self):
        return _thinpool_look.observe(_thinpool_look.wanted(SETTINGS))

    def made(self):
        """After one run, without the state around it."""
        want, seen = _thinpool_look.wanted(SETTINGS), self.observe()
        _thinpool_make.apply(seen, _thinpool_plan.plan(seen, want), want)
        return self

    # What writes, and the two moments at which a run can be ended.

    def _doing(self, what, act):
        if self.countdown is not None:
            self.countdown -= 1
            if self.countdown == 0 and not self.after:
                raise Killed
        self.wrote.append(what)
        act()
        if self.countdown == 0:
            raise Killed

    def partition(self, disk, mark, part_type, minimum=0):
        assert (disk["serial"], mark, part_type) == (self.serial, MARK, "lvm")
        for step in ("label", "partition", "type"):
            if step not in self.steps:
                self._doing(f"parted {step}", lambda step=step: self.steps.append(step))
        return PART

    def finish(self, disk, mark):
        assert (disk["serial"], mark) == (self.serial, MARK) and self.vg
        if not self.finished:
            self._doing("parted name", lambda: setattr(self, "finished", True))

    def write(self, path, text, mode="0644"):
        if self.files.get(path) == text:
            return False
        self._doing(f"write {path}", lambda: self.files.update({path: text}))
        return True

    def run(self, argv, timeout=60, accept=(0,)):
        if argv[0] in READERS:
            doubts = f"  WARNING: PV {PART} is marked in use but no VG was found using it.\n"
            doubts += f"  WARNING: PV {PART} might need repairing.\n"
            answer = self._answer(self._report(argv))
            return {**answer, "stderr": doubts} if self.begun and argv[0] == "pvs" else answer
        if argv[0] == "systemctl":
            return self._answer("")
        if argv[:2] == ["dmsetup", "info"]:
            assert 1 in accept, "there is no such device"
            return {**self._answer(""), "retcode": 1}
        name = "_" + argv[0]
        self._doing(" ".join(argv), lambda: getattr(self, name)(argv))
        return self._answer("")

    def _answer(self, stdout):
        return {"retcode": 0, "stdout": stdout, "stderr": self.stderr}

    def _pvcreate(self, argv):
        assert argv == ["pvcreate", "--dataalignment", "1m", PART] and self.pv is None
        self.pv = {"pv_uuid": f"uuid{len(self.wrote)}"}

    def _vgcreate(self, argv):
        size = ["--physicalextentsize", "4m"]
        assert argv == ["vgcreate", "--addtag", MARK, *size, "docker", PART] and self.pv
        # As LVM would compute it on the partition that parted makes.
        extents = (self.examine(DISK)["partitions"][0]["size"] - MIB) // (4 * MIB)
        self.vg = {"vg_name": "docker", "vg_uuid": f"uuid{len(self.wrote)}", "vg_attr": "wz--n-"}
        self.vg |= {"vg_tags": MARK, "vg_extent_size": 4 * MIB, "vg_extent_count": extents}

    def begin_group(self):
        """A vgcreate that was ended in its middle."""
        self.pv = {"pv_uuid": "half"}
        self.begun = True

    def _wipefs(self, argv):
        assert argv == ["wipefs", "-a", PART] and self.begun and not self.finished
        self.pv, self.begun = None, False

    def _lvcreate(self, argv):
        assert argv[:4] == ["lvcreate", "-y", "-Wy", "-Zy"] and argv[-1] == "docker"
        name, extents = argv[argv.index("-n") + 1], int(argv[argv.index("-l") + 1])
        assert self.finished, "there may be data in it"
        assert name not in self.lvs and extents <= self.free()
        self.volume(name, extents)

    def volume(self, name, extents, **over):
        row = {"lv_name": name, "lv_attr": "-wi-a-----", "lv_size": extents * 4 * MIB}
        row |= {"segtype": "linear", "seg_pe_ranges": f"{PART}:0-{extents - 1}", "chunk_size": 0}
        self.lvs[name] = {**row, **over}

    def _lvconvert(self, argv):
        options = "-y --type thin-pool --poolmetadata docker/thinpoolmeta --zero n -c 512k"
        assert argv == [
            "lvconvert",
            *options.split(),
            "--poolmetadataspare",
            "y",
            "docker/thinpool",
        ]
        assert self.lvs["thinpool"]["segtype"] == "linear", "converted a second time"
        self.convert()

    def convert(self):
        active = self.lvs["thinpool"]["lv_attr"][4]
        data, metadata = (self.lvs.pop(name)["lv_size"] for name in ("thinpool", "thinpoolmeta"))
        self.volume("[lvol0_pmspare]", metadata // 4 // MIB, lv_attr="ewi-------")
        held = "ao" if active == "a" else "--"
        self.volume("[thinpool_tdata]", data // 4 // MIB, lv_attr=f"Twi-{held}----")
        self.volume("[thinpool_tmeta]", metadata // 4 // MIB, lv_attr=f"ewi-{held}----")
        shape = {"segtype": "thin-pool", "lv_attr": f"twi-{active}-t---", "chunk_size": 512 * 1024}
        shape |= {"data_lv": "[thinpool_tdata]", "metadata_lv": "[thinpool_tmeta]"}
        self.volume("thinpool", data // 4 // MIB, **shape, seg_monitor="not monitored")
        assert self.free() >= 0

    def _lvchange(self, argv):
        option, pool = argv[1], self.lvs["thinpool"]
        if option == "-an":
            self.lvs[f"[{argv[2].removeprefix('docker/')}]"]["lv_attr"] = "ewi-------"
            return
        assert argv[-1] == "docker/thinpool" and pool["segtype"] == "thin-pool"
        if option == "--metadataprofile":
            assert f"/etc/lvm/profile/{argv[2]}.profile" in self.files
            pool["lv_profile"] = argv[2]
        elif option == "--monitor":
            assert argv[2] == "y" and pool["lv_attr"][4] == "a"
            pool["seg_monitor"] = "monitored"
        else:
            assert option == "-ay"
            # LVM 2.03.16: prohibited while a part is active by itself.
            assert self.lvs["[thinpool_tmeta]"]["lv_attr"][4:6] != "a-"
            pool |= {"lv_attr": "twi-a-t---", "seg_monitor": "not monitored"}

    # What looks.

    def free(self):
        # A pool lies in its hidden parts and takes nothing itself.
        rows = (row for row in self.lvs.values() if row["segtype"] != "thin-pool")
        return self.vg["vg_extent_count"] - sum(row["lv_size"] for row in rows) // (4 * MIB)

    def examine(self, device, key=None):
        disk = {"asked": device, "path": DISK, "devno": "254:32", "size": self.size}
        disk["sector"] = 512
        disk |= {"serial": self.serial, "partitions": []}
        if "partition" in self.steps:
            part = {"path": PART, "number": 1, "start": MIB, "mounts": [], "mark": MARK}
            part |= {"label": MARK if self.finished else f"{MARK}-new", "finished": self.finished}
            part |= {"size": self.size - 2 * MIB, "holders": [], "busy": False, "signatures": []}
            if self.pv:
                part["signatures"] = [{"type": "LVM2_member"}]
            disk["partitions"] = [part]
        return disk

    def stage(self, disk, mark, part_type, minimum=0):
        if self.serial != "pool":
            raise CommandExecutionError("Refusing to touch /dev/vdc: it holds ext4")
        return ["blank", "label", "partition", "ready"][len(self.steps)]

    def blkid(self, device, offset=None, size=None):
        return {}

    def _report(self, argv):
        if argv[0] == "lvm":
            return f"  LVM version:     {self.version}(2) (2022-05-18)\n"
        if argv[0] in ("modprobe", "blkid"):
            return ""
        fields = argv[argv.index("--options") + 1].split(",")
        rows = {"pvs": self._pvs, "vgs": self._vgs, "lvs": lambda: self.lvs.values()}[argv[0]]()
        defaults = {"vg_name": "docker"} if argv[0] == "lvs" else {}
        lines = ([str({**defaults, **row}.get(field, "")) for field in fields] for row in rows)
        return "".join(f"  {'|'.join(line)}\n" for line in lines)

    def _pvs(self):
        if not self.pv:
            return []
        row = {
            "pv_name": PART,
            "pv_attr": "a--" if self.vg else "---",
            "pv_size": (self.size - 3 * MIB) // (4 * MIB) * 4 * MIB
            if self.vg
            else self.size - 2 * MIB,
            "pe_start": MIB,
            "dev_size": self.size - 2 * MIB,
        }
        if self.begun:
            return [{**self.pv, **row, "pv_attr": "u--", "vg_name": "[unknown]"}]
        return [{**self.pv, **row, "vg_name": self.vg["vg_name"] if self.vg else ""}]

    def _vgs(self):
        return [{**self.vg, "vg_free_count": self.free()}] if self.vg else []
