import os

import pytest
from disk_kit import formatted, found
from fake_datadisk import Machine
from salt.exceptions import CommandExecutionError

import _disk_kernel


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
        "ours": [],
        "elsewhere": {},
        "copies": [],
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
        ("UUID=dead", [], {"UUID dead": []}),
        ("UUID='dead'", ["/dev/vdc", "/dev/vdb"], {"UUID dead": ["disk 254:16"]}),
        ("LABEL=old", ["/dev/vdc"], {"LABEL old": ["disk 254:16"]}),
        ('PARTLABEL="my data"', [], {"PARTLABEL my data": []}),
        ("/dev/vdb1", ["/dev/vdc"], {}),
        ("/dev/vdc", [], {"/dev/vdc": ["disk 254:16"]}),
        ("/dev/disk/by-id/gone-part1", [], {"/dev/disk/by-id/gone-part1": []}),
        ("/dev/sdx1", [], {}),
        ("server:/export", [], {}),
    ],
)
def test_where_the_file_system_of_fstab_is(machine, spec, holders, elsewhere):
    machine.looks, machine.holders = [found(formatted())], holders
    machine.entries = [line(spec, f"{machine.point}/"), line("UUID=f00d", "/srv")]
    assert machine.status()["elsewhere"] == elsewhere


PART = "/dev/disk/by-partuuid/0a34-01"


@pytest.mark.parametrize(
    ("spec", "ours"),
    [
        ("LABEL=data", True),
        ('LABEL="data"', True),
        ("LABEL='data'", True),
        ('UUID="8d3c-11"', True),
        ("UUID=8D3C-11", False),
        ("LABEL=Data", False),
        ("label=data", False),
        ('LABEL="data', False),
        ("PARTUUID=0a34-01", True),
        ("PARTUUID=0a34-02", False),
        ("/dev/vdb1", True),
        (PART, True),
        ("/dev/disk/by-label/my\\x20data", True),
        ("/dev/vdb", True),
        ("/dev/vdc", False),
        ("/dev/vdc1", False),
        ("server:/data", False),
        ("tmpfs", False),
    ],
)
@pytest.mark.parametrize("mounted", [True, False])
def test_a_disk_was_known_to_fstab_by_its_uuid_alone(machine, spec, ours, mounted):
    machine.looks = [found(formatted())]
    links = dict.fromkeys(["/dev/vdb1", PART, "/dev/disk/by-label/my\\x20data"], "254:17")
    machine.nodes |= {**links, "/dev/vdc1": "254:33"}
    machine.entries = [line(spec, "/mnt/old")]
    if mounted:
        machine.label = "data"
        machine.mount("254:17", "/dev/vdb1")
    assert (machine.status()["ours"] == machine.entries) is ours


@pytest.mark.parametrize(
    ("holders", "mounted", "copies"),
    [
        (["/dev/vdb"], False, []),
        (["/dev/vdb", "/dev/vdc"], False, ["disk 254:32"]),
        # Nothing is read for it in a run that has nothing to do.
        (["/dev/vdb", "/dev/vdc"], True, []),
    ],
)
def test_a_copy_with_the_same_uuid_was_not_seen(machine, replace, holders, mounted, copies):
    replace(_disk_kernel, below=lambda number: [number] if number else [])
    machine.looks, machine.holders = [found(formatted())], holders
    if mounted:
        machine.mount("254:16", "/dev/vdb")
    assert machine.status()["copies"] == copies


def test_a_mount_that_a_later_one_hides_was_taken_for_the_right_one(machine):
    machine.mount("254:17", "/dev/vdb1")
    machine.hidden = True
    assert machine.status()["mounted"]["hidden"] is True


@pytest.mark.parametrize("works", [True, False])
def test_an_automount_that_nobody_had_looked_into_was_refused(machine, monkeypatch, works):
    machine.mount("0:51", "systemd-1", "autofs")

    def listdir(path):
        if not works:
            raise OSError(19, "No such device")
        machine.mount("254:17", "/dev/vdb1")
        return []

    monkeypatch.setattr(os, "listdir", listdir)
    assert machine.status()["mounted"]["type"] == ("xfs" if works else "autofs")
