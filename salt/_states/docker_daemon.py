"""
The Docker daemon: fit for this host, configured, running with that configuration.
"""

from salt.exceptions import CommandExecutionError

_CONFIG = "/etc/docker/daemon.json"
# How the service was when the run began: the report tells what the run did to it, whether
# the package's own scripts or we started it, and so agrees with the dry run.
_BEFORE = "docker_daemon.before"


def suitable(name, package, version=None, daemon=None, thin_pool=None, repository=None):
    """
    Refuse, before anything is changed, a Docker that cannot work on this host.

    Never changes anything. Refuses a Docker without devicemapper on a thin pool, an older
    one than is installed, a configuration that the daemon would refuse, and data in
    Docker's directory that the configured storage driver would not see.

    name (str)
        What the comments call it.
    package (str)
        Name of the daemon's package.
    version (str, optional)
        Its exact version.
    daemon (dict, optional)
        The setting ``docker:daemon``.
    thin_pool (dict, optional)
        The settings of the thin pool; its ``device`` decides whether one is used.
    repository (dict, optional)
        The setting ``docker:repository``.

    Example:

    .. code-block:: yaml

        docker-suitable:
          docker_daemon.suitable:
            - name: docker
            - package: docker-ce

    Source: docs.docker.com, "Deprecated Engine Features"
    """
    return __salt__["docker_daemon.suitable"](
        name, package, version, daemon, thin_pool, repository, test=__opts__["test"]
    )


def configured(name, package, version=None, daemon=None, thin_pool=None):
    """
    Write the daemon's configuration, checked before; the file that was there is kept.

    The whole file is ours: a key that is not in the settings goes away.

    name (str)
        Path of the file, ``/etc/docker/daemon.json``.
    package (str)
        Name of the daemon's package.
    version (str, optional)
        Its exact version.
    daemon (dict, optional)
        The setting ``docker:daemon``; wins over what is computed.
    thin_pool (dict, optional)
        The settings of the thin pool; with a ``device`` the storage driver is devicemapper
        on that pool, else overlay2.

    Changes: the keys that differ.

    Example:

    .. code-block:: yaml

        docker-daemon-configured:
          docker_daemon.configured:
            - name: /etc/docker/daemon.json
            - package: docker-ce
            - daemon: {log-driver: json-file}

    Source: docs.docker.com, "dockerd", "Daemon configuration file"
    """
    return __salt__["docker_daemon.configured"](
        name, package, version, daemon, thin_pool, test=__opts__["test"]
    )


def enabled(name):
    """
    Start the daemon at every boot.

    name (str)
        What the comments call it.

    Changes: ``boot``.

    Example:

    .. code-block:: yaml

        docker-daemon-enabled:
          docker_daemon.enabled:
            - name: docker.service

    Source: systemctl(1), "enable"
    """
    return __salt__["docker_daemon.enabled"](name, test=__opts__["test"])


def running(name):
    """
    Run the daemon with what is configured now; restart it only when that changed.

    Also when an earlier run was killed before the restart: the time at which the daemon
    started is compared with the last change of everything that it read then.

    name (str)
        What the comments call it.

    Changes: ``daemon``.

    Example:

    .. code-block:: yaml

        docker-daemon-running:
          docker_daemon.running:
            - name: docker.service
            - watch:
              - docker_daemon: docker-daemon-configured

    Source: systemctl(1)
    """
    return __salt__["docker_daemon.running"](name, test=__opts__["test"])


def mod_watch(name, sfun=None, **kwargs):
    """
    Restart the daemon because a state that it watches made, or would make, changes.

    name (str)
        What the comments call it.
    sfun (str, optional)
        The function whose requisite it is, ``running``.
    kwargs
        The other arguments of the state; not used.

    Example:

    .. code-block:: yaml

        docker-daemon-running:
          docker_daemon.running:
            - watch:
              - docker_daemon: docker-daemon-configured

    Source: Salt's documentation "Requisites", section "watch"
    """
    return __salt__["docker_daemon.running"](name, restart=True, test=__opts__["test"])


def _run(name, restart):
    reasons = []

    def plan(seen):
        _insist(seen)
        if seen["state"] != "running":
            return {"daemon": {"old": seen["state"], "new": "running"}}
        # What the package's scripts restarted in this run has read what was changed before.
        untouched = seen["started"] == (__context__.get(_BEFORE) or seen)["started"]
        if seen["stale"] or seen["reload"] or (restart and untouched and not reasons):
            return {"daemon": {"old": "running", "new": "restarted"}}
        return {}

    def apply(seen, changes):
        reasons.append(_why(seen))
        text = __salt__["host.read"](_CONFIG)
        if text is not None:
            __salt__["docker_daemon.validate"](text)
        __salt__["docker_service.start"]("restart" if seen["state"] == "running" else "start")

    return _report(
        __salt__["converge.run"](
            name,
            "Docker daemon",
            observe=lambda: __salt__["docker_service.status"](_CONFIG),
            plan=plan,
            apply=apply,
            test=__opts__["test"],
            notes=lambda seen: reasons or [_why(seen)] if seen["stale"] or reasons else [],
        ),
        _what_happened,
    )


def _why(seen):
    if seen["stale"]:
        return f"Changed after the daemon had started: {', '.join(seen['stale'])}"
    return "What it watches changed" if seen["state"] == "running" else "It did not run"


def _insist(seen):
    if seen["state"] == "masked":
        raise CommandExecutionError(
            "docker.service is masked, so someone meant it not to run; nothing was changed. "
            "`systemctl unmask docker.service` allows it again"
        )
    if seen["state"] == "absent" and not __opts__["test"]:
        raise CommandExecutionError("docker.service is not there: its package is not installed")


def _what_happened(before, now):
    if before["state"] != "running":
        return {"daemon": {"old": before["state"], "new": now["state"]}}
    if before["started"] != now["started"]:
        return {"daemon": {"old": "running", "new": "restarted"}}
    return {}


def _report(ret, happened):
    """After a real run: the difference between its beginning and now, whoever made it."""
    before = __context__.get(_BEFORE)
    if ret["result"] is not True or __opts__["test"] or before is None:
        return ret
    changes = happened(before, __salt__["docker_service.status"](_CONFIG))
    if changes and not ret["changes"]:
        ret["comment"] += ". Its package saw to that in this run"
    ret["changes"] = changes
    return ret
