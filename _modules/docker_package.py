"""
The Docker package at its exact version, and what must not stand beside it.

Core ``pkg.installed`` predicts ``installed`` where the run reports a version, predicts
nothing for a hold, does not pin the command line tool to the daemon, and downgrades when
asked to; its modules (``pkg.install``, ``pkg.hold``) do the work here.
"""

import logging
import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

log = logging.getLogger(__name__)


def status(package, version=None):
    """
    Look at the packages that matter, without asking a server.

    package (str)
        Name of the daemon's package.
    version (str, optional)
        The version that is wanted.

    Returns a dict: ``installed`` (name to version), ``on_offer`` (str or None, looked up
    only when it matters), ``newer_than_wanted`` (bool), ``epochs`` (bool).

    CLI Example:

    .. code-block:: bash

        salt '*' docker_package.status docker-ce 17.06.2.ce-1.el7.centos

    Source: Salt's modules aptpkg and yumpkg
    """
    epochs = __grains__["os_family"] != "RedHat"
    if version is not None and __salt__["docker_version.upstream"](version) is None:
        raise SaltInvocationError(
            f'rancher:docker:version is "{version}"; allowed: an exact package version such as '
            "17.06.2.ce-1.el7.centos"
        )
    names = __salt__["docker_version.related"](package, version, not epochs)
    installed = __salt__["pkg.version"](*names)
    # In a dry run they are yet to be completed, by a state before this one.
    unfinished = __salt__["unfinished.packages"]() or {}
    installed = {**installed, **{name: unfinished[name] for name in names if name in unfinished}}
    have = installed.get(package)
    newer = False
    if have and version:
        plain = str if epochs else __salt__["docker_version.plain"]
        newer = __salt__["pkg.version_cmp"](plain(have), plain(version)) == 1
    on_offer = None
    if not version and not have:
        on_offer = __salt__["pkg.latest_version"](package, refresh=False) or None
    return {
        "installed": {name: found for name, found in installed.items() if found},
        "on_offer": on_offer,
        "newer_than_wanted": newer,
        "epochs": epochs,
    }


def install(package, version=None, replaced=(), leftovers=()):
    """
    Install, or bring to the exact version; what it replaces goes in the same transaction.

    package (str)
        Name of the daemon's package.
    version (str, optional)
        Its exact version; None for what is on offer.
    replaced (list of str)
        Packages that it obsoletes.
    leftovers (list of str)
        Packages that some resolvers cannot replace; removed when the transaction failed
        and they are still there, before the second try.

    Raises CommandExecutionError with what the package manager said.

    Returns nothing.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_package.install docker-ce 17.06.2.ce-1.el7.centos

    Source: Salt's modules aptpkg and yumpkg; docker/for-linux issue 20 for the leftovers
    """
    wanted = __salt__["docker_version.targets"](
        package, version, __grains__["os_family"] != "RedHat"
    )
    # A lock on what is replaced would keep its successor out.
    locked = held(replaced)
    if locked:
        __salt__["pkg.unhold"](pkgs=locked)
    try:
        _install(wanted)
    except CommandExecutionError as exc:
        still = [name for name in leftovers if __salt__["pkg.version"](name)]
        if not still:
            raise CommandExecutionError(_reason(exc)) from exc
        log.info("second try without %s: %s", ", ".join(still), exc)
        __salt__["pkg.remove"](pkgs=still)
        try:
            _install(wanted)
        except CommandExecutionError as again:
            raise CommandExecutionError(_reason(again)) from again


def _install(wanted):
    rpm = __grains__["os_family"] == "RedHat"
    __salt__["pkg.install"](
        pkgs=[{name: version} if version else name for name, version in wanted.items()],
        refresh=not rpm,
        **({"update_holds": True, "ignore_epoch": True} if rpm else {}),
    )


def _reason(exc):
    """The last words of the package manager, on one line; Salt puts its output into ``info``."""
    said = exc.info.get("errors") if isinstance(exc.info, dict) else None
    lines = [line.strip() for text in said or [str(exc)] for line in str(text).splitlines()]
    sign = r"error|fail|conflict|not signed|public key|unable|problem|nothing provides|^E:"
    telling = [line for line in lines if re.search(sign, line, re.I)]
    return "the package manager refused: " + "; ".join((telling or lines)[-6:])[-900:]


def held(names):
    """
    Tell which of these packages are held.

    names (list of str)
        Package names.

    Returns a list of str; empty too when the tool that holds packages is missing.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_package.held '[docker-ce]'

    Source: yum-versionlock(1), dpkg(1) ``--get-selections``
    """
    if __grains__["os_family"] != "RedHat":
        selections = __salt__["pkg.get_selections"](state="hold").get("hold", [])
        return [name for name in names if {name, f"{name}:{__grains__['osarch']}"} & {*selections}]
    try:
        locked = __salt__["pkg.list_holds"](full=False)
    except SaltInvocationError:
        return []
    return [name for name in names if name in locked]


def loose(package, version=None):
    """
    Tell which installed packages of a Docker an upgrade of the whole system would move.

    package (str)
        Name of the daemon's package.
    version (str, optional)
        The version that is wanted.

    Returns a dict of name to installed version: those that are not held.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_package.loose docker-ce 17.06.2.ce-1.el7.centos

    Source: yum-versionlock(1), dpkg(1) ``--get-selections``
    """
    names = __salt__["docker_version.carriers"](
        package, version, __grains__["os_family"] == "RedHat"
    )
    installed = {name: have for name, have in __salt__["pkg.version"](*names).items() if have}
    kept = held([*installed])
    return {name: have for name, have in installed.items() if name not in kept}


def hold(names):
    """
    Hold packages at the version that is installed.

    names (list of str)
        Package names.

    Returns nothing.

    Raises CommandExecutionError when one was not held.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_package.hold '[docker-ce]'

    Source: yum-versionlock(1), dpkg(1) ``--set-selections``
    """
    for name, answer in __salt__["pkg.hold"](pkgs=names).items():
        if not answer["result"]:
            raise CommandExecutionError(f"{name} could not be held: {answer['comment']}")
