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
import _docker_leftovers
import _docker_storage
import _docker_version
import _host

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
    Work out the configuration for this host, and what stands in its way. Returns a dict:
    ``config``, ``upstream`` (Docker version as a tuple, or None), ``pool`` (device mapper path, or
    None), ``leftovers`` (path to reason, what must be moved aside).
    """
    pool = thin_pool if (thin_pool or {}).get("device") else None
    path = pool and _docker_storage.dm_path(pool["volume_group"], pool["name"])
    version = version or installed(package) or None
    upstream = _docker_version.upstream(version)
    config = _docker_config.compose(settings or {}, path, kernel, upstream)
    socket = _docker_version.has_socket(package, version)
    files = _docker_leftovers.read()
    leftovers = _docker_leftovers.find(files, list(config), socket)
    flags = _docker_leftovers.fixed_flags(files, list(leftovers), socket)
    found = _docker_config.problems(config, path, kernel, flags)
    if found:
        raise SaltInvocationError("\n".join(found))
    return {"config": config, "upstream": upstream, "pool": path, "leftovers": leftovers}


def root(config):
    """Where a daemon with this configuration keeps its data. Returns a path (str)."""
    return config.get("data-root") or config.get("graph") or "/var/lib/docker"


def check_data(config, thin_pool=None):
    """Refuse data that the configured storage driver would not see."""
    needed = bool((thin_pool or {}).get("device"))
    pool = None
    if needed:
        pool = _docker_storage.pool(thin_pool["volume_group"], thin_pool["name"])
    seen = _docker_storage.status(root(config))
    driver = config["storage-driver"]
    reason = _docker_storage.refusal(driver, root(config), seen, needed, pool)
    if reason:
        raise CommandExecutionError(reason)


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
