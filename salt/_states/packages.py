"""
Packages through Salt's own `pkg` states and `pip`, asked only when there is something to do.

What to install and how is core's decision. But its `mod_init`, and any `onlyif`, make the
loader read every module of Salt, without need and in each run: most of the time of a run without
changes. So a converged host never gets to them.
"""

from salt.exceptions import CommandExecutionError, SaltInvocationError

_REFRESHED = "packages.refreshed"
# What earlier states of a dry run would have installed: the run then finds it there.
_COMING = "packages.coming"
_NEW = "packages.new"
_KEPT = "packages.kept"
# No run knows what the settings named before.
_STAYS = "one that is no longer asked for stays until you remove it"


def installed(name, pkgs):
    """
    Every package of a list is installed; which version is not asked, and none is ever removed.

    name (str)
        For the report only.
    pkgs (list of str)
        Names as the package manager lists them. Empty: nothing is looked at.

    Changes: each package that lacked, from absent to installed. The comment has the versions
    and what came with them: the dry run of ``pkg.installed`` knows neither.

    Returns a state return.

    Example:

    .. code-block:: yaml

        packages-installed:
          packages.installed:
            - pkgs: [gdisk, lvm2]

    Source: Salt's documentation of ``pkg.installed``
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    if not pkgs:
        return {**ret, "comment": f"No packages are asked for; {_STAYS}"}
    asked = pkgs
    try:
        have = __salt__["pkg.list_pkgs"]()
    except (CommandExecutionError, SaltInvocationError) as exc:
        return {**ret, "result": False, "comment": str(exc)}
    coming = __context__.setdefault(_COMING, set())
    pkgs = [pkg for pkg in pkgs if pkg not in coming]
    lacking = [pkg for pkg in pkgs if pkg not in have]
    if lacking:
        if __opts__["test"]:
            coming.update(lacking)
            __context__.setdefault(_NEW, set()).update(lacking)
        # As core's mod_init would have it: the lists are fetched once in a run.
        refresh = not __context__.get(_REFRESHED)
        __context__[_REFRESHED] = True
        done = __states__["pkg.installed"](name, pkgs=pkgs, refresh=refresh)
        return _as_foretold(done, lacking)
    return {**ret, "comment": f"All packages are installed: {', '.join(asked)}; {_STAYS}"}


def _as_foretold(done, lacking):
    """Core's return; a success changed what was asked for, and the comment tells of the rest."""
    if done["result"] is False or not done["changes"]:
        return done
    changes = {pkg: {"old": None, "new": "installed"} for pkg in lacking}
    if done["result"] is None:
        return {**done, "changes": changes, "comment": f"{done['comment']}; {_STAYS}"}
    told = ", ".join(_told(pkg, change) for pkg, change in sorted(done["changes"].items()))
    return {**done, "changes": changes, "comment": f"The package manager made: {told}; {_STAYS}"}


def _told(pkg, change):
    old, new = change.get("old"), change.get("new")
    if old and new:
        return f"{pkg} {old} -> {new}"
    return f"{pkg} {new}" if new else f"{pkg} {old} removed"


def importable(name, libraries):
    """
    Salt's own Python has libraries; pip is asked only for those that cannot be imported.

    name (str)
        For the report only.
    libraries (dict)
        For the name of each module what pip installs.

    Changes: what pip installs, from absent to installed.

    Returns a state return.

    Example:

    .. code-block:: yaml

        docker-sdk-installed:
          packages.importable:
            - libraries: {docker: 'docker==7.1.0'}

    Source: Salt's documentation of ``pip.install``; the dry run of ``pip.installed`` shows no changes
    """
    return __salt__["packages.importable"](name, libraries, test=__opts__["test"])


def finished(name):
    """
    Nothing is left in the middle by a package manager that was interrupted.

    name (str)
        For the report only.

    Changes: ``dpkg``, from interrupted to completed; the comment names the packages.

    Returns a state return.

    Example:

    .. code-block:: yaml

        packages-finished:
          packages.finished: []

    Source: dpkg(1) "Package states"
    """
    return __salt__["packages.finished"](name, test=__opts__["test"])


def upgraded(name, upgrade, docker, version=None):
    """
    Every installed package is up to date, when that is wanted; Docker stays at its version.

    name (str)
        For the report only.
    upgrade (bool)
        False: nothing is looked at.
    docker (str)
        Name of the package of Docker's daemon. One that is installed and not held is a
        refusal: the upgrade would move it.
    version (str, optional)
        The version of it that is wanted, as in ``docker_package.installed``.

    Changes: every package that gets another version, is new, or is removed for that. A dry run
    has them from the package manager's own simulation: core's leaves removals out. It knows
    what earlier states of the run install and hold, but not what Docker's first installation
    brings up to date for itself: that may come from a repository which is yet to be configured.

    Returns a state return.

    Example:

    .. code-block:: yaml

        packages-upgraded:
          packages.upgraded:
            - upgrade: true
            - docker: docker-ce

    Source: Salt's documentation of ``pkg.uptodate``
    """
    ret = {"name": name, "result": False, "changes": {}, "comment": "No upgrade is asked for"}
    if not upgrade:
        return {**ret, "result": True}
    kept = __context__.get(_KEPT, set())
    try:
        loose = __salt__["docker_package.loose"](docker, version)
    except (CommandExecutionError, SaltInvocationError) as exc:
        return {**ret, "comment": str(exc)}
    moved = [f"{pkg} {have}" for pkg, have in loose.items() if pkg not in kept]
    if moved:
        comment = (
            f"rancher:packages:upgrade is true, and installed but not held is {', '.join(moved)}: "
            "the upgrade would move Docker; apply docker first"
        )
        return {**ret, "comment": comment}
    # yumpkg makes an option of yum of it, which yum does not know.
    options = {"dist_upgrade": True} if __grains__["os_family"] == "Debian" else {}
    ret = __states__["pkg.uptodate"](name, refresh=True, **options)
    if ret["result"] is not None:
        return ret
    try:
        coming = sorted(__context__.get(_NEW, ()))
        changes = __salt__["packages.upgradable"](kept=sorted(kept), coming=coming)
    except CommandExecutionError as exc:
        return {**ret, "result": False, "changes": {}, "comment": str(exc)}
    if not changes:
        return {**ret, "result": True, "changes": {}, "comment": "Nothing can be upgraded"}
    gone = sorted(pkg for pkg, change in changes.items() if not change["new"])
    comment = "Packages would be upgraded" + (f"; removed: {', '.join(gone)}" if gone else "")
    return {**ret, "changes": changes, "comment": comment}
