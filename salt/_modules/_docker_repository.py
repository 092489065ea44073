"""
The package repository of Docker, its packages always checked against a key.

Both families take the same setting. Core ``pkgrepo.managed`` needs other arguments for
each, adds apt keys in a place that newer apt no longer reads, and has a switch to leave
the check out; ``pkg.mod_repo`` and plain files do the work here.
"""

import contextlib
import glob
import os
import re

from salt.exceptions import CommandExecutionError, MinionError, SaltInvocationError

import _host

_KEYS = ("baseurl", "gpgkey", "distribution", "components")
_RPM_ID = "docker-ce-stable"
_LIST = "/etc/apt/sources.list.d/docker.list"
_KEYRING = "/etc/apt/keyrings/docker.asc"
_SOURCES = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/*.list",
    "/etc/apt/sources.list.d/*.sources",
)


# -- pure ----------------------------------------------------------------------------------------


def checked(repository):
    """Check the setting ``docker:repository``. Returns the same dict."""
    at = "rancher:docker:repository"
    for key in repository:
        if key not in _KEYS:
            raise SaltInvocationError(
                f"{at}:{key} is not a setting; known here: {', '.join(_KEYS)}"
            )
    word = r"[A-Za-z0-9][A-Za-z0-9._/~-]*"
    rules = {
        "baseurl": (r"(https?://|file:/)[^\s\"'\[\]@]+", "an http, https or file URL"),
        "gpgkey": (
            r"(https://|/)[^\s\"'\[\]@]+",
            "an https URL, or the path of a file on the host",
        ),
        "distribution": (rf"\./|{word}", "a name such as bookworm, or ./"),
    }
    for key, (pattern, words) in rules.items():
        value = repository.get(key)
        if value is None and key == "distribution":
            continue
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise SaltInvocationError(f"{at}:{key} is {_shown(value)}; allowed: {words}")
    components = repository.get("components", ["stable"])
    if not isinstance(components, list) or not all(
        isinstance(name, str) and re.fullmatch(word, name) for name in components
    ):
        raise SaltInvocationError(f"{at}:components is {components!r}; allowed: a list of names")
    return repository


def _shown(value):
    return "a URL with credentials" if "@" in str(value) else f'"{value}"'


def rpm_options(repository):
    """Turn the setting into the lines of a yum repository. Returns a dict of option to text."""
    key = repository["gpgkey"]
    return {
        "name": "Docker",
        "baseurl": repository["baseurl"],
        "enabled": "1",
        "gpgcheck": "1",
        "gpgkey": f"file://{key}" if key.startswith("/") else key,
    }


def apt_line(repository, codename, architecture):
    """
    Turn the setting into the one line of an apt source. Returns the text of the file; its comment
    says where the key came from, so that another key in the setting is noticed.
    """
    key, path = repository["gpgkey"], _signed_by(repository)
    parts = [repository.get("distribution") or codename]
    # An exact path, such as ./, takes no components.
    if not parts[0].endswith("/"):
        parts += repository.get("components", ["stable"])
    return (
        f"# Managed by Salt. Key: {key}\n"
        f"deb [arch={architecture} signed-by={path}] {repository['baseurl']} {' '.join(parts)}\n"
    )


def _signed_by(repository):
    return repository["gpgkey"] if repository["gpgkey"].startswith("/") else _KEYRING


def sources(path, text):
    """
    Read a file of apt's sources, of either form. Returns a list of (URI, suite, key), the key as its
    ``signed-by`` says it, or an empty text.
    """
    if path.endswith(".sources"):
        return [each for stanza in re.split(r"\n[ \t]*\n", text) for each in _stanza(stanza)]
    form = r"[ \t]*deb(?:-src)?[ \t]+(?:\[([^\]\n]*)\][ \t]*)?([^\s\[]\S*)[ \t]+(\S+)"
    found = []
    for match in re.finditer(rf"^{form}", text, re.MULTILINE):
        key = re.search(r"(?i)(?:^|[ \t])signed-by=(\S+)", match[1] or "")
        found.append((match[2], match[3], key[1].strip('"') if key else ""))
    return found


def _stanza(text):
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    fields = dict(
        re.findall(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", "\n".join(lines), re.MULTILINE)
    )
    fields = {name.lower(): " ".join(value.split()) for name, value in fields.items()}
    if fields.get("enabled", "yes").lower() in ("no", "false", "off", "without", "disable", "0"):
        return []
    uris, suites = fields.get("uris", "").split(), fields.get("suites", "").split()
    key = fields.get("signed-by", "")
    return [(uri, suite, key) for uri in uris for suite in suites]


def contradiction(repository, codename, files):
    """
    Find a source of somebody else that names ours with another key: apt would then read none at all.
    Returns one line (str), or None.
    """
    ours = (repository["baseurl"].rstrip("/"), repository.get("distribution") or codename)
    want = _signed_by(repository)
    for path, text in files.items():
        # One that names no key takes ours on, when it is read before.
        early = os.path.basename(path) < os.path.basename(_LIST) or path == _SOURCES[0]
        for uri, suite, key in sources(path, text):
            if not key and early:
                continue
            if (uri.rstrip("/"), suite) == ours and key != want:
                shown = (
                    key if key.startswith("/") else "a key of its own" if key else "no key named"
                )
                way = f", or set rancher:docker:repository:gpgkey to {key}" if key == shown else ""
                return (
                    f"{path} has {uri} {suite}, too, with {shown} instead of {want}, and apt refuses "
                    f"every source of a host with such a pair; nothing was changed. Take that entry "
                    f"out{way}"
                )
    return None


def plan(repository, seen):
    """
    Name what differs between the setting and the host. Returns ``{what: {"old": ..., "new":
    ...}}``.
    """
    if seen.get("contradiction"):
        raise CommandExecutionError(seen["contradiction"])
    changes = {
        key: {"old": seen["have"].get(key), "new": value}
        for key, value in seen["want"].items()
        if seen["have"].get(key) != value
    }
    if seen["key"] == "absent" or (seen["key"] and changes):
        old = None if seen["key"] == "absent" else "present"
        changes["key"] = {"old": old, "new": repository["gpgkey"]}
    return changes


# -- the host ------------------------------------------------------------------------------------


def status(salt, grains, repository):
    """
    Look at the repository as it is configured now. Returns a dict: ``want`` and ``have`` (option
    to text), ``key`` (``present`` or ``absent`` for a key that we fetch, else None),
    ``contradiction`` (one line, or None).
    """
    checked(repository)
    if grains["os_family"] == "RedHat":
        want = rpm_options(repository)
        return {"want": want, "have": salt["pkg.get_repo"](_RPM_ID), "key": None}
    have = _host.read(_LIST)
    line = apt_line(repository, grains["oscodename"], grains["osarch"])
    key = None
    if not repository["gpgkey"].startswith("/"):
        key = "absent" if _host.read(_KEYRING) is None else "present"
    reason = contradiction(repository, grains["oscodename"], _foreign())
    return {"want": {_LIST: line}, "have": {_LIST: have}, "key": key, "contradiction": reason}


def _foreign():
    paths = [path for pattern in _SOURCES for path in sorted(glob.glob(pattern)) if path != _LIST]
    # apt passes over other names.
    read = [path for path in paths if re.fullmatch(r"[A-Za-z0-9_.:-]+", os.path.basename(path))]
    return {path: _host.read(path) or "" for path in read}


def configure(salt, grains, repository, changes):
    """
    Write the repository, fetch its key where apt needs it, read its index. What cannot be read is taken
    back: else the next run would find it right.
    """
    rpm = grains["os_family"] == "RedHat"
    undo = _rpm_undo(salt) if rpm else _apt_undo()
    try:
        if rpm:
            salt["pkg.mod_repo"](_RPM_ID, **rpm_options(repository))
            # Ours alone: another one that is out of order is no reason to take this one back.
            answer = salt["pkg.refresh_db"](disablerepo="*", enablerepo=_RPM_ID)
            failed = answer is False
        else:
            _write_apt(salt, grains, repository, changes)
            answer = salt["pkg.refresh_db"]() or {}
            base = repository["baseurl"].rstrip("/")
            failed = [name for name, read in answer.items() if read is False and base in name]
        if failed:
            raise CommandExecutionError("the package manager tells no more")
    except CommandExecutionError as exc:
        undo()
        raise CommandExecutionError(
            f"the index of {repository['baseurl']} could not be read, so the repository was taken "
            f"back: {' '.join(str(exc).split())[-600:]}"
        ) from exc


def _write_apt(salt, grains, repository, changes):
    if "key" in changes:
        _host.write(_KEYRING, _fetched(salt, repository["gpgkey"]))
    # Last: its comment is the proof that the key is the right one.
    _host.write(_LIST, apt_line(repository, grains["oscodename"], grains["osarch"]))


def _apt_undo():
    before = {path: _host.read(path) for path in (_LIST, _KEYRING)}

    def undo():
        for path, text in before.items():
            if text is not None:
                _host.write(path, text)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    return undo


def _rpm_undo(salt):
    before = salt["pkg.get_repo"](_RPM_ID)

    def undo():
        if before:
            salt["pkg.mod_repo"](_RPM_ID, **before)
        else:
            salt["pkg.del_repo"](_RPM_ID)

    return undo


def _fetched(salt, url):
    try:
        text = salt["cp.get_url"](url, None) or ""
    except MinionError as exc:
        raise CommandExecutionError(
            f"the key {url} could not be fetched: {exc}. Fetch it by another way, and name its path "
            "in rancher:docker:repository:gpgkey"
        ) from exc
    if "-----BEGIN PGP PUBLIC KEY BLOCK-----" not in text:
        raise CommandExecutionError(f"{url} did not give an armored OpenPGP key")
    return text
