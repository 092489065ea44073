"""
Whether the agent of Rancher 1.6 can find its own container here; pure but for one look at the kernel.

Its start (share-mnt) looks in /proc/self/cgroup for `docker/<id>` on the line of the controller
`devices`, or for `docker-<id>.scope`. With cgroup v2 and Docker's private namespace that file holds
`0::/`: the agent ends, is started again, and so on for ever.
"""

import os

from salt.exceptions import CommandExecutionError

# Only there where cgroup v2 is all there is.
UNIFIED = "/sys/fs/cgroup/cgroup.controllers"
WAY_OUT = (
    "boot this host with cgroup v1 (`systemd.unified_cgroup_hierarchy=0` on the kernel's command "
    "line), or set rancher:docker:daemon to {default-cgroupns-mode: host}, with Docker 20.10 or "
    "newer and its cgroup driver systemd"
)


def is_unified():
    """Whether this kernel was booted with cgroup v2 alone."""
    return os.path.exists(UNIFIED)


def check(info, unified, settings):
    """
    Refuse a host on which the agent could not find itself. ``info`` is what Docker says of itself,
    None when there is none yet; ``settings`` is rancher:docker:daemon when that is still to be
    applied, as in a dry run, else None.
    """
    if settings is not None and _will_fit(settings):
        return
    before_docker = _UNIFIED if unified else None
    problem = before_docker if info is None else _problem(info)
    if problem:
        raise CommandExecutionError(problem)


_LOOKS = (
    "the agent of Rancher 1.6 cannot find its own container there (it looks in /proc/self/cgroup and "
    "finds `0::/`); nothing was started"
)
_UNIFIED = f"this host has cgroup v2 alone, and {_LOOKS}. {WAY_OUT[0].upper()}{WAY_OUT[1:]}"


def _problem(info):
    # Before 20.10 Docker knows v1 only, and does not tell. On v1 a privileged container, as the agent
    # is, has the host's namespace whatever the default is.
    if str(info.get("CgroupVersion") or "1") != "2":
        return None
    private = any("name=cgroupns" in one for one in info.get("SecurityOptions") or [])
    return _UNIFIED if private or info.get("CgroupDriver") != "systemd" else None


def _will_fit(settings):
    driver = [str(one) for one in settings.get("exec-opts") or [] if "cgroupdriver=" in str(one)]
    wanted = settings.get("default-cgroupns-mode")
    return wanted == "host" and not any("cgroupfs" in one for one in driver)
