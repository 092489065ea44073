"""
Drop-ins of docker.service: what it waits for at boot.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _docker_daemon_json
import _docker_drop_in


def waiting(
    name,
    paths=None,
    package=None,
    version=None,
    daemon=None,
    thin_pool=None,
    data_disk=None,
    test=False,
):
    """
    Converge, as the state ``docker_drop_in.waiting`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_drop_in.waiting``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_drop_in.waiting docker-data paths='[/data]' test=True

    Source: the state ``docker_drop_in.waiting``
    """
    path = _docker_drop_in.order(name)
    disk = data_disk if (data_disk or {}).get("device") else None

    def observe():
        directories = list(paths or [])
        if package is not None:
            settings = (package, version, daemon, thin_pool)
            kernel, installed = __grains__["kernelrelease"], __salt__["pkg.version"]
            directories.append(
                _docker_daemon_json.wanted(kernel, installed, *settings)["will"]["base"]
            )
        directories = _docker_drop_in.resolved(directories)
        text = _docker_drop_in.waiting(directories)
        known = {"wanted": text, "paths": directories, "points": _docker_drop_in.mount_points()}
        return {**_docker_drop_in.look(path), **known}

    def plan(seen):
        # A dry run comes before the step that mounts it.
        if disk and not test:
            _docker_drop_in.insist(seen["paths"], disk["mount_point"])
        return _docker_drop_in.plan(seen, seen["wanted"])

    return _converge.run(
        name,
        "What docker.service waits for",
        observe=observe,
        plan=plan,
        apply=lambda seen, changes: _docker_drop_in.put(path, seen["wanted"]),
        test=test,
        notes=lambda seen: _docker_drop_in.notes(seen["paths"], *seen["points"]),
    )
