"""The text of a profile is what LVM takes; what a file says is read back."""

import pytest
from salt.exceptions import SaltInvocationError

import _host
import _thinpool_profile


def test_what_is_written_is_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(_thinpool_profile, "_PROFILES", str(tmp_path))
    assert _thinpool_profile.write("docker-thinpool", 75, 15) is True
    assert _thinpool_profile.write("docker-thinpool", 75, 15) is False
    assert _thinpool_profile.autoextend("docker-thinpool") == {"threshold": 75, "percent": 15}


def test_without_a_file_a_pool_never_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(_thinpool_profile, "_PROFILES", str(tmp_path))
    assert _thinpool_profile.autoextend("docker-thinpool") == {"threshold": 100, "percent": 20}
    assert _thinpool_profile.autoextend("") == {"threshold": 100, "percent": 20}


MANUAL = """activation {
  thin_pool_autoextend_threshold=80
  thin_pool_autoextend_percent=20
}
"""


def test_the_profile_is_that_of_dockers_manual():
    assert _thinpool_profile.profile(80, 20) == MANUAL


@pytest.mark.parametrize(
    "values", [(0, 20), (101, 20), (80, 0), ("80", 20), (80, True), (80, None)]
)
def test_a_profile_that_lvm_would_reject(values):
    with pytest.raises(SaltInvocationError, match="allowed: a whole number from 1 to"):
        _thinpool_profile.profile(*values)


@pytest.mark.parametrize("name", ["", "../lvm", "../x", "a/b", "-x", "a b", "a\n", None, 7])
def test_a_profile_is_not_written_elsewhere(name, monkeypatch):
    monkeypatch.setattr(_host, "write", lambda *_: pytest.fail("nothing is written"))
    with pytest.raises(SaltInvocationError):
        _thinpool_profile.write(name, 80, 20)
