"""
Docker at its exact version, and kept there.
"""

# What a dry run would have changed or held: an upgrade after it leaves that alone.
_KEPT = "packages.kept"


def installed(name, version=None, leftovers=None, thin_pool=None):
    """
    Install Docker at an exact version; refuse to go back, or to one that cannot use the pool.

    name (str)
        Name of the daemon's package. With ``docker-ce`` an old ``docker-engine`` is replaced.
    version (str, optional)
        Its exact version. None: an installed one is kept, else what is on offer.
    leftovers (list of str, optional)
        Packages that some resolvers cannot replace by themselves.
    thin_pool (str, optional)
        The device of the thin pool; given = Docker needs its devicemapper driver.

    Changes: the packages of Docker itself, with versions; not what they depend on.

    Returns a state return.

    Example:

    .. code-block:: yaml

        docker-package-installed:
          docker_package.installed:
            - name: docker-ce
            - version: 17.06.2.ce-1.el7.centos

    Source: docs.docker.com, "Install a specific version"
    """

    def apply(seen, changes):
        replaced = [package for package, change in changes.items() if change["new"] is None]
        __salt__["docker_package.install"](name, version, replaced, leftovers or [])

    ret = __salt__["converge.run"](
        name,
        f"Package {name}",
        observe=lambda: __salt__["docker_package.status"](name, version),
        plan=lambda seen: __salt__["docker_version.plan"](name, version, seen, bool(thin_pool)),
        apply=apply,
        test=__opts__["test"],
        notes=lambda seen: [
            f"{found} {have} is installed"
            for found, have in seen["installed"].items()
            if found == name
        ],
    )
    if __opts__["test"]:
        __context__.setdefault(_KEPT, set()).update(ret["changes"])
    return ret


def held(name, version=None, tools=None):
    """
    Keep an upgrade of the whole system away from Docker.

    name (str)
        Name of the daemon's package; its client is held with it.
    version (str, optional)
        The version that is wanted, as in ``docker_package.installed``.
    tools (list of str, optional)
        Packages that bring the means to hold others, installed first.

    Changes: ``<package> held``, and the tools that were missing.

    Returns a state return.

    Example:

    .. code-block:: yaml

        docker-package-held:
          docker_package.held:
            - name: docker-ce
            - tools: [yum-plugin-versionlock]

    Source: yum-versionlock(1), dpkg(1)
    """
    names = list(__salt__["docker_version.targets"](name, version))

    def observe():
        missing = [tool for tool in tools or [] if not __salt__["pkg.version"](tool)]
        return {"missing": missing, "held": __salt__["docker_package.held"](names)}

    def plan(seen):
        changes = {tool: {"old": None, "new": "installed"} for tool in seen["missing"]}
        for package in names:
            if package not in seen["held"]:
                changes[f"{package} held"] = {"old": False, "new": True}
        return changes

    def apply(seen, changes):
        if seen["missing"]:
            __salt__["pkg.install"](pkgs=seen["missing"])
        __salt__["docker_package.hold"](names)

    ret = __salt__["converge.run"](
        name,
        f"Hold of package {name}",
        observe=observe,
        plan=plan,
        apply=apply,
        test=__opts__["test"],
    )
    if __opts__["test"] and ret["result"] is not False:
        __context__.setdefault(_KEPT, set()).update(names)
    return ret
