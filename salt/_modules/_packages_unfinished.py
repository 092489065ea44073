"""
Packages that an interrupted package manager left in the middle: apt refuses everything
until somebody has completed them, by hand as it thinks.

Debian's family only: yum and dnf begin the next transaction without a word.
"""

import contextlib
import fcntl
import os
import time

from salt.exceptions import CommandExecutionError

import _host

_DPKG = "/var/lib/dpkg"
_DONE = ("installed", "config-files", "not-installed")
_QUERY = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n"]
# As Salt's own apt module: a configuration file of the operator stays.
_APT = ["env", "DEBIAN_FRONTEND=noninteractive", "UCF_FORCE_CONFFOLD=1"]
_KEEP = ["--force-confold", "--force-confdef"]
_TIMEOUT = 3600


def packages():
    """
    What dpkg was at work on when it was interrupted, if it was. Returns None, or a dict: name to
    version of what is neither installed nor gone.
    """
    try:
        if not any(name.isdigit() for name in os.listdir(f"{_DPKG}/updates")):
            return None
    except FileNotFoundError:
        return None
    return _half_done()


def _half_done():
    lines = _host.lines(_host.run(_QUERY)["stdout"])
    found = [line.split(" ") for line in lines]
    return {name: version for state, name, version in found if state not in _DONE}


def finish():
    """Complete them: configure what is unpacked, fetch again what is not whole."""
    _wait_for_others()
    configure = [*_APT, "dpkg", *_KEEP, "--configure", "-a"]
    _host.run(configure, _TIMEOUT, accept=(0, 1))
    left = _half_done()
    if left:
        # Not whole, or without what it needs. The version is the one that was under way: another
        # one may be the newest.
        wanted = [f"{name}={version}" if version else name for name, version in left.items()]
        options = [f"-oDPkg::Options::={option}" for option in _KEEP]
        argv = ["apt-get", "-qy", *options, "--allow-change-held-packages", "--fix-broken"]
        _host.run([*_APT, *argv, "install", *wanted], _TIMEOUT)


def _wait_for_others():
    deadline = time.monotonic() + _TIMEOUT
    for name in ("lock-frontend", "lock"):
        with contextlib.suppress(FileNotFoundError), open(f"{_DPKG}/{name}", "r+b") as handle:
            while not _free(handle):
                if time.monotonic() > deadline:
                    raise CommandExecutionError(
                        f"another package manager holds {_DPKG}/{name} since {_TIMEOUT} s"
                    )
                time.sleep(0.5)


def _free(handle):
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    fcntl.lockf(handle, fcntl.LOCK_UN)
    return True
