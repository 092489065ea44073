"""
The numbers behind the connection tracking table: how large it should be, how large
the kernel makes it, how full it is. Nothing here changes the host.
"""

import builtins  # this module's own `max` hides the function
import os
import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _host

ROOT = ""  # tests put a directory here
GIB = 1 << 30
_BYTES_PER_ENTRY = 16384
# What the kernel takes when it is given a hashsize but no maximum.
_ENTRIES_PER_GIVEN_BUCKET = 8
# Buckets over 4 GiB of RAM, over 1 GiB, at least; and the entries for each of them.
_OLD_RULE = {"large": 65536, "large for bits": (32, 64), "middle": 16384, "least": 32, "entries": 4}
_NEW_RULE = {"large": 262144, "large for bits": (64,), "middle": 65536, "least": 1024, "entries": 1}


def max(ram_bytes=None, arch_bits=None, ram_share=0.5):
    """
    Say how many connections a host of this size should track. Returns entries (int): ``RAM / 16384
    / (arch_bits / 32)``, 131072 for 8 GiB.
    """
    _insist("ram_share", ram_share, (int, float), lambda it: 0 <= it <= 1, "a number from 0 to 1")
    if ram_bytes is None:
        ram_bytes = ram()["bytes"]
    _insist("ram_bytes", ram_bytes, (int,), lambda it: it >= 0, "a number of bytes, 0 or more")
    bits = _kernel_bits() if arch_bits is None else arch_bits
    _insist("arch_bits", bits, (int,), lambda it: it in (32, 64), "32 or 64")
    return int(ram_bytes * ram_share) // _BYTES_PER_ENTRY // (bits // 32)


def usage():
    """
    Say how full the connection tracking table is. Returns a dict of ``count``, ``max`` and
    ``buckets`` (int) and ``percent`` (float; None when the table has no limit), or None while the
    kernel tracks nothing: the module nf_conntrack is not loaded.
    """
    count, limit, buckets = (_sysctl(key) for key in ("count", "max", "buckets"))
    if count is None or limit is None:
        return None
    percent = round(100 * count / limit, 1) if limit else None
    return {"count": count, "max": limit, "buckets": buckets, "percent": percent}


def ram():
    """
    Find out how much RAM is installed. Returns a dict: ``bytes`` (int) and ``source`` (str):
    ``memory blocks``, or ``MemTotal rounded up to whole GiB`` on a kernel without them.
    """
    blocks = _online_blocks()
    if blocks:
        size = int(_read("/sys/devices/system/memory/block_size_bytes"), 16)
        return {"bytes": blocks * size, "source": "memory blocks"}
    rounded = -(-_mem_total() // GIB) * GIB
    return {"bytes": rounded, "source": "MemTotal rounded up to whole GiB"}


def bucket_step(arch_bits=None, page_size=None):
    """
    Say in which steps the kernel takes a number of hash buckets: whole pages, rounded up. Returns
    buckets (int), 512 on a usual 64-bit host.
    """
    return (page_size or os.sysconf("SC_PAGE_SIZE")) // ((arch_bits or _kernel_bits()) // 8)


def kernel_default(ram_bytes=None, release=None, arch_bits=None, page_size=None, hashsize=None):
    """
    Predict the table that the kernel makes by itself when nf_conntrack is loaded. Returns a dict
    of ``max`` and ``buckets`` (int).
    """
    bits = arch_bits or _kernel_bits()
    step = bucket_step(bits, page_size)
    if hashsize:
        size = _rounded_up(hashsize, step)
        return {"max": size * _ENTRIES_PER_GIVEN_BUCKET, "buckets": size}
    if ram_bytes is None:
        ram_bytes = _mem_total()
    rules = _rules(release or os.uname().release)
    sizes = [_rounded_up(_default_size(rule, ram_bytes, bits), step) for rule in rules]
    limits = [size * rule["entries"] for size, rule in zip(sizes, rules, strict=True)]
    return {"max": builtins.max(limits), "buckets": builtins.max(sizes)}


# -- pure helpers --------------------------------------------------------------------------------


def _insist(name, value, types, fits, allowed):
    if type(value) not in types or not fits(value):
        raise SaltInvocationError(f"{name} is {value!r}; allowed: {allowed}")


def _bits_of(machine):
    """``uname -m`` is the kernel's word: a 32-bit Python on a 64-bit kernel counts as 64."""
    return 64 if "64" in machine or machine in ("s390x", "alpha") else 32


def _rounded_up(number, step):
    return -(-number // step) * step


def _rules(release):
    """
    The rules that a kernel may follow. The new one came with 5.15; EL 8 and 9 take over
    such changes between releases, so there either is possible and the larger value is safe.
    """
    if _version(release) >= (5, 15):
        return [_NEW_RULE]
    return [_OLD_RULE, _NEW_RULE] if re.search(r"\.el[89]", release) else [_OLD_RULE]


def _default_size(rule, ram_bytes, bits):
    if ram_bytes > 4 * GIB and bits in rule["large for bits"]:
        return rule["large"]
    if ram_bytes > GIB:
        return rule["middle"]
    return builtins.max(ram_bytes // 16384 // (bits // 8), rule["least"])


def _version(release):
    match = re.match(r"(\d+)\.(\d+)", release)
    if not match:
        raise SaltInvocationError(f"{release!r} is not a kernel release such as 5.14.0-427.el9")
    return int(match[1]), int(match[2])


# -- what the host says --------------------------------------------------------------------------


def _kernel_bits():
    return _bits_of(os.uname().machine)


def _read(path):
    return _host.read(ROOT + path)


def _sysctl(key):
    text = _read(f"/proc/sys/net/netfilter/nf_conntrack_{key}")
    return None if text is None else int(text)


def _mem_total():
    match = re.search(r"^MemTotal:\s+(\d+) kB$", _read("/proc/meminfo") or "", re.MULTILINE)
    if not match:
        raise CommandExecutionError("/proc/meminfo names no MemTotal: the RAM is not known")
    return int(match[1]) * 1024


def _online_blocks():
    folder = "/sys/devices/system/memory"
    try:
        names = os.listdir(ROOT + folder)
    except FileNotFoundError:
        return 0
    blocks = [name for name in names if re.fullmatch(r"memory\d+", name)]
    states = [_read(f"{folder}/{name}/state") or "" for name in blocks]
    return sum(state.strip() == "online" for state in states)
