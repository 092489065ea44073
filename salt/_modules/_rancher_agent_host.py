"""
What a host shows of itself and of its Rancher 1.x agent, and the id that tells it from others.
"""

import calendar
import logging
import os
import re
import socket
import time
import uuid

import salt.utils.network
from salt.exceptions import CommandExecutionError

import _docker_engine
import _host
import _rancher_agent_plan

log = logging.getLogger(__name__)

NAME = "rancher-agent"
UPGRADE = "rancher-agent-upgrade"
STATE = "/var/lib/rancher"
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
# Seconds for an agent that the server replaces just now, and between two looks at that.
UPGRADING, PAUSE = 120, 3
# Of Docker (its own bridges have 12 hexadecimal digits), libvirt, LXD and Podman: the same on every host.
_BRIDGES = re.compile(
    r"lo|docker.*|veth.*|br-[0-9a-f]{12}|virbr\d+|l(xc|xd)br\d+|cni\d+|(cni-)?podman\d+"
)


def marks(ip=None):
    """
    What Rancher may list this machine by: ``id`` (str or None), ``names`` and ``addresses``.
    """
    addresses = {
        address["address"]
        for name, card in salt.utils.network.interfaces().items()
        if not _BRIDGES.fullmatch(name)
        # What keepalived, for one, adds to a card is listed apart.
        for address in [*card.get("inet", []), *card.get("secondary", [])]
        if address.get("type", "inet") == "inet"
    }
    return {
        "id": _read_id(),
        "names": sorted({name.lower() for name in _names() if name}),
        "addresses": sorted(addresses | ({ip} if ip else set())),
    }


def _names():
    names = {socket.gethostname()}
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, flags=socket.AI_CANONNAME)
        names.add(found[0][3])
    except OSError as exc:
        log.info("this host's full name is not known: %s", exc)
    return names


def own_id():
    """This machine's id, made at the first call; it lives beside the agent's own identity."""
    mine = _read_id() or uuid.uuid4().hex
    _host.write(_id_file(), f"{mine}\n")
    return mine


def _read_id():
    return (_host.read(_id_file()) or "").strip() or None


def _id_file():
    return f"{STATE}/state/.salt_id"


def agent(authority=False):
    """
    The container rancher-agent, None when there is none: ``genuine``, ``running``, ``url``, ``ip``
    and ``proxy`` (its variables; the proxies may hold a password), ``age`` (seconds), ``outdated``
    (the certificate came after its start), ``complaint`` (str or None).
    """
    found = _settled()
    if found is None:
        return None
    variables = dict(each.partition("=")[::2] for each in found["Config"].get("Env") or [])
    state = found["State"]
    started = _seconds(state["StartedAt"])
    return {
        "genuine": "CATTLE_ACCESS_KEY" in variables,
        "running": bool(state.get("Running")) and not state.get("Paused"),
        "url": variables.get("CATTLE_URL"),
        "ip": variables.get("CATTLE_AGENT_IP"),
        "proxy": {name: variables[name] for name in PROXIES if variables.get(name)},
        "age": _age(found),
        # It reads the certificate when it starts.
        "outdated": authority and started < _changed(f"{STATE}/etc/ssl/ca.crt"),
        "complaint": _rancher_agent_plan.complaint(_said(started)),
    }


def _age(found):
    """
    For how long it has had the chance to be heard, in seconds. Of a process that runs the kernel
    knows it, whatever somebody did to the clock since.
    """
    try:
        with open(f"/proc/{found['State'].get('Pid')}/stat", encoding="utf-8") as source:
            ticks = int(source.read().rpartition(")")[2].split()[19])
    except OSError:
        return time.time() - _seconds(found["Created"])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def resting(ip=None):
    """
    What the agent will be when Docker, which gives no answer now, runs again: the daemon itself
    starts it, on a host that has joined. None on a host that never joined.
    """
    if _host.read(f"{STATE}/state/.registration_token") is None:
        return None
    known = {"genuine": True, "running": True, "url": None, "ip": ip, "proxy": None, "age": 0.0}
    return {**known, "outdated": False, "complaint": None}


def _said(since):
    try:
        return _docker_engine.logs(NAME, since=since, tail=30)
    except CommandExecutionError as exc:
        if "does not support reading" in str(exc):
            # Docker's log goes elsewhere, to syslog for example.
            return []
        raise


def _settled():
    """The agent's container; while the server replaces it there is none for a moment."""
    until = time.monotonic() + UPGRADING
    while True:
        found = _docker_engine.container(NAME)
        upgrade = None if found else _docker_engine.container(UPGRADE)
        if not upgrade or not upgrade["State"].get("Running") or time.monotonic() > until:
            return found
        log.info("the server replaces the agent just now")
        time.sleep(PAUSE)


def _seconds(date):
    """Docker's date as seconds; its nanoseconds do not matter. Never started is the year 1."""
    return (
        0
        if date.startswith("0001-")
        else calendar.timegm(time.strptime(date[:19], "%Y-%m-%dT%H:%M:%S"))
    )


def _changed(path):
    return int(os.stat(path).st_mtime) if os.path.exists(path) else 0
