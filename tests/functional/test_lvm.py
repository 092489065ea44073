"""
Looks at this machine's real LVM: whatever the host has in its lvm.conf they answer alike, and they
write nothing, on no disk and not below /etc/lvm. On loop devices, without device mapper.
"""

import contextlib
import hashlib
import itertools
import os
import pathlib
import shutil

import pytest
from disk_kit import MIB, Disk, must
from salt.exceptions import CommandExecutionError

import _host
import _lvm

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices"),
    pytest.mark.skipif(not shutil.which("lvm"), reason="needs lvm2"),
]
RUN = _host.run
# What an administrator may have set; each value is not the default.
SETTINGS = {
    "log/command_names": "1",
    "log/prefix": '"XX "',
    "log/verbose": "3",
    "log/silent": "1",
    "log/level": "7",
    "log/indent": "1",
    "log/activation": "1",
    "log/report_command_log": "1",
    "report/output_format": '"json"',
    "report/compact_output": "1",
    "report/compact_output_cols": '"lv_profile,data_lv,vg_tags"',
    "report/aligned": "0",
    "report/buffered": "0",
    "report/headings": "0",
    "report/separator": '"|"',
    "report/list_item_separator": '";"',
    "report/prefixes": "1",
    "report/quoted": "0",
    "report/columns_as_rows": "1",
    "report/binary_values_as_numeric": "1",
    "report/mark_hidden_devices": "0",
    "report/two_word_unknown_device": "1",
    "report/lvs_sort": '"-lv_size"',
    "report/segs_sort": '"-seg_start"',
    "report/pvs_sort": '"-pv_uuid"',
    "global/units": '"k"',
    "global/suffix": "0",
    "global/si_unit_consistency": "0",
    "config/checks": "1",
    "nonsense/of_somebody": "1",
}
POOL = """contents = "Text Format Volume Group"
version = 1
docker {{
 id = "AhFvkH-mfay-hRCx-8WZf-yvkY-5pwH-tPvueX"
 seqno = 7
 format = "lvm2"
 status = ["RESIZEABLE", "READ", "WRITE"]
 flags = []
 tags = ["rancher-docker-pool", "second"]
 extent_size = 8192
 max_lv = 0
 max_pv = 0
 metadata_copies = 0
 physical_volumes {{
  pv0 {{ id = "{uuid}" device = "{path}" status = ["ALLOCATABLE"] flags = [] dev_size = {sectors} pe_start = 2048 pe_count = {extents} }} }}
 logical_volumes {{
  thinpool {{ id = "AAAAAA-mfay-hRCx-8WZf-yvkY-5pwH-tPvueX" status = ["READ", "WRITE", "VISIBLE"] flags = [] profile = "docker-thinpool" segment_count = 1
   segment1 {{ start_extent = 0 extent_count = 10 type = "thin-pool" metadata = "thinpool_tmeta" pool = "thinpool_tdata" transaction_id = 0 chunk_size = 1024 discards = "passdown" zero_new_blocks = 0 }} }}
  lvol0_pmspare {{ id = "BBBBBB-mfay-hRCx-8WZf-yvkY-5pwH-tPvueX" status = ["READ", "WRITE"] flags = [] segment_count = 1
   segment1 {{ start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = [ "pv0", 10 ] }} }}
  thinpool_tmeta {{ id = "CCCCCC-mfay-hRCx-8WZf-yvkY-5pwH-tPvueX" status = ["READ", "WRITE"] flags = [] segment_count = 1
   segment1 {{ start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = [ "pv0", 11 ] }} }}
  thinpool_tdata {{ id = "DDDDDD-mfay-hRCx-8WZf-yvkY-5pwH-tPvueX" status = ["READ", "WRITE"] flags = [] segment_count = 2
   segment1 {{ start_extent = 0 extent_count = 6 type = "striped" stripe_count = 1 stripes = [ "pv0", 14 ] }}
   segment2 {{ start_extent = 6 extent_count = 4 type = "striped" stripe_count = 1 stripes = [ "pv0", 0 ] }} }}
 }}
}}
"""


@contextlib.contextmanager
def own_lvm(folder):
    """Two disks, and an LVM that sees no others; this machine's own is left alone."""

    def run(argv, timeout=60, accept=(0,)):
        if argv[0] == "dmsetup":
            return {"retcode": 1, "stdout": "", "stderr": ""}
        without_kernel = ["--driverloaded", "n"] if argv[0] != "lvm" else []
        return RUN([argv[0], *without_kernel, *argv[1:]], timeout, accept)

    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("LVM_SYSTEM_DIR", str(folder))
        patch.setenv("LVM_SUPPRESS_FD_WARNINGS", "1")
        patch.setattr(_host, "run", run)
        found = [Disk(folder, size=200 * MIB, name=name) for name in ("one", "two")]
        for disk in found:
            stack.callback(disk.detach)
        admit(folder, *found)
        yield found


def admit(folder, *disks, more=""):
    accept = ", ".join(f'"a|^{disk.path}$|"' for disk in disks)
    (folder / "lvm.conf").write_text(f'devices {{ filter = [ {accept}, "r|.*|" ] }}\n{more}')


@pytest.fixture
def disks(tmp_path):
    with own_lvm(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """
    A thin pool in two pieces on the first disk, as far as LVM's metadata go; the other one is free.
    Gives the folder, its disks, and what is seen without any setting.
    """
    folder = tmp_path_factory.mktemp("lvm")
    with own_lvm(folder) as disks:
        for disk in disks:
            lvm("pvcreate", disk.path)
        path = disks[0].path
        uuid = lvm("pvs", "--noheadings", "-o", "pv_uuid", path).strip()
        text = POOL.format(uuid=uuid, path=path, sectors=200 * MIB // 512, extents=49)
        (folder / "text").write_text(text)
        lvm("vgcfgrestore", "--force", "-f", folder / "text", "docker")
        yield folder, disks, _lvm.look()


def lvm(*argv):
    return must(argv[0], "--driverloaded", "n", *argv[1:])


def configured(host, names, place="lvmlocal.conf"):
    folder, disks, _ = host
    text = "".join(f"{name} = {SETTINGS[name]}\n" for name in names)
    (folder / "lvmlocal.conf").write_text(text if place == "lvmlocal.conf" else "")
    admit(folder, *disks, more=text if place == "lvm.conf" else "")


def test_a_pool_is_listed(host):
    _, _, pool = host
    assert pool["doubts"] == []
    rows = {row["lv_name"]: row for row in pool["lvs"]}
    assert set(rows) == {"thinpool", "[lvol0_pmspare]", "[thinpool_tdata]", "[thinpool_tmeta]"}
    ranges = [word.rpartition(":")[2] for word in rows["[thinpool_tdata]"]["seg_pe_ranges"].split()]
    assert ranges == ["14-19", "0-3"], "in their order"
    assert pool["vgs"][0]["vg_tags"] == "rancher-docker-pool,second"
    assert rows["thinpool"]["lv_profile"] == "docker-thinpool"


@pytest.mark.parametrize("place", ["lvm.conf", "lvmlocal.conf"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_the_host_changes_no_answer(host, name, place):
    configured(host, [name], place)
    assert _lvm.look() == host[2]


def halves():
    """Few sets of settings in which every two meet, and each also meets another's absence."""
    names = list(SETTINGS)
    for bit in range(len(names).bit_length()):
        yield [name for number, name in enumerate(names) if number >> bit & 1]
        yield [name for number, name in enumerate(names) if not number >> bit & 1]
    yield names


def test_settings_together_change_no_answer(host):
    for names in halves():
        for place in ("lvm.conf", "lvmlocal.conf"):
            configured(host, names, place)
            assert _lvm.look() == host[2], (place, names)


@pytest.mark.long
def test_no_two_settings_change_an_answer(host):
    for names in itertools.combinations(SETTINGS, 2):
        configured(host, names, "lvm.conf")
        assert _lvm.look() == host[2], names


def test_settings_do_not_hide_a_doubt(tmp_path, disks):
    lvm("vgcreate", "docker", disks[0].path, disks[1].path)
    admit(tmp_path, disks[0])
    plain = _lvm.look()["doubts"]
    assert any("find device with uuid" in doubt for doubt in plain), plain
    for names in halves():
        configured((tmp_path, disks[:1], None), names, "lvm.conf")
        assert _lvm.look()["doubts"] == plain, names


# -- what a look writes: nothing -----------------------------------------------------------------


def below(folder):
    """Every file there, with its content."""
    files = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name not in ("one", "two")
    }


@pytest.fixture
def stale(tmp_path, disks):
    """A foreign group whose second disk missed a change: lvm2 2.02 repairs that while it lists."""
    lvm("vgcreate", "foreign", *(disk.path for disk in disks))
    with open(disks[1].path, "rb") as source:
        old = source.read(MIB)
    lvm("vgchange", "--addtag", "later", "foreign")
    disks[1].put(0, old)
    for name in ("backup", "archive"):
        shutil.rmtree(tmp_path / name)
    return disks


def test_a_look_leaves_a_stale_disk_and_the_hosts_files_alone(tmp_path, stale):
    before = [disk.hash() for disk in stale], below(tmp_path)
    doubts = _lvm.look()["doubts"]
    assert any("seqno 1" in doubt for doubt in doubts), doubts
    assert ([disk.hash() for disk in stale], below(tmp_path)) == before


def test_without_its_settings_a_look_writes_the_hosts_files(tmp_path, stale):
    # So that the test above can fail: LVM brings its own backups up to date while it lists.
    lvm("vgs")
    assert (tmp_path / "backup/foreign").exists()


def test_the_settings_stop_the_very_commands_that_repair(stale):
    # With lvm2 2.02 a mere pvs repairs; 2.03 has a command for it.
    repair = ["vgck", "--updatemetadata", "foreign"] if _lvm.version() >= [2, 3, 0] else ["pvs"]
    before = [disk.hash() for disk in stale]
    for argv in (repair, ["vgchange", "--addtag", "x", "foreign"]):
        with contextlib.suppress(CommandExecutionError):
            _host.run([*argv, "--config", _lvm.SETTINGS])
        assert [disk.hash() for disk in stale] == before
    _host.run(repair)
    assert [disk.hash() for disk in stale] != before


def test_a_disk_that_shrank_is_doubted(disks):
    lvm("vgcreate", "docker", disks[0].path)
    disks[0].detach()
    os.truncate(disks[0].image, 100 * MIB)
    disks[0].attach()
    (doubt, *_) = _lvm.look()["doubts"]
    assert "smaller than corresponding PV size" in doubt
