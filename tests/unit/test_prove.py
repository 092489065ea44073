"""The journal and the tables of `make prove`."""

import functools
import json
import os
import subprocess
import sys
import time

import pytest
from fakes import ROOT
from prove import jobs, journal, kills_of_hosts, kills_of_roles_in_guests, report, requested
from prove.journal import Journal
from prove.kills_of_hosts import Kills
from prove.kills_of_roles_in_guests import GuestRoles


def test_results_stand_for_as_long_as_what_was_tried_and_what_tried_it_are_the_same(monkeypatch):
    read = []
    monkeypatch.setattr(journal, "_hash", lambda files: read.append({*map(str, files)}) or "abc")
    sections = ("races", "kills here", "hostile input", GuestRoles.SECTION)
    for section in sections:
        journal.code_of.__wrapped__(section)
    races, kills_of_hosts, hostile, roles = read
    assert {"tests/prove/races.py", "tests/prove/lying_tools.py", "tests/kits/pool_kit.py"} <= races
    assert {
        "tests/prove/kills_of_disks.py",
        "tests/prove/guest_driver.py",
        "tests/kits/fakes.py",
    } <= kills_of_hosts
    others = {"tests/prove/races.py", "tests/prove/report.py", "salt/docker.sls"}
    assert not (
        {*others, "salt/_modules/_rancher_http.py", "salt/_states/rancher.py"} & kills_of_hosts
    )
    assert {"salt/_modules/_thinpool_plan.py", "salt/_states/thinpool.py"} <= kills_of_hosts
    assert {"salt/docker.sls", "salt/_modules/_rancher_http.py"} <= hostile
    assert {
        "salt/docker.sls",
        "salt/_modules/_rancher_http.py",
        "tests/prove/roles_driver.py",
    } <= roles


def test_a_case_that_dies_or_raises_is_a_failure_and_not_the_end(tmp_path):
    kept, said = Journal(tmp_path, "abc"), []
    cases = {
        "good": list,
        "raises": lambda: 1 / 0,
        "dies": lambda: os.kill(os.getpid(), 9),
        "last": lambda: {"problems": [], "tried": 3},
    }
    hangs = {"hangs": lambda: time.sleep(600)}
    for some, limit in ((cases, 120), (hangs, 1)):
        jobs.carry_out(
            "races", some.items(), kept, lambda *row: said.append(row), bool, limit=limit
        )
    assert {case: row["ok"] for (_, case), row in kept.rows.items()} == {
        "good": True, "raises": False, "dies": False, "hangs": False, "last": True,
    }  # fmt: skip
    assert kept.rows["races", "last"]["tried"] == 3
    assert len(said) == 5
    # A further run tries what did not hold, and only that.
    jobs.carry_out(
        "races", {**cases, "raises": list}.items(), kept, lambda *_: None, bool, limit=120
    )
    assert kept.holds("races", "raises")


def filled(folder):
    journal = Journal(folder, "abc")
    journal.add("refusals", "ext4, data disk", True, problems=[])
    journal.add("refusals", "ext4, thin pool", False, problems=["the disk changed"])
    journal.add("refusals", "nilfs2, data disk", True, problems=[], skipped="no mkfs.nilfs2")
    journal.add("hostile input", "parsers", False, tried=2000, lost=3, problems=["x"])
    return journal


def test_a_stopped_run_is_resumed(tmp_path):
    filled(tmp_path)
    again = Journal(tmp_path, "abc")
    assert again.has("refusals", "ext4, data disk")
    assert not Journal(tmp_path, "other code").rows


def test_a_line_that_was_cut_off_is_no_result(tmp_path):
    journal = filled(tmp_path)
    path = journal.path("hostile input")
    path.write_text(path.read_text()[:-20])
    assert not Journal(tmp_path, "abc").has("hostile input", "parsers")


def test_a_case_that_was_repaired_counts_once(tmp_path):
    journal = filled(tmp_path)
    journal.add("refusals", "ext4, thin pool", True, problems=[])
    assert report.count(Journal(tmp_path, "abc").of("refusals")) == (2, 2)


def test_what_was_not_tried_does_not_count(tmp_path):
    assert report.count(filled(tmp_path).of("refusals")) == (2, 1)


def test_the_tables_show_what_does_not_hold(tmp_path):
    journal = filled(tmp_path)
    shown = report.summary(journal, {"refusals": 5}) + report.details(journal)
    assert "| Refusals | 1 of 2, 2 more cases not tried yet |" in shown
    assert "| Hostile input | 1,997 of 2,000 |" in shown
    assert "1 of 2 held.\n\next4; nilfs2." in shown
    assert "- **ext4, thin pool**: the disk changed" in shown
    assert "- not tried: nilfs2, data disk: no mkfs.nilfs2" in shown
    assert "Kill" not in shown


def test_a_prediction_that_ends_at_device_mapper_is_not_called_equal(tmp_path):
    journal = Journal(tmp_path, "abc")
    for case, made in (
        ("thin pool: killed at point 10 of 14", []),
        ("thin pool: killed at point 2 of 14", ["pool"]),
    ):
        journal.add("dry runs", case, True, problems=[], predicted=["pool"], actual=made)
    assert "2 of 2 held. 1 of them end at device mapper" in report.details(journal)


def report_of(**states):
    return {
        f"{kind}_|-{name}_|-x_|-f": {"__id__": name, "changes": changes, "result": True}
        for name, (kind, changes) in states.items()
    }


def test_a_prediction_that_differs_is_named():
    dry = report_of(
        disk=("datadisk", {"fstab": 1}), pool=("thinpool", {}), tools=("packages", {"a": 1})
    )
    real = report_of(
        disk=("datadisk", {"fstab": 1}), pool=("thinpool", {"x": 1}), tools=("packages", {})
    )
    assert Kills.different(dry, real) == ["pool", "tools"]


def test_of_a_role_only_what_was_not_told_counts():
    """What the killed run had started in Docker goes on between the dry run and the next."""
    dry = report_of(server=("rancher", {"server": 1}), agent=("rancher", {"agent": 1}))
    real = report_of(server=("rancher", {}), agent=("rancher", {"agent": 2, "host": 1}))
    assert list(GuestRoles.different(dry, real)) == ["agent: host"]
    assert list(GuestRoles.different("Minion did not return", real)) == ["no report"]


def test_a_database_that_was_made_anew_is_not_the_same():
    from fake_rancher.world import Clock, World

    found = []
    for started in (0, 60):
        clock = Clock()
        clock.advance(started)
        world = World(clock)
        world.add_token()
        found.append({*kills_of_roles_in_guests.rows(world.dump())})
    assert [len(rows) for rows in found] == [2, 2]
    assert not found[0] & found[1]


def test_what_the_roles_ask_for_is_called_the_same_in_every_run():
    assert requested.plain("POST /v1.41/containers/create") == "POST /containers/create"
    assert requested.plain(f"DELETE /v1.41/containers/{'0a' * 32}") == "DELETE /containers/ID"


def point(number, when, what):
    return {"number": number, "when": when, "what": what}


def test_a_pull_is_ended_in_its_middle_and_by_a_power_cut_too():
    points = [
        point(1, "before", "mkdir /data/rancher"),
        point(2, "after", "mkdir /data/rancher"),
        point(3, "before", "POST /images/create"),
        point(4, "after", "POST /images/create"),
    ]
    assert list(GuestRoles.moments(points)) == [
        (1, "front"),
        (2, "behind"),
        (3, "middle"),
        (4, "behind"),
        (4, "power"),
    ]


def test_a_guest_is_prepared_anew_when_its_preparation_is_another(monkeypatch):
    """The packages were of kills.py, and a snapshot with others was taken for the right one."""
    asked = []
    monkeypatch.setattr(
        kills_of_hosts, "code", lambda *files, rancher: asked.extend(files) or "abc"
    )
    assert Kills(None, None, print).key == "abc"
    assert {
        f"tests/prove/{name}.py" for name in ("kills_of_hosts", "host", "guest_driver", "family")
    } <= {*asked}


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_process_is_a_point_until_it_has_said_all_that_fits_into_its_pipe(
    size, tmp_path, monkeypatch
):
    """One that says more than fits would wait for its reader, who waits for it."""
    monkeypatch.syspath_prepend(ROOT / "tests/prove")
    import guest_driver

    points = guest_driver.Points(str(tmp_path / "run"), hold=False)
    argv = [sys.executable, "-c", f"print('x' * {size}, end='')"]
    begin = functools.partial(subprocess.Popen, argv, stdout=subprocess.PIPE)
    with points.around("print", begin) as process:
        reached = (tmp_path / "run.points").read_text()
        assert (process.stdout.read(), process.wait()) == (b"x" * size, 0)
    assert [json.loads(line)["when"] for line in reached.splitlines()] == ["before", "after"]


def test_a_request_is_a_point_and_a_question_is_none(monkeypatch):
    import types

    import requests

    asked, reached = [], []
    monkeypatch.setattr(requests.Session, "send", lambda self, request, **_: asked.append(request))
    monkeypatch.setitem(sys.modules, "guest_driver", types.SimpleNamespace(watch=lambda _: None))

    class Points:
        def around(self, what, act):
            reached.append(what)
            return act()

    requested.watch(Points())
    for method, path in (("GET", "/info"), ("HEAD", "/info"), ("POST", "/v1.41/images/create?x=y")):
        requests.request(method, f"http://docker{path}", timeout=1)
    assert [request.method for request in asked] == ["GET", "HEAD", "POST"]
    assert reached == ["POST /images/create"]


def test_a_module_of_another_package_is_not_one_of_the_proofs():
    """lab.services was taken for prove.services, and a change of that voided what never ran it."""
    text = """
import hostile, os.path
from . import host
from .kills import Kills
from fakes import ROOT
from prove import requested
from prove.journal import code
from functional import hosts
def later():
    from lab import services
    from lab.process import LabError
    import salt.config
"""
    assert {*journal._imported(text)} == {
        *("hostile", "path", "host", "kills", "fakes", "requested", "journal"),
        *("hosts", "lab", "config"),
    }


def test_a_folder_with_another_name_in_each_run_was_another_point():
    made = [f"mkdir /data/rancher/.rancher-salt-{end}" for end in ("af49a1b3", "9a7ea39e")]
    assert {requested.plain(what) for what in made} == {"mkdir /data/rancher/.rancher-salt-ID"}
