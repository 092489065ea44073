import pytest
import salt.config
import salt.output

import _fleet_table as table

FULL = {
    "hostname": "node1.example.com",
    "pool_data_percent": 41.26,
    "pool_metadata_percent": 3.0,
    "pool_next_extension_fits": False,
    "conntrack_percent": 0.04,
    "docker": "20.10.24+dfsg1",
    "agent": "running",
}
NAME = "server1.rack7.example.com"
DOWN = "http://rancher.example.com:8080: no answer in 10 s: connection refused; is the server up?"


def rows(answer, *state):
    found = table.table([NAME], {NAME: answer}, dict.fromkeys([NAME], *state) if state else {})
    return found["hosts"][1], found.get("why", [])


def test_a_host():
    cells = [NAME, "41.3", "3.0", "NO ROOM", "0.0", "20.10.24", "active"]
    assert rows({"ret": FULL}, "active") == (cells, [])


def test_a_host_without_a_pool():
    row, why = rows({"ret": {"hostname": "n", "conntrack_percent": None}})
    assert set(row[1:]) == {"-"} and why == []


def test_no_answer_and_a_wrong_one():
    assert rows(False)[1] == [f"{NAME}: no answer"]
    answer = {"ret": "Traceback\n'capacity.status' is not available."}
    assert rows(answer)[1] == [f"{NAME}: Traceback 'capacity.status' is not available."]
    assert rows({"ret": {"pool_data_percent": "full", "docker": "\x1b[2J"}})[0][1] == "-"


@pytest.mark.parametrize(("agent", "words"), [("exited", "exited"), (None, "absent")])
def test_an_agent_that_does_not_run(agent, words):
    assert rows({"ret": {**FULL, "agent": agent}}, "active")[1] == [f"{NAME}: its agent is {words}"]


def test_the_reason_was_cut_off():
    row, why = rows({"ret": FULL}, DOWN)
    assert row[-1] == "see below" and why == [f"{NAME}: {DOWN}"]


def test_a_terminal_of_100_columns_is_enough(capsys):
    opts = {**salt.config.master_config(None), "color": False}
    answers = {NAME: {"ret": FULL}, "b": {"ret": "x" * 300}}
    found = table.table([NAME, "b"], answers, {NAME: DOWN, "b": "reconnecting"})
    salt.output.display_output(found, "table", opts)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    words = shown.replace("|", " ").split()
    assert all(word in words for word in DOWN.split())


def test_a_preview():
    dry = {"a1": {"done": "would change: x"}, "a2": {"failed": "no disk"}}
    lines = table.preview(
        [(["a1", "a2"], dry)], ["s1"], ["http://r"], [["a1"], ["a2"]], {"m": "why"}
    )
    assert lines[1:] == [
        "common, batch 1 of 1: a1, a2",
        "  a1: would change: x",
        "  a2: FAILS: no disk",
        "server, one at a time: s1",
        "wait until http://r answers",
        "agent, batch 1 of 2: a1",
        "agent, batch 2 of 2: a2",
        "left out: m: why",
    ]
