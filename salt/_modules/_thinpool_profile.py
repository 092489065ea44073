"""
The profile by which a thin pool grows: its text, its file, and what a file says.
"""

import re

from salt.exceptions import SaltInvocationError

import _host

_PROFILES = "/etc/lvm/profile"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]{0,120}")
_SETTING = re.compile(r"^\s*thin_pool_autoextend_(threshold|percent)\s*=\s*(\d+)\s*$", re.MULTILINE)
# LVM's own defaults: never.
_DEFAULTS = {"threshold": 100, "percent": 20}


def profile(threshold, percent):
    """
    Write the text of a profile by which a pool grows. Returns the text. Only keys that LVM allows
    in a metadata profile: one other key, and it would reject the whole file.
    """
    for word, value, most in (("threshold", threshold, 100), ("percent", percent, 1000)):
        if type(value) is not int or not 1 <= value <= most:
            raise SaltInvocationError(
                f"autoextend_{word} is {value!r}; allowed: a whole number from 1 to {most}"
            )
    return (
        "activation {\n"
        f"  thin_pool_autoextend_threshold={threshold}\n"
        f"  thin_pool_autoextend_percent={percent}\n"
        "}\n"
    )


def write(name, threshold, percent):
    """
    Write a profile to /etc/lvm/profile, whole and 0644. Returns True when the file was written,
    False when it was right already.
    """
    return _host.write(_profile_path(name), profile(threshold, percent))


def autoextend(name):
    """
    Read how a profile lets a pool grow. Returns a dict ``threshold`` and ``percent``; LVM's
    defaults (100 and 20: never) for what the file does not set, or when there is no such file.
    """
    text = _host.read(_profile_path(name)) if name else None
    found = {key: int(value) for key, value in _SETTING.findall(text or "")}
    return {**_DEFAULTS, **found}


def _profile_path(name):
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SaltInvocationError(
            f"{name!r} is not a name for a profile; allowed: letters, digits, _ + . -"
        )
    return f"{_PROFILES}/{name}.profile"
