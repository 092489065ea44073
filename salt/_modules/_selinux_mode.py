"""
The mode of SELinux: the running one and the configured one, which are two things.

Core ``selinux.mode`` is there only with semanage's package installed, writes the
configuration and the running mode in one step and tells neither apart; hence this.
"""

import os
import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _host

ROOT = ""  # tests put a directory here
CONFIG = "/etc/selinux/config"  # /etc/sysconfig/selinux is a link to it
ENFORCE = "/sys/fs/selinux/enforce"
MODES = ("enforcing", "permissive", "disabled")
_LIVE = {"enforcing": "1", "permissive": "0"}
_LINE = re.compile(r"^(SELINUX=[ \t]*)([A-Za-z]*)", re.MULTILINE)


def observe():
    """Look at the mode of SELinux."""
    # Gives a dict: ``running`` (a mode; ``disabled`` without SELinux in the kernel), ``at boot``
    # (a mode, ``unknown`` when the file names none, None without the file), ``text`` of the file,
    # ``arguments`` of the kernel, ``ignores_disabled``: whether only ``selinux=0`` switches it
    # off, ``needs_activation``: whether it has to be switched on first, as on Debian.
    text = _read(CONFIG)
    release = os.uname().release
    return {
        "running": _running(_read(ENFORCE)),
        "at boot": None if text is None else _configured(text),
        "text": text,
        "arguments": (_read("/proc/cmdline") or "").split(),
        "ignores_disabled": _ignores_disabled(release, _read(f"/boot/config-{release}")),
        "needs_activation": os.path.exists(ROOT + "/usr/sbin/selinux-activate"),
    }


def plan(seen, mode):
    """
    Say what has to change; pure. Returns a dict with ``running`` and ``at boot`` where they have
    to change. To and from ``disabled`` only the configuration changes: the rest is done by a
    reboot.
    """
    if mode is None:
        return {}
    if mode not in MODES:
        raise SaltInvocationError(
            f"SELinux mode is {mode!r}; allowed: {', '.join(MODES)}, or null to leave it as it is"
        )
    if seen["at boot"] is None:
        if mode == seen["running"] == "disabled":
            return {}
        raise CommandExecutionError(
            f"SELinux cannot be made {mode}: this host has no {CONFIG}. Install the "
            "distribution's SELinux policy first, or set rancher:selinux:mode to null"
        )
    live = mode in _LIVE and seen["running"] in _LIVE
    changes = {"running": mode if live else seen["running"], "at boot": mode}
    return {key: {"old": seen[key], "new": new} for key, new in changes.items() if seen[key] != new}


def apply(seen, changes):
    """Carry out a plan: the configuration, then the running mode."""
    if "at boot" in changes:
        text = _with_mode(seen["text"], changes["at boot"]["new"])
        _host.write(ROOT + CONFIG, text, mode=None)
    if "running" in changes:
        _host.run(["setenforce", _LIVE[changes["running"]["new"]]])


def notes(seen, mode):
    """Say what only a reboot completes; pure. Returns a list of sentences without a full stop."""
    if mode is None or seen["at boot"] is None:
        return []
    return [*_about_reboot(seen, mode), *_about_arguments(seen, mode)]


# -- pure helpers --------------------------------------------------------------------------------


def _running(enforce):
    """The mode out of selinuxfs' file ``enforce``: no file, no SELinux."""
    if enforce is None:
        return "disabled"
    return "enforcing" if enforce.strip() == "1" else "permissive"


def _configured(text):
    """The mode out of the configuration, as libselinux reads it: the first that is one."""
    match = _effective_line(text)
    word = match[2].lower() if match else ""
    return word if word in MODES else "unknown"


def _with_mode(text, mode):
    """The configuration with another mode; every other byte stays."""
    match = _effective_line(text)
    if match:
        return text[: match.start(2)] + mode + text[match.end(2) :]
    return text + ("" if text.endswith("\n") or not text else "\n") + f"SELINUX={mode}\n"


def _ignores_disabled(release, config):
    """Without CONFIG_SECURITY_SELINUX_DISABLE only ``selinux=0`` counts: EL 9, Linux 6.4."""
    if config is not None:
        return "CONFIG_SECURITY_SELINUX_DISABLE=y" not in _host.lines(config)
    rebuilt = re.search(r"\.el(\d+)", release)
    if rebuilt:
        return int(rebuilt[1]) >= 9
    return tuple(map(int, re.findall(r"\d+", release)[:2])) >= (6, 4)


def _effective_line(text):
    lines = list(_LINE.finditer(text))
    named = [match for match in lines if match[2].lower() in MODES]
    return (named or lines or [None])[0]


def _about_reboot(seen, mode):
    if (mode in _LIVE) == (seen["running"] in _LIVE):
        return []
    if mode == "disabled":
        said = ["SELinux is still on: disabled takes effect after a reboot, which is left to you"]
        if seen["ignores_disabled"] and "selinux=0" not in seen["arguments"]:
            said.append(
                "This kernel ignores SELINUX=disabled: before the reboot give it the argument "
                "selinux=0 (on EL: grubby --update-kernel=ALL --args=selinux=0)"
            )
        return said
    said = [
        f"SELinux is off now: {mode} takes effect after a reboot with a full relabel (create "
        "/.autorelabel before it), which is left to you"
    ]
    if seen["needs_activation"] and "security=selinux" not in seen["arguments"]:
        said.append("Run selinux-activate before the reboot: the kernel does not start SELinux yet")
    return said


def _about_arguments(seen, mode):
    against = {
        "enforcing": ("selinux=0", "enforcing=0"),
        "permissive": ("selinux=0", "enforcing=1"),
    }
    return [
        f"The kernel argument {argument} overrules {CONFIG} at boot: remove it"
        for argument in seen["arguments"]
        if argument in against.get(mode, ())
    ]


def _read(path):
    return _host.read(ROOT + path)
