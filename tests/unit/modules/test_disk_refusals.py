import pytest
from disk_kit import LVM, MIB, formatted, found, part, signature
from fakes import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

RULES = load("_disk_refusals")
XFS = signature("xfs", 0, "8d3c", "old")
START = (
    "Refusing to touch /dev/vdb (asked for as /dev/disk/by-id/virtio-data, 1 GiB, serial data): "
)
END = " If it is the wrong disk, correct the pillar key rancher:data_disk:device."
ERASE = " If this disk may be erased, run on this host: wipefs -a "
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
        (found(offset_signature="ext4"), "it looks blank, but old content (ext4) lies where"),
        (found(busy=True), "another program holds it exclusively"),
        (found(table="gpt", busy=True), "another program holds it exclusively"),
        (found(part(type="a19d880f")), "its partition rancher-data has the type a19d880f"),
        (found(part(type=LVM)), "has the type e6d6d379"),
        (found(part(), signatures=[XFS]), "beside its partition rancher-data it holds a signature"),
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
            f"written.{ERASE}/dev/disk/by-id/virtio-data.{END}",
        ),
        (
            found(part(label="photos")),
            f"{START}it has partitions that are not ours: /dev/vdb1 named photos (1022 MiB, holds "
            "nothing known); ours would be a single one named rancher-data. Nothing was written."
            f"{ERASE}/dev/vdb1 /dev/disk/by-id/virtio-data.{END}",
        ),
        (
            found(asked="/dev/vdb", serial=None, size=0),
            f"Refusing to touch /dev/vdb (0 bytes): its size is 0, it has no medium. Nothing was "
            f"written.{END}",
        ),
        (
            found(offset_signature="ext4", asked="/dev/odd name"),
            "Refusing to touch /dev/vdb (asked for as /dev/odd name, 1 GiB, serial data): it looks "
            "blank, but old content (ext4) lies where the partition would be (from 1 MiB on, offset "
            "0x100000). Nothing was written. If this disk may be erased, run on this host: "
            "dd if=/dev/zero of='/dev/odd name' bs=1M count=16 conv=fsync seek=1; "
            f"dd if=/dev/zero of='/dev/odd name' bs=1M count=16 conv=fsync seek=1007.{END}",
        ),
    ],
)
def test_whole_messages(disk, said):
    with pytest.raises(CommandExecutionError) as info:
        RULES.stage(disk, "rancher-data", "linux")
    assert str(info.value) == said


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
