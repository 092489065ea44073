"""
What an older Docker left behind in the configuration of this host.
"""


def cleared(name, package, version=None, daemon=None, thin_pool=None):
    """
    Move configuration aside that would keep the daemon from starting.

    name (str)
        What the comments call it.
    package (str)
        Name of the daemon's package.
    version (str, optional)
        Its exact version.
    daemon (dict, optional)
        The setting ``docker:daemon``.
    thin_pool (dict, optional)
        The settings of the thin pool.

    Changes: each file with the reason; the comment tells its new name.

    Example:

    .. code-block:: yaml

        docker-leftovers-cleared:
          docker_leftovers.cleared:
            - name: docker
            - package: docker-ce

    Source: docs.docker.com, "Troubleshoot conflicts between the daemon.json and startup scripts"
    """
    return __salt__["docker_leftovers.cleared"](
        name, package, version, daemon, thin_pool, test=__opts__["test"]
    )
