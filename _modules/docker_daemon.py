"""
The daemon's configuration file, /etc/docker/daemon.json: compared, checked, kept.

The file is ours as a whole: what is not in the settings goes away, the file that was there
is kept beside it. A key that stayed because nobody manages it is what breaks the next start.
"""

import json
import os
import re
import time

from salt.exceptions import CommandExecutionError, SaltInvocationError

# -- the change ----------------------------------------------------------------------------------


def plan(text, config):
    """
    Compare the file with what it shall hold.

    text (str)
        The file's content; None when there is none.
    config (dict)
        The whole configuration.

    Returns ``{key: {"old": ..., "new": ...}}``, values that may be secret as ``changed``.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.plan '{"debug": true}' '{debug: false}'

    Source: the file's only writer is ``docker_daemon.render``
    """
    if text == render(config):
        return {}
    have = _parsed(text)
    if have is None and text is not None:
        return {"daemon.json": {"old": "not a JSON object", "new": sorted(config)}}
    have = have or {}
    shown = __salt__["docker_config.shown"]
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
    Write the configuration as text, always the same for the same settings.

    config (dict)
        The whole configuration.

    Returns the file's content (str).

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.render '{debug: true}'

    Source: RFC 8259
    """
    return json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


# -- the host ------------------------------------------------------------------------------------


def wanted(package, version=None, settings=None, thin_pool=None):
    """
    Work out the configuration for this host, and what stands in its way.

    package (str)
        Name of the daemon's package.
    version (str, optional)
        Its exact version.
    settings (dict, optional)
        The setting ``docker:daemon``.
    thin_pool (dict, optional)
        The settings of the thin pool; without a ``device`` Docker uses overlay2.

    Returns a dict: ``config``, ``upstream`` (Docker version as a tuple, or None), ``pool``
    (device mapper path, or None), ``leftovers`` (path to reason, what must be moved aside).

    Raises SaltInvocationError with everything that a daemon would refuse.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.wanted docker-ce 17.06.2.ce-1.el7.centos

    Source: docs.docker.com, "dockerd"
    """
    pool = thin_pool if (thin_pool or {}).get("device") else None
    path = pool and __salt__["docker_storage.dm_path"](pool["volume_group"], pool["name"])
    kernel = __grains__["kernelrelease"]
    version = version or __salt__["pkg.version"](package) or None
    upstream = __salt__["docker_version.upstream"](version)
    config = __salt__["docker_config.compose"](settings or {}, path, kernel, upstream)
    socket = __salt__["docker_version.has_socket"](package, version)
    files = __salt__["docker_leftovers.read"]()
    leftovers = __salt__["docker_leftovers.find"](files, list(config), socket)
    flags = __salt__["docker_leftovers.fixed_flags"](files, list(leftovers), socket)
    found = __salt__["docker_config.problems"](config, path, kernel, flags)
    if found:
        raise SaltInvocationError("\n".join(found))
    return {"config": config, "upstream": upstream, "pool": path, "leftovers": leftovers}


def check_data(config, thin_pool=None):
    """
    Refuse data that the configured storage driver would not see.

    config (dict)
        The whole configuration.
    thin_pool (dict, optional)
        The settings of the thin pool.

    Returns nothing.

    Raises CommandExecutionError with what was found and the ways out.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.check_data '{storage-driver: overlay2}'

    Source: see ``docker_storage.refusal``
    """
    root = config.get("data-root") or config.get("graph") or "/var/lib/docker"
    needed = bool((thin_pool or {}).get("device"))
    pool = None
    if needed:
        pool = __salt__["docker_storage.pool"](thin_pool["volume_group"], thin_pool["name"])
    seen = __salt__["docker_storage.status"](root)
    driver = config["storage-driver"]
    reason = __salt__["docker_storage.refusal"](driver, root, seen, needed, pool)
    if reason:
        raise CommandExecutionError(reason)


def keep(path):
    """
    Copy a file beside itself before it is replaced.

    path (str)
        The file.

    Returns the path of the copy (str).

    Raises CommandExecutionError when it cannot be written.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.keep /etc/docker/daemon.json

    Source: host facts, "back up rather than delete"
    """
    copy = free_name(path)
    __salt__["host.write"](copy, __salt__["host.read"](path), mode="0600")
    return copy


def free_name(path):
    """
    Find a name beside a file, with the time in it.

    path (str)
        The file.

    Returns a path (str) that does not exist; no program takes it for a configuration file.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.free_name /etc/sysconfig/docker

    Source: systemd.unit(5): only names ending in .conf or a unit type are read
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    base = f"{path}.before-{stamp}"
    number, free = 1, base
    while os.path.lexists(free):
        number, free = number + 1, f"{base}.{number + 1}"
    return free


def validate(text, upstream=None):
    """
    Let the daemon's own program check a configuration, where it can (23.0 and newer).

    text (str)
        The file's content.
    upstream (tuple of int, optional)
        Ask only a program of this version; another one knows other keys.

    Returns nothing.

    Raises SaltInvocationError with what it said.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.validate '{"debug": true}'

    Source: docs.docker.com, dockerd, "--validate"
    """
    if not __salt__["cmd.has_exec"]("dockerd"):
        return
    said = __salt__["host.run"](["dockerd", "--version"])["stdout"]
    version = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    number = tuple(map(int, version.groups())) if version else (0,)
    if number < (23,) or (upstream and tuple(upstream) != number):
        return
    # A file without a name: a dry run leaves nothing behind.
    handle = os.memfd_create("daemon.json")
    try:
        os.write(handle, text.encode())
        path = f"/proc/{os.getpid()}/fd/{handle}"
        answer = __salt__["host.run"](
            ["dockerd", "--validate", f"--config-file={path}"], accept=(0, 1)
        )
    except CommandExecutionError as exc:
        raise CommandExecutionError(f"daemon.json could not be checked: {exc}") from exc
    finally:
        os.close(handle)
    if answer["retcode"]:
        reason = " ".join(answer["stderr"].split()).replace(path, "daemon.json")
        raise SaltInvocationError(
            f"the daemon refuses rancher:docker:daemon: {reason[-500:]}; the file was not touched"
        )
