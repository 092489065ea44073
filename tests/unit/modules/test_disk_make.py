import contextlib
import os
from unittest import mock

import pytest
from clocks import Waits
from disk_kit import LVM, MIB, formatted, found, part
from salt.exceptions import CommandExecutionError

import _disk
import _disk_kernel
import _disk_make
import _host

PARTED = ["parted", "-s", "-a", "optimal", "/dev/vdb"]
LABEL = [*PARTED, "mklabel", "gpt"]
MKPART = [*PARTED, "mkpart", "rancher-data-new", "1MiB", "1023MiB"]
RENAME = [*PARTED, "name", "1", "rancher-data-new"]
FINISH = [*PARTED, "name", "1", "rancher-data"]
TYPE = [*PARTED, "set", "1", "lvm", "on"]
EMPTY = found(table="gpt")
READY = found(part())
UNUSED = found(part("rancher-data", unused=True))


class Machine:
    """Every look gives the next state of the disk; the last one stays."""

    def __init__(self, *looks, nodes=(True,)):
        self.looks, self.nodes, self.ran, self.looked = list(looks), list(nodes), [], []
        self.clock = Waits()
        self.clock.pace = 0

    def make(self, checked=None, part_type="linux"):
        with self.installed():
            return _disk_make.partition(checked or self.looks[0], "rancher-data", part_type)

    def finish(self, checked=None):
        with self.installed():
            return _disk_make.finish(checked or self.looks[0], "rancher-data")

    @contextlib.contextmanager
    def installed(self):
        devno = {"/dev/vdb": "254:16", "/dev/vdb1": "254:17"}.get
        with (
            mock.patch.object(_disk, "examine", self._examine),
            mock.patch.object(_host, "run", self._run),
            mock.patch.multiple(_disk_kernel, devno=devno, nodes=self._nodes),
            mock.patch.object(_disk_make, "time", self.clock),
        ):
            yield

    def _examine(self, device, key=None, looked=False):
        self.looked.append(looked)
        return self._next(self.looks)

    def _next(self, answers):
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _nodes(self, number):
        assert number == "254:16"
        return {1: {"path": "/dev/vdb1", "devno": "254:17"}} if self._next(self.nodes) else {}

    def _run(self, argv, timeout=60, accept=(0,)):
        if argv[0] != "udevadm":
            self.ran.append(argv)


@pytest.mark.parametrize(
    ("looks", "part_type", "ran"),
    [
        ([found(), EMPTY, READY], "linux", [LABEL, MKPART]),
        ([EMPTY, READY], "linux", [MKPART]),
        ([READY], "linux", []),
        ([found(), EMPTY, READY, found(part(type=LVM))], "lvm", [LABEL, MKPART, TYPE]),
        ([READY, found(part(type=LVM))], "lvm", [TYPE]),
        ([found(formatted(mounts=["/data"]))], "linux", []),
        # Named as finished and never used: it is being made from now on.
        ([UNUSED, READY], "linux", [RENAME]),
        ([UNUSED, READY, found(part(type=LVM))], "lvm", [RENAME, TYPE]),
    ],
)
def test_only_the_steps_that_are_left(looks, part_type, ran):
    machine = Machine(*looks)
    assert machine.make(part_type=part_type) == "/dev/vdb1"
    assert machine.ran == ran
    # Everything is read before the first step, and not again before the next ones.
    assert machine.looked == [False] + [True] * len(ran)


@pytest.mark.parametrize(
    ("key", "value"),
    [("path", "/dev/vdc"), ("devno", "254:32"), ("serial", "other"), ("size", 2048 * MIB)],
)
def test_another_disk_than_the_one_that_was_checked(key, value):
    machine = Machine(found(**{key: value}))
    with pytest.raises(CommandExecutionError, match=f"is not the disk that was checked: its {key}"):
        machine.make(found())
    assert machine.ran == []


def test_content_that_appears_before_the_first_step():
    machine = Machine(found(formatted(label="x"), signatures=[], table="dos"))
    with pytest.raises(CommandExecutionError, match="Nothing was written"):
        machine.make(found())
    assert machine.ran == []


def test_a_refusal_on_the_way_says_what_was_done():
    machine = Machine(found(), EMPTY, found(part(label="strange")))
    with pytest.raises(CommandExecutionError) as info:
        machine.make()
    assert "Nothing was written" not in str(info.value)
    assert str(info.value).endswith(
        "Done before: mklabel gpt, mkpart rancher-data-new 1MiB 1023MiB"
    )


@pytest.mark.parametrize("part_type", ["linux", "lvm"])
def test_old_content_in_the_new_partition(part_type):
    machine = Machine(found(), EMPTY, found(formatted("ext4")))
    with pytest.raises(CommandExecutionError) as info:
        machine.make(part_type=part_type)
    assert (
        "old content turned up in the new partition /dev/vdb1 of /dev/disk/by-id/virtio-data: ext4"
        in str(info.value)
    )
    assert "run on this host: wipefs -a /dev/vdb1 /dev/disk" in str(info.value)
    assert " Done before: mklabel gpt" in str(info.value)
    assert machine.ran == [LABEL, MKPART]


@pytest.mark.parametrize("looks", [[found()], [found(), EMPTY]])
def test_a_parted_that_does_nothing(looks):
    machine = Machine(*looks)
    with pytest.raises(CommandExecutionError, match="parted reported success without effect"):
        machine.make()
    assert machine.ran == [LABEL, MKPART][: len(looks)]


def test_a_partition_that_the_kernel_reads_late():
    machine = Machine(found(part(path=None)), nodes=[False, False, True])
    assert machine.make() == "/dev/vdb1"
    assert machine.ran == [["partx", "--update", "/dev/vdb"]]


def test_a_partition_that_never_appears():
    machine = Machine(found(part(path=None)), nodes=[False])
    with pytest.raises(CommandExecutionError, match="partition 1 of /dev/vdb did not appear"):
        machine.make()


def test_udev_is_waited_for_where_it_runs(monkeypatch):
    ran = []
    monkeypatch.setattr(_host, "run", lambda argv, timeout=60, accept=(0,): ran.append(argv))
    monkeypatch.setattr(_disk_kernel, "nodes", lambda number: {})
    monkeypatch.setattr(_disk_kernel, "devno", lambda path: "254:16")
    for running in (False, True):
        monkeypatch.setattr(os.path, "exists", lambda path, running=running: running)
        _disk_make._settle("/dev/vdb")
    assert ran == [["udevadm", "settle", "--timeout=30"]]


# --- The name that says that it is finished ---


def test_it_gets_its_final_name():
    machine = Machine(found(formatted(name="rancher-data-new")), found(formatted()))
    machine.finish()
    assert machine.ran == [FINISH]
    assert machine.looked == [True, True]


def test_what_has_its_final_name_keeps_it():
    machine = Machine(found(formatted()))
    machine.finish()
    assert machine.ran == []


@pytest.mark.parametrize(
    ("looks", "ran"),
    [
        # parted said that it did it.
        ([found(formatted(name="rancher-data-new"))], [FINISH]),
        ([found(part("photos"))], []),
        ([found(part("rancher-docker-pool-new"))], []),
        ([found(part(), part(number=2))], []),
        ([found()], []),
    ],
)
def test_a_name_that_is_not_ours_to_give(looks, ran):
    machine = Machine(*looks)
    with pytest.raises(
        CommandExecutionError, match="could not be given its final name rancher-data"
    ):
        machine.finish()
    assert machine.ran == ran


def test_another_disk_gets_no_name():
    machine = Machine(found(formatted(), serial="other"))
    with pytest.raises(CommandExecutionError, match="is not the disk that was checked"):
        machine.finish(found(formatted()))
    assert machine.ran == []
