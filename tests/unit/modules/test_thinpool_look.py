import pytest
from fake_pool import MIB, PART, SETTINGS
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _disk
import _disk_blank
import _disk_read
import _host
import _lvm_backup
import _thinpool_look
import _thinpool_profile


@pytest.fixture
def host(pool_host):
    return pool_host()


def observed(host):
    return _thinpool_look.observe(_thinpool_look.wanted(SETTINGS))


def test_settings_become_numbers(host):
    want = _thinpool_look.wanted(SETTINGS)
    assert want["chunk_size"] == 512 * 1024
    assert want["pool"] == "docker/thinpool"
    assert want["profile_text"] == _thinpool_profile.profile(80, 20)


@pytest.mark.parametrize(
    "over",
    [{"name": "-f"}, {"chunk_size": 524288}, {"autoextend_percent": 0}, {"profile": "a/b"}],
    ids=repr,
)
def test_settings_that_can_never_work(host, over):
    with pytest.raises(SaltInvocationError):
        _thinpool_look.wanted({**SETTINGS, **over})


def test_looking_writes_nothing(host):
    seen = observed(host)
    assert (seen["stage"], seen["unfit"], seen["missing"]) == ("blank", None, [])
    assert not host.wrote


def test_a_refusal_of_the_disk_rules_is_kept_for_later(host):
    host.serial = "other"
    seen = observed(host)
    assert seen["stage"] is None and "it holds ext4" in seen["unfit"]


def test_could_not_look_is_not_absent(host):
    def broken(argv, timeout=60, accept=(0,)):
        raise CommandExecutionError(f"`{argv[0]}` failed with exit code 5")

    host.replace(_host, run=broken)
    with pytest.raises(CommandExecutionError, match="exit code 5"):
        observed(host)


def test_without_lvm_the_physical_volumes_are_looked_for_by_signature(host):
    host.tools.discard("lvm")
    host._report = lambda argv: "/dev/sda2\n" if argv[0] == "blkid" else ""
    assert observed(host)["members"] == ["/dev/sda2"]


def test_a_plain_volume_is_looked_into_where_it_lies(host):
    host.pv, host.vg = {"pv_uuid": "u"}, {"vg_name": "docker", "vg_tags": "rancher-docker-pool"}
    host.vg |= {"vg_attr": "wz--n-", "vg_extent_size": 4 * MIB, "vg_extent_count": 5119}
    host.volume("thinpool", 20)
    host.volume("thinpoolmeta", 5, lv_attr="-wi-------", seg_pe_ranges="/dev/vdc1:20-24")
    asked = []

    def blkid(*area):
        asked.append(area)
        return {"AMBIVALENT": "yes"} if len(area) > 1 else {"TYPE": "xfs"}

    host.replace(_disk_read, blkid=blkid)
    assert observed(host)["signatures"] == {"thinpool": "xfs", "thinpoolmeta": "several signatures"}
    assert asked == [("/dev/docker/thinpool",), ("/dev/vdc1", 81 * MIB, 20 * MIB)]


def test_a_volume_with_data_that_no_tool_knows(host):
    # A volume of that name, without a signature, was taken for the metadata and overwritten.
    host.pv, host.vg = {"pv_uuid": "u"}, {"vg_name": "docker", "vg_tags": "rancher-docker-pool"}
    host.vg |= {"vg_attr": "wz--n-", "vg_extent_size": 4 * MIB, "vg_extent_count": 5119}
    host.volume(
        "thinpoolmeta", 5, lv_attr="-wi-------", seg_pe_ranges="/dev/vdc1:9-9 /dev/vdc1:0-3"
    )
    asked = []

    def look(path, start=0, end=None):
        asked.append((path, start, end))
        return {"offset": 5 * MIB, "hits": 1, "samples": 64} if start == MIB else None

    host.replace(_disk_blank, look=look)
    (words,) = observed(host)["signatures"].values()
    assert words.startswith("data that no tool knows: the first byte that is not zero is at offset")
    assert asked == [("/dev/vdc1", 37 * MIB, 41 * MIB), ("/dev/vdc1", MIB, 17 * MIB)]


def test_the_backup_is_only_looked_at_when_the_group_is_missing(host):
    host.replace(_lvm_backup, look=lambda group: f"of {group}")
    assert observed(host)["backup"] == "of docker"
    host.pv, host.vg = {"pv_uuid": "u"}, {"vg_name": "docker", "vg_tags": "rancher-docker-pool"}
    host.vg |= {"vg_attr": "wz--n-", "vg_extent_size": 4 * MIB, "vg_extent_count": 5119}
    assert observed(host)["backup"] is None


# -- a physical volume that is half of one -------------------------------------------------------

IN_USE = f"lvm says: WARNING: PV {PART} is marked in use but no VG was found using it.\n"


def half(host, stderr=IN_USE, **row):
    """What is seen of our unfinished partition with such a physical volume."""
    host.steps, host.pv = ["label", "partition", "type"], {"pv_uuid": "u"}
    pvs = host._pvs

    def run(argv, **more):
        if argv[0] == "pvs":
            return {**real(argv, **more), "stderr": stderr}
        return real(argv, **more)

    real = host.run
    host.replace(_host, run=run)
    host._pvs = lambda: [{**each, **row} for each in pvs()] if row is not None else []
    return observed(host)


def test_what_a_killed_vgcreate_leaves_is_begun_and_no_doubt(host):
    seen = half(host, vg_name="[unknown]", pv_attr="u--")
    assert (seen["begun"], seen["lvm"]["doubts"]) == (True, [])


def test_a_doubt_of_another_disk_stays(host):
    other = IN_USE.replace(PART, f"{PART}2")
    seen = half(host, IN_USE + other, vg_name="[unknown]", pv_attr="u--")
    assert seen["begun"] is True
    assert seen["lvm"]["doubts"] == [f"PV {PART}2 is marked in use but no VG was found using it."]


@pytest.mark.parametrize(
    ("stderr", "row"),
    [
        ("", {}),
        (IN_USE.replace(PART, "/dev/vdd1"), {}),
        (IN_USE, {"vg_name": "other", "pv_attr": "a--"}),
    ],
    ids=["whole", "a doubt of another one", "in a group"],
)
def test_what_is_not_begun(host, stderr, row):
    assert half(host, stderr, **row)["begun"] is False


def test_in_a_finished_partition_nothing_is_begun(host):
    host.finished = True
    seen = half(host, vg_name="[unknown]", pv_attr="u--")
    assert seen["begun"] is False and seen["lvm"]["doubts"]


@pytest.mark.parametrize("over", [{"mounts": ["/mnt"]}, {"holders": ["dm-0"]}, {"busy": True}])
def test_what_is_in_use_is_not_begun(host, over):
    examine = _disk.examine

    def used(device, key=None):
        disk = examine(device, key)
        disk["partitions"][0].update(over)
        return disk

    host.replace(_disk, examine=used)
    assert half(host, vg_name="[unknown]", pv_attr="u--")["begun"] is False


DAEMON = '{"data-root": "%s", "storage-opts": ["dm.thinpooldev=%s", "dm.x=y"]}'


@pytest.mark.parametrize("name", ["/dev/mapper/docker-thinpool", "docker-thinpool"])
@pytest.mark.parametrize("below", ["devicemapper", "165536.165536/devicemapper"])
def test_docker_that_knows_the_pool(host, tmp_path, name, below):
    host.files["/etc/docker/daemon.json"] = DAEMON % (tmp_path, name)
    assert observed(host)["docker"] is None, "it was never started with it"
    folder = tmp_path / below / "metadata"
    folder.mkdir(parents=True)
    assert observed(host)["docker"] is None
    (folder / "deviceset-metadata").touch()
    assert observed(host)["docker"] == str(folder)
    host.files["/etc/docker/daemon.json"] = DAEMON % (tmp_path, "/dev/mapper/other-pool")
    assert observed(host)["docker"] is None


@pytest.mark.parametrize("text", ["{", "[]", '{"storage-opts": 5}'])
def test_a_daemon_json_that_is_not_understood_is_not_taken_for_none(host, text):
    host.files["/etc/docker/daemon.json"] = text
    with pytest.raises(CommandExecutionError, match="daemon.json is not understood"):
        observed(host)


@pytest.mark.parametrize(("code", "known"), [(0, True), (1, False)])
def test_whether_the_kernel_can_load_thin_pools(host, monkeypatch, code, known):
    monkeypatch.setattr("os.path.isdir", lambda path: False)
    run = _host.run

    def modprobe(argv, **more):
        return {**run(argv, **more), "retcode": code if argv[0] == "modprobe" else 0}

    host.replace(_host, run=modprobe)
    assert observed(host)["target"] is known


def test_a_host_without_modprobe_is_not_taken_for_one_without_thin_pools(host, monkeypatch):
    # A minimal system has no kmod before lvm2's dependencies bring it.
    monkeypatch.setattr("os.path.isdir", lambda path: False)
    host.tools.discard("modprobe")
    seen = observed(host)
    assert (seen["target"], seen["missing"]) == (True, ["modprobe"])
