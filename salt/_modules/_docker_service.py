"""
The Docker daemon as a service: what it read when it started, and what it says when it does not.
"""

import glob
import logging
import os
import re
import time

from salt.exceptions import CommandExecutionError

import _host

log = logging.getLogger(__name__)

_UNIT = "docker.service"
DROP_INS = f"/etc/systemd/system/{_UNIT}.d"
# Before the names of our drop-ins that only order the start: they need no restart.
ORDER = f"{DROP_INS}/rancher-salt-after-"
_PROPERTIES = (
    "LoadState,ActiveState,Job,UnitFileState,NeedDaemonReload,FragmentPath,DropInPaths,"
    "ExecMainStartTimestampMonotonic"
)
# Type=notify without a limit: a pool with many images takes its time.
_START_TIMEOUT = 600
_HINTS = (
    ("specified both as a flag", "take the flag out of the unit, or the key out of the settings"),
    ("don't match any configuration", "take the key that it names out of rancher:docker:daemon"),
    ("Base Device UUID", "/var/lib/docker belongs to another pool; bring the two together again"),
    (
        "unable to take ownership",
        "the pool was used by another data root: `find / -name deviceset-metadata` shows which",
    ),
    ("Non existing device", "the thin pool is not active: `lvchange -ay` it"),
    ("no sockets found via socket activation", "start docker.socket, or take -H fd:// away"),
    ("thin pool has", "the thin pool is nearly full; extend it (rancher:thin_pool:extra_devices)"),
    ("thinpool has", "the thin pool is nearly full; extend it (rancher:thin_pool:extra_devices)"),
    ("Base device size cannot be smaller", "take dm.basesize out of rancher:docker:daemon"),
    ("unknown flag", "take the flag out of the unit"),
    ("unknown shorthand flag", "take the flag out of the unit"),
    ("d_type support", "the data root needs an xfs made with ftype=1, or ext4"),
    ("pquota", "mount the data root's file system with pquota"),
)


# -- pure ----------------------------------------------------------------------------------------


def parse_show(text):
    """Read the properties of a unit. Returns a dict of property to text."""
    pairs = (line.partition("=") for line in _host.lines(text))
    return {key: value for key, equals, value in pairs if equals}


def stale(read, started, now):
    """Name what changed after the daemon had started. Returns a list of paths."""
    return sorted(path for path, changed in read.items() if started < changed <= now)


def telling(lines):
    """
    Pick what explains a failed start from the journal. Returns one line (str): at most three
    messages, and the next step.
    """
    texts = [re.sub(r'^time="[^"]*" ', "", line.strip()) for line in lines if line.strip()]
    # systemd's own lines only say that it failed, again and again.
    own = [
        text
        for text in texts
        if not re.match(r"(docker\.service|Failed to start|Start|Stopp|Dependency)", text)
    ]
    bad = [
        text for text in own if re.search(r"level=(error|fatal)|fail|unable|invalid", text, re.I)
    ]
    chosen = list(dict.fromkeys((bad or own or texts)[-3:]))
    said = "; ".join(text[:300] for text in chosen) or "the journal says nothing"
    hints = [hint for sign, hint in _HINTS if sign.lower() in said.lower()]
    return f"{said}. Next: {hints[0] if hints else 'journalctl -u docker.service'}"


# -- the host ------------------------------------------------------------------------------------


def booted():
    """
    Tell whether systemd runs this host; in a chroot, for example, it does not. Returns a bool.
    """
    return os.path.isdir("/run/systemd/system")


def status(config="/etc/docker/daemon.json"):
    """Look at the service, and whether it runs with what is configured."""
    # Gives a dict: ``state`` (``absent``, ``masked``, ``stopped``, ``failed`` or ``running``),
    # ``boot`` (``absent``, ``enabled`` or ``disabled``), ``started`` (seconds of the monotonic
    # clock, None when it does not run), ``stale`` (paths that changed since), ``reload`` (whether
    # systemd still has old units).
    if not booted():
        raise CommandExecutionError(
            "systemd does not run here, so docker.service can be neither started nor looked at"
        )
    unit = _settled()
    state = _state(unit)
    started = None
    if state == "running":
        started = int(unit["ExecMainStartTimestampMonotonic"]) / 1e6
    now, ticks = time.time(), time.monotonic()
    return {
        "state": state,
        "boot": _boot(unit),
        "started": started,
        "stale": stale(_read_by(unit, config), now - ticks + started, now) if started else [],
        "reload": unit.get("NeedDaemonReload") == "yes",
    }


def _settled():
    """The unit's properties, as soon as systemd has nothing more to do with it."""
    began, first = time.monotonic(), None
    while True:
        shown = _host.run(["systemctl", "show", "--property", _PROPERTIES, _UNIT])
        unit = parse_show(shown["stdout"])
        waited = time.monotonic() - began
        if not unit.get("Job"):
            if first:
                log.warning("systemd is done with docker.service after %d s", waited)
            return unit
        doing = f"systemd is at work on docker.service ({unit.get('ActiveState')})"
        if waited >= _START_TIMEOUT:
            raise CommandExecutionError(
                f"{doing} for more than {_START_TIMEOUT} s. "
                "`systemctl list-jobs` tells what it waits for, `systemctl stop docker.service` ends it"
            )
        # Whoever connects to docker.socket makes systemd try again, without an end.
        missing = first and unit["Job"] != first and _missing_mounts()
        if missing:
            raise CommandExecutionError(f"docker.service did not start: {missing}")
        if not first:
            log.warning("%s; waiting for it, at most %d s", doing, _START_TIMEOUT)
            first = unit["Job"]
        time.sleep(1)


def _state(unit):
    if unit.get("LoadState") in ("not-found", "masked"):
        return {"not-found": "absent", "masked": "masked"}[unit["LoadState"]]
    active = unit.get("ActiveState")
    if active in ("active", "reloading"):
        return "running"
    # Without a job, "activating" is the pause before systemd tries again what has failed.
    return "failed" if active in ("failed", "activating") else "stopped"


def _boot(unit):
    if unit.get("LoadState") == "not-found":
        return "absent"
    return "enabled" if unit.get("UnitFileState") == "enabled" else "disabled"


def _read_by(unit, config):
    """What the daemon and systemd read for a start, with the time of the last change."""
    drop_ins = unit.get("DropInPaths", "").split()
    paths = [config, unit.get("FragmentPath"), *drop_ins]
    # Names of what was moved aside, whose own change is the move.
    aside = [config, "/etc/sysconfig/docker*", "/etc/default/docker"]
    aside += [f"/etc/systemd/system/{_UNIT}", f"{DROP_INS}/*"]
    paths += [path for pattern in aside for path in glob.glob(f"{pattern}.before-*")]
    paths += [folder + "/dockerd" for folder in ("/usr/bin", "/usr/sbin")]
    read = [path for path in paths if path and not path.startswith(ORDER)]
    return {path: os.stat(path).st_ctime for path in read if os.path.exists(path)}


def loaded(path, there):
    """
    Tell whether systemd knows a drop-in of the service as it is on disk: there, or not. Returns a
    bool; True where nobody could know it: no systemd, no such service.
    """
    if not booted():
        return True
    shown = _host.run(["systemctl", "show", "--property", _PROPERTIES, _UNIT])
    unit = parse_show(shown["stdout"])
    if unit.get("LoadState") in ("not-found", "masked"):
        return True
    known = path in unit.get("DropInPaths", "").split()
    return known == there and unit.get("NeedDaemonReload") != "yes"


def reload():
    """Let systemd read its units again, where systemd runs."""
    if booted():
        _host.run(["systemctl", "daemon-reload"])


def enable():
    """Start the daemon at every boot."""
    _host.run(["systemctl", "enable", _UNIT])


def start(verb="start"):
    """Start or restart the daemon and wait until it is ready."""
    reload()
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    # A unit that failed too often in a row refuses a start, also once the reason is gone.
    _host.run(["systemctl", "reset-failed", _UNIT], accept=(0, 1))
    try:
        _host.run(["systemctl", verb, _UNIT], timeout=_START_TIMEOUT)
    except CommandExecutionError as exc:
        missing = _missing_mounts()
        if missing:
            raise CommandExecutionError(f"docker.service did not {verb}: {missing}") from exc
        journal = ["journalctl", "--unit", _UNIT, "--since", since, "--lines", "60"]
        lines = _host.run([*journal, "--no-pager", "--output", "cat"])["stdout"]
        raise CommandExecutionError(
            f"docker.service did not {verb}: {telling(_host.lines(lines))}"
        ) from exc


def _missing_mounts():
    """What the service cannot start without and does not have, and the next step; None: nothing."""
    needed = parse_show(_host.run(["systemctl", "show", "--property", "Requires", _UNIT])["stdout"])
    units = [name for name in needed.get("Requires", "").split() if name.endswith(".mount")]
    found = []
    for unit in units:
        # The root's is called -.mount.
        show = ["systemctl", "show", "--property", "ActiveState,Where", "--", unit]
        mount = parse_show(_host.run(show)["stdout"])
        if mount.get("ActiveState") != "active":
            found.append(mount.get("Where") or unit)
    if not found:
        return None
    return (
        f"it waits for {', '.join(found)}, not mounted now. Next: attach the disk if it is missing, "
        f"`mount {found[0]}`, then apply again"
    )
