from unittest import mock

import pytest
from disk_kit import LINUX, MIB, signature
from salt.exceptions import CommandExecutionError

import _disk_kernel
import _disk_read
import _disk_table

GPT = [signature("gpt", 512), signature("gpt", 1024 * MIB - 512), signature("PMBR", 510)]
SECOND = GPT[1:]
ENTRY = {"number": 1, "start": MIB, "size": 8 * MIB, "label": "x", "type": LINUX}
NODE = {"number": 1, "path": "/dev/vdb1", "devno": "254:17", "start": MIB, "size": 8 * MIB}
NODE["holders"] = []


class Machine:
    """Answers of the tools by device; an area of a disk is `(device, offset)`."""

    def __init__(self, **over):
        self.blkid, self.wipefs, self.table, self.nodes = {}, {}, [], {}
        self.names, self.told, self.protected = None, {}, True
        vars(self).update(over)
        self.asked = []

    def look(self):
        tools = {
            "blkid": self._blkid,
            "wipefs": lambda device: self.wipefs.get(device, []),
            "table": lambda device: list(self.table),
            "gpt_names": lambda device, sector: self.names,
            "gpt_size": lambda device, sector: self.told.get(sector),
            "protective_mbr": lambda device: self.protected,
        }
        with (
            mock.patch.multiple(_disk_read, **tools),
            mock.patch.object(_disk_kernel, "nodes", lambda number: self.nodes),
        ):
            return _disk_table.contents("/dev/vdb", "254:16", 1024 * MIB)

    def _blkid(self, device, offset=None, size=None):
        self.asked.append((device, offset, size))
        return self.blkid.get(device if offset is None else (device, offset), {})


def test_a_blank_disk():
    machine = Machine()
    assert machine.look() == {
        "table": None,
        "table_damaged": None,
        "half_written": False,
        "signatures": [],
        "offset_signature": None,
        "stale": None,
        "shrunk": None,
        "sectors": None,
        "partitions": [],
    }
    # Exactly the place of our partition is looked at, too.
    assert machine.asked[-1] == ("/dev/vdb", MIB, 1022 * MIB)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"TYPE": "ext4"}, "ext4"),
        ({"PTTYPE": "dos"}, "dos"),
        ({"AMBIVALENT": "yes"}, "several signatures"),
    ],
)
def test_old_content_where_the_partition_would_be(said, shown):
    assert Machine(blkid={("/dev/vdb", MIB): said}).look()["offset_signature"] == shown


def test_a_disk_with_our_partition():
    inside = {"TYPE": "ext4", "UUID": "8d3c", "LABEL": "M-CM-<"}
    machine = Machine(
        blkid={"/dev/vdb": {"PTTYPE": "gpt"}, "/dev/vdb1": inside},
        wipefs={"/dev/vdb": GPT, "/dev/vdb1": [signature("ext4", 0x438, "8d3c", "ü")]},
        table=[ENTRY],
        nodes={1: NODE},
    )
    seen = machine.look()
    assert (seen["table"], seen["signatures"], seen["stale"]) == ("gpt", [], None)
    (part,) = seen["partitions"]
    assert (part["path"], part["devno"], part["label"], part["type"]) == (
        "/dev/vdb1",
        "254:17",
        "x",
        LINUX,
    )
    assert (part["filesystem"], part["uuid"], part["fs_label"]) == ("ext4", "8d3c", "ü")


@pytest.mark.parametrize("said", [{"TYPE": "ext4"}, {"PTTYPE": "gpt"}, {"AMBIVALENT": "yes"}])
@pytest.mark.parametrize("device", ["/dev/vdb", "/dev/vdb1"])
def test_tools_that_contradict_each_other_are_no_absence(said, device):
    known = {"/dev/vdb": {"PTTYPE": "gpt"}, device: said}
    listed = {} if device == "/dev/vdb" else {"/dev/vdb": GPT}
    machine = Machine(blkid=known, wipefs=listed, table=[ENTRY], nodes={1: NODE})
    with pytest.raises(CommandExecutionError, match=f"on {device} and wipefs finds nothing"):
        machine.look()


@pytest.mark.parametrize(
    ("listed", "known", "table", "damaged"),
    [
        (GPT, "gpt", "gpt", None),
        (GPT[:1] + GPT[2:], "gpt", "gpt", None),
        ([signature("gpt", 4096), signature("PMBR", 510)], "gpt", "gpt", None),
        (SECOND[:1], None, "gpt", "only the second copy of a GPT, at offset 0x3ffffe00"),
        ([GPT[2]], "PMBR", "PMBR", "the protective MBR of a GPT that is gone"),
        ([*GPT, signature("dos", 510)], "gpt", "gpt", "a GPT together with a table of type dos"),
        ([signature("dos", 510)], "dos", "dos", None),
        ([signature("sun")], None, "sun", None),
    ],
)
def test_tables(listed, known, table, damaged):
    machine = Machine(
        blkid={"/dev/vdb": {"PTTYPE": known} if known else {}}, wipefs={"/dev/vdb": listed}
    )
    seen = machine.look()
    assert (seen["table"], seen["table_damaged"]) == (table, damaged)
    assert seen["half_written"] is False


@pytest.mark.parametrize("first", [b"EFI PART", bytes(8)])
def test_a_table_that_parted_left_half_written(tmp_path, replace, first):
    device = tmp_path / "disk"
    device.write_bytes(bytes(512) + first)
    known, listed = {str(device): {"PTTYPE": "gpt"}}, {str(device): SECOND}
    replace(
        _disk_read,
        blkid=lambda device, offset=None, size=None: {} if offset else known[device],
        wipefs=lambda device: listed[device],
        table=lambda device: [],
    )
    replace(_disk_kernel, nodes=lambda number: {})
    seen = _disk_table.contents(str(device), "254:16", 1024 * MIB)
    assert seen["half_written"] is (first != bytes(8))


def test_a_gpt_without_its_protective_mbr_is_damaged():
    machine = Machine(
        blkid={"/dev/vdb": {}, ("/dev/vdb", MIB): {"TYPE": "xfs"}},
        wipefs={"/dev/vdb": GPT[:2]},
        protected=False,
    )
    seen = machine.look()
    assert seen["table_damaged"] == "a GPT without its protective MBR"
    assert (seen["partitions"], seen["offset_signature"]) == ([], "xfs")


def test_signatures_beside_the_table_are_listed():
    zfs = signature("zfs_member", 0x27C00)
    machine = Machine(blkid={"/dev/vdb": {"PTTYPE": "gpt"}}, wipefs={"/dev/vdb": [*GPT, zfs]})
    assert machine.look()["signatures"] == [zfs]


@pytest.mark.parametrize(
    ("table", "nodes", "stale"),
    [
        ([ENTRY], {1: NODE}, None),
        ([], {1: NODE}, "the kernel still knows /dev/vdb1, which is in no partition table"),
        (
            [{**ENTRY, "size": 4 * MIB}],
            {1: NODE},
            "the kernel knows /dev/vdb1 with another place or size than the table",
        ),
    ],
)
def test_kernel_and_table_disagree(table, nodes, stale):
    machine = Machine(
        blkid={"/dev/vdb": {"PTTYPE": "gpt"}},
        wipefs={"/dev/vdb": GPT},
        table=table,
        nodes=nodes,
    )
    assert machine.look()["stale"] == stale


@pytest.mark.parametrize(
    ("said", "kinds"),
    [({}, []), ({"TYPE": "xfs"}, ["xfs"]), ({"AMBIVALENT": "yes"}, ["several signatures"])],
)
def test_a_partition_that_the_kernel_has_not_read_yet(said, kinds):
    machine = Machine(
        blkid={"/dev/vdb": {"PTTYPE": "gpt"}, ("/dev/vdb", MIB): said},
        wipefs={"/dev/vdb": GPT},
        table=[ENTRY],
    )
    (part,) = machine.look()["partitions"]
    assert (part["path"], part["devno"]) == (None, None)
    assert [entry["type"] for entry in part["signatures"]] == kinds
    assert machine.asked[-1] == ("/dev/vdb", MIB, 8 * MIB)


@pytest.mark.parametrize(
    ("size", "sector", "mib"),
    [
        (1024 * MIB, 512, 1023),
        (1024 * MIB, 4096, 1023),
        (1024 * MIB + 16896, 512, 1024),
        (1024 * MIB + 16896, 4096, 1023),
        (1024 * MIB + 20480, 4096, 1024),
    ],
)
def test_where_our_partition_ends(size, sector, mib):
    assert _disk_table.end(size, sector) == mib * MIB


@pytest.mark.parametrize(
    ("listed", "names"),
    [([], {1: "x"}), ([ENTRY], {1: "x", 2: "y"}), ([ENTRY], {}), ([ENTRY], {2: "x"})],
)
def test_partx_that_leaves_out_partitions_is_not_believed(listed, names):
    machine = Machine(
        blkid={"/dev/vdb": {"PTTYPE": "gpt"}}, wipefs={"/dev/vdb": GPT}, table=listed, names=names
    )
    with pytest.raises(CommandExecutionError, match=f"whose GPT has {len(names)}: what"):
        machine.look()


@pytest.mark.parametrize(
    ("name", "mark"),
    [("rancher-data-new", "rancher-data"), ("rancher-data-new ", None), ("Rancher-Data", None)],
)
def test_a_name_with_a_blank_at_its_end_was_taken_for_ours(name, mark):
    machine = Machine(
        blkid={"/dev/vdb": {"PTTYPE": "gpt"}},
        wipefs={"/dev/vdb": GPT},
        # So partx shows it.
        table=[{**ENTRY, "label": name.rstrip()}],
        names={1: name},
    )
    (part,) = machine.look()["partitions"]
    assert (part["label"], part["mark"]) == (name, mark)


def test_an_ntfs_ends_like_a_table_and_partx_failed():
    ntfs = [signature("ntfs", 3), signature("dos", 510)]
    # partx is not asked: it would fail, and the refusal would be no more than that.
    machine = Machine(blkid={"/dev/vdb": {"TYPE": "ntfs"}}, wipefs={"/dev/vdb": ntfs}, table=None)
    seen = machine.look()
    assert (seen["table"], seen["signatures"], seen["partitions"]) == (None, ntfs[:1], [])


@pytest.mark.parametrize(
    ("told", "entries", "sectors"),
    [
        ({4096: 1024 * MIB}, [], 4096),
        # What is left of a table of before, below the one of today.
        ({512: 1024 * MIB, 4096: 1024 * MIB}, [], None),
        ({4096: 1024 * MIB}, [ENTRY], None),
        ({}, [], None),
    ],
)
def test_a_disk_whose_table_was_made_for_other_sectors(told, entries, sectors):
    machine = Machine(
        blkid={"/dev/vdb": {"PTTYPE": "gpt"}}, wipefs={"/dev/vdb": GPT}, table=entries, told=told
    )
    assert machine.look()["sectors"] == sectors


@pytest.mark.parametrize(
    ("told", "entry", "shrunk"),
    [
        (None, ENTRY, None),
        (1024 * MIB, ENTRY, None),
        # A disk that grew is as good as before.
        (512 * MIB, ENTRY, None),
        (1024 * MIB + 512, ENTRY, 1024 * MIB + 512),
        (None, {**ENTRY, "size": 1024 * MIB}, 1025 * MIB),
    ],
)
def test_a_disk_that_shrank_below_its_table(told, entry, shrunk):
    machine = Machine(
        blkid={"/dev/vdb": {"PTTYPE": "gpt"}},
        wipefs={"/dev/vdb": GPT},
        table=[entry],
        told={512: told},
    )
    assert machine.look()["shrunk"] == shrunk


@pytest.mark.parametrize(
    ("label", "mark", "finished"),
    [
        ("rancher-data", "rancher-data", True),
        ("rancher-data-new", "rancher-data", False),
        ("rancher-docker-pool-new", "rancher-docker-pool", False),
        ("photos", None, False),
        (None, None, False),
    ],
)
def test_a_partition_says_by_its_name_whether_it_is_finished(label, mark, finished):
    machine = Machine(
        blkid={"/dev/vdb": {"PTTYPE": "gpt"}},
        wipefs={"/dev/vdb": GPT},
        table=[{**ENTRY, "label": label}],
        nodes={1: NODE},
    )
    (part,) = machine.look()["partitions"]
    assert (part["mark"], part["finished"], part["content"]) == (mark, finished, None)
