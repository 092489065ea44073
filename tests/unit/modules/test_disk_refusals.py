import pytest
from disk_kit import LVM, MIB, formatted, found, part, signature
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _disk_refusals as RULES

FOUND = {"offset": 0x200000, "hits": 3, "samples": 16384}
DATA = "the first byte that is not zero is at offset 0x200000, and 3 of 16,384 samples of 64 KiB hold data"
XFS = signature("xfs", 0, "8d3c", "old")
START = (
    "Refusing to touch /dev/vdb (asked for as /dev/disk/by-id/virtio-data, 1 GiB, serial data): "
)
END = " If it is the wrong disk, correct the pillar key rancher:data_disk:device."
IT = "/dev/disk/by-id/virtio-data"
ERASE = " If this disk may be erased, run on this host: "
DISCARD = f"blkdiscard {IT} || shred -v -n 0 -z {IT}"
THEN = (
    " Then run again; if it still finds data, blkdiscard does not erase this disk: use shred alone."
)
BASIC = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"


@pytest.mark.parametrize(
    ("disk", "part_type", "stage"),
    [
        (found(), "linux", "blank"),
        (found(table="gpt"), "linux", "label"),
        (found(table="gpt", table_damaged="x", half_written=True), "linux", "label"),
        (found(part()), "linux", "ready"),
        (found(part(), table_damaged="x", half_written=True), "linux", "ready"),
        (found(part(type=BASIC)), "linux", "ready"),
        (found(part(path=None)), "linux", "ready"),
        (found(part()), "lvm", "partition"),
        (found(part(type=BASIC)), "lvm", "partition"),
        (found(part(type=LVM)), "lvm", "ready"),
        (found(formatted(mounts=["/data"]), busy=True), "linux", "ready"),
        (found(formatted(mounts=["/data"]), signatures=[XFS]), "linux", "ready"),
        (found(part(type=LVM, holders=["/dev/mapper/docker-thinpool"]), busy=True), "lvm", "ready"),
        # What is inside of our own partition is for the caller to judge.
        (found(formatted("ext4")), "linux", "ready"),
        (found(part(content=FOUND)), "linux", "ready"),
        (found(part("rancher-data", content=FOUND)), "linux", "ready"),
        # Finished by its name and all zero: it was never used, and is made now.
        (found(part("rancher-data", unused=True)), "linux", "partition"),
        (found(part("rancher-data", type=LVM, unused=True)), "lvm", "partition"),
        # It is only mounted, whoever has it open.
        (found(formatted(), users=["process 7 (xfs_repair)"]), "linux", "ready"),
        (found(part(), removable=True), "linux", "ready"),
        (found(part(), size=8 * MIB), "linux", "ready"),
    ],
)
def test_stages(disk, part_type, stage):
    assert RULES.stage(disk, "rancher-data", part_type, 300 * MIB) == stage


@pytest.mark.parametrize(
    ("disk", "words"),
    [
        (
            found(parent="/dev/vdb", is_disk=False),
            "it is a partition of /dev/vdb, not a whole disk",
        ),
        (found(is_disk=False), "it is a device mapper volume, not a disk"),
        (found(system="holds /"), "the running system needs it, it holds /"),
        (found(size=0), "its size is 0, it has no medium"),
        (found(read_only=True), "it is read-only"),
        (found(removable=True), "it is a removable medium"),
        (found(size=3 * MIB), "it is too small, at least 4 MiB are needed"),
        (found(holders=["/dev/mapper/mpatha"]), "it is in use by /dev/mapper/mpatha"),
        (found(part(), holders=["/dev/md0"]), "it is in use by /dev/md0"),
        (found(mounts=["/a\n", "/b"]), r"it is mounted at /a\n, /b"),
        (found(swaps=["/dev/vdb"]), "it is active swap: /dev/vdb"),
        (found(part(label="x", holders=["/dev/md0"])), "it is in use by /dev/md0"),
        (found(signatures=[XFS]), "a signature of xfs (label old, UUID 8d3c) at offset 0x0"),
        (
            found(signatures=[XFS, signature("swap", 4086)]),
            "0x0, a signature of swap at offset 0xff6",
        ),
        (found(signatures=[signature("zfs_member", n) for n in range(9)]), "offset 0x0 and 8 more"),
        (
            found(table="gpt", table_damaged="half a table"),
            "table is damaged: there is half a table",
        ),
        (found(part(label="x"), table_damaged="x", half_written=True), "table is damaged"),
        (found(part(), table_damaged="x"), "table is damaged"),
        (found(part(label="x"), stale="the kernel is behind"), "the kernel is behind"),
        (found(part(), stale="the kernel is behind"), "the kernel is behind"),
        (found(table="dos"), "it has a partition table of type dos"),
        (found(part(), table="dos"), "it has partitions that are not ours: /dev/vdb1"),
        (found(part(label="x\x1b")), r"/dev/vdb1 named x\x1b (1022 MiB, holds nothing known)"),
        (found(part(number=2)), "; ours would be a single one named rancher-data"),
        (found(part(start=2 * MIB)), "partitions that are not ours"),
        (found(part(), part(number=2, path=None, label=None)), "/dev/vdb1 named"),
        (found(*[part(number=n, label=None) for n in range(1, 8)]), " and 3 more; ours"),
        (found(offset_signature="ext4"), "it has no partition table, but old content (ext4) lies"),
        (found(content=FOUND), f"it holds data that no tool knows: {DATA}"),
        (found(table="gpt", content=FOUND), "it holds data that no tool knows"),
        (found(shrunk=2048 * MIB), "it shrank: it has 1 GiB instead of 2 GiB"),
        (found(part(), shrunk=2048 * MIB), "it shrank"),
        (
            found(users=["process 7 (qemu), which has it open"]),
            "it is in use by process 7 (qemu), w",
        ),
        (found(users=["a\n", "b", "c", "d", "e"]), r"it is in use by a\n, b, c and 2 more"),
        (found(part(), users=["process 7 (qemu)"]), "it is in use by process 7 (qemu)"),
        (found(signatures=[XFS], users=["process 7 (qemu)"]), "it is in use by process 7 (qemu)"),
        (found(busy=True), "another program holds it exclusively"),
        (found(table="gpt", busy=True), "another program holds it exclusively"),
        (found(part(type="a19d880f")), "its partition rancher-data-new has the type a19"),
        (found(part(type=LVM)), "has the type e6d6d379"),
        (
            found(part("rancher-data", type="3b8f8425")),
            "run on this host: parted -s /dev/disk/by-id/virtio-data set 1 lvm on set 1 lvm off.",
        ),
        (
            found(sectors=4096),
            "its partition table was made for sectors of 4096 bytes, and it has sectors of 512 bytes",
        ),
        (
            found(part(), signatures=[XFS]),
            "beside its partition rancher-data-new it holds a signature",
        ),
    ],
)
def test_refusals(disk, words):
    with pytest.raises(CommandExecutionError) as info:
        RULES.stage(disk, "rancher-data", "linux")
    said = str(info.value)
    assert words in said
    assert said.startswith("Refusing to touch /dev/vdb (asked for as /dev/disk/by-id/virtio-data, ")
    assert "Nothing was written." in said
    assert said.endswith(END)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("disk", "words"),
    [
        (found(formatted("LVM2_member")), "holds a signature of LVM2_member"),
        (found(part(mounts=["/x"])), "its partition is in use by /x"),
        (found(part(holders=["/dev/md0"])), "its partition is in use by /dev/md0"),
        (found(part(filesystem="odd")), "holds a signature of odd"),
        (
            found(part("rancher-data", type=LVM, content=FOUND)),
            f"its partition rancher-data was finished once, and what it holds cannot be read now: {DATA}"
            ". Nothing was written. The content was not touched, and is most likely still there. To "
            "repair it, run on this host: ls /etc/lvm/backup; then vgcfgrestore(8)",
        ),
    ],
)
def test_refusals_before_the_type_is_set(disk, words):
    with pytest.raises(CommandExecutionError) as info:
        RULES.stage(disk, "rancher-data", "lvm")
    assert words in str(info.value)
    assert str(info.value).endswith("correct the pillar key rancher:thin_pool:device.")


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        (
            found(signatures=[XFS]),
            f"{START}it holds a signature of xfs (label old, UUID 8d3c) at offset 0x0. Nothing was "
            f"written.{ERASE}wipefs -a {IT}; {DISCARD}.{THEN}{END}",
        ),
        (
            found(part(label="photos")),
            f"{START}it has partitions that are not ours: /dev/vdb1 named photos (1022 MiB, holds "
            "nothing known); ours would be a single one named rancher-data. Nothing was written."
            f"{ERASE}wipefs -a /dev/vdb1 {IT}; {DISCARD}; blockdev --rereadpt {IT}.{THEN}{END}",
        ),
        (
            found(content=FOUND),
            f"{START}it holds data that no tool knows: {DATA}. Nothing was written.{ERASE}{DISCARD}."
            f"{THEN}{END}",
        ),
        (
            found(shrunk=2048 * MIB),
            f"{START}it shrank: it has 1 GiB instead of 2 GiB, for which its partition table was made. "
            f"Nothing was written. Give it its old size back; do not write to it before.{END}",
        ),
        (
            found(asked="/dev/vdb", serial=None, size=0),
            f"Refusing to touch /dev/vdb (0 bytes): its size is 0, it has no medium. Nothing was "
            f"written.{END}",
        ),
        (
            found(offset_signature="ext4", asked="/dev/odd name"),
            "Refusing to touch /dev/vdb (asked for as /dev/odd name, 1 GiB, serial data): it has no "
            "partition table, but old content (ext4) lies where the partition would be (from 1 MiB "
            "on, offset 0x100000). Nothing was written. If ext4 is the content that this host had "
            "here, make the table again, which leaves the content alone: on this host, parted -s "
            "'/dev/odd name' mklabel gpt mkpart rancher-data 1MiB 1023MiB. If this disk may be "
            "erased, run on this host: blkdiscard '/dev/odd name' || shred -v -n 0 -z '/dev/odd "
            f"name'.{THEN}{END}",
        ),
    ],
)
def test_whole_messages(disk, said):
    with pytest.raises(CommandExecutionError) as info:
        RULES.stage(disk, "rancher-data", "linux")
    assert str(info.value) == said


@pytest.mark.parametrize(
    ("offset", "part_type", "made"),
    [
        ("xfs", "linux", "mkpart rancher-data 1MiB 1023MiB. If"),
        ("LVM2_member", "lvm", "mkpart rancher-data 1MiB 1023MiB set 1 lvm on. If"),
        ("LVM2_member", "linux", None),
        ("swap", "linux", None),
        (None, "linux", None),
    ],
)
def test_a_lost_table_is_made_again_over_our_kind_of_content(offset, part_type, made):
    disk = found(table="gpt", table_damaged="half a table", offset_signature=offset)
    with pytest.raises(CommandExecutionError) as info:
        RULES.stage(disk, "rancher-data", part_type)
    assert ("make the table again" in str(info.value)) is bool(made)
    assert (made or "If this disk may be erased") in str(info.value)


def test_a_minimum():
    with pytest.raises(CommandExecutionError, match="too small, at least 2 GiB are needed"):
        RULES.stage(found(), "rancher-data", "linux", 2048 * MIB)


def test_another_type_is_a_mistake_of_the_caller():
    with pytest.raises(SaltInvocationError, match="must be linux or lvm"):
        RULES.stage(found(), "rancher-data", "swap")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (512, "512 bytes"),
        (1536, "1.5 KiB"),
        (100 << 30, "100 GiB"),
        (2 << 60, "2048 PiB"),
    ],
)
def test_sizes(size, text):
    assert RULES.size_text(size) == text


def test_what_a_disk_says_is_made_fit_to_print():
    assert RULES.printable("a\nb\x1b[31m\u202eü") == r"a\nb\x1b[31m\u202eü"
    assert len(RULES.printable("x" * 999)) == 80
