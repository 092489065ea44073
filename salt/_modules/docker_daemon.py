"""
The Docker daemon: whether it fits the host, its configuration, its service.
"""

from _fresh import checked  # noqa: F401

# isort: split
from salt.exceptions import CommandExecutionError

import _converge
import _docker_daemon_json
import _docker_engine
import _docker_fit
import _docker_package
import _docker_repository
import _docker_service
import _docker_version
import _host
import _rancher_role

_CONFIG = "/etc/docker/daemon.json"
# How the service was when the run began: the report tells what the run did to it, whether
# the package's own scripts or we started it, and so agrees with the dry run.
_BEFORE = "docker_daemon.before"


def suitable(
    name,
    package,
    version=None,
    daemon=None,
    thin_pool=None,
    repository=None,
    data_disk=None,
    test=False,
):
    """
    Converge, as the state ``docker_daemon.suitable`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_daemon.suitable``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.suitable docker docker-ce test=True

    Source: the state ``docker_daemon.suitable``
    """

    notes = []

    def observe():
        if _docker_service.booted():
            __context__[_BEFORE] = _docker_service.status(_CONFIG)
        new = False
        if repository is not None:
            known = _docker_repository.status(__salt__, __grains__, repository)
            new = bool(_docker_repository.plan(repository, known))
        return _docker_package.status(__salt__, __grains__, package, version, new)

    def plan(seen):
        pool = bool((thin_pool or {}).get("device"))
        _docker_version.plan(package, version, seen, pool)
        wanted = _wanted(package, version, daemon, thin_pool)
        _docker_daemon_json.check_data(wanted, thin_pool)
        notes[:] = _docker_fit.check(wanted, data_disk)
        return {}

    ret = _converge.run(name, package, observe, plan, apply=lambda *_: None, test=test)
    if ret["result"]:
        fits = f"{package} {version or 'as it is on offer'} fits this host"
        ret["comment"] = ". ".join([fits, *notes])
    return ret


def configured(name, package, version=None, daemon=None, thin_pool=None, test=False):
    """
    Converge, as the state ``docker_daemon.configured`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_daemon.configured``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.configured /etc/docker/daemon.json docker-ce test=True

    Source: the state ``docker_daemon.configured``
    """
    kept = []

    def observe():
        wanted = _wanted(package, version, daemon, thin_pool)
        text = _docker_daemon_json.render(wanted["config"])
        return {**wanted, "have": _host.read(name), "text": text}

    def plan(seen):
        changes = _docker_daemon_json.plan(seen["have"], seen["config"])
        if changes:
            _docker_daemon_json.check_data(seen, thin_pool)
            _docker_daemon_json.validate(seen["text"], seen["upstream"])
        return changes

    def apply(seen, changes):
        if seen["have"] is not None:
            kept.append(f"The file as it was is kept as {_docker_daemon_json.keep(name)}")
        _host.write(name, seen["text"], mode=None)

    return _converge.run(name, name, observe, plan, apply, test=test, notes=lambda seen: kept)


def enabled(name, test=False):
    """
    Converge, as the state ``docker_daemon.enabled`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_daemon.enabled``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.enabled docker.service test=True

    Source: the state ``docker_daemon.enabled``
    """

    def plan(seen):
        _insist(seen, test)
        if seen["boot"] == "enabled":
            return {}
        return {"boot": {"old": seen["boot"], "new": "enabled"}}

    return _report(
        _converge.run(
            name,
            f"{name} at boot",
            observe=lambda: _docker_service.status(_CONFIG),
            plan=plan,
            apply=lambda seen, changes: _docker_service.enable(),
            test=test,
        ),
        lambda before, now: (
            {"boot": {"old": before["boot"], "new": now["boot"]}}
            if before["boot"] != now["boot"]
            else {}
        ),
        test,
    )


def running(name, restart=False, roles=None, test=False):
    """
    Converge, as the state ``docker_daemon.running`` does, or foretell it.

    name (str)
        For the report only.
    restart (bool, default False)
        True: what it watches changed, as in the state's ``watch``.
    roles (list of str, optional)
        Roles whose containers may run here; others are named. None: none is looked at.
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_daemon.running docker.service test=True

    Source: the state ``docker_daemon.running``
    """
    reasons = []

    def plan(seen):
        _insist(seen, test)
        if seen["state"] != "running":
            return {"daemon": {"old": seen["state"], "new": "running"}}
        # What the package's scripts restarted in this run has read what was changed before.
        untouched = seen["started"] == (__context__.get(_BEFORE) or seen)["started"]
        if seen["stale"] or seen["reload"] or (restart and untouched and not reasons):
            return {"daemon": {"old": "running", "new": "restarted"}}
        return {}

    def apply(seen, changes):
        reasons.append(_why(seen))
        text = _host.read(_CONFIG)
        if text is not None:
            _docker_daemon_json.validate(text)
        _docker_service.start("restart" if seen["state"] == "running" else "start")

    def notes(seen):
        why = reasons or ([_why(seen)] if seen["stale"] else [])
        if roles is None or seen["state"] != "running":
            return why
        with _docker_engine.at(__opts__):
            return [*why, *_rancher_role.notes(roles, __opts__["id"])]

    return _report(
        _converge.run(
            name,
            "Docker daemon",
            observe=lambda: _docker_service.status(_CONFIG),
            plan=plan,
            apply=apply,
            test=test,
            notes=notes,
        ),
        _what_happened,
        test,
    )


def _why(seen):
    if seen["stale"]:
        return f"Changed after the daemon had started: {', '.join(seen['stale'])}"
    return "What it watches changed" if seen["state"] == "running" else "It did not run"


def _insist(seen, test):
    if seen["state"] == "masked":
        raise CommandExecutionError(
            "docker.service is masked, so someone meant it not to run; nothing was changed. "
            "`systemctl unmask docker.service` allows it again"
        )
    if seen["state"] == "absent" and not test:
        raise CommandExecutionError("docker.service is not there: its package is not installed")


def _what_happened(before, now):
    if before["state"] != "running":
        return {"daemon": {"old": before["state"], "new": now["state"]}}
    if before["started"] != now["started"]:
        return {"daemon": {"old": "running", "new": "restarted"}}
    return {}


def _report(ret, happened, test):
    """After a real run: the difference between its beginning and now, whoever made it."""
    before = __context__.get(_BEFORE)
    if ret["result"] is not True or test or before is None:
        return ret
    changes = happened(before, _docker_service.status(_CONFIG))
    if changes and not ret["changes"]:
        ret["comment"] += ". Its package saw to that in this run"
    ret["changes"] = changes
    return ret


def _wanted(*settings):
    return _docker_daemon_json.wanted(
        __grains__["kernelrelease"], __salt__["pkg.version"], *settings
    )
