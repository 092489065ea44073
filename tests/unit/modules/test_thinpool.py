import pytest
from fake_pool import DISK, PROFILE, SETTINGS, Host
from fakes import Salt, load
from salt.exceptions import CommandExecutionError, SaltInvocationError

MANUAL = """activation {
  thin_pool_autoextend_threshold=80
  thin_pool_autoextend_percent=20
}
"""


@pytest.fixture
def done():
    host = Host()
    want = host.salt["_thinpool_look.wanted"](SETTINGS)
    seen = host.salt["_thinpool_look.observe"](want)
    host.salt["_thinpool_make.apply"](seen, host.salt["_thinpool_plan.plan"](seen, want), want)
    return host


def test_the_profile_is_that_of_dockers_manual():
    assert load("_thinpool_profile").profile(80, 20) == MANUAL


@pytest.mark.parametrize(
    "values", [(0, 20), (101, 20), (80, 0), ("80", 20), (80, True), (80, None)]
)
def test_a_profile_that_lvm_would_reject(values):
    with pytest.raises(SaltInvocationError, match="allowed: a whole number from 1 to"):
        load("_thinpool_profile").profile(*values)


def test_a_profile_is_written_whole_and_once():
    written = []
    salt = Salt(
        {"_host.write": lambda path, text, mode="0644": written.append((path, text)) or True}
    )
    assert load("_thinpool_profile", salt).write("docker-thinpool", 80, 20) is True
    assert written == [(PROFILE, MANUAL)]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-a", None, 7, "a b", "a\n"])
def test_a_profile_cannot_be_written_elsewhere(name):
    salt = Salt({"_host.write": lambda path, text, mode="0644": pytest.fail(path)})
    with pytest.raises(SaltInvocationError, match="not a name"):
        load("_thinpool_profile", salt).write(name, 80, 20)


def test_status_of_nothing_is_none():
    assert Host().salt["_thinpool.status"]("docker", "thinpool") is None


def test_status_of_a_plain_volume_is_none(done):
    done.lvs = {"thinpool": {**done.lvs["thinpool"], "segtype": "linear"}}
    assert done.salt["_thinpool.status"]("docker", "thinpool") is None


def test_status(done):
    done.lvs["thinpool"] |= {"data_percent": "61.20", "metadata_percent": "9.01"}
    assert done.salt["_thinpool.status"]("docker", "thinpool") == {
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
    assert done.salt["_thinpool.status"]("docker", "thinpool")["next_extension_fits"] is fits


def test_status_of_a_sick_and_inactive_pool(done):
    done.lvs["thinpool"] |= {"lv_attr": "twi-c-t---", "seg_monitor": "", "lv_profile": ""}
    status = done.salt["_thinpool.status"]("docker", "thinpool")
    assert status["health"] == "pool docker/thinpool is sick: its metadata needs a check"
    assert (status["active"], status["monitored"], status["profile"]) == (False, False, None)
    assert (status["data_percent"], status["next_extension_fits"]) == (None, False)


def test_hyphens_are_doubled_below_dev_mapper(done):
    done.vg["vg_name"] = "vg-a"
    rows = ((name.replace("thinpool", "thin-pool"), row) for name, row in done.lvs.items())
    done.lvs = {name: {**row, "vg_name": "vg-a", "lv_name": name} for name, row in rows}
    done.lvs["thin-pool"]["metadata_lv"] = "[thin-pool_tmeta]"
    device = done.salt["_thinpool.status"]("vg-a", "thin-pool")["device"]
    assert device == "/dev/mapper/vg--a-thin--pool"


def test_status_does_not_take_doubt_for_absence():
    host = Host()
    host.stderr = "  WARNING: VG docker is missing PV bQypZg."
    with pytest.raises(CommandExecutionError, match="doubts its own lists"):
        host.salt["_thinpool.status"]("docker", "thinpool")


def test_the_plan_says_where_and_what_is_left():
    host = Host()
    plan = host.salt["_thinpool.plan"](DISK)
    assert (plan["state"], plan["refusal"], plan["notes"]) == ("P0", None, [])
    assert plan["steps"][0] == "partition" and plan["steps"][-1] == "monitoring"
    assert list(plan["changes"]) == plan["steps"]
    assert not host.wrote


def test_the_plan_of_a_finished_pool_is_empty(done):
    plan = done.salt["_thinpool.plan"](DISK)
    assert (plan["state"], plan["steps"], plan["changes"]) == ("P13", [], {})


def test_the_plan_gives_the_refusal_instead_of_steps():
    host = Host()
    host.serial = "other"
    plan = host.salt["_thinpool.plan"](DISK)
    assert (plan["state"], plan["steps"]) == ("P0x", [])
    assert "it holds ext4" in plan["refusal"]
