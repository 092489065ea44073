"""
The proxies of the Docker daemon, by which it pulls: a drop-in that names a file of variables.

The variables may hold a password, so they are in a file of root's own: what a unit says itself
`systemctl show` tells everybody.
"""

import contextlib
import os

import _docker_service
import _host

DROP_IN = f"{_docker_service.DROP_INS}/rancher-salt-proxy.conf"
VARIABLES = "/etc/docker/rancher-salt-proxy.env"
_HEAD = "# Managed by Salt.\n"
NAMES = ("http_proxy", "https_proxy", "no_proxy")


def variables(proxy):
    """The text of the file of variables; None without any. The settings allow no quotes in it."""
    lines = [
        f'{name.upper()}="{proxy[name]}"\n'
        for name in NAMES
        if proxy is not None and proxy.get(name)
    ]
    return _HEAD + "".join(lines) if lines else None


def drop_in(text):
    """The text of the drop-in for these variables. Without any it stays, empty: Docker's own state
    restarts a daemon for a drop-in that changed, and would not know of one that went."""
    return f"{_HEAD}[Service]\nEnvironmentFile={VARIABLES}\n" if text else _HEAD


def observe():
    """
    Both files as they are, None when one is not there, and whether the daemon's restart could have
    missed the variables: it is restarted for a drop-in that is newer than its start.
    """
    return {
        "variables": _host.read(VARIABLES),
        "drop-in": _host.read(DROP_IN),
        "missed": _changed(VARIABLES) > _changed(DROP_IN),
    }


def _changed(path):
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return 0


def plan(seen, proxy):
    """Compare; a change never shows the values."""
    text = variables(proxy)
    if text is None and seen["variables"] is None and seen["drop-in"] in (None, _HEAD):
        return {}
    if (seen["variables"], seen["drop-in"]) == (text, drop_in(text)) and not seen["missed"]:
        return {}
    old = "absent" if seen["variables"] is None else "another"
    return {"proxy": {"old": old, "new": "as in the settings" if text else "absent"}}


def apply(proxy):
    """Write both, the drop-in last and as new: by that the daemon's restart goes."""
    text = variables(proxy)
    if text is not None:
        _host.write(VARIABLES, text, "0600")
    _host.write(DROP_IN, drop_in(text))
    os.utime(DROP_IN)
    if text is None:
        # After the drop-in that names it: without its file Docker would not start.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(VARIABLES)
    _docker_service.reload()
