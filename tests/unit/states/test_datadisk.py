"""The state with its modules over an imitated disk; dry run and run of every scenario."""

import os

import pytest
from disk_kit import found, part, signature
from salt.exceptions import CommandExecutionError

import _datadisk
import _disk
import _disk_kernel
import _disk_read
import _fstab
import _host

ALL = ["partition", "filesystem", "directory", "mount", "fstab"]


class Machine:
    """A disk that really changes when the tools are called, and an fstab in a file."""

    def __init__(self, folder, replace, state):
        self._state = state
        self.point = str(folder / "data")
        self.table, self.named, self.content = None, None, None
        self.foreign, self.mounted_at, self.fails = [], None, None
        self.mounted_with = "attr2"
        self.ran, self.pool = [], None
        self.fstab_file = folder / "fstab"
        self.fstab_file.write_text("# this host\n")
        replace(_host, run=self.run)
        replace(_fstab, FSTAB=str(self.fstab_file), SYSTEMD="/nowhere")
        replace(_datadisk, SYSFS="/nowhere")
        replace(_disk, examine=self.examine)
        replace(
            _disk_kernel,
            mounts=self.mounts,
            below=lambda number: [number, "254:16"],
            devno=lambda path: {"/dev/vdb": "254:16"}.get(path, "254:17"),
            nodes=lambda number: self.nodes(),
            reached=lambda point: True,
        )
        replace(
            _disk_read,
            interrupted_xfs=lambda device: False,
            with_tag=lambda name, value: [],
            blkid=lambda device: {
                "UUID": "8d3c-11",
                **dict(zip(("TYPE", "LABEL"), self.content or "??", strict=True)),
            },
        )

    def nodes(self):
        return {1: {"path": "/dev/vdb1", "devno": "254:17"}} if self.named else {}

    def examine(self, device, key=None, looked=False):
        parts = []
        if self.named:
            points = [self.mounted_at] if self.mounted_at else []
            parts = [part(label=self.named, mounts=points)]
        if self.content:
            kind, label = self.content
            parts[0].update(filesystem=kind, uuid="8d3c-11", fs_label=label)
            parts[0]["signatures"] = [signature(kind, 0, "8d3c-11", label)]
        return found(*parts, asked=device, table=self.table, signatures=self.foreign)

    def mounts(self):
        if not self.mounted_at:
            return []
        entry = {"point": self.mounted_at, "devno": "254:17", "devnos": ["254:17"], "root": "/"}
        entry |= {"type": self.content[0], "source": "/dev/vdb1"}
        return [{**entry, "options": f"rw,relatime,{self.mounted_with}"}]

    def run(self, argv, timeout=60, accept=(0,)):
        self.ran.append(argv)
        if argv[0] == self.fails:
            raise CommandExecutionError(f"`{argv[0]}` failed with exit code 1: no")
        if "mklabel" in argv:
            self.table = "gpt"
        elif "mkpart" in argv:
            self.named = argv[argv.index("mkpart") + 1]
        elif "name" in argv:
            self.named = argv[-1]
        elif argv[0].startswith("mkfs."):
            self.content = (argv[0].partition(".")[2], argv[argv.index("-L") + 1])
        elif argv[0] == "mount":
            self.mounted_at = argv[-1]
        else:
            raise AssertionError(f"unexpected command: {argv}")

    def state(self, test=False, device="/dev/disk/by-id/virtio-data", **settings):
        return self.loaded(test).mounted(self.point, device, **settings)

    def loaded(self, test):
        pillar = {"rancher": {"thin_pool": {"device": self.pool}}}
        return self._state("datadisk", test, __pillar__=pillar)


@pytest.fixture
def machine(tmp_path, replace, state):
    return Machine(tmp_path, replace, state)


def bare(_machine):
    pass


def labelled(machine):
    machine.table = "gpt"


def partitioned(machine):
    machine.table, machine.named = "gpt", "rancher-data-new"


def not_named(machine):
    partitioned(machine)
    machine.content = ("xfs", "data")


def formatted(machine):
    machine.table, machine.named = "gpt", "rancher-data"
    machine.content = ("xfs", "data")


def with_line(machine):
    formatted(machine)
    os.mkdir(machine.point)
    machine.fstab_file.write_text(f"UUID=8d3c-11 {machine.point} xfs defaults,nofail 0 0\n")


def mounted(machine):
    formatted(machine)
    os.mkdir(machine.point)
    machine.mounted_at = machine.point


def other_line(machine):
    mounted(machine)
    machine.fstab_file.write_text(f"/dev/vdb1 {machine.point} xfs ro 0 0\n")


START = {
    bare: ALL,
    labelled: ALL,
    partitioned: ALL[1:],
    not_named: ALL[1:],
    formatted: ALL[2:],
    with_line: ["mount"],
    mounted: ["fstab"],
    other_line: ["fstab"],
}


@pytest.mark.parametrize("start", START)
def test_it_predicts_converges_and_stays(machine, start):
    start(machine)
    before = machine.fstab_file.read_text(), os.path.exists(machine.point)
    dry = machine.state(test=True)
    assert dry["result"] is None
    assert dry["comment"].startswith(f"Data disk {machine.point} would change: {START[start][0]}")
    assert machine.ran == []
    assert (machine.fstab_file.read_text(), os.path.exists(machine.point)) == before
    real = machine.state()
    assert (real["result"], real["changes"]) == (True, dry["changes"])
    assert list(real["changes"]) == START[start]
    machine.ran.clear()
    for test in (True, False):
        again = machine.state(test=test)
        assert (again["result"], again["changes"], machine.ran) == (True, {}, [])
    assert again["comment"] == (
        f"Data disk {machine.point} is already correct. The disk is /dev/vdb "
        "(/dev/disk/by-id/virtio-data, 1 GiB, serial data)"
    )


def foreign(machine):
    machine.foreign = [signature("ext4", 0x438)]
    return "it holds a signature of ext4 at offset 0x438"


def other_partition(machine):
    machine.table, machine.named = "gpt", "photos"
    return "partitions that are not ours"


def other_label(machine):
    formatted(machine)
    machine.content = ("xfs", "photos")
    return "has the label photos, not data"


def other_file_system(machine):
    formatted(machine)
    machine.content = ("ext4", "data")
    return "holds ext4, not xfs"


def mounted_elsewhere(machine):
    formatted(machine)
    machine.mounted_at = "/srv"
    return "is mounted at /srv, not at "


def files_in_the_way(machine):
    os.makedirs(f"{machine.point}/precious")
    return "which is not empty, it holds precious"


def pool_too(machine):
    machine.pool = "/dev/vdb"
    return "the disk of the thin pool, too"


REFUSED = [foreign, other_partition, other_label, other_file_system]
REFUSED += [mounted_elsewhere, files_in_the_way, pool_too]


@pytest.mark.parametrize("start", REFUSED)
def test_a_refusal_says_the_same_in_both_runs_and_changes_nothing(machine, start):
    words = start(machine)
    answers = [machine.state(test=test) for test in (True, False)]
    assert answers[0] == answers[1]
    assert (answers[0]["result"], answers[0]["changes"], machine.ran) == (False, {}, [])
    assert words in answers[0]["comment"]
    assert machine.fstab_file.read_text() == "# this host\n"


@pytest.mark.parametrize(
    ("fails", "done"),
    [("parted", []), ("mkfs.xfs", ALL[:1]), ("mount", ALL[:3])],
)
def test_a_failure_reports_what_was_done_and_the_next_run_goes_on(machine, fails, done):
    machine.fails = fails
    answer = machine.state()
    assert (answer["result"], list(answer["changes"])) == (False, done)
    assert f"`{fails}` failed" in answer["comment"]
    assert machine.fstab_file.read_text() == "# this host\n"
    machine.fails = None
    answer = machine.state()
    assert (answer["result"], list(answer["changes"])) == (True, ALL[len(done) :])


@pytest.mark.parametrize("test", [True, False])
def test_another_label_of_a_mounted_disk_was_correct_until_the_next_boot(machine, test):
    mounted(machine)
    for _ in range(2):
        comment = machine.state(test, label="other")["comment"]
        assert (
            "The file system's label is data, not other: a label is only given when it" in comment
        )
        assert "Set rancher:data_disk:label to the one that it has" in comment


@pytest.mark.parametrize("test", [True, False])
def test_other_options_of_a_mounted_disk_were_correct_and_not_in_effect(machine, test):
    mounted(machine)
    machine.mounted_with = "noatime"
    for _ in range(2):
        comment = machine.state(test, options=["nofail", "noatime", "nodev", "noexec"])["comment"]
        assert "It is mounted without nodev, noexec: that counts from the next boot on" in comment
        assert f"`mount -o remount,nodev,noexec {machine.point}` at once" in comment
    machine.mounted_with = "ro"
    assert "without rw: that counts" in machine.state(test)["comment"]
    machine.mounted_with = "nodev,noexec"
    assert "mounted without" not in machine.state(test, options=["nodev", "noexec"])["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_options_taken_away_from_a_mounted_disk_were_correct_and_in_effect(machine, test):
    mounted(machine)
    machine.mounted_with = "nosuid,noatime,nodev"
    for _ in range(2):
        comment = machine.state(test, options=["nofail", "nodev"])["comment"]
        assert f"`mount -o remount,suid,relatime {machine.point}` at once" in comment
    assert "remount" not in machine.state(test, options=["users", "noatime"])["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_no_disk_in_the_settings(state, test):
    assert state("datadisk", test).mounted("/data") == {
        "name": "/data",
        "result": True,
        "changes": {},
        "comment": "No data disk is configured",
    }


def test_settings_arrive(machine):
    machine.state(filesystem="ext4", label="store", options=["noatime"])
    assert ["mkfs.ext4", "-q", "-E", "nodiscard", "-L", "store", "/dev/vdb1"] in machine.ran
    assert machine.ran[-1][3:5] == ["-o", "noatime"]
    assert f"{machine.point} ext4 noatime 0 2" in machine.fstab_file.read_text()
