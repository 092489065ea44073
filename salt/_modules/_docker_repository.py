"""
The package repository of Docker, its packages always checked against a key.

Both families take the same setting. Core ``pkgrepo.managed`` needs other arguments for
each, adds apt keys in a place that newer apt no longer reads, and has a switch to leave
the check out; ``pkg.mod_repo`` and plain files do the work here.
"""

import re

from salt.exceptions import CommandExecutionError, MinionError, SaltInvocationError

import _host

_KEYS = ("baseurl", "gpgkey", "distribution", "components")
_RPM_ID = "docker-ce-stable"
_LIST = "/etc/apt/sources.list.d/docker.list"
_KEYRING = "/etc/apt/keyrings/docker.asc"


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
    key = repository["gpgkey"]
    path = key if key.startswith("/") else _KEYRING
    parts = [repository.get("distribution") or codename]
    # An exact path, such as ./, takes no components.
    if not parts[0].endswith("/"):
        parts += repository.get("components", ["stable"])
    return (
        f"# Managed by Salt. Key: {key}\n"
        f"deb [arch={architecture} signed-by={path}] {repository['baseurl']} {' '.join(parts)}\n"
    )


def plan(repository, seen):
    """
    Name what differs between the setting and the host. Returns ``{what: {"old": ..., "new":
    ...}}``.
    """
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
    to text), ``key`` (``present`` or ``absent`` for a key that we fetch, None when the package
    manager or the operator does).
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
    return {"want": {_LIST: line}, "have": {_LIST: have}, "key": key}


def configure(salt, grains, repository, changes):
    """Write the repository, fetch its key where apt needs it, read its index."""
    if grains["os_family"] == "RedHat":
        salt["pkg.mod_repo"](_RPM_ID, **rpm_options(repository))
    else:
        if "key" in changes:
            _host.write(_KEYRING, _fetched(salt, repository["gpgkey"]))
        # Last: its comment is the proof that the key is the right one.
        line = apt_line(repository, grains["oscodename"], grains["osarch"])
        _host.write(_LIST, line)
    try:
        salt["pkg.refresh_db"]()
    except CommandExecutionError as exc:
        raise CommandExecutionError(
            f"{repository['baseurl']} is configured, and its index could not be read: "
            f"{' '.join(str(exc).split())[-600:]}"
        ) from exc


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
