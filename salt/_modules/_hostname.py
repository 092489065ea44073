"""
The host's own name: the stored one, the running one, /etc/hosts, and cloud-init kept off it.
"""

import glob
import os
import re

from salt.exceptions import SaltInvocationError
from salt.syspaths import CONFIG_DIR

import _cloud_init
import _host
import _hosts_file

STORED = "/etc/hostname"
RUNNING = "/proc/sys/kernel/hostname"
HOSTS = "/etc/hosts"
CLOUD = "/etc/cloud"
CLOUD_NAME = "99-preserve-hostname.cfg"
CLOUD_FILE = f"{_cloud_init.FOLDER}/{CLOUD_NAME}"
CLOUD_TEXT = """\
# Written by Salt: the host's name comes from the pillar, not from the cloud.
preserve_hostname: true
manage_etc_hosts: false
"""
_CLOUD_SAYS = {"preserve_hostname": True, "manage_etc_hosts": False}
_TAKEN = {"preserve_hostname": "the host's name", "manage_etc_hosts": HOSTS}
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


def plan(hostname, seen):
    """
    Work out what is left to do; touches nothing. Returns changes ``{key: {"old": ..., "new":
    ...}}``, empty when all is well. Keys: /etc/hosts, cloud-init, static, running.
    """
    if len(hostname) > 64 or not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", hostname):
        raise SaltInvocationError(
            f"{hostname!r} is no host name: letters a to z, digits and hyphens in parts "
            f"separated by dots, at most 64 characters"
        )
    changes = {}
    if seen["hosts"]:
        changes[HOSTS] = {"old": seen["hosts"]["old"], "new": seen["hosts"]["new"]}
    wanted = _settings_of(CLOUD_TEXT)
    if seen["cloud"] and _settings_of(seen["cloud_text"]) != wanted:
        changes["cloud-init"] = {"old": _settings_of(seen["cloud_text"]), "new": wanted}
    for key in ("static", "running"):
        if seen[key] != hostname:
            changes[key] = {"old": seen[key], "new": hostname}
    return changes


def _settings_of(text):
    lines = [line.strip() for line in _host.lines(text or "")]
    return "; ".join(line for line in lines if line and not line.startswith("#")) or None


def status(hostname):
    """
    Look at everything that makes up the host's name. Returns a dict: ``static`` and ``running``
    (None: there is none); ``address`` in /etc/hosts; ``hosts`` (None: right, else what
    ``_hosts_file.named`` gives); ``cloud`` (bool), ``cloud_text`` (of our file), ``overruled``.
    """
    read = _host.read
    static, running = _stored(read(STORED)), (read(RUNNING) or "").strip() or None
    text, cloud = read(HOSTS), os.path.isdir(CLOUD) and read(f"{CLOUD}/cloud-init.disabled") is None
    right = _hosts_file.resolves(text or "", hostname)
    new = "127.0.0.1 localhost\n::1 localhost\n" if text is None else text
    return {
        "static": static,
        "running": running,
        "address": _hosts_file.address(text or "", hostname),
        "hosts": None if right else _hosts_file.named(new, hostname, [static, running]),
        "cloud": os.path.isdir(CLOUD),
        "cloud_text": read(CLOUD_FILE),
        "overruled": _cloud_init.overruled(CLOUD_NAME, _CLOUD_SAYS) if cloud else [],
    }


def _stored(text):
    lines = [line.strip() for line in _host.lines(text or "")]
    return next((line for line in lines if line and not line.startswith("#")), None)


def apply(hostname, seen, changes):
    """
    Carry out the changes that ``_hostname.plan`` found: whatever resolves the name first, the name
    last.
    """
    if HOSTS in changes:
        _host.write(HOSTS, seen["hosts"]["text"], mode=None)
    if "cloud-init" in changes:
        _host.write(CLOUD_FILE, CLOUD_TEXT)
    if "static" not in changes and "running" not in changes:
        return
    if _systemd_answers():
        _host.run(["hostnamectl", "set-hostname", hostname])
        return
    _host.write(STORED, f"{hostname}\n", mode=None)
    _host.run(["hostname", hostname])


def _systemd_answers():
    return all(map(os.path.exists, ("/run/systemd/system", "/run/dbus/system_bus_socket")))


def notes(opts, grains, hostname, seen):
    """Say what an operator should know although it is no change. Returns a list of sentences."""
    said = []
    where = seen["address"]
    own = [*grains.get("ipv4", []), *grains.get("ipv6", [])]
    if where and where not in own and not _hosts_file.is_loopback(where):
        said.append(f"{HOSTS} gives {hostname} the address {where}, which this host does not have")
    said += [
        f"{it['file']} sets {it['key']} to {it['value']}, and cloud-init reads it after "
        f"{CLOUD_FILE}: remove it there (user-data: where the instance is defined, too), or "
        f"cloud-init takes {_TAKEN[it['key']]} back at the next boot"
        for it in seen["overruled"]
    ]
    if opts.get("id") != hostname and not _id_is_stored(opts):
        said.append(
            f"The minion id {opts.get('id')} is stored nowhere and will follow the host's name "
            f"at the next start: set `id` in the minion's configuration to keep it"
        )
    return said


def _id_is_stored(opts):
    """As salt.config.get_id looks for it, and `id` in the configuration before that."""
    if not opts.get("conf_file"):
        return True
    cached = os.path.join(opts["root_dir"], CONFIG_DIR.lstrip("/"), "minion_id")
    if opts.get("minion_id_caching", True) and os.path.exists(cached):
        return True
    folder = os.path.dirname(opts["conf_file"])
    included = glob.glob(os.path.join(folder, opts.get("default_include") or "minion.d/*.conf"))
    texts = map(_host.read, [opts["conf_file"], *included])
    return any(re.search(r"^id:", text or "", re.MULTILINE) for text in texts)
