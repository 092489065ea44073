"""
Contents that no tool knows by name, or knows no more: what blkid and wipefs call an empty disk, or
nearly so. Each is data all the same. `CONTENTS`: name to what makes it on a disk of `SIZE`.
"""

import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile

from disk_kit import MIB, must, patiently

SIZE = 160 * MIB
SECTOR = 512


def noise(length, seed=1):
    return random.Random(seed).randbytes(length)


def put(*pieces):
    """Bytes at places; a place below 0 counts from the end."""

    def prepare(disk):
        for offset, data in pieces:
            disk.put(offset if offset >= 0 else disk.size + offset, data)

    return prepare


def stream(data):
    return put((0, data))


def lost(make, *areas):
    """What a tool makes, and then the areas (offset, length) are zeros."""

    def prepare(disk):
        make(disk)
        for offset, length in areas:
            disk.put(offset if offset >= 0 else disk.size + offset, bytes(length))
        patiently("blockdev", "--rereadpt", disk.path)

    return prepare


def tool(*argv):
    return lambda disk: must(*argv, disk.path)


def within(make, start, length=64 * MIB):
    """A file system at an offset, as in a partition whose table is gone."""

    def prepare(disk):
        path = must(
            "losetup", "--find", "--show", "--offset", start, "--sizelimit", length, disk.path
        ).strip()
        try:
            must(*make, path)
        finally:
            must("losetup", "--detach", path)
        # What the tool that knows its first block would find is gone, too.
        disk.put(start, bytes(4096))

    return prepare


def twenty_places(disk):
    for number in range(20):
        disk.put(number * 8 * MIB + 3 * MIB, noise(MIB, number))


def encrypted(disk):
    """Plain dm-crypt, or LUKS with its header elsewhere: nothing but noise."""
    for number in range(0, disk.size, 16 * MIB):
        disk.put(number, noise(16 * MIB, number))


def table(disk):
    disk.parted("mklabel", "gpt", "mkpart", "photos", "2MiB", "100%")
    disk.put(40 * MIB, noise(MIB))


def wrong_checksum(disk):
    """A GPT whose headers are both a bit off, and no protective MBR."""
    table(disk)
    for place in (SECTOR + 16, disk.size - SECTOR + 16):
        disk.put(place, b"\xa5\xa5\xa5\xa5")
    disk.put(0, bytes(SECTOR))
    patiently("blockdev", "--rereadpt", disk.path)


def empty_label(disk):
    """Somebody's empty GPT, such as ours is for a moment; the data is behind it."""
    disk.parted("mklabel", "gpt")
    disk.put(100 * MIB, noise(MIB))


def tight_label(disk):
    """The same, with the data in the first MiB, where no partition would be."""
    disk.parted("mklabel", "gpt")
    disk.put(MIB // 2, noise(SECTOR))


def ldm(disk):
    """The database of Windows' dynamic disks in the last MiB; its MBR is gone."""
    head = b"PRIVHEAD" + struct.pack(">II", 0, 0x2000B) + noise(360)
    toc = b"TOCBLOCK" + struct.pack(">II", 0, 1) + b"config\0\0log\0\0\0\0\0" + noise(400)
    disk.put(disk.size - MIB, b"VMDB" + noise(60) + b"VBLK" + noise(800))
    disk.put(disk.size - SECTOR, head[:SECTOR])
    disk.put(disk.size - MIB + SECTOR * 9, toc[:SECTOR])


def old_volume(*areas):
    """A physical volume with a group, whose label is wiped."""

    def prepare(disk):
        must("vgcreate", "--driverloaded", "n", "-q", "gone", disk.path)
        for offset, length in areas:
            disk.put(offset, bytes(length))

    return prepare


def tape(kind):
    """An archive, written to the disk as to a tape."""
    out, data = io.BytesIO(), noise(MIB)
    if kind == "tar":
        with tarfile.open(fileobj=out, mode="w") as archive:
            entry = tarfile.TarInfo("home/precious")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    elif kind == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("precious", data)
    elif kind == "cpio":
        name = b"precious\0"
        words = [1, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out.write(b"070701" + b"".join(b"%08X" % word for word in words) + name + b"\0" + data)
    return stream(out.getvalue())


def ntfs(disk):
    """The boot sector is lost; its copy is the last one, the MFT in the middle."""
    boot = b"\xebR\x90NTFS    " + struct.pack("<HB", 512, 8) + bytes(480) + b"\x55\xaa"
    disk.put(disk.size - SECTOR, boot[:510] + b"\x55\xaa")
    disk.put(48 * MIB, b"FILE0\0\3\0" + noise(1016))


def oracle(disk):
    """Blocks of 8 KiB with a head, as a raw data file has them, the first one without a magic."""
    for number in range(0, 64):
        head = struct.pack("<BBHII", 6, 0xA2, 0, number + 1, 77)
        disk.put(8192 * (number + 1), head + noise(500, number))


def innodb(disk):
    for number in range(0, 32):
        page = struct.pack(">IIII", 0xDEADBEEF, number, number - 1 & 0xFFFFFFFF, number + 1)
        disk.put(16384 * number, page + noise(1000, number))


BTRFS = tool("mkfs.btrfs", "-q", "--mixed")
XFS = tool("mkfs.xfs", "-q", "-K", "--unsupported")
EXT4 = tool("mkfs.ext4", "-q", "-E", "nodiscard")
BIG_EXT4 = tool("mkfs.ext4", "-q", "-b", "4096", "-E", "nodiscard")
FAT = tool("mkfs.vfat", "-F", "32")
CONTENTS = {
    # Without any head.
    "noise from end to end, as plain dm-crypt": encrypted,
    "noise in 20 places": twenty_places,
    "noise behind 16 MiB, a LUKS whose header is elsewhere": put((16 * MIB, noise(64 * MIB))),
    "one MiB in the middle": put((77 * MIB + 12345, noise(MIB))),
    "one byte at the beginning": put((0, b"\1")),
    "one byte at the end": put((-1, b"\1")),
    "one byte at 1 MiB": put((MIB, b"\1")),
    "one sector before 1 MiB": put((MIB - SECTOR, noise(SECTOR))),
    "a text": stream(b"precious\n"),
    # A first block lost.
    "ext4 without its first 4 KiB": lost(EXT4, (0, 4096)),
    "ext4 with blocks of 4 KiB without its first MiB": lost(BIG_EXT4, (0, MIB)),
    "xfs without its first sector": lost(XFS, (0, SECTOR)),
    "xfs without its first 64 KiB": lost(XFS, (0, 65536)),
    "btrfs without its first superblock": lost(BTRFS, (65536, 4096)),
    "ntfs without its first sector": ntfs,
    "fat without its first sectors": lost(FAT, (0, 32 * SECTOR)),
    "swap that was used, without its first page": put((4096, noise(MIB))),
    # A table lost.
    "a gpt with wrong checksums": wrong_checksum,
    "an empty gpt and data behind it": empty_label,
    "an empty gpt and data before 1 MiB": tight_label,
    "ldm without its mbr": ldm,
    "ext4 at sector 63, its table gone": within(("mkfs.ext4", "-q"), 63 * SECTOR),
    "ext4 at 64 MiB, its table gone": within(("mkfs.ext4", "-q"), 64 * MIB),
    "xfs at 64 MiB, its table gone": within(("mkfs.xfs", "-q", "--unsupported"), 64 * MIB),
    "amiga's rigid disk block": put((3 * SECTOR, b"RDSK" + struct.pack(">II", 64, 7) + noise(240))),
    "boot code without a table": stream(b"\xeb\x63\x90" + noise(400)),
    # Volume managers.
    "a physical volume without its label": old_volume((SECTOR, SECTOR)),
    "a physical volume without label and header": old_volume((0, 4608)),
    "vxvm, its private region": put(
        (SECTOR * 128, b"PRIV" + noise(508)), (MIB, b"VBLK" + noise(60))
    ),
    "hp-ux lvm": put((8192, b"LVMREC01" + noise(1000))),
    "aix lvm": put((7 * SECTOR, b"_LVM" + noise(508))),
    "stratis without its first copy": put((9 * SECTOR + 4096 * 4, noise(64 * 1024))),
    "oracle, a raw data file": oracle,
    "oracle asm without its first block": put((MIB, b"\1\x82\1\1" + noise(4092))),
    "innodb, raw": innodb,
    "a raid member without its superblock": put((MIB, noise(8 * MIB))),
    "bcache without its superblock": put((8192, noise(32768)), (4 * MIB, noise(MIB))),
    "ceph bluestore without its label": put((8192, noise(8192)), (20 * MIB, noise(4 * MIB))),
    # Images and archives, copied onto the disk.
    "tar": tape("tar"),
    "zip": tape("zip"),
    "cpio": tape("cpio"),
    "gzip": stream(gzip.compress(noise(MIB))),
    "xz": stream(lzma.compress(noise(65536))),
    "zstd": stream(b"\x28\xb5\x2f\xfd" + noise(MIB)),
    "qcow2": stream(b"QFI\xfb" + struct.pack(">I", 3) + noise(60000)),
    "vmdk": stream(b"KDMV" + struct.pack("<I", 1) + noise(60000)),
    "vhd, its footer": put((-SECTOR, b"conectix" + noise(400))),
    "vhdx": stream(b"vhdxfile" + noise(300)),
    "dump": stream(bytes(24) + struct.pack("<I", 60012) + noise(MIB)),
    "xfsdump": stream(b"xFSdump0" + noise(MIB)),
    "partclone": stream(b"partclone-image" + noise(MIB)),
    "mysqldump": stream(b"-- MySQL dump 10.13\n" + b"INSERT INTO t VALUES (1);\n" * 40000),
}
