"""
The settings under the pillar key ``rancher``: their types, limits and agreement.

Plain checks in Python: a minion has no jsonschema, and the messages are the point.
Defaults live in ``salt/settings/``; this file says what is allowed.
"""

import base64
import binascii
import difflib
import ipaddress
import json
import os
import re
from urllib.parse import urlsplit

from salt.exceptions import SaltInvocationError

KEY = "rancher"
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
# Never quoted, whatever was found there.
_SECRETS = {
    "database",
    "database_admin",
    "password",
    "access_key",
    "secret_key",
    "registration_url",
    "proxy",
    "http_proxy",
    "https_proxy",
}


def size(text):
    """Turn a size into bytes. Returns the number of bytes (int)."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([KMGT])", text) if isinstance(text, str) else None
    if not match:
        raise SaltInvocationError(
            f"{_shown(text)} is not a size; allowed: a text such as 512K or 20G"
        )
    return int(match[1]) * _UNITS[match[2]]


def problems(given, defaults):
    """
    Check what the pillar holds under ``rancher``. Returns a list of str, one line for each
    problem: the key's path, what was found, what is allowed. Empty when all is well. Secrets are
    never quoted.
    """
    if given is None:
        given = {}
    found = _check(KEY, given, SCHEMA)
    if found:
        return found
    return _disagreements(_merged(defaults, given))


def misspelt(keys):
    """The pillar's keys that look like a slip of ``rancher``, which nobody would read."""
    near = difflib.SequenceMatcher(None, b=KEY)
    found = []
    for key in (each for each in keys if isinstance(each, str) and each != KEY):
        near.set_seq1(key.lower())
        if near.ratio() >= 0.8:
            found.append(_key(key))
    return found


# -- the kinds of values -------------------------------------------------------------------------
# A rule is (what is allowed, in words; function(value) -> bool).


def _text(pattern, words):
    # ASCII: other scripts have digits and letters, too, which no tool that gets them expects.
    return (
        words,
        lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None,
    )


def _printable(most, words):
    return words, lambda value: _is_name(value) and 0 < len(value) <= most


def _number(low, high, unit=""):
    words = f"a whole number from {low} to {high}{unit}"
    return words, lambda value: type(value) is int and low <= value <= high


def _choice(*values):
    return "one of " + ", ".join(values), lambda value: isinstance(value, str) and value in values


def _size(low, high, step):
    def fits(value):
        try:
            bytes_ = size(value)
        except SaltInvocationError:
            return False
        return size(low) <= bytes_ <= size(high) and bytes_ % size(step) == 0

    return f"a multiple of {step} from {low} to {high}, as a text such as {low}", fits


def _list(rule):
    words, fits = rule
    return (
        f"a list, each item {words}",
        lambda value: isinstance(value, list) and all(map(fits, value)),
    )


def _or_null(rule):
    words, fits = rule
    return f"{words}, or null", lambda value: value is None or fits(value)


def _is_url(value):
    if not _is_name(value) or re.search(r"[\s'\"\\<>]", value):
        return False
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - a port out of range raises here
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username


def _is_host_address(value):
    try:
        address = ipaddress.IPv4Address(value) if isinstance(value, str) else None
    except ValueError:
        return False
    if address is None or address.is_loopback or address.is_multicast:
        return False
    return value != "255.255.255.255" and not value.startswith("0.")


def _is_text_map(value):
    return isinstance(value, dict) and all(
        isinstance(item, str) and item.isprintable() for pair in value.items() for item in pair
    )


def _is_plain(value):
    """Whether JSON and YAML give it back as it is: no date, no NaN, no control character."""
    if isinstance(value, dict):
        return all(_is_name(key) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, float):
        # YAML takes JSON's 1e-07 for a text.
        return re.fullmatch(r"-?\d+\.\d+", repr(value)) is not None
    if isinstance(value, str):
        return all(character.isprintable() or character in "\n\t" for character in value)
    return value is None or isinstance(value, (bool, int))


_BOOL = ("true or false", lambda value: isinstance(value, bool))
_PERCENT = _number(1, 99, " (percent)")
_PATH = _text(
    r"(?!.*(?:^|/)\.\.?(?:/|$))(/[A-Za-z0-9_.@:+-]+)+", "an absolute path without spaces or .."
)
_DEVICE = _text(r"(?!.*/\.\.?(?:/|$))/dev(/[A-Za-z0-9_.@:+-]+)+", "a path below /dev")
_HOSTNAME = _text(
    r"(?=.{1,64}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*",
    "a lower-case host name of at most 64 characters",
)
_PACKAGE = _text(r"[A-Za-z0-9][A-Za-z0-9+._-]*", "a package name")
_VERSION = _text(r"[A-Za-z0-9][A-Za-z0-9:+.~_-]*", "an exact version as a text")
# Of a directory, too: EXAMPLE\\Jane.Doe, jane@example.com. A comma or a colon would break /etc/group.
_USER = (
    "a user name, of this host or of its directory",
    lambda value: (
        isinstance(value, str)
        and re.fullmatch(r"(?![0-9]+\$?$)\w[\w.@+'\\-]{0,254}\$?", value) is not None
    ),
)
_LVM_NAME = _text(
    r"(?!snapshot|pvmove)(?!.*_(?:cdata|cmeta|corig|mlog|mimage|pmspare|rimage|rmeta|tdata|tmeta|vorigin))"
    r"[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,60}",
    "a name that LVM accepts",
)
_URL = ("an http or https URL without credentials", _is_url)
_PROXY = {
    "http_proxy": _or_null(
        _text(
            r"https?://([^\s/@:'\"\\$`]+(:[^\s/@:'\"\\$`]*)?@)?([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?/?",
            "an http or https URL, user and password percent-encoded",
        )
    ),
    "https_proxy": None,
    "no_proxy": _or_null(
        _text(r"[A-Za-z0-9.,:*/_\[\]-]+", "names and networks, with commas between")
    ),
}
_PROXY["https_proxy"] = _PROXY["http_proxy"]
_ANY_MAP = (
    "a mapping of texts, numbers, true, false, null, lists and mappings",
    lambda value: isinstance(value, dict) and _is_plain(value),
)
_IMAGE = _text(
    r"[a-z0-9][a-z0-9._:/-]*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", "an image name"
)
_SECRET = (
    "a text that is not empty and has no line break",
    lambda value: isinstance(value, str) and value != "" and value.isprintable(),
)
# Nothing else: whoever copies a key along would give it to every agent.
_CERTIFICATES = _text(
    # In lines, as OpenSSL wants them: what YAML folded into one line is no certificate.
    r"([ \t\r]*\n)*(-----BEGIN CERTIFICATE-----[ \t\r]*\n([A-Za-z0-9+/=]+[ \t\r]*\n)+"
    r"-----END CERTIFICATE-----(([ \t\r]*\n)+|[ \t\r]*$))+[ \t\r]*",
    "one or more certificates in PEM form and nothing else",
)
_SECONDS = _number(1, 7 * 86400, " (seconds)")


def _is_name(value):
    return isinstance(value, str) and value.isprintable()


# Sections are dicts, settings are rules. The keys are those of defaults.yaml.
SCHEMA = {
    "roles": _list(_choice("common", "server", "agent")),
    "hostname": _or_null(_HOSTNAME),
    "packages": {"upgrade": _BOOL, "install": _list(_PACKAGE)},
    "selinux": {"mode": _or_null(_choice("enforcing", "permissive", "disabled"))},
    "data_disk": {
        "device": _or_null(_DEVICE),
        "filesystem": _choice("xfs", "ext4"),
        "label": _text(r"[A-Za-z0-9_.-]{1,12}", "1 to 12 letters, digits, _ . -"),
        "mount_point": _PATH,
        "options": _list(_text(r"[A-Za-z0-9_.=:/+-]+", "a mount option")),
    },
    "thin_pool": {
        "device": _or_null(_DEVICE),
        "extra_devices": _list(_DEVICE),
        "volume_group": _LVM_NAME,
        "name": _LVM_NAME,
        "profile": _text(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,60}", "letters, digits, _ and -"),
        "data_percent": _PERCENT,
        "metadata_percent": _PERCENT,
        "chunk_size": _size("64K", "1G", "64K"),
        "autoextend_threshold": _number(50, 100, " (percent)"),
        "autoextend_percent": _number(1, 100, " (percent)"),
    },
    "swap": {"file": _PATH, "size": _or_null(_size("1M", "1T", "1M"))},
    "docker": {
        "package": _PACKAGE,
        "version": _or_null(_VERSION),
        "repository": _or_null(_ANY_MAP),
        "daemon": _ANY_MAP,
        "users": _list(_USER),
        "proxy": _PROXY,
    },
    "conntrack": {
        "max": _or_null(_number(1024, 2**31 - 1)),
        "ram_share": (
            "a number from 0.001 to 1",
            lambda value: type(value) in (int, float) and 0.001 <= value <= 1,
        ),
        "tcp_timeout_established": _SECONDS,
        "tcp_timeout_close_wait": _SECONDS,
        "tcp_timeout_fin_wait": _SECONDS,
        "tcp_timeout_time_wait": _SECONDS,
    },
    "ctop": {
        "version": _or_null(_VERSION),
        "source": _or_null(_URL),
        "source_hash": _or_null(_text(r"sha256=[0-9a-f]{64}", "sha256= and 64 hex digits")),
    },
    "server": {
        "image": _IMAGE,
        "port": _number(1, 65535),
        "start": _BOOL,
        "data_directory": _PATH,
        "database": {
            "host": _text(r"[A-Za-z0-9][A-Za-z0-9.:-]*", "a host name or an address"),
            "port": _number(1, 65535),
            "name": _text(r"[A-Za-z0-9_$-]{1,64}", "a database name"),
            "user": _printable(32, "a user name of 1 to 32 characters"),
            "password": _SECRET,
        },
        "database_admin": {
            "user": _printable(32, "a user name of 1 to 32 characters"),
            "password": _SECRET,
        },
        "ready_timeout": _SECONDS,
    },
    "agent": {
        "server_url": _or_null(_URL),
        "project": _or_null(_printable(255, "an id or a name")),
        "access_key": _or_null(_SECRET),
        "secret_key": _or_null(_SECRET),
        "ca_certificate": _or_null(_CERTIFICATES),
        "registration_url": _or_null(_URL),
        "image": _or_null(_IMAGE),
        "ip": _or_null(("an IPv4 address as other hosts reach it", _is_host_address)),
        "labels": ("a mapping of texts to texts", _is_text_map),
        "proxy": _PROXY,
        "registered_timeout": _SECONDS,
    },
}
_NULLABLE_SECTIONS = {
    "rancher:server:database",
    "rancher:server:database_admin",
    "rancher:docker:proxy",
    "rancher:agent:proxy",
}


# -- the checks ----------------------------------------------------------------------------------


def _check(path, value, rule):
    if isinstance(rule, dict):
        return _check_section(path, value, rule)
    words, fits = rule
    raw = next(filter(None, map(_unresolved, _texts(value))), None)
    if raw:
        return [f"{path} is {raw}"]
    return [] if fits(value) else [f"{path} is {_found(path, value)}; allowed: {words}"]


def _check_section(path, value, rules):
    if value is None and path in _NULLABLE_SECTIONS:
        return []
    if not isinstance(value, dict):
        return [f"{path} is {_found(path, value)}; allowed: a mapping with {', '.join(rules)}"]
    found = []
    for key, item in value.items():
        if key in rules:
            found += _check(f"{path}:{key}", item, rules[key])
        else:
            found.append(f"{path}:{_key(key)} is not a setting; known here: {', '.join(rules)}")
    return found


def _disagreements(merged):
    """Values that are each allowed and impossible together."""
    return [
        text for check in (_disks, _percents, _roles, _ctop, _credentials) for text in check(merged)
    ]


def _disks(merged):
    data, pool = merged["data_disk"]["device"], merged["thin_pool"]["device"]
    if data and pool and os.path.realpath(data) == os.path.realpath(pool):
        yield (
            f"rancher:thin_pool:device is {pool}, the same disk as rancher:data_disk:device {data}; "
            "allowed: a disk of its own"
        )
    extra, used = (
        merged["thin_pool"]["extra_devices"],
        [device for device in (data, pool) if device],
    )
    if extra and not pool:
        yield "rancher:thin_pool:device is null; allowed with extra_devices: the pool's first disk"
    for number, device in enumerate(extra):
        if os.path.realpath(device) in map(os.path.realpath, used + extra[:number]):
            yield (
                f"rancher:thin_pool:extra_devices holds {device}, which is in use already; "
                "allowed: disks of their own"
            )


def _percents(merged):
    pool = merged["thin_pool"]
    total = pool["data_percent"] + 2 * pool["metadata_percent"]
    if total > 100:
        yield (
            f"rancher:thin_pool:data_percent is {pool['data_percent']} with metadata_percent "
            f"{pool['metadata_percent']}, together {total} (metadata counts twice, for its spare); "
            "allowed: at most 100"
        )


def _roles(merged):
    agent = merged["agent"]
    if "agent" in merged["roles"] and not (agent["server_url"] or agent["registration_url"]):
        yield (
            "rancher:agent:server_url is null; allowed with role agent: the URL of the server, "
            "or rancher:agent:registration_url"
        )


def _ctop(merged):
    if merged["ctop"]["source"] and not merged["ctop"]["source_hash"]:
        yield "rancher:ctop:source_hash is null; allowed with a source: sha256= and 64 hex digits"


def _credentials(merged):
    agent = merged["agent"]
    if bool(agent["access_key"]) != bool(agent["secret_key"]):
        missing = "secret_key" if agent["access_key"] else "access_key"
        yield f"rancher:agent:{missing} is null; allowed: both keys, or neither"
    for section, needed in (("database", "host"), ("database_admin", "user")):
        for key in (needed, "password"):
            if merged["server"][section] and key not in merged["server"][section]:
                yield f"rancher:server:{section}:{key} is missing; allowed: a text"


def _merged(defaults, given):
    both = {}
    for key, value in defaults.items():
        over = given.get(key, value)
        mappings = isinstance(value, dict) and isinstance(over, dict)
        both[key] = _merged(value, over) | _only_in(over, value) if mappings else over
    return both


def _only_in(one, other):
    return {key: value for key, value in one.items() if key not in other}


def _texts(value):
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _unresolved(text):
    """Say of a reference or a ciphertext what it is, and not a word of it; None: it is neither."""
    if text.lstrip().startswith("sdb://"):
        return (
            "an sdb:// reference, which Salt does not resolve in a pillar; allowed: the value "
            "itself, as {{ salt['sdb.get']('sdb://...') }} in the pillar file"
        )
    if "-----BEGIN PGP MESSAGE-----" in text:
        return (
            f"a GPG block that was not decrypted, made for {_gpg_key(text)}; let the pillar file "
            "begin with #!yaml|gpg, and see that `gpg --homedir /etc/salt/gpgkeys "
            "--list-secret-keys` has that key on the master (without one: on this host)"
        )
    return None


def _gpg_key(text):
    """The key that a GPG block names as its reader: its first packet (RFC 4880, 5.1)."""
    body = text.partition("-----BEGIN PGP MESSAGE-----")[2].partition("-----END")[0]
    lines = [line.strip() for line in body.split("\n")]
    encoded = "".join(line for line in lines if ":" not in line and not line.startswith("="))
    try:
        packet = base64.b64decode(encoded[:40])
    except (binascii.Error, ValueError):
        return "a key that it does not name"
    # Old and new form of a tag, with the length behind it.
    start = {0x84: 2, 0x85: 3, 0xC1: 2}.get(packet[0] if packet else 0)
    if packet[:1] == b"\xc1" and packet[1] >= 192:
        start = 3
    if start is None or len(packet) < start + 9 or packet[start] != 3:
        return "a key that it does not name"
    return f"the key {packet[start + 1 : start + 9].hex().upper()}"


def _found(path, value):
    if path.rpartition(":")[2] in _SECRETS:
        return "an empty text" if value == "" else f"of type {type(value).__name__} (not shown)"
    if isinstance(value, str) and re.search(r"://[^/]*@", value):
        return "a URL with credentials (not shown)"
    if isinstance(value, str) and "-----BEGIN " in value:
        kind = (
            "a private key" if "PRIVATE KEY-----" in value else "more, or less, than certificates"
        )
        return f"a PEM text with {kind} in it (not shown)"
    return _shown(value)


def _key(key):
    return key if isinstance(key, str) and key.isprintable() else _shown(key)


def _shown(value):
    """One line, quoted, no control characters, not endless; what is nested is only named."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "a list of lists or mappings"
    text = "".join(map(_visible, json.dumps(value, default=str, ensure_ascii=False)))
    return text if len(text) <= 80 else text[:77] + "..."


def _visible(character):
    """What a terminal shows as it is stays; what it obeys, hides or cannot show is escaped."""
    return character if character.isprintable() else f"\\u{ord(character):04x}"
