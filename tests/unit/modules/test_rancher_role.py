from salt.exceptions import CommandExecutionError

import _docker_engine
import _rancher_role


def test_a_docker_that_cannot_be_asked_is_a_note_and_no_failure(replace):
    def broken():
        raise CommandExecutionError("Docker could not list its containers: no answer")

    replace(_docker_engine, answers=lambda: True, containers=broken)
    (note,) = _rancher_role.notes([], "node1")
    assert note.startswith("Whether a role") and "no answer" in note


def test_with_both_roles_docker_is_not_asked(replace):
    replace(_docker_engine, answers=lambda: 1 / 0)
    assert _rancher_role.notes(["server", "agent"], "node1") == []


def test_each_role_has_its_line(replace):
    listed = [{"Names": ["/rancher-agent", "/other/alias"], "Status": "Up 1 second"}]
    listed.append({"Names": ["/rancher-server"], "Status": "Up 1 second (Paused)"})
    replace(_docker_engine, answers=lambda: True, containers=lambda: listed)
    notes = _rancher_role.notes(["common"], "node1")
    assert [note.split()[1] for note in notes] == ["rancher-server", "rancher-agent"]
