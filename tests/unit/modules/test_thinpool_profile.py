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


@pytest.mark.parametrize("name", ["", "../lvm", "-x", "a b", None])
def test_a_profile_is_not_written_elsewhere(name, monkeypatch):
    monkeypatch.setattr(_host, "write", lambda *_: pytest.fail("nothing is written"))
    with pytest.raises(SaltInvocationError):
        _thinpool_profile.write(name, 80, 20)
