"""What a run does to the hosts of a batch, over a fleet of fakes."""

import pytest
from fleet_world import NOTHING, minions


def test_register(world):
    report = world.fleet.register(batch=2)
    assert set(report["done"]) == {"a1", "a2", "a3"}
    assert world.log == [
        "hand over a1,a2",
        "apply rancher_salt.agent a1,a2",
        "take ['a1', 'a2']",
        "call saltutil.refresh_pillar a1,a2",
        "hand over a3",
        "apply rancher_salt.agent a3",
        "take ['a3']",
        "call saltutil.refresh_pillar a3",
    ]


def test_register_without_a_registration(world):
    world.no_registration = {"a1": "no API key"}
    report = world.fleet.register(batch=2)
    assert report["failed"] == {"a1": "no API key"} and report["left"] == ["a3"]
    assert "apply rancher_salt.agent a2" in world.log


def test_a_host_that_does_not_become_active_is_a_failure(world):
    world.inactive = {"a1": "Rancher lists no host 'a1'"}
    report = world.fleet.register(batch=1)
    assert report == {
        "done": {},
        "failed": {"a1": "Rancher lists no host 'a1'"},
        "left": ["a2", "a3"],
        "retcode": 1,
    }


def test_what_was_handed_over_is_taken_back_whatever_happens(world, monkeypatch):
    def broken(*_args, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(minions, "apply", broken)
    with pytest.raises(KeyboardInterrupt):
        world.fleet.register(batch=2)
    assert world.log == ["hand over a1,a2", "take ['a1', 'a2']"]


def test_ready(world):
    assert world.fleet.ready()["done"] == {"http://r:8080": "ready"}
    world.members["a2"]["server_url"] = "http://slow"
    assert "not ready in 60 s" in world.fleet.ready()["failed"]["all"]
    assert world.failed


def test_upgrade_leaves_hosts_alone_that_are_right(world):
    world.dry = dict.fromkeys(world.members, NOTHING)
    report = world.fleet.upgrade_docker(batch=3)
    assert set(report["done"].values()) == {"nothing to change"}
    assert world.log == ["dry rancher_salt.docker a1,a2,a3", "apply rancher_salt.docker "]


def test_upgrade_brings_back_what_an_earlier_run_left_out_of_service(world):
    world.dry, world.marks = dict.fromkeys(world.members, NOTHING), {"a2"}
    world.fleet.upgrade_docker(batch=3)
    assert [entry for entry in world.log if "activate" in entry] == ["activate a2 None"]
    assert world.marks == set()


def test_upgrade_leaves_a_host_inactive_that_an_operator_made_so(world):
    world.on_purpose = {"a1"}
    world.fleet.upgrade_docker(batch=3)
    activated = [entry for entry in world.log if entry.startswith("activate")]
    assert activated == ["activate a2 None", "activate a3 None"]
    assert "evacuate a1 None" in world.log and world.marks == set()


def test_upgrade_goes_host_by_host(world):
    world.fleet.upgrade_docker(target="*")
    assert world.log[:6] == [
        "dry rancher_salt.docker a1",
        "evacuate a1 None",
        "call docker_containers.running a1",
        "apply rancher_salt.docker a1",
        "call docker_containers.start_again a1 ['c1']",
        "activate a1 None",
    ]
    assert world.memory == {}


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (
            {"lost": ["db (started without Rancher)"]},
            "no service makes again: db (started without Rancher)",
        ),
        ({"others": []}, "no other host is active"),
    ],
)
def test_upgrade_removed_containers_that_nobody_makes_again(world, there, why):
    """Emptying a host removed `docker run` ones and plain ones, with their volumes."""
    world.there = {**world.there, **there}
    world.containers_say["docker_containers.start_again"] = ["db", "web-1"]
    report = world.fleet.upgrade_docker(target="*", batch=3)
    assert [entry for entry in world.log if entry.startswith("evacuate")] == []
    assert "deactivate a1 None" in world.log and "activate a1 None" in world.log
    assert report["done"]["a1"] == (
        f"changed: docker; its containers stayed in place, {why}; started again: db, web-1"
    )


def test_upgrade_remembers_what_ran_over_a_kill(world):
    """The first run was killed after the upgrade, when nothing ran any more."""
    world.memory, world.marks = {"a1": ["c1", "c9"]}, {"a1"}
    world.containers_say["docker_containers.running"] = []
    world.fleet.upgrade_docker()
    assert "call docker_containers.start_again a1 ['c1', 'c9']" in world.log
    assert (world.memory, world.marks) == ({}, set())


@pytest.mark.parametrize(
    ("function", "answer", "words"),
    [
        (
            "docker_containers.running",
            "Docker could not list",
            "its containers could not be listed",
        ),
        ("docker_containers.running", False, "no answer"),
        ("docker_containers.start_again", "Docker could not start", "could be started again"),
    ],
)
def test_upgrade_leaves_a_host_inactive_whose_containers_are_not_right(
    world, function, answer, words
):
    world.containers_say[function] = answer
    report = world.fleet.upgrade_docker()
    assert words in report["failed"]["a1"]
    assert report["left"] == ["a2", "a3"] and world.marks == {"a1"}
    assert not [entry for entry in world.log if entry.startswith("activate")]


@pytest.mark.parametrize(
    ("trouble", "reason", "steps"),
    [
        ({"dry": {"a1": {"failed": "refused"}}}, "refused", 1),
        (
            {"rancher_says": {("evacuate", "a1"): "still there: web"}},
            "evacuate in Rancher: still there: web",
            3,
        ),
        ({"results": {"a1": {"failed": "no package"}}}, "no package", 4),
        ({"rancher_says": {("activate", "a1"): "late"}}, "activate in Rancher: late", 6),
    ],
)
def test_upgrade_stops_where_it_fails(world, trouble, reason, steps):
    for key, value in trouble.items():
        setattr(world, key, value)
    report = world.fleet.upgrade_docker()
    assert report == {"done": {}, "failed": {"a1": reason}, "left": ["a2", "a3"], "retcode": 1}
    assert [entry for entry in world.log if "a2" in entry] == []
    assert world.marks == (set() if reason == "refused" else {"a1"})
    # `apply` of nobody is asked for after a failed evacuation, and does nothing.
    assert len(world.log) == steps


def test_upgrade_empties_no_host_when_another_of_the_batch_is_refused(world):
    world.dry = {"a2": {"failed": "refused"}}
    report = world.fleet.upgrade_docker(batch=3)
    assert report == {"done": {}, "failed": {"a2": "refused"}, "left": ["a1", "a3"], "retcode": 1}


def test_remove(world):
    world.members["a1"]["roles"] = []
    assert world.fleet.remove("a1")["done"] == {"a1": "changed: docker"}
    assert world.log == [
        "evacuate a1 None",
        "remove a1 None",
        "apply rancher_salt.agent.absent a1 {'rancher': {'roles': []}}",
    ]


def test_remove_refuses_what_rancher_would_remove(world):
    world.members["a1"]["roles"] = []
    words = "host 1h1 has containers that no service makes again: db"
    world.rancher_says = {("evacuate", "a1"): words}
    why = world.fleet.remove("a1")["failed"]["a1"]
    assert words in why and "apply rancher_salt.agent.absent on a1 first" in why
    assert world.log == ["evacuate a1 None"]


def test_remove_refuses_a_host_that_would_come_back(world):
    assert "take that out first" in world.fleet.remove("a1")["failed"]["a1"]
    assert world.log == []


def test_remove_needs_the_machine_unless_it_is_gone(world):
    world.members["a1"]["roles"] = []
    world.down = {"a1": "does not answer"}
    assert "machine=False" in world.fleet.remove("a1")["failed"]["a1"]
    assert world.log == []
    assert world.fleet.remove("a1", machine=False)["done"] == {"a1": "forgotten by Rancher"}
    assert world.log == ["remove a1 None"]


def test_remove_again_asks_for_no_evacuation(world):
    world.members["a1"]["roles"], world.known_there = [], False
    world.fleet.remove("a1", project="Old")
    assert world.log == [
        "remove a1 Old",
        "apply rancher_salt.agent.absent a1 {'rancher': {'roles': []}}",
    ]


def test_move(world):
    known = iter([False, True])
    world.members["a1"]["project"] = "New"
    world.known = lambda member: next(known)
    assert world.fleet.move("a1", "Old")["done"] == {"a1": "changed: docker"}
    assert world.log == [
        "evacuate a1 Old",
        "remove a1 Old",
        # Its pillar has the role, and the state refuses such a host.
        "apply rancher_salt.agent.absent a1 {'rancher': {'roles': []}}",
        "hand over a1",
        "apply rancher_salt.agent a1",
        "take ['a1']",
        "call saltutil.refresh_pillar a1",
    ]


def test_move_that_was_done_keeps_the_new_agent(world):
    world.members["a1"]["project"] = "New"
    world.fleet.move("a1", "Old")
    assert not [entry for entry in world.log if "agent.absent" in entry]


def test_move_to_where_it_comes_from(world):
    world.members["a1"]["project"] = "Old"
    assert "names project 'Old' itself" in world.fleet.move("a1", "Old")["failed"]["a1"]
