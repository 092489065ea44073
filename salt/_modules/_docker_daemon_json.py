"""
The daemon's configuration file, /etc/docker/daemon.json: compared, checked, kept.

The file is ours as a whole: what is not in the settings goes away, the file that was there
is kept beside it. A key that stayed because nobody manages it is what breaks the next start.
"""

import json
import os
import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _docker_config
import _docker_data
import _docker_flags
import _docker_leftovers
import _docker_storage
import _docker_unit
import _docker_version
import _host
import _lvm

# -- the change ----------------------------------------------------------------------------------


def plan(text, config):
    """
    Compare the file with what it should hold. Returns ``{key: {"old": ..., "new": ...}}``, values
    that may be secret as ``changed``.
    """
    if text == render(config):
        return {}
    have = _parsed(text)
    if have is None and text is not None:
        return {"daemon.json": {"old": "not a JSON object", "new": sorted(config)}}
    have = have or {}
    shown = _docker_config.shown
    changes = {}
    for key in dict.fromkeys([*config, *have]):
        if key not in have or key not in config or have[key] != config[key]:
            old, new = shown(have.get(key), key), shown(config.get(key), key)
            changes[key] = {"old": old, "new": new if old != new else "changed"}
    # The same settings in another form: ours again, without a word about any key.
    return changes or {"daemon.json": {"old": "formatted otherwise", "new": "formatted"}}


def _parsed(text):
    try:
        value = json.loads(text) if text is not None else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def render(config):
    """
    Write the configuration as text, always the same for the same settings. Returns the file's
    content (str).
    """
    return json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


# -- the host ------------------------------------------------------------------------------------


def wanted(kernel, installed, package, version=None, settings=None, thin_pool=None):
    """
    Work out the configuration for this host, and refuse what stands in its way. Returns a dict:
    ``config``, ``upstream`` (Docker version as a tuple, or None), ``pool`` (device mapper path, or
    None), ``leftovers`` (path to reason, what must be moved aside), ``was`` and ``will`` (places).
    """
    pool = thin_pool if (thin_pool or {}).get("device") else None
    path = pool and _lvm.device(pool["volume_group"], pool["name"])
    version = version or installed(package) or None
    upstream = _docker_version.upstream(version)
    config = _docker_config.compose(settings or {}, path, kernel, upstream)
    socket = _docker_version.has_socket(package, version)
    files = _docker_unit.read()
    leftovers = _docker_leftovers.find(files, list(config), socket, upstream)
    flags = _docker_leftovers.fixed_flags(files, leftovers, socket)
    given = {flag["key"]: flag["flag"] for flag in flags if _docker_flags.collides(flag)}
    found = _docker_config.problems(config, path, kernel, given)
    if found:
        raise SaltInvocationError("\n".join(found))
    return {
        "config": config,
        "upstream": upstream,
        "pool": path,
        "leftovers": leftovers,
        "was": _was(files),
        "will": _docker_data.place(config, flags, _docker_data.mapped),
    }


def _was(files):
    """Where the daemon's data is as this host is configured now."""
    flags = _docker_unit.flags(_docker_unit.compose(files))
    paths = [flag["value"] for flag in flags if flag["key"] == "config-file" and flag["value"]]
    config = _parsed(_host.read([_docker_flags.CONFIG, *paths][-1])) or {}
    return _docker_data.place(config, flags, _docker_data.mapped)


def check_data(wanted, thin_pool=None):
    """Refuse data that a daemon with this configuration would not see."""
    was, will = wanted["was"], wanted["will"]
    root, driver = will["root"], wanted["config"]["storage-driver"]
    if was["root"] != root:
        # Before the look at what is there now: this one knows where the data is.
        _docker_data.check(was, will)
    needed = bool((thin_pool or {}).get("device"))
    pool = None
    if needed:
        pool = _docker_storage.pool(thin_pool["volume_group"], thin_pool["name"])
    seen = _docker_storage.status(root)
    reason = _docker_storage.refusal(driver, root, seen, needed, pool)
    if reason:
        raise CommandExecutionError(reason)
    _docker_data.check(was, will)


def keep(path):
    """Copy a file beside itself before it is replaced. Returns the path of the copy (str)."""
    copy = _host.free_name(path)
    _host.write(copy, _host.read(path), mode="0600")
    return copy


def validate(text, upstream=None):
    """Let the daemon's own program check a configuration, where it can (23.0 and newer)."""
    if not _host.tool("dockerd"):
        return
    said = _host.run(["dockerd", "--version"])["stdout"]
    version = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    number = tuple(map(int, version.groups())) if version else (0,)
    if number < (23,) or (upstream and tuple(upstream) != number):
        return
    # A file without a name: a dry run leaves nothing behind.
    handle = os.memfd_create("daemon.json")
    try:
        os.write(handle, text.encode())
        path = f"/proc/{os.getpid()}/fd/{handle}"
        answer = _host.run(["dockerd", "--validate", f"--config-file={path}"], accept=(0, 1))
    except CommandExecutionError as exc:
        raise CommandExecutionError(f"daemon.json could not be checked: {exc}") from exc
    finally:
        os.close(handle)
    if answer["retcode"]:
        reason = " ".join(answer["stderr"].split()).replace(path, "daemon.json")
        raise SaltInvocationError(
            f"the daemon refuses rancher:docker:daemon: {reason[-500:]}; the file was not touched"
        )
