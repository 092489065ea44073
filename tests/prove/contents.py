"""
What a disk can hold that must never be written to: how to make it, and the words of the refusal.

One table for the tests of the data disk and for the matrix of refusals, which tries each line
with both states.
"""

import os

from disk_kit import MIB, drbd, iso9660, luks, luks_copy, mdraid, must, ntfs, patiently, vmfs, zfs


def mark_partition(disk, name="rancher-data-new"):
    """Our partition while its content is being made, or by the name that it has from then on."""
    disk.parted("mklabel", "gpt")
    disk.parted("mkpart", name, "1MiB", "100%")


def mkfs(*argv):
    return lambda disk: must(*argv, disk.path)


def mkfs_with_file(disk):
    must("mkfs.ext4", "-q", "-L", "precious", disk.path)
    folder = disk.image + ".mnt"
    os.mkdir(folder)
    must("mount", disk.path, folder)
    with open(f"{folder}/file", "w", encoding="utf-8") as out:
        out.write("precious")
    must("umount", folder)


def gpt_data(disk):
    disk.parted("mklabel", "gpt", "mkpart", "photos", "1MiB", "100%")
    must("mkfs.ext4", "-q", disk.partitions()[0])


def backup_only(disk):
    gpt_data(disk)
    disk.put(0, bytes(MIB))
    patiently("blockdev", "--rereadpt", disk.path)


def half_table(disk):
    gpt_data(disk)
    disk.put(512, bytes(512))


def protective_only(disk):
    disk.parted("mklabel", "gpt")
    disk.put(512, bytes(33 * 512))
    disk.put(disk.size - 34 * 512, bytes(34 * 512))


def msdos(disk):
    disk.parted("mklabel", "msdos")


def msdos_data(disk):
    disk.parted("mklabel", "msdos", "mkpart", "primary", "1MiB", "100%")


def lvm_orphan(disk):
    must("pvcreate", "-q", disk.path)


def lvm_group(disk):
    must("vgcreate", "-q", "foreign", disk.path)


def lvm_partition(disk):
    disk.parted("mklabel", "gpt", "mkpart", "pv", "1MiB", "100%")
    must("pvcreate", "-q", disk.partitions()[0])


def at_offset(make):
    def prepare(disk):
        disk.parted("mklabel", "gpt", "mkpart", "x", "1MiB", "100%")
        make(disk.partitions()[0])
        disk.put(0, bytes(MIB))
        disk.put(disk.size - MIB, bytes(MIB))
        patiently("blockdev", "--rereadpt", disk.path)

    return prepare


def stale_end(disk):
    """Old RAID data that only a partition of exactly our size would show."""
    mdraid(disk, disk.size - 2 * MIB - 8192, start=MIB)


def forgotten_by_the_table(disk):
    gpt_data(disk)
    must("wipefs", "-qa", disk.partitions()[0])
    disk.put(0, bytes(MIB))
    disk.put(disk.size - MIB, bytes(MIB))


def two_partitions(disk):
    disk.parted("mklabel", "gpt", "mkpart", "rancher-data", "1MiB", "40MiB")
    disk.parted("mkpart", "other", "40MiB", "100%")


def elsewhere_on_the_disk(disk):
    disk.parted("mklabel", "gpt", "mkpart", "rancher-data", "8MiB", "100%")


def of_other_sectors(disk):
    """Somebody's table, made when the disk had sectors of 4 KiB."""
    must("losetup", "--sector-size", "4096", disk.path)
    disk.parted("mklabel", "gpt", "mkpart", "photos", "2MiB", "100%")
    must("losetup", "--sector-size", "512", disk.path)
    patiently("blockdev", "--rereadpt", disk.path)


def almost_our_name(disk):
    """As ours is while it is being made, with a blank at the end."""
    disk.parted("mklabel", "gpt", "mkpart", "'rancher-data-new '", "1MiB", "100%")
    disk.put(9 * MIB, b"precious")


def odd_label(disk):
    must("mkfs.ext4", "-q", "-L", "a\n\x1b[31mb", disk.path)


def of_another_type(disk):
    mark_partition(disk)
    disk.parted("set", "1", "raid", "on")


def ours_holds(*argv):
    def prepare(disk):
        mark_partition(disk)
        must(*argv, disk.partitions()[0])

    return prepare


REFUSED = {
    "ext4 with a file": (mkfs_with_file, "ext4 (label precious, UUID ", "at offset 0x438"),
    # As small as this, xfsprogs only makes it for a test.
    "xfs": (mkfs("mkfs.xfs", "-q", "--unsupported"), "xfs"),
    "btrfs": (mkfs("mkfs.btrfs", "-q", "--mixed"), "btrfs"),
    "nilfs2": (mkfs("mkfs.nilfs2", "-q", "-B", "512"), "nilfs2"),
    "swap": (mkfs("mkswap"), "a signature of swap"),
    "luks": (luks, "crypto_LUKS"),
    "raid member": (mdraid, "linux_raid_member"),
    "zfs": (zfs, "zfs_member", " more"),
    "ntfs": (ntfs, "a signature of ntfs (UUID 0000000000C0FFEE) at offset 0x3"),
    "drbd's own data at the end": (drbd, "a signature of drbd at offset 0x4fff03c"),
    "second header of luks2": (luks_copy, "a signature of crypto_LUKS at offset 0x4000"),
    "a table of other sectors": (of_other_sectors, "was made for sectors of 4096 bytes, and"),
    "almost our name": (almost_our_name, "named rancher-data-new  (79 MiB, holds nothing known)"),
    "iso9660": (iso9660, "iso9660 (label OLD CD)"),
    "vmfs at 1 MiB": (vmfs, "VMFS_volume_member"),
    "orphan physical volume": (lvm_orphan, "LVM2_member"),
    "foreign volume group": (lvm_group, "LVM2_member"),
    "physical volume in a partition": (lvm_partition, "named pv", "LVM2_member"),
    "one data partition": (gpt_data, "named photos (79 MiB, holds a signature of ext4"),
    "second copy of a table only": (backup_only, "damaged", "second copy of a GPT"),
    "second copy with a partition": (half_table, "damaged", "second copy of a GPT"),
    "protective mbr only": (protective_only, "damaged", "GPT that is gone"),
    "mbr without partitions": (msdos, "a partition table of type dos"),
    "mbr with a partition": (msdos_data, "partitions that are not ours"),
    "ext4 at 1 MiB": (at_offset(lambda p: must("mkfs.ext4", "-q", p)), "(ext4) lies where"),
    "pv at 1 MiB": (at_offset(lambda p: must("pvcreate", "-q", p)), "(LVM2_member) lies where"),
    "swap at 1 MiB": (at_offset(lambda p: must("mkswap", p)), "(swap) lies where"),
    "raid at the end of a partition": (stale_end, "(linux_raid_member) lies where"),
    "a kernel that knows more": (forgotten_by_the_table, "in no partition table", "--rereadpt"),
    "two partitions": (two_partitions, "partitions that are not ours"),
    "not at 1 MiB": (elsewhere_on_the_disk, "partitions that are not ours"),
    "a label of control characters": (odd_label, r"(label a\n\x1b[31mb,"),
    "our partition of another type": (of_another_type, "has the type a19d880f"),
    "our partition with swap": (ours_holds("mkswap"), "rancher-data-new holds swap, not ext4"),
    "our partition with a pv": (ours_holds("pvcreate", "-q"), "holds LVM2_member, not ext4"),
    "our partition of another label": (
        ours_holds("mkfs.ext4", "-q", "-L", "mine"),
        "has the label mine, not data",
    ),
}
