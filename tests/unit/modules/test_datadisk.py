import os

import pytest
from disk_kit import formatted, found
from fake_datadisk import Machine
from salt.exceptions import CommandExecutionError


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
