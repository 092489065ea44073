import os
import stat

import pytest
from disk_kit import formatted, found, part
from salt.exceptions import CommandExecutionError

import _datadisk
import _datadisk_plan
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
        self.entries, self.holders, self.interrupted = [], [], False
        devno = {"/dev/vdb": "254:16", "/dev/vdc": "254:32"}.get
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
            below=lambda number: [number, "254:16"],
            devno=devno,
            known_as=lambda number: f"disk {number}",
        )
        replace(
            _disk_read,
            blkid=lambda path: {"UUID": "8d3c-11", "TYPE": self.made},
            interrupted_xfs=lambda path: self.interrupted,
            with_uuid=lambda uuid: self.holders,
        )
        replace(
            _fstab,
            entries=lambda: self.entries,
            set_entry=lambda **entry: self.written.append(entry) or True,
        )
        replace(_datadisk, SYSFS=str(folder / "sys"))

    def examine(self, device, key=None, looked=False):
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    made, old = None, None

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
        _datadisk.apply(self.status(), changes, filesystem, "data", ["defaults", "nofail"])


@pytest.fixture
def machine(tmp_path, replace):
    return Machine(tmp_path, replace)


def test_status_of_a_bare_host(machine):
    assert machine.status() == {
        "disk": found(),
        "mark": "rancher-data",
        "mount_point": machine.point,
        "mounted": None,
        "folder": "missing",
        "unfinished": False,
        "fstab": [],
        "elsewhere": {},
        "pool": False,
    }


@pytest.mark.parametrize(
    ("pool", "same"), [("/dev/vdb", True), ("/dev/vdc", False), ("/no", False)]
)
def test_the_disk_of_the_pool(machine, pool, same):
    assert machine.status(pool)["pool"] is same


def test_what_is_mounted_on_top_counts(machine):
    machine.mount("254:32", "/dev/vdc")
    machine.mount("254:17", "/dev/vdb1")
    mounted = machine.status()["mounted"]
    assert (mounted["source"], mounted["below"]) == ("/dev/vdb1", ["254:17", "254:16"])
    assert mounted["uuid"] == "8d3c-11"
    assert machine.status()["folder"] is None


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "empty"),
        (["b", "a"], "not empty, it holds a, b"),
        (list("abcde"), "not empty, it holds a, b, c and 2 more"),
        (["a\nb"], "not empty, it holds a\\nb"),
    ],
)
def test_what_is_in_the_mount_point(machine, names, said):
    os.mkdir(machine.point)
    for name in names:
        os.mkdir(os.path.join(machine.point, name))
    assert machine.status()["folder"] == said


def test_a_mount_point_that_is_a_file(machine):
    with open(machine.point, "w", encoding="utf-8"):
        pass
    assert machine.status()["folder"] == "no directory"


def test_a_mount_point_that_cannot_be_looked_at_is_no_absence(machine, monkeypatch):
    def listdir(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", listdir)
    with pytest.raises(CommandExecutionError, match="cannot be looked at: Permission denied"):
        machine.status()


def test_a_mount_point_behind_a_link(machine, tmp_path):
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", machine.point)
    with pytest.raises(CommandExecutionError, match=f"symbolic link to {tmp_path}/real. Nothing"):
        machine.status()


def test_a_slash_at_the_end_means_nothing(machine):
    machine.point += "/"
    assert machine.status()["mount_point"] == machine.point[:-1]


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
@pytest.mark.parametrize("interrupted", [True, False])
def test_an_xfs_that_was_never_completed(machine, kind, interrupted):
    machine.looks, machine.interrupted = [found(formatted(kind))], interrupted
    assert machine.status()["unfinished"] is (interrupted and kind == "xfs")


def line(spec, file):
    return {"spec": spec, "file": file, "type": "xfs", "options": "nofail", "freq": 0, "passno": 0}


@pytest.mark.parametrize(
    ("spec", "holders", "elsewhere"),
    [
        ("UUID=8d3c-11", ["/dev/vdb1"], {}),
        ("UUID=dead", [], {"dead": []}),
        ("UUID=dead", ["/dev/vdc", "/dev/vdb"], {"dead": ["disk 254:16"]}),
        ("/dev/vdb1", ["/dev/vdc"], {}),
    ],
)
def test_where_the_file_system_of_fstab_is(machine, spec, holders, elsewhere):
    machine.looks, machine.holders = [found(formatted())], holders
    machine.entries = [line(spec, f"{machine.point}/"), line("UUID=f00d", "/srv")]
    assert machine.status()["elsewhere"] == elsewhere


MKFS = {
    "xfs": ["mkfs.xfs", "-q", "-K", "-n", "ftype=1", "-L", "data", PATH],
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard", "-L", "data", PATH],
}


@pytest.mark.parametrize("filesystem", MKFS)
def test_all_steps_in_their_order(machine, filesystem):
    machine.looks = [found(), found(part())]
    machine.apply("partition", "filesystem", "directory", "mount", "fstab", filesystem=filesystem)
    options = ["-o", "defaults,nofail"]
    assert machine.ran == [
        "rancher-data",
        MKFS[filesystem],
        "finished",
        ["mount", "-t", filesystem, *options, PATH, machine.point],
    ]
    assert stat.S_IMODE(os.stat(machine.point).st_mode) == 0o755
    (entry,) = machine.written
    assert (entry["spec"], entry["file"]) == ("UUID=8d3c-11", machine.point)


def test_only_fstab(machine):
    machine.mount("254:17", PATH)
    machine.apply("fstab")
    assert (machine.ran, len(machine.written)) == ([], 1)


def test_an_unfinished_file_system_is_removed_first(machine):
    machine.looks, machine.interrupted = [found(formatted(name="rancher-data-new"))], True
    machine.old = _datadisk_plan.INTERRUPTED
    machine.apply("filesystem", "mount")
    assert machine.ran[1:4] == [["wipefs", "-a", PATH], MKFS["xfs"], "finished"]


def test_an_unfinished_file_system_without_a_signature_is_made_again(machine):
    machine.looks = [found(part(content=FOUND))]
    machine.old = _datadisk_plan.INTERRUPTED
    machine.apply("filesystem", "mount")
    assert machine.ran[1:3] == [MKFS["xfs"], "finished"]


@pytest.mark.parametrize("mounted", [True, False])
def test_a_complete_file_system_is_only_named(machine, mounted):
    machine.looks = [found(formatted(name="rancher-data-new"))]
    machine.old = _datadisk_plan.UNNAMED
    machine.apply("filesystem", *([] if mounted else ["mount"]))
    assert [step for step in machine.ran if step[0] != "mount"] == (
        ["finished"] if mounted else ["rancher-data", "finished"]
    )


FOUND = {"offset": 4096, "hits": 3, "samples": 16352}


@pytest.mark.parametrize(
    "late",
    [
        found(formatted("ext4")),
        found(formatted(label="photos")),
        found(part(busy=True), busy=True),
        # No tool knows what it is: somebody wrote to it a moment ago.
        found(part("rancher-data", content=FOUND)),
    ],
)
def test_content_that_appears_before_mkfs_is_refused(machine, late):
    machine.looks = [found(), late]
    with pytest.raises(CommandExecutionError, match="Refusing to touch"):
        machine.apply("partition", "filesystem", "mount")
    assert machine.ran == ["rancher-data"]


@pytest.mark.parametrize(
    "late",
    [
        found(formatted()),
        found(formatted(name="rancher-data-new")),
        found(part(path="/dev/vdb9")),
        found(part(), devno="254:48"),
        found(part(content=FOUND)),
    ],
)
def test_a_partition_that_changes_before_mkfs_is_left_alone(machine, late):
    machine.looks = [found(), late]
    with pytest.raises(CommandExecutionError, match="changed while it was being prepared"):
        machine.apply("partition", "filesystem", "mount")
    assert machine.ran == ["rancher-data"]


def test_a_finished_partition_is_never_formatted_whatever_was_planned(machine):
    machine.looks = [found(part(content=FOUND)), found(part("rancher-data", unused=True))]
    machine.old = None
    with pytest.raises(CommandExecutionError, match="changed while it was being prepared"):
        machine.apply("filesystem", "mount")
    assert machine.ran == ["rancher-data"]


@pytest.mark.parametrize("filesystem", ["xfs", "ext4"])
def test_a_mount_that_fails_names_the_way_to_repair(machine, replace, filesystem):
    def fails(argv, timeout=60, accept=(0,)):
        raise CommandExecutionError("`mount` failed with exit code 32: bad superblock")

    machine.looks = [found(formatted(filesystem))]
    replace(_host, run=fails)
    command = {"xfs": f"xfs_repair {PATH}", "ext4": f"e2fsck -fy {PATH}"}[filesystem]
    with pytest.raises(CommandExecutionError) as info:
        machine.apply("mount", filesystem=filesystem)
    assert str(info.value) == (
        f"`mount` failed with exit code 32: bad superblock. Nothing was changed on {PATH}. If its "
        f"{filesystem} is damaged (`dmesg`), run on this host: {command}"
    )


def test_a_mount_that_does_nothing_gets_no_line_in_fstab(machine):
    machine.looks = [found(formatted(path=None))]
    machine.mount = lambda *args: None
    with pytest.raises(CommandExecutionError, match="mount reported success, but nothing is at"):
        machine.apply("mount", "fstab")
    assert machine.written == []


@pytest.mark.parametrize(
    ("selinux", "tool", "relabelled"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_the_root_of_a_new_file_system_gets_its_selinux_label(
    machine, tmp_path, monkeypatch, selinux, tool, relabelled
):
    if selinux:
        (tmp_path / "sys/fs/selinux").mkdir(parents=True)
        (tmp_path / "sys/fs/selinux/enforce").write_text("0")
    monkeypatch.setattr(_datadisk.shutil, "which", lambda name: f"/sbin/{name}" if tool else None)
    machine.looks = [found(formatted(path=None))]
    machine.apply("directory", "mount")
    assert (machine.ran[-1] == ["restorecon", machine.point]) is relabelled


def test_an_mkfs_that_does_nothing_is_named(machine):
    machine.looks = [found(part())]
    machine.made = "swap"
    with pytest.raises(CommandExecutionError, match="mkfs.xfs reported success without effect: "):
        machine.apply("filesystem", "mount")
    assert machine.mounts == []
