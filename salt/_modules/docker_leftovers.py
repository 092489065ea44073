"""
Configuration of an older Docker, moved aside.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _docker_daemon_json
import _docker_leftovers
import _docker_service


def cleared(name, package, version=None, daemon=None, thin_pool=None, test=False):
    """
    Converge, as the state ``docker_leftovers.cleared`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_leftovers.cleared``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_leftovers.cleared docker docker-ce test=True

    Source: the state ``docker_leftovers.cleared``
    """
    moved = []

    def observe():
        wanted = _docker_daemon_json.wanted(
            __grains__["kernelrelease"],
            __salt__["pkg.version"],
            package,
            version,
            daemon,
            thin_pool,
        )
        return {
            **wanted,
            "files": wanted["leftovers"],
            "storage_setup": _docker_leftovers.storage_setup_enabled(),
        }

    def plan(seen):
        changes = {
            path: {"old": reason, "new": "moved aside"} for path, reason in seen["files"].items()
        }
        if seen["files"]:
            _docker_daemon_json.check_data(seen, thin_pool)
        if seen["storage_setup"]:
            changes["docker-storage-setup.service"] = {"old": "enabled", "new": "disabled"}
        return changes

    def apply(seen, changes):
        for path in seen["files"]:
            moved.append(f"{path} is kept as {_docker_leftovers.move(path)}")
        if seen["storage_setup"]:
            _docker_leftovers.disable_storage_setup()
        _docker_service.reload()

    return _converge.run(
        name,
        "Docker's configuration outside daemon.json",
        observe,
        plan,
        apply,
        test=test,
        notes=lambda seen: moved,
    )
