import json
import os
import time

import pytest
from fakes import imported

handover = imported("_pillar/rancher_handover")
DATA = {"rancher": {"agent": {"registration_url": "http://r/v1/scripts/T"}}}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "node1.json"
    path.write_text(json.dumps(DATA))
    path.chmod(0o600)
    return path


def get(file, minion="node1"):
    return handover.ext_pillar(minion, {}, str(file.parent))


def test_each_minion_gets_its_own(file):
    assert get(file) == DATA
    assert get(file, "node2") == {}
    file.unlink()
    assert get(file) == {}


@pytest.mark.parametrize("minion", ["../node1", "x/../node1", "/etc/passwd", "..", ""])
def test_a_name_leads_nowhere_else(file, minion):
    below = file.parent / "x"
    below.mkdir()
    assert handover.ext_pillar(minion, {}, str(below)) == {}
    assert get(file, minion) == {}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_what_others_could_read_or_write_does_not_count(file, mode):
    file.chmod(mode)
    assert get(file) == {}


def test_what_a_killed_run_left_behind_does_not_count_for_ever(file):
    then = time.time() - handover.FRESH - 1
    os.utime(file, (then, then))
    assert get(file) == {}


def test_no_directory_is_no_pillar(tmp_path):
    assert handover.ext_pillar("node1", {}, str(tmp_path / "none")) == {}
