"""
The Docker package at its exact version, held there.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _docker_package
import _docker_version

# What a dry run would have changed or held: an upgrade after it leaves that alone.
_KEPT = "packages.kept"
# Whether this run writes Docker's repository: what that offers, a dry run cannot know.
_NEW_REPOSITORY = "docker_repository.new"
_NOT_KNOWN = (
    "Which version that is, the package manager knows once a run has set up the repository and read "
    "its index"
)


def installed(name, version=None, leftovers=None, thin_pool=None, test=False):
    """
    Converge, as the state ``docker_package.installed`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_package.installed``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_package.installed docker-ce test=True

    Source: the state ``docker_package.installed``
    """

    new = __context__.get(_NEW_REPOSITORY, False)
    looks = []

    def observe():
        looks.append(_docker_package.status(__salt__, __grains__, name, version, new and test))
        return looks[-1]

    def notes(seen):
        have = seen["installed"].get(name)
        known = version or have or seen["on_offer"]
        return [f"{name} {have} is installed"] if have else [] if known else [_NOT_KNOWN]

    def apply(seen, changes):
        replaced = [package for package, change in changes.items() if change["new"] is None]
        _docker_package.install(__salt__, __grains__, name, version, replaced, leftovers or [])

    ret = _converge.run(
        name,
        f"Package {name}",
        observe=observe,
        plan=lambda seen: _docker_version.plan(name, version, seen, bool(thin_pool), not new),
        apply=apply,
        test=test,
        notes=notes,
    )
    if looks:
        _docker_version.as_installed(ret["changes"], {} if test else looks[-1]["installed"])
    if test:
        __context__.setdefault(_KEPT, set()).update(ret["changes"])
    return ret


def held(name, version=None, tools=None, test=False):
    """
    Converge, as the state ``docker_package.held`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_package.held``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_package.held docker-ce test=True

    Source: the state ``docker_package.held``
    """
    names = list(_docker_version.targets(name, version))

    def observe():
        missing = [tool for tool in tools or [] if not __salt__["pkg.version"](tool)]
        return {"missing": missing, "held": _docker_package.held(__salt__, __grains__, names)}

    def plan(seen):
        changes = {tool: {"old": None, "new": "installed"} for tool in seen["missing"]}
        for package in names:
            if package not in seen["held"]:
                changes[f"{package} held"] = {"old": False, "new": True}
        return changes

    def apply(seen, changes):
        if seen["missing"]:
            __salt__["pkg.install"](pkgs=seen["missing"])
        _docker_package.hold(__salt__, names)

    ret = _converge.run(
        name,
        f"Hold of package {name}",
        observe=observe,
        plan=plan,
        apply=apply,
        test=test,
    )
    if test and ret["result"] is not False:
        __context__.setdefault(_KEPT, set()).update(names)
    return ret


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
    return _docker_package.loose(__salt__, __grains__, package, version)
