import os
import stat

import pytest
from disk_kit import formatted, found, part
from fakes import Salt, load
from salt.exceptions import CommandExecutionError

PATH = "/dev/vdb1"


class Machine:
    """One disk as `looks` gives it, look by look; commands are recorded and mount works."""

    def __init__(self, folder, *looks):
        self.point = str(folder / "data")
        self.looks, self.ran, self.mounts, self.written = list(looks) or [found()], [], [], []
        self.salt = Salt({})
        rules = load("_disk_refusals")
        self.salt.update(
            {
                "_host.run": self.run,
                "_disk.examine": self.examine,
                "_disk.stage": rules.stage,
                "_disk_make.partition": lambda disk, mark, kind: self.ran.append(mark) or PATH,
                "_disk_refusals.printable": rules.printable,
                "_disk_refusals.refusal": rules.refusal,
                "_disk_kernel.mounts": lambda: self.mounts,
                "_disk_kernel.below": lambda number: [number, "254:16"],
                "_disk_kernel.devno": {"/dev/vdb": "254:16", "/dev/vdc": "254:32"}.get,
                "_disk_read.blkid": lambda path: {"UUID": "8d3c-11", "TYPE": self.made},
                "_fstab.entries": list,
                "_fstab.set_entry": lambda **entry: self.written.append(entry) or True,
            }
        )
        plan = load("_datadisk_plan", self.salt)
        self.salt.update(
            {"_datadisk_plan.line": plan.line, "_datadisk_plan.unmounted": plan.unmounted}
        )
        self.module = load("_datadisk", self.salt)
        self.module.SYSFS = str(folder / "sys")

    def examine(self, device, key=None):
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    made = None

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
        return self.module.status(self.point, "/dev/vdb", pool)

    def apply(self, *keys, filesystem="xfs"):
        changes = dict.fromkeys(keys)
        self.module.apply(self.status(), changes, filesystem, "data", ["defaults", "nofail"])


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_status_of_a_bare_host(machine):
    assert machine.status() == {
        "disk": found(),
        "mark": "rancher-data",
        "mount_point": machine.point,
        "mounted": None,
        "folder": "missing",
        "unfinished": False,
        "fstab": [],
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


@pytest.mark.parametrize(
    ("content", "unfinished"),
    [
        (b"XFSB" + bytes(122) + b"\1" + bytes(385), True),
        (b"XFSB" + bytes(508), False),
        (b"ABCD" + bytes(122) + b"\1" + bytes(385), False),
        (b"XFSB", False),
    ],
)
def test_an_mkfs_that_was_killed(machine, tmp_path, content, unfinished):
    device = tmp_path / "device"
    device.write_bytes(content)
    machine.looks = [found(formatted(path=str(device)))]
    assert machine.status()["unfinished"] is unfinished


def test_a_disk_that_cannot_be_read_is_not_finished_nor_unfinished(machine, tmp_path):
    machine.looks = [found(formatted(path=str(tmp_path / "gone")))]
    with pytest.raises(CommandExecutionError, match="gone could not be read"):
        machine.status()


MKFS = {
    "xfs": ["mkfs.xfs", "-q", "-n", "ftype=1", "-L", "data", PATH],
    "ext4": ["mkfs.ext4", "-q", "-L", "data", PATH],
}


@pytest.mark.parametrize("filesystem", MKFS)
def test_all_steps_in_their_order(machine, filesystem):
    machine.looks = [found(), found(part())]
    machine.apply("partition", "filesystem", "directory", "mount", "fstab", filesystem=filesystem)
    options = ["-o", "defaults,nofail"]
    assert machine.ran == [
        "rancher-data",
        MKFS[filesystem],
        ["mount", "-t", filesystem, *options, PATH, machine.point],
    ]
    assert stat.S_IMODE(os.stat(machine.point).st_mode) == 0o755
    (entry,) = machine.written
    assert (entry["spec"], entry["file"]) == ("UUID=8d3c-11", machine.point)


def test_only_fstab(machine):
    machine.mount("254:17", PATH)
    machine.apply("fstab")
    assert (machine.ran, len(machine.written)) == ([], 1)


def test_an_unfinished_file_system_is_removed_first(machine, monkeypatch):
    machine.looks = [found(formatted())]
    monkeypatch.setattr(machine.module, "_unfinished", lambda path: True)
    machine.apply("filesystem", "mount")
    assert machine.ran[1:3] == [["wipefs", "-a", PATH], MKFS["xfs"]]


@pytest.mark.parametrize(
    "late",
    [found(formatted("ext4")), found(formatted(label="photos")), found(part(busy=True), busy=True)],
)
def test_content_that_appears_before_mkfs_is_refused(machine, monkeypatch, late):
    monkeypatch.setattr(machine.module, "_unfinished", lambda path: False)
    machine.looks = [found(), late]
    with pytest.raises(CommandExecutionError, match="Refusing to touch"):
        machine.apply("partition", "filesystem", "mount")
    assert machine.ran == ["rancher-data"]


@pytest.mark.parametrize(
    "late", [found(formatted()), found(part(path="/dev/vdb9")), found(part(), devno="254:48")]
)
def test_a_partition_that_changes_before_mkfs_is_left_alone(machine, monkeypatch, late):
    monkeypatch.setattr(machine.module, "_unfinished", lambda path: False)
    machine.looks = [found(), late]
    with pytest.raises(CommandExecutionError, match="changed while it was being prepared"):
        machine.apply("partition", "filesystem", "mount")
    assert machine.ran == ["rancher-data"]


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
    monkeypatch.setattr(
        machine.module.shutil, "which", lambda name: f"/sbin/{name}" if tool else None
    )
    machine.looks = [found(formatted(path=None))]
    machine.apply("directory", "mount")
    assert (machine.ran[-1] == ["restorecon", machine.point]) is relabelled


def test_an_mkfs_that_does_nothing_is_named(machine):
    machine.looks = [found(part())]
    machine.made = "swap"
    with pytest.raises(CommandExecutionError, match="mkfs.xfs reported success without effect: "):
        machine.apply("filesystem", "mount")
    assert machine.mounts == []
