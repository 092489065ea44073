"""What the operator calls, over a fleet of fakes that remembers what was done to it."""

import fcntl

import export_kit
import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

import fleet

NOTHING, CHANGED = {"done": "nothing to change"}, {"done": "changed: docker"}


def member(*roles, **over):
    return {
        "roles": list(roles),
        "hostname": "h",
        "server_url": "http://r:8080",
        "project": None,
        "registered_timeout": 60,
        "ready_timeout": 60,
        "registration_given": False,
        "image_given": False,
        "problem": None,
        **over,
    }


class World:
    """Three agents and a server; `log` is what was done, `results` what states answer."""

    def __init__(self, tmp_path, monkeypatch):
        self.members = {name: member("agent") for name in ("a1", "a2", "a3")}
        self.members["s1"] = member("server")
        self.log, self.results, self.dry = [], {}, {}
        self.no_registration, self.inactive, self.rancher_says, self.down = {}, {}, {}, {}
        self.known_there, self.marks, self.on_purpose = True, set(), set()
        self.there = {"moves": ["web-1"], "lost": [], "stays": [], "others": ["1h2"]}
        self.memory = {}
        self.containers_say = {"docker_containers.running": [{"id": "c1", "name": "ipsec"}]}
        self.containers_say["docker_containers.start_again"] = []
        self.fleet, self.tmp_path, self.context = fleet, tmp_path, {}
        dunders = {"__opts__": {"cachedir": str(tmp_path)}, "__context__": self.context}
        for name, value in dunders.items():
            monkeypatch.setattr(fleet, name, value, raising=False)
        for name in ("members", "apply", "call", "idle", "unknown_sls"):
            monkeypatch.setattr(fleet._fleet_minions, name, getattr(self, f"_{name}"))
        monkeypatch.setattr(fleet._fleet_rancher, "Rancher", lambda opts: self)

    @property
    def failed(self):
        return self.context.get("retcode") == 1

    # As `_fleet_minions`.

    def _members(self, opts, target="*", tgt_type="compound"):
        if tgt_type == "list":
            return {name: one for name, one in self.members.items() if name == target}
        return self.members if target == "*" else {}

    def _apply(self, opts, names, sls, test=False, pillar=None, limit=0):
        over = f" {pillar}" if pillar is not None else ""
        self.log.append(f"{'dry' if test else 'apply'} {','.join(sls)} {','.join(names)}{over}")
        answers = self.dry if test else self.results
        return {name: answers.get(name, CHANGED) for name in names}

    def _call(self, opts, names, function, args=(), timeout=30, **kwargs):
        self.log.append(" ".join(["call", function, ",".join(names), *map(str, args)]))
        ret = self.containers_say.get(function, {"hostname": "h"})
        return dict.fromkeys(names, ret and {"ret": ret})

    def _idle(self, opts, names, limit=0):
        return self.down

    def _unknown_sls(self, opts, names):
        if "common.conntrak" in names:
            raise SaltInvocationError("the master serves no SLS 'common.conntrak'")

    # As `_fleet_rancher.Rancher`.

    def take_back(self, names):
        self.log.append(f"take {names}")

    def known(self, member):
        return self.known_there

    def mark(self, name, member):
        if name not in self.on_purpose:
            self.marks.add(name)

    def marked(self, names):
        return [name for name in names if name in self.marks]

    def states(self, members, timeout=60):
        return dict.fromkeys(members, "active")

    def hand_over(self, members):
        self.log.append(f"hand over {','.join(members)}")
        return {name: why for name, why in self.no_registration.items() if name in members}

    def active(self, members):
        return {name: why for name, why in self.inactive.items() if name in members}

    def host(self, action, one, timeout=0):
        (name,) = [
            key for key, value in self.members.items() if value["hostname"] == one["hostname"]
        ]
        self.log.append(f"{action} {name} {one['project']}")
        if (action, name) in self.rancher_says:
            raise CommandExecutionError(self.rancher_says[action, name])

    def unmark(self, name):
        self.marks.discard(name)
        self.memory.pop(name, None)

    def containers(self, member):
        return self.there

    def remember(self, name, ids):
        self.memory.setdefault(name, ids)

    def ran(self, name):
        return self.memory.get(name)

    def ready(self, url, timeout):
        if url == "http://slow":
            raise CommandExecutionError("http://slow was not ready in 60 s: connection refused")


@pytest.fixture
def world(tmp_path, monkeypatch):
    found = World(tmp_path, monkeypatch)
    for name, one in found.members.items():
        one["hostname"] = name
    return found


def test_apply_works_in_batches_on_everybody(world):
    report = world.fleet.apply("common,docker", batch=3)
    assert report == {
        "done": dict.fromkeys(world.members, "changed: docker"),
        "failed": {},
        "left": [],
    }
    assert world.log == ["apply common,docker a1,a2,a3", "apply common,docker s1"]
    assert not world.failed


def test_apply_works_on_a_role_and_dry(world):
    world.fleet.apply(["server"], role="server", test=True)
    assert world.log == ["dry server s1"]


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


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"target": "x*"}, "no minion is known that matches 'x*'"),
        ({"batch": 0}, "batch is 0, allowed: a whole number, or 1% to 100%"),
    ],
)
def test_wrong_words_are_an_answer(world, words, reason):
    assert world.fleet.apply("common", **words)["failed"] == {"all": reason}
    assert world.failed and world.log == []


def test_only_one_run_at_a_time(world):
    with open(world.tmp_path / "fleet.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        report = world.fleet.apply("common")
    assert report["failed"] == {"all": "another run of fleet is under way on this master"}
    assert world.fleet.apply("common")["failed"] == {}


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

    monkeypatch.setattr(fleet._fleet_minions, "apply", broken)
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


def test_status_is_one_row_for_each(world):
    world.members["mail1"] = member()
    answer = world.fleet.status()
    assert answer["outputter"] == "table"
    head, *rows = answer["data"]["hosts"]
    assert head[:3] == ["minion", "pool %", "meta %"] and head[-1] == "rancher"
    assert [row[0] for row in rows] == ["a1", "a2", "a3", "s1"]
    assert [row[-1] for row in rows] == ["active", "active", "active", "-"]
    world.members.clear()
    assert world.fleet.status()["data"] == {"hosts": [head]}


# Hosts that nobody named, and words that are misspelt.


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


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"sls": "common.conntrak"}, "serves no SLS 'common.conntrak'"),
        ({"sls": "common", "role": "agnt"}, "role is 'agnt', allowed: common, server, agent"),
    ],
)
def test_a_typing_error_was_a_success(world, words, reason):
    assert reason in world.fleet.apply(**words)["failed"]["all"]
    assert world.failed and world.log == []


def test_a_preview_changes_nothing(world):
    world.members["mail1"] = member()
    world.dry = {"a1": NOTHING, "a2": {"failed": "no disk"}}
    lines = world.fleet.preview(batch=3)
    assert {entry.split()[0] for entry in world.log} == {"dry"}
    assert "  a1: nothing to change" in lines and "  a2: FAILS: no disk" in lines
    assert "server, one at a time: s1" in lines and "wait until http://r:8080 answers" in lines
    assert lines[-2:] == [
        "agent, batch 1 of 1: a1, a2, a3",
        "left out: mail1: its pillar lists no rancher:roles",
    ]
    assert world.fleet.preview(target="x*") == ["no minion is known that matches 'x*'"]
    assert world.failed


def conversing(world, monkeypatch, found="http://own:8080"):
    """`Rancher.conversation` over the recorded server; notes the URL."""

    def conversation(url):
        world.log.append(f"converse {url() if callable(url) else url}")
        return export_kit.recorded()

    world.told = []
    monkeypatch.setattr(fleet.log, "warning", world.told.append)
    monkeypatch.setattr(world, "conversation", conversation, raising=False)


def test_an_export_returns_counts_and_no_secret(world, monkeypatch, tmp_path):
    conversing(world, monkeypatch)
    report = fleet.export(str(tmp_path / "out"))
    assert report["failed"] == {} and not world.failed
    assert report["done"]["services"] == 30 and report["done"]["containers"] == 40
    assert report["done"]["folder"] == str(tmp_path / "out")
    assert world.log == ["converse http://r:8080"]
    # Where whoever waits sees it, and the runner's own output stays one document.
    assert world.told[-1] == "Default: 10 of 10 stacks written"
    assert "REPLACED" not in repr((report, world.told))


def test_an_export_from_a_server_that_is_named(world, monkeypatch, tmp_path):
    conversing(world, monkeypatch)
    report = fleet.export(str(tmp_path / "out"), project="Default", stack="shop", url="http://x")
    assert report["done"]["stacks"] == 1
    assert world.log == ["converse http://x"]


def test_an_export_does_not_guess_between_two_servers(world, monkeypatch, tmp_path):
    conversing(world, monkeypatch)
    world.members["a1"]["server_url"] = "http://other"
    report = fleet.export(str(tmp_path / "out"))
    assert report["failed"] == {
        "all": "the pillars of the minions name these Rancher servers: http://other, http://r:8080; "
        "give one as url="
    }
    assert world.failed and not (tmp_path / "out").exists()


def test_an_export_beside_a_roll_out(world, monkeypatch, tmp_path):
    conversing(world, monkeypatch)
    with open(tmp_path / "fleet.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert fleet.export(str(tmp_path / "out"))["done"]["stacks"] == 10


def test_a_relative_folder_is_refused(world, monkeypatch):
    conversing(world, monkeypatch)
    assert "give an absolute path" in fleet.export("out")["failed"]["all"]
