"""
The host's own name: the stored one, the running one, /etc/hosts, and cloud-init kept off it.
"""

import glob
import os
import re

from salt.exceptions import SaltInvocationError
from salt.syspaths import CONFIG_DIR

STORED = "/etc/hostname"
RUNNING = "/proc/sys/kernel/hostname"
HOSTS = "/etc/hosts"
CLOUD = "/etc/cloud"
CLOUD_FILE = "/etc/cloud/cloud.cfg.d/99-preserve-hostname.cfg"
CLOUD_TEXT = """\
# Written by Salt: the host's name comes from the pillar, not from the cloud.
preserve_hostname: true
manage_etc_hosts: false
"""
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


def plan(hostname, seen):
    """
    Work out what is left to do; touches nothing.

    hostname (str)
        Full name, lower case.
    seen (dict)
        What ``hostname.status`` gave.

    Returns changes ``{key: {"old": ..., "new": ...}}``, empty when all is well. Keys:
    /etc/hosts, cloud-init, static, running.

    Raises SaltInvocationError for a name that no host can have.

    CLI Example:

    .. code-block:: bash

        # Takes the answer of hostname.status. For people: salt '*' state.apply common.hostname test=True

    Source: hostname(5), hosts(5)
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
    lines = [line.strip() for line in (text or "").splitlines()]
    return "; ".join(line for line in lines if line and not line.startswith("#")) or None


def status(hostname):
    """
    Look at everything that makes up the host's name.

    hostname (str)
        The full name that it shall have.

    Returns a dict: ``static`` (the stored name) and ``running``, both None when there is
    none; ``address`` (the one that /etc/hosts gives to the name, or None); ``hosts`` (None
    when that is right, else what ``hostsfile.named`` gives); ``cloud`` (whether cloud-init
    is here) and ``cloud_text`` (what we told it).

    Raises CommandExecutionError when a file cannot be read.

    CLI Example:

    .. code-block:: bash

        salt '*' hostname.status node1.example.com

    Source: hostname(5), hosts(5)
    """
    read = __salt__["host.read"]
    static, running = _stored(read(STORED)), (read(RUNNING) or "").strip() or None
    text = read(HOSTS)
    right = __salt__["hostsfile.resolves"](text or "", hostname)
    new = "127.0.0.1 localhost\n::1 localhost\n" if text is None else text
    return {
        "static": static,
        "running": running,
        "address": __salt__["hostsfile.address"](text or "", hostname),
        "hosts": None if right else __salt__["hostsfile.named"](new, hostname, [static, running]),
        "cloud": os.path.isdir(CLOUD),
        "cloud_text": read(CLOUD_FILE),
    }


def _stored(text):
    lines = [line.strip() for line in (text or "").splitlines()]
    return next((line for line in lines if line and not line.startswith("#")), None)


def apply(hostname, seen, changes):
    """
    Carry out the changes that ``hostname.plan`` found: whatever resolves the name first, the name last.

    hostname (str)
        Full name.
    seen (dict)
        What ``hostname.status`` gave.
    changes (dict)
        What ``hostname.plan`` gave for it.

    Returns nothing.

    Raises CommandExecutionError when a step fails.

    CLI Example:

    .. code-block:: bash

        # Takes the answers of status and plan. For people: salt '*' state.apply common.hostname

    Source: hostnamectl(1), hostname(5)
    """
    if HOSTS in changes:
        __salt__["host.write"](HOSTS, seen["hosts"]["text"], mode=None)
    if "cloud-init" in changes:
        __salt__["host.write"](CLOUD_FILE, CLOUD_TEXT)
    if "static" not in changes and "running" not in changes:
        return
    if _systemd_answers():
        __salt__["host.run"](["hostnamectl", "set-hostname", hostname])
        return
    __salt__["host.write"](STORED, f"{hostname}\n", mode=None)
    __salt__["host.run"](["hostname", hostname])


def _systemd_answers():
    return all(map(os.path.exists, ("/run/systemd/system", "/run/dbus/system_bus_socket")))


def notes(hostname, seen):
    """
    Say what an operator should know although it is no change.

    hostname (str)
        Full name.
    seen (dict)
        What ``hostname.status`` gave.

    Returns a list of sentences.

    CLI Example:

    .. code-block:: bash

        # Takes the answer of hostname.status; used by the state hostname.configured.

    Source: Salt's documentation, minion configuration, "minion_id_caching"
    """
    said = []
    where = seen["address"]
    own = [*__grains__.get("ipv4", []), *__grains__.get("ipv6", [])]
    if where and where not in own and not __salt__["hostsfile.is_loopback"](where):
        said.append(f"{HOSTS} gives {hostname} the address {where}, which this host does not have")
    if __opts__.get("id") != hostname and not _id_is_stored():
        said.append(
            f"The minion id {__opts__.get('id')} is stored nowhere and will follow the host's name "
            f"at the next start: set `id` in the minion's configuration to keep it"
        )
    return said


def _id_is_stored():
    """As salt.config.get_id looks for it, and `id` in the configuration before that."""
    if not __opts__.get("conf_file"):
        return True
    cached = os.path.join(__opts__["root_dir"], CONFIG_DIR.lstrip("/"), "minion_id")
    if __opts__.get("minion_id_caching", True) and os.path.exists(cached):
        return True
    folder = os.path.dirname(__opts__["conf_file"])
    included = glob.glob(os.path.join(folder, __opts__.get("default_include") or "minion.d/*.conf"))
    texts = map(__salt__["host.read"], [__opts__["conf_file"], *included])
    return any(re.search(r"^id:", text or "", re.MULTILINE) for text in texts)
