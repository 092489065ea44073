"""
Connection tracking on this host: look at it, and carry out what ``_conntrack_plan`` says.

Three files make the next boot right (sysctls, buckets, module); the module and the
kernel's values make this one right. Files come first: the module reads its option from
one of them, and a run that is ended anywhere leaves a host that the next run completes.
"""

import os
import re

from salt.exceptions import CommandExecutionError

import _boot_files
import _conntrack_size
import _host

ROOT = ""  # tests put a directory here
# The names sort behind those of packages and of /etc/sysctl.d/99-sysctl.conf: the last one wins.
PATHS = {
    "sysctl": "/etc/sysctl.d/99-zz-rancher-conntrack.conf",
    "options": "/etc/modprobe.d/zz-rancher-conntrack.conf",
    "modules": "/etc/modules-load.d/rancher-conntrack.conf",
}
HASHSIZE = "/sys/module/nf_conntrack/parameters/hashsize"
_PREFIX = "net.netfilter.nf_conntrack_"
_TIMEOUTS = ("established", "close_wait", "fin_wait", "time_wait")
NAMES = ["max", *(f"tcp_timeout_{state}" for state in _TIMEOUTS)]
_CAP_SYS_MODULE = 16


def observe(ram_share=0.5):
    """Look at everything that decides how this host tracks connections."""
    # Gives a dict: ``computed`` (entries) from ``ram`` and ``share``; ``default`` (max and buckets
    # that the kernel would take by itself); ``values`` (name to int, None without the module);
    # ``buckets`` and ``bucket_step``; ``modules`` (name to ``loaded``, ``not loaded`` or
    # ``missing``) of kernel ``release``, ``built_in`` or not; ``files`` (path to text or None) at
    # ``paths`` and what they have ``recorded``; ``later_options``, ``later_sysctls`` and
    # ``later_buckets`` that override them; ``blocked`` (why nothing can be set from here, or None).
    ram = _conntrack_size.ram()
    values = {name: _number(_sysctl(name)) for name in NAMES}
    files = {path: _read(path) for path in PATHS.values()}
    return {
        "ram": ram,
        "share": ram_share,
        "computed": _conntrack_size.max(ram["bytes"], ram_share=ram_share),
        "values": values,
        "buckets": _number(HASHSIZE),
        "bucket_step": _conntrack_size.bucket_step(),
        "release": os.uname().release,
        "modules": _modules(values),
        "built_in": values["max"] is not None and not _exists("/sys/module/nf_conntrack/initstate"),
        "paths": PATHS,
        "files": files,
        "recorded": _recorded(files),
        **_others(),
        "blocked": _blocked(values),
    }


def apply(changes):
    """Carry out a plan: files, then modules, then values."""
    for what, change in changes.items():
        if what.startswith("/"):
            _host.write(ROOT + what, change["new"])
        elif what.startswith("module "):
            _host.run(["modprobe", what.partition(" ")[2]])
        elif what == "nf_conntrack hashsize":
            # A module that was loaded a moment ago took its option and is right already.
            if _number(HASHSIZE) != change["new"]:
                _set(HASHSIZE, change["new"])
        else:
            _set(_sysctl(what.removeprefix(_PREFIX)), change["new"])


def _read(path):
    return _host.read(ROOT + path)


def _exists(path):
    return os.path.exists(ROOT + path)


def _sysctl(name):
    return "/proc/sys/" + _PREFIX.replace(".", "/") + name


def _number(path):
    text = _read(path)
    return None if text is None else int(text)


def _set(path, value):
    # The kernel's own files: written in place, for there is nothing to rename.
    try:
        handle = os.open(ROOT + path, os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(handle, f"{value}\n".encode())
        finally:
            os.close(handle)
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be set to {value}: {exc.strerror}") from exc


def _recorded(files):
    patterns = {
        "max": (PATHS["sysctl"], rf"^{re.escape(_PREFIX)}max = (\d+)$"),
        "hashsize": (PATHS["options"], r"^options nf_conntrack hashsize=(\d+)$"),
    }
    found = {
        name: re.search(pattern, files[path] or "", re.MULTILINE)
        for name, (path, pattern) in patterns.items()
    }
    return {name: int(match[1]) if match else None for name, match in found.items()}


def _others():
    """What other files say about our values, and the table that the kernel makes of it."""
    ours = PATHS["options"]
    options = _boot_files.module_options("nf_conntrack", "hashsize")
    others = [it for it in options if it["file"] != ours]
    sizes = [_boot_files.number(it["value"]) for it in others]
    keys = [*(_PREFIX + name for name in NAMES), "net.nf_conntrack_max"]
    buckets = _PREFIX + "buckets"
    return {
        "default": _conntrack_size.kernel_default(hashsize=next(filter(None, sizes[::-1]), None)),
        "later_options": [it for it in others if it["spaced"] or _reads_after(it["file"], ours)],
        "later_sysctls": [
            *_boot_files.sysctl_after(PATHS["sysctl"], keys),
            *_boot_files.tuned_sysctls(keys, ours=keys[:-1]),
        ],
        "later_buckets": [
            *_boot_files.sysctl_last([buckets]),
            *_boot_files.tuned_sysctls([buckets], ours=()),
            *_boot_files.written_later([HASHSIZE, _sysctl("buckets")]),
        ],
    }


def _reads_after(path, ours):
    return path == "/proc/cmdline" or os.path.basename(path) > os.path.basename(ours)


def _modules(values):
    """Before 4.19, and on EL before 8.3, the TCP timeouts belong to nf_conntrack_ipv4."""
    main = "loaded" if values["max"] is not None else "not loaded"
    if main == "not loaded" and not _is_real("nf_conntrack"):
        return {"nf_conntrack": "missing"}
    found = {"nf_conntrack": main}
    if _exists("/sys/module/nf_conntrack_ipv4"):
        found["nf_conntrack_ipv4"] = "loaded"
    elif None in values.values() and _is_real("nf_conntrack_ipv4"):
        found["nf_conntrack_ipv4"] = "not loaded"
    return found


def _is_real(module):
    """An alias answers, too: only a file of that name is the module itself."""
    answer = _host.run(["modinfo", "--field", "filename", module], accept=(0, 1))
    names = [os.path.basename(line) for line in _host.lines(answer["stdout"])]
    return any(name.startswith(f"{module}.ko") for name in names)


def _blocked(values):
    own, first = _namespace("self"), _namespace("1")
    if None not in (own, first) and own != first:
        return "this is not the host's own network namespace"
    if values["max"] is None:
        return None if _may_load_modules() else "kernel modules may not be loaded here"
    for path in (HASHSIZE, _sysctl("max")):
        if not os.access(ROOT + path, os.W_OK):
            return f"{path} is read-only here"
    return None


def _namespace(process):
    try:
        return os.readlink(f"{ROOT}/proc/{process}/ns/net")
    except (FileNotFoundError, PermissionError):
        return None


def _may_load_modules():
    match = re.search(r"^CapEff:\s+([0-9a-f]+)$", _read("/proc/self/status") or "", re.MULTILINE)
    return not match or bool(int(match[1], 16) >> _CAP_SYS_MODULE & 1)
