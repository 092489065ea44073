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
    moved = []

    def observe():
        wanted = __salt__["docker_daemon.wanted"](package, version, daemon, thin_pool)
        return {
            "files": wanted["leftovers"],
            "storage_setup": __salt__["docker_leftovers.storage_setup_enabled"](),
        }

    def plan(seen):
        changes = {
            path: {"old": reason, "new": "moved aside"} for path, reason in seen["files"].items()
        }
        if seen["storage_setup"]:
            changes["docker-storage-setup.service"] = {"old": "enabled", "new": "disabled"}
        return changes

    def apply(seen, changes):
        for path in seen["files"]:
            moved.append(f"{path} is kept as {__salt__['docker_leftovers.move'](path)}")
        if seen["storage_setup"]:
            __salt__["docker_leftovers.disable_storage_setup"]()
        __salt__["docker_service.reload"]()

    return __salt__["converge.run"](
        name,
        "Docker's configuration outside daemon.json",
        observe,
        plan,
        apply,
        test=__opts__["test"],
        notes=lambda seen: moved,
    )
