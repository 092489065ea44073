"""A run over a fleet of fakes: alone, batch by batch, and its report."""

import fcntl

from fleet_world import member


def test_a_failure_stops_and_fails_the_runner(world):
    world.results = {"a1": {"failed": "disk"}}
    report = world.fleet.apply("common", batch=1)
    assert report == {
        "done": {},
        "failed": {"a1": "disk"},
        "left": ["a2", "a3", "s1"],
        "retcode": 1,
    }
    assert world.failed


def test_only_one_run_at_a_time(world):
    with open(world.tmp_path / "fleet.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        report = world.fleet.apply("common")
    assert report["failed"] == {"all": "another run of fleet is under way on this master"}
    assert world.fleet.apply("common")["failed"] == {}


def test_a_mail_server_on_the_same_master_became_a_docker_host(world):
    world.members["mail1"] = member()
    report = world.fleet.apply("common", batch=9)
    assert list(report["done"]) == ["a1", "a2", "a3", "s1"] and not world.failed
    assert report["left_out"] == {"mail1": "its pillar lists no rancher:roles"}
    assert "left_out" not in world.fleet.apply("server", role="server")


def test_a_target_without_any_role_is_an_error(world):
    world.members = {"mail1": member()}
    assert world.fleet.apply("common")["failed"] == {
        "all": "'*' matches no minion with a role: mail1: its pillar lists no rancher:roles"
    }
    assert world.failed and world.log == []
