import pytest
from fake_pool import GIB, PART, PROFILE, Killed

import _disk_blank
import _disk_make

# label, partition, type, PV, VG, name, data, metadata, conversion, -ay, profile, attach, monitor
WRITES = 13


def test_without_a_disk_nothing_is_looked_at(state):
    ret = state("thinpool", False).present("thinpool")
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"] == "No thin pool is configured"


@pytest.mark.parametrize("size", [20 * GIB, 100 * GIB, 20 * GIB + 3 * 1024**2])
def test_a_blank_disk_becomes_what_the_dry_run_said(pool_host, size):
    host = pool_host(size=size)
    dry = host.present(test=True)
    assert dry["result"] is None and not host.wrote
    done = host.present()
    assert (done["result"], done["changes"]) == (True, dry["changes"]), done["comment"]
    assert len(host.wrote) == WRITES
    again = host.present()
    assert (again["result"], again["changes"]) == (True, {})
    assert len(host.wrote) == WRITES


def test_what_is_made_has_the_sizes_that_were_promised(pool_host):
    host = pool_host()
    texts = {key: change["new"] for key, change in host.present()["changes"].items()}
    assert texts["volume group"].startswith(f"docker, {host.vg['vg_extent_count']} extents")
    for key, name in (("data volume", "thinpool"), ("metadata volume", "[thinpool_tmeta]")):
        assert texts[key].endswith(f", {host.lvs[name]['lv_size'] // 4194304} extents")
    assert texts["pool"].endswith(
        f"{host.lvs['[lvol0_pmspare]']['lv_size'] // 4194304} extents of spare metadata"
    )
    assert texts["profile"] == host.files[PROFILE]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_killed_anywhere_it_converges_without_doing_anything_twice(pool_host, number, after):
    host = pool_host()
    host.countdown, host.after = number, after
    with pytest.raises(Killed):
        host.present()
    host.countdown = None
    before = [dict(thing) for thing in (host.pv, host.vg) if thing]
    dry = host.present(test=True)
    done = host.present()
    assert done["result"] is True, done["comment"]
    assert done["changes"] == dry["changes"]
    assert before == [host.pv, host.vg][: len(before)], "made anew"
    # Activation is no creation: without it the pool was active already.
    once = [line for line in host.wrote if not line.startswith("lvchange -ay")]
    assert len(once) == len(set(once)) == WRITES - 1
    assert host.present()["changes"] == {}


@pytest.mark.parametrize("ended", [None, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("after", [False, True])
def test_a_vgcreate_that_was_ended_in_its_middle_is_done_anew(pool_host, ended, after):
    host = pool_host()
    host.steps = ["label", "partition", "type"]
    host.begin_group()
    dry = host.present(test=True)
    assert dry["result"] is None, dry["comment"]
    assert [*dry["changes"]][:2] == ["physical volume", "volume group"] and not host.wrote
    if ended is not None:
        host.countdown, host.after = ended, after
        with pytest.raises(Killed):
            host.present()
        host.countdown = None
        dry = host.present(test=True)
    done = host.present()
    assert (done["result"], done["changes"]) == (True, dry["changes"]), done["comment"]
    assert host.wrote.count(f"wipefs -a {PART}") == 1
    assert len([line for line in host.wrote if line.startswith(("pvcreate", "vgcreate"))]) == 2
    assert host.present()["changes"] == {}


def test_a_vgcreate_that_was_ended_in_a_finished_partition_is_refused(pool_host):
    # Its name says that there was more once.
    host = pool_host()
    host.steps, host.finished = ["label", "partition", "type"], True
    host.begin_group()
    dry, real = host.present(test=True), host.present()
    assert dry == real and real["result"] is False and not host.wrote
    assert "is marked in use but no VG was found using it" in real["comment"]


def test_a_physical_volume_of_no_group_with_data_behind_it_is_not_taken(pool_host):
    host = pool_host()
    host.steps, host.finished, host.pv = ["label", "partition", "type"], True, {"pv_uuid": "u"}
    assert host.present(test=True)["result"] is None
    found = {"offset": 1 << 30, "hits": 3, "samples": 9}
    # One byte between two samples of a finished one is found, too.
    host.replace(_disk_blank, look=lambda path, *area, whole=False: found if whole else None)
    ret = host.present()
    assert ret["result"] is False and not host.wrote
    assert "is a physical volume of no group, and behind it the first byte" in ret["comment"]
    # An unfinished one is as the run before left it.
    host.finished = False
    assert host.present(test=True)["result"] is None


def test_inactive_volumes_do_not_end_as_an_inactive_pool(pool_host):
    # Seen with lvm2 2.03.16: a killed lvconvert had deactivated both volumes.
    host = pool_host()
    host.countdown = 9
    with pytest.raises(Killed):
        host.present()
    host.countdown = None
    for row in host.lvs.values():
        row["lv_attr"] = "-wi-------"
    dry, done = host.present(test=True), host.present()
    assert done["result"] is True, done["comment"]
    assert done["changes"] == dry["changes"] and "activation" not in done["changes"]


def test_a_refusal_is_the_same_in_a_dry_run_and_writes_nothing(pool_host):
    host = pool_host()
    host.serial = "other"
    dry, real = host.present(test=True), host.present()
    assert dry == real
    assert (real["result"], real["changes"]) == (False, {})
    assert "it holds ext4" in real["comment"] and not host.wrote


def test_a_missing_tool_stops_the_run_and_not_the_dry_run(pool_host):
    host = pool_host()
    host.tools -= {"thin_check"}
    assert host.present(test=True)["result"] is None
    ret = host.present()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "not installed on this host: thin_check" in ret["comment"] and not host.wrote


def test_before_lvm_is_installed_the_dry_run_says_the_same(pool_host):
    with_lvm = pool_host().present(test=True)
    without = pool_host()
    without.tools = set()
    assert without.present(test=True)["changes"] == with_lvm["changes"]


def test_a_disk_that_became_smaller_than_planned_stops_with_both_texts(pool_host):
    host = pool_host()
    partition = _disk_make.partition

    def shrink(*args):
        host.size -= 8 * 1024**2 if "type" not in host.steps else 0
        return partition(*args)

    host.replace(_disk_make, partition=shrink)
    ret = host.present()
    assert ret["result"] is False and set(ret["changes"]) == {"partition", "physical volume"}
    assert "planned was `docker, 5119 extents" in ret["comment"]
    assert "it would become `docker, 5117 extents" in ret["comment"]
    host.replace(_disk_make, partition=partition)
    assert host.present()["result"] is True


@pytest.mark.parametrize(
    ("spoil", "change"),
    [
        (
            {"lv_profile": "thin-generic"},
            {"attachment": {"old": "thin-generic", "new": "docker-thinpool"}},
        ),
        (
            {"seg_monitor": "not monitored"},
            {"monitoring": {"old": "not monitored", "new": "monitored"}},
        ),
        (
            {"lv_attr": "twi---t---", "seg_monitor": ""},
            {
                "activation": {"old": "inactive", "new": "active"},
                "monitoring": {"old": None, "new": "monitored"},
            },
        ),
    ],
    ids=["attachment", "monitoring", "activation"],
)
def test_what_went_wrong_later_is_put_right(pool_host, spoil, change):
    host = pool_host()
    host.present()
    host.lvs["thinpool"] |= spoil
    assert host.present(test=True)["changes"] == change
    assert host.present()["changes"] == change
    assert host.present()["changes"] == {}


def test_a_changed_setting_reaches_the_profile_and_nothing_else(pool_host):
    host = pool_host()
    host.present()
    ret = host.present(autoextend_threshold=70, data_percent=50, metadata_percent=2)
    assert set(ret["changes"]) == {"profile"}
    assert "thin_pool_autoextend_threshold=70" in host.files[PROFILE]


def test_other_chunks_are_noted_and_left(pool_host):
    host = pool_host()
    host.present()
    ret = host.present(chunk_size="64K")
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "chunks of 512 KiB stay: 64 KiB would take a new pool" in ret["comment"]


def test_the_comment_says_when_the_pool_can_never_grow(pool_host):
    host = pool_host(size=100 * GIB)
    ret = host.present(test=True, data_percent=95)
    assert "Growing 95% by 20% needs 4864 extents, 770 are free" in ret["comment"]
    assert "data_percent 81 or less" in ret["comment"]
    assert "needs 4864 extents" in host.present(data_percent=95)["comment"]


def test_an_old_lvm_that_unmounts_is_named(pool_host):
    host = pool_host()
    host.version = "2.02.130"
    assert "unmounts the file systems" in host.present(test=True)["comment"]


@pytest.mark.parametrize("key", ["volume_group", "profile"])
@pytest.mark.parametrize("value", ["-rf", "../etc/passwd", "", "a b", "ü", None, 5])
def test_names_that_could_be_something_else_are_refused(pool_host, key, value):
    host = pool_host()
    ret = host.present(**{key: value})
    assert ret["result"] is False and ret["comment"].startswith(key)
    assert not host.wrote
