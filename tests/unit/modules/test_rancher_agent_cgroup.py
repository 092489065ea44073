"""Where the agent cannot find itself; whole runs are in test_rancher_agent."""

import pytest
from salt.exceptions import CommandExecutionError

import _rancher_agent_cgroup as cgroup

PRIVATE = ["name=seccomp,profile=default", "name=cgroupns"]
V2 = {"CgroupVersion": "2", "CgroupDriver": "systemd", "SecurityOptions": PRIVATE}
HOST = {"default-cgroupns-mode": "host"}


@pytest.mark.parametrize(
    ("info", "unified", "settings", "fits"),
    [
        # Docker runs and tells; before 20.10 it does not tell, and knows v1 only.
        ({"CgroupDriver": "cgroupfs"}, False, None, True),
        ({**V2, "CgroupVersion": "1", "SecurityOptions": []}, False, None, True),
        # Privileged containers have the host's namespace on v1, seen with a real Docker.
        ({"CgroupVersion": "1", "SecurityOptions": PRIVATE}, False, None, True),
        (V2, True, None, False),
        ({**V2, "SecurityOptions": None}, True, None, True),
        ({**V2, "SecurityOptions": [], "CgroupDriver": "cgroupfs"}, True, None, False),
        # A dry run: the settings come with the run.
        (V2, True, HOST, True),
        (V2, True, {**HOST, "exec-opts": ["native.cgroupdriver=systemd"]}, True),
        (V2, True, {**HOST, "exec-opts": ["native.cgroupdriver=cgroupfs"]}, False),
        (V2, True, {"default-cgroupns-mode": "private"}, False),
        (V2, True, {}, False),
        # Without a Docker the kernel tells.
        (None, False, {}, True),
        (None, True, {}, False),
        (None, True, HOST, True),
    ],
)
def test_check(info, unified, settings, fits):
    if fits:
        cgroup.check(info, unified, settings)
        return
    with pytest.raises(CommandExecutionError, match="0::/.*default-cgroupns-mode") as told:
        cgroup.check(info, unified, settings)
    assert "\n" not in str(told.value)


def test_the_kernel_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroup, "UNIFIED", str(tmp_path / "cgroup.controllers"))
    assert cgroup.is_unified() is False
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    assert cgroup.is_unified() is True
