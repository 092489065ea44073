"""
Docker at its exact version, and kept there.
"""


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
    return __salt__["docker_package.installed"](
        name, version, leftovers, thin_pool, test=__opts__["test"]
    )


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
    return __salt__["docker_package.held"](name, version, tools, test=__opts__["test"])
