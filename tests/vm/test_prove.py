"""A slice of what `make prove` does with whole hosts: a disk in use, a full pool, a power cut."""

import pytest
from prove.device_mapper import BROKEN, FULL, ROLES, Mapper
from prove.host import Host
from prove.journal import Journal
from prove.kills_of_hosts import Kills
from prove.kills_of_roles_in_guests import GuestRoles


@pytest.fixture(scope="module")
def life(furnished, tmp_path_factory):
    return Kills(Host(furnished), Journal(tmp_path_factory.mktemp("prove")), lambda *_: None)


@pytest.mark.parametrize("role", ROLES)
def test_a_disk_that_device_mapper_holds_is_refused(life, role):
    life.ready()
    assert Mapper(life).refused("held by device mapper", role) == []


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=() if "DM_TABLE_LOAD 1" in case else pytest.mark.long)
        for case in BROKEN
    ],
)
def test_lvm_is_killed_between_two_calls_of_the_kernel(life, case):
    # A device without a table was refused: "in an unusual state (-wi-XX----)".
    life.ready()
    assert Mapper(life).broken(case) == []


def test_a_pool_fills_up_while_docker_runs(life):
    life.ready()
    assert Mapper(life).full(FULL) == []


def test_power_is_cut_behind_the_conversion(life):
    cases = [*life.moments(life.recorded())]
    (chosen,) = [m for m in cases if m[1] == "power" and "lvconvert" in life.label(*m)]
    life.round([chosen], lambda: False)
    (row,) = life.journal.of(Kills.SECTION)
    assert row["problems"] == []
    assert row["dry"] == []


@pytest.mark.long
def test_the_run_is_killed_while_the_server_starts(furnished, tmp_path):
    life = GuestRoles(Host(furnished), Journal(tmp_path), lambda *_: None)
    points = life.recorded()
    number = next(p["number"] for p in points if p["what"].endswith("rancher-server/start"))
    life.round([(number, "middle")], lambda: False)
    (row,) = life.journal.of(GuestRoles.SECTION)
    assert row["problems"] == []
