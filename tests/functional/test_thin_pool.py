"""
The thin pool on this machine's real LVM, on loop devices, as far as that goes without device
mapper: up to the two volumes, which exist in LVM's metadata only. Then lvconvert refuses. The
rest runs in tests/vm/test_thin_pool.py.
"""

import contextlib
import os
import shutil
import subprocess

import pytest
from disk_kit import MIB, Disk, must
from fakes import Salt, load, load_state

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices"),
    pytest.mark.skipif(not shutil.which("lvm"), reason="needs lvm2"),
]
MARK = "rancher-docker-pool"
MODULES = ["host", "converge", "settings", "thinpool", "lvmreport"]
MODULES += [f"disk{name}" for name in ("read", "use", "rules", "table", "make", "probe")]
MODULES += [f"pool{name}" for name in ("size", "guard", "advice", "plan", "probe", "make", "grow")]
LVM = ("pvs", "vgs", "lvs", "pvcreate", "vgcreate", "vgextend", "lvcreate", "lvconvert")
LOOKS = ("lvm version", "pvs", "vgs", "lvs", "blkid", "wipefs --no-act", "partx --pairs", "udevadm")
# In LVM's metadata; the conversion then needs the kernel.
MADE = ["partition", "physical volume", "volume group", "data volume", "metadata volume"]
# label, partition, type, PV, VG, data, metadata
WRITES = 7


class Killed(BaseException):
    """The run ended here."""


class Tree:
    """The tree's modules over real commands, with an LVM that sees only this test's disks."""

    def __init__(self, folder):
        self.folder, self.disks = folder, []
        self.steps, self.end_at = [], None
        self.salt = Salt({"pillar.get": lambda key: None})
        for name in MODULES:
            module = load(name, self.salt)
            for function, value in vars(module).items():
                if getattr(value, "__module__", None) == module.__name__ and callable(value):
                    self.salt[f"{name}.{function}"] = value
            if name == "diskmake":
                module.WAIT = 5
        self._run = self.salt["host.run"]
        self.salt["host.run"] = self.run
        self.salt["host.write"] = lambda *_args, **_more: pytest.fail("no pool, no profile")
        # Not installed where the kernel has no device mapper either.
        self.salt["lvmreport.tool"] = lambda name: f"/sbin/{name}"

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
        state = load_state("thinpool", self.salt, test=test)
        return state.present("thinpool", device, **settings)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("LVM_SYSTEM_DIR", str(tmp_path))
    monkeypatch.setenv("LVM_SUPPRESS_FD_WARNINGS", "1")
    return Tree(tmp_path)


@contextlib.contextmanager
def attached(folder, size=420 * MIB, name="disk.img"):
    found = Disk(folder, size=size, name=name)
    try:
        yield found
    finally:
        found.detach()


@pytest.fixture
def disk(tmp_path, tree):
    with attached(tmp_path) as found:
        tree.admit(found.path)
        yield found


@pytest.fixture
def other(tmp_path, tree, disk):
    with attached(tmp_path, name="other.img") as found:
        tree.admit(disk.path, found.path)
        yield found


def lvm(*argv):
    return must(argv[0], "--driverloaded", "n", *argv[1:])


def uuids(kind, field):
    return lvm(kind, "--noheadings", "-o", field).split()


def refused(tree, *disks):
    """Dry run and run say the same, and leave every byte where it was."""
    before = [disk.hash() for disk in disks]
    tree.steps.clear()
    dry, real = (tree.present(disks[0].path, test=test) for test in (True, False))
    assert dry == real
    assert (real["result"], real["changes"]) == (False, {}), real
    assert tree.steps == []
    assert [disk.hash() for disk in disks] == before
    assert "\n" not in real["comment"]
    return real["comment"]


@pytest.mark.parametrize("size", [404 * MIB, 420 * MIB, 421 * MIB + 17408, 2049 * MIB + 512])
def test_what_the_dry_run_foretells_is_what_lvm_makes(tree, tmp_path, size):
    with attached(tmp_path, size) as disk:
        tree.admit(disk.path)
        before = disk.hash()
        dry = tree.present(disk.path, test=True)
        assert dry["result"] is None and disk.hash() == before and tree.steps == []
        real = tree.present(disk.path)
        assert real["result"] is False and "device-mapper" in real["comment"]
        assert real["changes"] == {key: dry["changes"][key] for key in MADE}
        (extents,) = uuids("vgs", "vg_extent_count")
        assert dry["changes"]["volume group"]["new"].startswith(f"docker, {extents} extents")
        rows = lvm("lvs", "--noheadings", "--units", "b", "--nosuffix", "-o", "lv_name,lv_size")
        made = dict(line.split() for line in rows.splitlines())
        for key, name in (("data volume", "thinpool"), ("metadata volume", "thinpoolmeta")):
            expected = f"docker/{name}, {int(made[name]) // (4 * MIB)} extents"
            assert dry["changes"][key]["new"] == expected
        assert tree.salt["thinpool.plan"](disk.path)["state"] == "P7"


@pytest.mark.parametrize("point", range(1, 2 * WRITES + 1))
def test_killed_anywhere_it_goes_on_with_the_same_uuids(tree, disk, point):
    tree.end_at = point
    with pytest.raises(Killed):
        tree.present(disk.path)
    tree.end_at = None
    before = uuids("pvs", "pv_uuid"), uuids("vgs", "vg_uuid")
    dry = tree.present(disk.path, test=True)
    assert dry["result"] is None, dry["comment"]
    real = tree.present(disk.path)
    assert "device-mapper" in real["comment"]
    assert real["changes"] == {key: dry["changes"][key] for key in MADE if key in dry["changes"]}
    after = uuids("pvs", "pv_uuid"), uuids("vgs", "vg_uuid")
    assert all(old == new[: len(old)] for old, new in zip(before, after, strict=True))
    creating = [step for step in tree.steps if not step.startswith("lvconvert")]
    assert len(creating) == len(set(creating)), "done twice"
    assert tree.salt["thinpool.plan"](disk.path)["state"] == "P7"


def test_a_disk_that_is_too_small(tree, tmp_path):
    with attached(tmp_path, 402 * MIB) as disk:
        tree.admit(disk.path)
        assert "at least 100 are needed, a disk of 404 MiB" in refused(tree, disk)


def test_a_physical_volume_on_the_whole_disk(tree, disk):
    lvm("pvcreate", disk.path)
    assert "it holds a signature of LVM2_member" in refused(tree, disk)


def test_the_disk_of_another_volume_group(tree, disk):
    lvm("vgcreate", "backup", disk.path)
    assert f"{disk.path} on it belongs to volume group backup" in refused(tree, disk)


def test_a_volume_group_of_that_name_on_another_disk(tree, disk, other):
    lvm("vgcreate", "--addtag", MARK, "docker", other.path)
    assert f"a volume group docker exists already, on {other.path}" in refused(tree, disk, other)


def partitioned(disk):
    disk.parted("mklabel", "gpt", "mkpart", MARK, "1MiB", "419MiB", "set", "1", "lvm", "on")
    return f"{disk.path}p1"


def test_a_volume_group_without_our_tag(tree, disk):
    lvm("vgcreate", "docker", partitioned(disk))
    assert "it has no tag" in refused(tree, disk)


def test_a_volume_group_with_a_second_disk(tree, disk, other):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk), other.path)
    assert "has several disks" in refused(tree, disk, other)


def test_a_volume_group_that_lost_a_disk(tree, disk, other):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk), other.path)
    tree.admit(disk.path)
    comment = refused(tree, disk)
    assert "LVM doubts its own lists" in comment and "missing PV" in comment


def test_an_exported_volume_group(tree, disk):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk))
    lvm("vgexport", "docker")
    assert "volume group docker is exported" in refused(tree, disk)


def test_a_cloned_disk(tree, disk, tmp_path):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk))
    must("cp", "--sparse=always", disk.image, tmp_path / "clone.img")
    loop = must("losetup", "--partscan", "--find", "--show", tmp_path / "clone.img").strip()
    try:
        must("partx", "--update", loop)
        assert os.path.exists(f"{loop}p1")
        tree.admit(disk.path, loop)
        assert "LVM doubts its own lists" in refused(tree, disk)
    finally:
        must("losetup", "--detach", loop)


def test_volume_group_metadata_that_was_destroyed(tree, disk):
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "docker", path)
    with open(path, "r+b") as out:
        out.seek(4096)
        out.write(b"\xa5" * 512)
    assert "LVM doubts its own lists" in refused(tree, disk)


def test_a_physical_volume_that_lvm_is_told_not_to_see(tree, disk):
    lvm("pvcreate", partitioned(disk))
    tree.admit("/dev/nothing")
    assert "is a physical volume that LVM does not show" in refused(tree, disk)


def test_old_content_in_our_partition(tree, disk):
    must("mkfs.ext4", "-q", partitioned(disk))
    comment = refused(tree, disk)
    assert "holds old content: ext4" in comment and f"wipefs -a {disk.path}p1" in comment


def test_a_file_system_on_an_inactive_volume_of_ours(tree, disk):
    path = partitioned(disk)
    lvm("vgcreate", "--addtag", MARK, "--physicalextentsize", "4m", "docker", path)
    # Not at the beginning of the disk, so that the place has to be worked out.
    create = ("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l")
    lvm(*create, "1", "-n", "thinpoolmeta", "docker")
    lvm(*create, "83", "-n", "thinpool", "docker")
    assert tree.salt["thinpool.plan"](disk.path)["state"] == "P7"
    subprocess.run(["mkfs.ext4", "-q", "-E", f"offset={5 * MIB}", path, "8M"], check=True)
    assert "volume docker/thinpool holds ext4" in refused(tree, disk)


def test_a_volume_that_nobody_expects(tree, disk):
    lvm("vgcreate", "--addtag", MARK, "docker", partitioned(disk))
    lvm("lvcreate", "-y", "-an", "-Wn", "-Zn", "-l", "1", "-n", "home", "docker")
    assert "holds volumes that are not ours: home" in refused(tree, disk)
