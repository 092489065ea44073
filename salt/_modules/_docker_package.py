"""
The Docker package at its exact version, and what must not stand beside it.

Core ``pkg.installed`` predicts ``installed`` where the run reports a version, predicts
nothing for a hold, does not pin the command line tool to the daemon, and downgrades when
asked to; its modules (``pkg.install``, ``pkg.hold``) do the work here.
"""

import logging
import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _docker_version
import _host
import _packages_unfinished

log = logging.getLogger(__name__)

# A name in versionlock's list, of yum or dnf; not after the "!" of an exclude, which holds nothing.
_HELD = r"(?<![!\w.-])(?<!![0-9]:)(?<!![0-9][0-9]:)\w+(?:[.-][^-]+)*"


def status(salt, grains, package, version=None, new_repository=False):
    """
    Look at the packages that matter, without asking a server. Returns a dict: ``installed`` (name
    to version), ``on_offer`` (str; None: not asked for, or not known, as from a repository that
    this run writes), ``newer_than_wanted`` (bool), ``epochs`` (bool).
    """
    epochs = grains["os_family"] != "RedHat"
    if version is not None and _docker_version.upstream(version) is None:
        raise SaltInvocationError(
            f'rancher:docker:version is "{version}"; allowed: an exact package version such as '
            "17.06.2.ce-1.el7.centos"
        )
    names = _docker_version.related(package, version, not epochs)
    installed = salt["pkg.version"](*names)
    # In a dry run they are yet to be completed, by a state before this one.
    unfinished = _packages_unfinished.packages() or {}
    installed = {**installed, **{name: unfinished[name] for name in names if name in unfinished}}
    have = installed.get(package)
    newer = False
    if have and version:
        plain = str if epochs else _docker_version.plain
        newer = salt["pkg.version_cmp"](plain(have), plain(version)) == 1
    on_offer = None
    if not version and not have and not new_repository:
        on_offer = salt["pkg.latest_version"](package, refresh=False) or None
    return {
        "installed": {name: found for name, found in installed.items() if found},
        "on_offer": on_offer,
        "newer_than_wanted": newer,
        "epochs": epochs,
    }


def install(salt, grains, package, version=None, replaced=(), leftovers=()):
    """Install, or bring to the exact version; what it replaces goes in the same transaction."""
    wanted = _docker_version.targets(package, version, grains["os_family"] != "RedHat")
    # A lock on what is replaced would keep its successor out.
    locked = held(salt, grains, replaced)
    if locked:
        salt["pkg.unhold"](pkgs=locked)
    try:
        _install(salt, grains, wanted)
    except CommandExecutionError as exc:
        still = [name for name in leftovers if salt["pkg.version"](name)]
        if not still:
            raise CommandExecutionError(_reason(exc)) from exc
        log.info("second try without %s: %s", ", ".join(still), exc)
        salt["pkg.remove"](pkgs=still)
        try:
            _install(salt, grains, wanted)
        except CommandExecutionError as again:
            raise CommandExecutionError(_reason(again)) from again


def _install(salt, grains, wanted):
    rpm = grains["os_family"] == "RedHat"
    salt["pkg.install"](
        pkgs=[{name: version} if version else name for name, version in wanted.items()],
        refresh=not rpm,
        **({"update_holds": True, "ignore_epoch": True} if rpm else {}),
    )


def _reason(exc):
    """The last words of the package manager, on one line; Salt puts its output into ``info``."""
    said = exc.info.get("errors") if isinstance(exc.info, dict) else None
    lines = [line.strip() for text in said or [str(exc)] for line in _host.lines(str(text))]
    sign = r"error|fail|conflict|not signed|public key|unable|problem|nothing provides|^E:"
    telling = [line for line in lines if re.search(sign, line, re.I)]
    return "the package manager refused: " + "; ".join((telling or lines)[-6:])[-900:]


def held(salt, grains, names):
    """
    Tell which of these packages are held. Returns a list of str; empty too when the tool that
    holds packages is missing.
    """
    if grains["os_family"] != "RedHat":
        selections = salt["pkg.get_selections"](state="hold").get("hold", [])
        return [name for name in names if {name, f"{name}:{grains['osarch']}"} & {*selections}]
    try:
        locked = salt["pkg.list_holds"](pattern=_HELD, full=False)
    except SaltInvocationError:
        return []
    return [name for name in names if name in locked]


def loose(salt, grains, package, version=None):
    """
    Tell which installed packages of a Docker an upgrade of the whole system would move. Returns a
    dict of name to installed version: those that are not held.
    """
    names = _docker_version.carriers(package, version, grains["os_family"] == "RedHat")
    installed = {name: have for name, have in salt["pkg.version"](*names).items() if have}
    kept = held(salt, grains, [*installed])
    return {name: have for name, have in installed.items() if name not in kept}


def hold(salt, names):
    """Hold packages at the version that is installed."""
    for name, answer in salt["pkg.hold"](pkgs=names).items():
        if not answer["result"]:
            raise CommandExecutionError(f"{name} could not be held: {answer['comment']}")
