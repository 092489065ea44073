import pytest
from fake_pool import PROFILE, SETTINGS
from salt.exceptions import CommandExecutionError

import _thinpool
import _thinpool_look
import _thinpool_plan

MANUAL = """activation {
  thin_pool_autoextend_threshold=80
  thin_pool_autoextend_percent=20
}
"""


@pytest.fixture
def done(pool_host):
    return pool_host().made()


def noted(host):
    return _thinpool.notes(host.observe(), _thinpool_look.wanted(SETTINGS))


def test_a_pool_that_is_in_order_needs_no_words(pool_host):
    assert noted(pool_host()) == []


def test_a_pool_of_somebody_else_is_looked_after_and_named(done):
    done.vg["vg_tags"] = ""
    assert _thinpool_plan.plan(done.observe(), _thinpool_look.wanted(SETTINGS)) == {}
    assert noted(done) == ["Pool docker/thinpool was not made here and keeps its shape"]


def test_what_a_broken_off_lvconvert_left_beside_the_pool_is_named(done):
    done.lvs["lvol0"] = {**done.lvs.pop("[lvol0_pmspare]"), "lv_name": "lvol0"}
    (note,) = noted(done)
    assert note.endswith("if nothing on it is needed, lvremove docker/lvol0")
    # A thin volume of that name is Docker's, or an operator's.
    done.lvs["lvol0"]["segtype"] = "thin"
    assert noted(done) == []


def test_status_of_nothing_is_none(pool_host):
    pool_host()
    assert _thinpool.status("docker", "thinpool") is None


def test_status_of_a_plain_volume_is_none(done):
    done.lvs = {"thinpool": {**done.lvs["thinpool"], "segtype": "linear"}}
    assert _thinpool.status("docker", "thinpool") is None


def test_status(done):
    done.lvs["thinpool"] |= {"data_percent": "61.20", "metadata_percent": "9.01"}
    assert _thinpool.status("docker", "thinpool") == {
        "size": 17175674880,
        "metadata_size": 213909504,
        "chunk_size": 524288,
        "data_percent": 61.2,
        "metadata_percent": 9.01,
        "profile": "docker-thinpool",
        "autoextend_threshold": 80,
        "autoextend_percent": 20,
        "active": True,
        "monitored": True,
        "health": "ok",
        "device": "/dev/mapper/docker-thinpool",
        "free": 922 * 4194304,
        "next_extension": 819 * 4194304,
        "next_extension_fits": True,
    }


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (MANUAL, True),
        (MANUAL.replace("=20", "=22"), True),
        (MANUAL.replace("=20", "=23"), False),
        (MANUAL.replace("=80", "=100"), False),
        (None, False),
    ],
)
def test_whether_the_next_extension_fits(done, text, fits):
    done.files[PROFILE] = text
    assert _thinpool.status("docker", "thinpool")["next_extension_fits"] is fits


def test_status_of_a_sick_and_inactive_pool(done):
    done.lvs["thinpool"] |= {"lv_attr": "twi-c-t---", "seg_monitor": "", "lv_profile": ""}
    status = _thinpool.status("docker", "thinpool")
    assert status["health"] == "pool docker/thinpool is sick: its metadata needs a check"
    assert (status["active"], status["monitored"], status["profile"]) == (False, False, None)
    assert (status["data_percent"], status["next_extension_fits"]) == (None, False)


def test_hyphens_are_doubled_below_dev_mapper(done):
    done.vg["vg_name"] = "vg-a"
    rows = ((name.replace("thinpool", "thin-pool"), row) for name, row in done.lvs.items())
    done.lvs = {name: {**row, "vg_name": "vg-a", "lv_name": name} for name, row in rows}
    done.lvs["thin-pool"]["metadata_lv"] = "[thin-pool_tmeta]"
    device = _thinpool.status("vg-a", "thin-pool")["device"]
    assert device == "/dev/mapper/vg--a-thin--pool"


def test_status_does_not_take_doubt_for_absence(pool_host):
    host = pool_host()
    host.stderr = "  WARNING: VG docker is missing PV bQypZg."
    with pytest.raises(CommandExecutionError, match="doubts its own lists"):
        _thinpool.status("docker", "thinpool")


def test_the_plan_says_where_and_what_is_left(pool_host):
    host = pool_host()
    plan = _thinpool.plan(SETTINGS)
    assert (plan["state"], plan["refusal"], plan["notes"]) == ("P0", None, [])
    assert plan["steps"][0] == "partition" and plan["steps"][-1] == "monitoring"
    assert list(plan["changes"]) == plan["steps"]
    assert not host.wrote


def test_the_plan_of_a_finished_pool_is_empty(done):
    plan = _thinpool.plan(SETTINGS)
    assert (plan["state"], plan["steps"], plan["changes"]) == ("P13", [], {})


def test_the_plan_gives_the_refusal_instead_of_steps(pool_host):
    host = pool_host()
    host.serial = "other"
    plan = _thinpool.plan(SETTINGS)
    assert (plan["state"], plan["steps"]) == ("P0x", [])
    assert "it holds ext4" in plan["refusal"]
