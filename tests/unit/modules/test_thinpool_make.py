"""Whole runs, and runs that are killed, are in tests/unit/states/test_thinpool.py."""

import os

import pytest
from fake_pool import SETTINGS
from salt.exceptions import CommandExecutionError

import _disk
import _disk_make
import _host
import _thinpool_look
import _thinpool_make
import _thinpool_plan


def made(host):
    return host.made()


def test_the_commands_are_the_published_recipe_in_its_safe_form(pool_host, monkeypatch):
    monkeypatch.setattr(os.path, "isdir", lambda path: path.startswith("/sys/"))
    assert made(pool_host()).wrote == [
        "parted label",
        "parted partition",
        "parted type",
        "pvcreate --dataalignment 1m /dev/vdc1",
        "vgcreate --addtag rancher-docker-pool --physicalextentsize 4m docker /dev/vdc1",
        "parted name",
        "lvcreate -y -Wy -Zy -n thinpool -l 4095 docker",
        "lvcreate -y -Wy -Zy -n thinpoolmeta -l 51 docker",
        "lvconvert -y --type thin-pool --poolmetadata docker/thinpoolmeta --zero n -c 512k "
        "--poolmetadataspare y docker/thinpool",
        "lvchange -ay docker/thinpool",
        "write /etc/lvm/profile/docker-thinpool.profile",
        "lvchange --metadataprofile docker-thinpool docker/thinpool",
        "lvchange --monitor y docker/thinpool",
    ]


def test_a_pool_that_appeared_meanwhile_is_not_converted_again(pool_host):
    host = pool_host()
    run = host.run

    def meddle(argv, **more):
        if argv[0] == "lvcreate" and "thinpoolmeta" in argv:
            run(argv)
            return host.convert()
        return run(argv, **more)

    host.replace(_host, run=meddle)
    made(host)
    assert not [line for line in host.wrote if line.startswith("lvconvert")]


def test_where_systemd_runs_the_watching_services_are_started(pool_host, monkeypatch):
    host, started = pool_host(), []
    run = host.run

    def spy(argv, **more):
        if argv[0] == "systemctl":
            started.append((argv[1:], more["accept"]))
        return run(argv, **more)

    host.replace(_host, run=spy)
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    made(host)
    assert started == [
        (["start", "dm-event.socket"], (0, 5, 6)),
        (["start", "lvm2-monitor.service"], (0, 5, 6)),
    ]


def test_another_disk_behind_the_same_name_is_left_alone(pool_host):
    host = pool_host()
    want = _thinpool_look.wanted(SETTINGS)
    seen = _thinpool_look.observe(want)
    changes = _thinpool_plan.plan(seen, want)
    partition = _disk_make.partition

    def swapped(*args):
        partition(*args)
        host.serial = "other"

    host.replace(_disk_make, partition=swapped)
    with pytest.raises(CommandExecutionError):
        _thinpool_make.apply(seen, changes, want)
    assert not [line for line in host.wrote if line.startswith("pvcreate")]


def test_a_partition_that_the_kernel_has_not_read_yet_gets_its_path(pool_host):
    # A run that ended between parted's last word and its telling the kernel.
    host = pool_host()
    host.steps = ["label", "partition", "type"]
    examine = host.examine

    def unread(device, key=None):
        disk = examine(device)
        disk["partitions"][0]["path"] = None
        return disk

    host.replace(_disk, examine=unread)
    want = _thinpool_look.wanted(SETTINGS)
    seen = _thinpool_look.observe(want)
    host.replace(
        _disk_make,
        partition=lambda *args: host.replace(_disk, examine=examine) or host.partition(*args),
    )
    _thinpool_make.apply(seen, _thinpool_plan.plan(seen, want), want)
    assert host.wrote[0] == "pvcreate --dataalignment 1m /dev/vdc1"


@pytest.mark.parametrize(
    ("pool", "metadata", "data", "parts"),
    [
        ("-", "d-", "--", ["tmeta"]),
        ("-", "i-", "--", ["tmeta"]),
        ("-", "a-", "--", ["tmeta"]),
        ("-", "a-", "d-", ["tmeta", "tdata"]),
        ("-", "a-", "i-", ["tmeta", "tdata"]),
        ("d", "a-", "a-", ["tmeta", "tdata"]),
        # Its table holds them open already.
        ("i", "ao", "ao", []),
        # Another program works on them, or nobody can tell: LVM itself is to say so.
        ("-", "s-", "XX", []),
    ],
)
def test_what_a_killed_lvconvert_left_does_not_keep_the_pool_down(
    pool_host, pool, metadata, data, parts
):
    host = made(pool_host())
    host.lvs["thinpool"]["lv_attr"] = f"twi-{pool}-t---"
    host.lvs["[thinpool_tdata]"]["lv_attr"] = f"Twi-{data}----"
    host.lvs["[thinpool_tmeta]"]["lv_attr"] = f"ewi-{metadata}----"
    host.wrote.clear()
    wrote = made(host).wrote
    assert sorted(wrote[:-1]) == sorted(f"lvchange -an docker/thinpool_{part}" for part in parts)
    assert wrote[-1] == "lvchange -ay docker/thinpool"
