"""
The thin pool's modules on this machine's real LVM, on loop devices, as far as that goes without
device mapper: up to the two volumes, which exist in LVM's metadata only.
"""

import os
import shutil
import struct
import zlib

import disk_kit
import fakes
from disk_kit import MIB, must
from fakes import Killed

import _converge
import _disk_make
import _host
import _lvm
import thinpool

MARK = "rancher-docker-pool"
LVM = ("pvs", "vgs", "lvs", "pvcreate", "vgcreate", "vgcfgrestore", "vgextend", "lvcreate")
LVM += ("lvconvert",)
LOOKS = (
    "lvm version",
    "lvm dumpconfig",
    "pvs",
    "vgs",
    "lvs",
    "blkid",
    "wipefs --no-act",
    "partx --pairs",
    "udevadm",
)
LOOKS += ("dmsetup info",)
# In LVM's metadata; the conversion then needs the kernel.
MADE = ["partition", "physical volume", "volume group", "data volume", "metadata volume"]


class Tree:
    """The tree's modules over real commands, with an LVM that sees only this test's disks."""

    def __init__(self, folder):
        self.folder = folder
        self.steps, self.end_at = [], None
        # What a test lays over the modules: pairs of a module and a dict.
        self.over = []

    def installed(self):
        """For as long as a run takes, the modules are this tree's."""

        def own():
            self._run, self._write = _host.run, _host.write
            # Not installed where the kernel has no device mapper either.
            tool = lambda name: f"/sbin/{name}"  # noqa: E731
            return _host, {"run": self.run, "write": self._no_profile, "tool": tool}

        lock = (_converge, {"LOCK": fakes.LOCK})
        return disk_kit.laid((_disk_make, {"WAIT": 5}), lock, *self.over, own)

    def _no_profile(self, path, *args, **more):
        assert not path.endswith(".profile"), "no pool, no profile"
        return self._write(path, *args, **more)

    def admit(self, *paths):
        """From now on LVM sees these disks and no others."""
        accept = ", ".join(f'"a|^{path}(p[0-9]+)?$|"' for path in paths)
        text = f'devices {{ filter = [ {accept}, "r|.*|" ] }}\nglobal {{ use_lvmpolld = 0 }}\n'
        (self.folder / "lvm.conf").write_text(text)

    def run(self, argv, timeout=60, accept=(0,)):
        words = " ".join(argv)
        if words.startswith("modprobe"):
            return {"retcode": 0, "stdout": "", "stderr": ""}
        if words.startswith(LOOKS):
            return self._without_kernel(argv, timeout, accept)
        self._tick(words)
        answer = self._without_kernel(argv, timeout, accept)
        self._tick(None)
        return answer

    def _without_kernel(self, argv, timeout, accept):
        if argv[0] in LVM:
            argv = [argv[0], "--driverloaded", "n", *argv[1:]]
        if argv[0] == "lvcreate":
            argv = [
                "lvcreate",
                "-an",
                "-Wn",
                "-Zn",
                *(w for w in argv[1:] if w not in ("-Wy", "-Zy")),
            ]
        answer = self._run(argv, timeout, accept)
        if argv[0] == "lvs":
            # Without device mapper LVM cannot know that they are inactive.
            answer["stdout"] = answer["stdout"].replace("-wi-XX----", "-wi-------")
            answer["stdout"] = answer["stdout"].replace("twi-XXt---", "twi-a-t---")
        return answer

    def _tick(self, words):
        # Before a step the point in time is odd, after it even.
        if 2 * len(self.steps) + bool(words) == self.end_at:
            raise Killed
        if words:
            self.steps.append(words)

    def present(self, device, test=False, **settings):
        with self.installed():
            return thinpool.present("thinpool", device, test=test, **settings)

    def extended(self, *devices, test=False):
        with self.installed():
            return thinpool.extended("thinpool", list(devices), test=test)

    def plan(self, device):
        with self.installed():
            return thinpool.plan(device)

    def lists(self):
        """What LVM knows of."""
        with self.installed():
            return _lvm.look()


def lvm(*argv):
    """A command of LVM for the test itself."""
    return must(argv[0], "--driverloaded", "n", *argv[1:])


def partitioned(disk, name=MARK):
    """Our partition on it, finished or not; its path."""
    disk.parted("mklabel", "gpt", "mkpart", name, "1MiB", "419MiB", "set", "1", "lvm", "on")
    return f"{disk.path}p1"


def checksum(data):
    """LVM's: a CRC with a beginning of its own."""
    return zlib.crc32(data, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def change(part, *pieces):
    """Write (offset, bytes) to a device."""
    with open(part, "r+b") as volume:
        for offset, data in pieces:
            volume.seek(offset)
            volume.write(data)
        volume.flush()
        os.fsync(volume.fileno())


def unfinished(part, how):
    """
    Make of the new group in it what a killed vgcreate leaves: the label says `in use`, and
    either there is no text yet, or a text without an entry, or with the entry of what is to come.
    """
    with open(part, "rb") as volume:
        volume.seek(4096)
        header, ring = volume.read(512), volume.read(MIB - 4608)
    entry, none = header[40:64], bytes(24)
    header = header[4:40] + none + (entry if how == "announced" else none) + bytes(512 - 88)
    header = struct.pack("<I", checksum(header)) + header
    change(part, (4096, header + (bytes(len(ring)) if how == "label" else ring)))


# --- What a run must not touch, beside the contents that any disk can have ---


def whole_disk(tree, disk, other):
    lvm("pvcreate", disk.path)


def another_group(tree, disk, other):
    lvm("vgcreate", "backup", disk.path)


def docker_elsewhere(tree, disk, other):
    lvm("vgcreate", "--addtag", MARK, "docker", other.path)


def untagged(tree, disk, other):
    lvm("vgcreate", "docker", partitioned(disk))


def two_disks(tree, disk, other):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk), other.path)


def lost_disk(tree, disk, other):
    two_disks(tree, disk, other)
    tree.admit(disk.path)


def exported(tree, disk, other):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk))
    lvm("vgexport", "docker")


def cloned(tree, disk, other):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk))
    with open(disk.path, "rb") as source, open(other.path, "r+b") as target:
        while block := source.read(MIB):
            target.write(block)
    must("partx", "--update", other.path)


def destroyed(tree, disk, other):
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "docker", path)
    with open(path, "r+b") as out:
        out.seek(4096)
        out.write(b"\xa5" * 512)


def begun(tree, disk, other):
    """A group that was begun; its partition."""
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "--physicalextentsize", "4m", "docker", path)
    unfinished(path, "label")
    return path


def begun_not_blank(tree, disk, other):
    change(begun(tree, disk, other), (MIB - 1, b"\1"))


def begun_later(tree, disk, other):
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "docker", path)
    lvm("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l", "1", "-n", "home", "docker")
    unfinished(path, "text")


def begun_with_another(tree, disk, other):
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "docker", path, other.path)
    unfinished(path, "text")
    tree.admit(disk.path)


def begun_beside_another(tree, disk, other):
    lvm("pvcreate", "--metadatacopies", "2", partitioned(disk))
    lvm("vgcreate", "--addtag", MARK, "docker", f"{disk.path}p1")
    unfinished(f"{disk.path}p1", "label")


def begun_elsewhere(tree, disk, other):
    tree.admit(disk.path)
    begun(tree, disk, other)
    tree.admit(other.path)
    lvm("vgcreate", "--addtag", MARK, "docker", other.path)
    tree.admit(disk.path, other.path)


def hidden(tree, disk, other):
    lvm("pvcreate", partitioned(disk))
    tree.admit("/dev/nothing")


def old_content(tree, disk, other):
    must("mkfs.ext4", "-q", partitioned(disk))


def inactive_content(tree, disk, other):
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "--physicalextentsize", "4m", "docker", path)
    # Not at the beginning of the disk, so that the place has to be worked out.
    create = ("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l")
    lvm(*create, "1", "-n", "thinpoolmeta", "docker")
    lvm(*create, "83", "-n", "thinpool", "docker")
    assert tree.plan(disk.path)["state"] == "P7"
    must("mkfs.ext4", "-q", "-E", f"offset={5 * MIB}", path, "8M")


def inactive_data(tree, disk, other):
    inactive_content(tree, disk, other)
    # The signature is lost, the rest is there.
    change(f"{disk.path}p1", (5 * MIB, bytes(4096)))


def lost_label(tree, disk, other):
    """Its volumes hold data, as LVM's backup says; the sector with the label is gone."""
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "--physicalextentsize", "4m", "docker", path)
    lvm("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l", "9", "-n", "images", "docker")
    change(path, (512, bytes(512)), (9 * MIB, b"somebody's container"))


def lost_label_and_backup(tree, disk, other):
    lost_label(tree, disk, other)
    for name in ("backup", "archive"):
        shutil.rmtree(tree.folder / name, ignore_errors=True)


def only_an_archive(tree, disk, other):
    lost_label(tree, disk, other)
    os.replace(tree.folder / "backup/docker", tree.folder / "archive/docker_00099-1.vg")


def lost_disk_of_the_pool(tree, disk, other):
    """Another disk has the pool, and is away; this one is blank."""
    lost_label(tree, other, disk)
    tree.admit(disk.path)


def left_behind(tree, disk, other):
    """The group was removed, its volumes' data are there."""
    lost_label_and_backup(tree, disk, other)
    lvm("pvcreate", "-y", "--dataalignment", "1m", f"{disk.path}p1")


def larger_than_its_disk(tree, disk, other):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk))
    disk.detach()
    # The table with it, as on a volume of a storage array.
    os.truncate(disk.image, 300 * MIB)
    disk.attach()


def unexpected_volume(tree, disk, other):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk))
    lvm("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l", "1", "-n", "home", "docker")


REFUSED = {
    "a physical volume on the whole disk": (whole_disk, "it holds a signature of LVM2_member"),
    "the disk of another volume group": (another_group, "on it belongs to volume group backup"),
    "a volume group of that name on another disk": (
        docker_elsewhere,
        "a volume group docker exists already, on /dev/",
    ),
    "a volume group without our tag": (untagged, "it has no tag"),
    "a volume group with a second disk": (two_disks, "has several disks"),
    "a volume group that lost a disk": (lost_disk, "LVM doubts its own lists", "missing PV"),
    "an exported volume group": (exported, "volume group docker is exported"),
    "a cloned disk": (cloned, "LVM doubts its own lists"),
    "volume group metadata that was destroyed": (destroyed, "LVM doubts its own lists"),
    "a group that was begun where there was one before": (
        begun_not_blank,
        "is marked in use but no VG was found",
        "If no group is missed and nothing on it is needed",
    ),
    "a group that was lost after a change": (begun_later, "is marked in use but no VG was found"),
    "a group of two disks that was begun": (begun_with_another, "is marked in use but no VG was"),
    "a volume with two metadata areas, one lost": (
        begun_beside_another,
        "LVM doubts its own lists",
    ),
    "a group that was begun, and its name is taken": (
        begun_elsewhere,
        "is marked in use but no VG",
    ),
    "a physical volume that LVM is told not to see": (
        hidden,
        "is a physical volume that LVM does not show",
    ),
    "old content in our partition": (old_content, "holds old content: ext4", "wipefs -a /dev/"),
    "a file system on an inactive volume of ours": (
        inactive_content,
        "volume docker/thinpool holds ext4",
    ),
    "data that no tool knows on an inactive volume of ours": (
        inactive_data,
        "volume docker/thinpool holds data that no tool knows",
    ),
    "a physical volume whose label is lost": (
        lost_label,
        "LVM does not find volume group docker, and its own ",
        "/backup/docker says that the group held 1 volume on /dev/",
        "pvcreate --uuid ",
    ),
    "a lost label, and of LVM's backups only an archive": (
        only_an_archive,
        "/archive/docker_00099-1.vg says that the group held 1 volume on",
        "pvcreate --uuid ",
    ),
    "a lost label, and no backup": (lost_label_and_backup, "vgcfgrestore"),
    "a blank disk in the place of the pool's": (
        lost_disk_of_the_pool,
        "LVM does not find volume group docker",
        "Attach its disks",
    ),
    "a physical volume of no group with data behind it": (
        left_behind,
        "is a physical volume of no group, and behind it",
        "vgcfgrestore",
    ),
    "a physical volume larger than its disk": (larger_than_its_disk, ""),
    "a volume that nobody expects": (unexpected_volume, "holds volumes that are not ours: home"),
}
