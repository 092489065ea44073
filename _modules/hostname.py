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
# The address that Debian gives to a host without a fixed one; the line with it is ours.
OWN = "127.0.1.1"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


# --- Pure ---


def parse_stored(text):
    """The name in the text of /etc/hostname; None when there is none (hostname(5))."""
    lines = [line.strip() for line in (text or "").splitlines()]
    return next((line for line in lines if line and not line.startswith("#")), None)


def parse_host(line):
    """One line of /etc/hosts as its address and its names; a comment has neither."""
    words = line.partition("#")[0].split()
    return (words[0], [word.lower() for word in words[1:]]) if words else (None, [])


def naming(text, hostname):
    """Number, address and names of the first line that names the host: the one that counts."""
    for number, line in enumerate(text.splitlines()):
        address, names = parse_host(line)
        if hostname in names:
            return number, address, names
    return None


def resolves(text, hostname):
    """
    Whether the text of /etc/hosts gives this name an answer in which it comes first.

    A line with an address other than loopback is the operator's word and stands as it
    is; among loopback lines one such as "127.0.0.1 localhost node1" would make
    `localhost` the full name of the host.
    """
    found = naming(text, hostname)
    if not found:
        return False
    _, address, names = found
    return names[0] == hostname or not _is_loopback(address)


def hosts_with(text, hostname, former):
    """
    The text of /etc/hosts in which the name resolves, and the lines that went and came.

    Only the line of 127.0.1.1 with a former name of the host is replaced; aliases and
    a comment on it are kept. Every other line stays byte for byte.
    """
    lines = text.splitlines(keepends=True)
    former = {name.partition(".")[0].lower() for name in former if name}
    number = _own_line(lines, former)
    old = lines.pop(number).rstrip() if number is not None else None
    new = _new_line(old, hostname, former)
    found = naming("".join(lines), hostname)
    if found:
        number = found[0]
    elif number is None:
        number = _below_localhost(lines)
    if number and not lines[number - 1].endswith("\n"):
        lines[number - 1] += "\n"
    lines.insert(number, new + "\n")
    return "".join(lines), old, new


def _own_line(lines, former):
    for number, line in enumerate(lines):
        address, names = parse_host(line)
        if address == OWN and any(_is_former(name, former) for name in names):
            return number
    return None


def _is_former(name, former):
    short = name.partition(".")[0]
    return short in former and short != "localhost"


def _new_line(old, hostname, former):
    names = [hostname, hostname.partition(".")[0]]
    names += [name for name in parse_host(old or "")[1] if not _is_former(name, former)]
    comment = old[old.index("#") :] if old and "#" in old else ""
    return " ".join([OWN, *dict.fromkeys(names), comment]).rstrip()


def _below_localhost(lines):
    numbers = [n for n, line in enumerate(lines) if parse_host(line)[0] == "127.0.0.1"]
    return numbers[0] + 1 if numbers else len(lines)


def _is_loopback(address):
    return address.startswith("127.") or address == "::1"


def _settings_of(text):
    lines = [line.strip() for line in (text or "").splitlines()]
    return "; ".join(line for line in lines if line and not line.startswith("#")) or None


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
    if not resolves(seen["hosts"], hostname):
        _, old, new = hosts_with(seen["hosts"], hostname, (seen["static"], seen["running"]))
        changes[HOSTS] = {"old": old, "new": new}
    wanted = _settings_of(CLOUD_TEXT)
    if seen["cloud"] and _settings_of(seen["cloud_text"]) != wanted:
        changes["cloud-init"] = {"old": _settings_of(seen["cloud_text"]), "new": wanted}
    for key in ("static", "running"):
        if seen[key] != hostname:
            changes[key] = {"old": seen[key], "new": hostname}
    return changes


# --- The machine ---


def status():
    """
    Look at everything that makes up the host's name.

    Returns a dict: ``static`` (the stored name) and ``running``, both None when there is
    none, ``hosts`` (the text of /etc/hosts), ``cloud`` (whether cloud-init is here) and
    ``cloud_text`` (what we told it).

    Raises CommandExecutionError when a file cannot be read.

    CLI Example:

    .. code-block:: bash

        salt '*' hostname.status

    Source: hostname(5), hosts(5)
    """
    read = __salt__["host.read"]
    hosts = read(HOSTS)
    return {
        "static": parse_stored(read(STORED)),
        "running": (read(RUNNING) or "").strip() or None,
        "hosts": "127.0.0.1 localhost\n::1 localhost\n" if hosts is None else hosts,
        "cloud": os.path.isdir(CLOUD),
        "cloud_text": read(CLOUD_FILE),
    }


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
        text, _, _ = hosts_with(seen["hosts"], hostname, (seen["static"], seen["running"]))
        __salt__["host.write"](HOSTS, text, mode=None)
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
    found = naming(seen["hosts"], hostname)
    own = {*__grains__.get("ipv4", []), *__grains__.get("ipv6", [])}
    if found and not _is_loopback(found[1]) and found[1] not in own:
        said.append(
            f"{HOSTS} gives {hostname} the address {found[1]}, which this host does not have"
        )
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
