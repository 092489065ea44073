"""
Drop-ins of docker.service: what it waits for at boot.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _docker_daemon
import _docker_drop_in


def waiting(name, paths=None, daemon=None, data_disk=None, test=False):
    """
    Converge, as the state ``docker_drop_in.waiting`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_drop_in.waiting``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_drop_in.waiting docker-data daemon='{}' test=True

    Source: the state ``docker_drop_in.waiting``
    """
    roots = [] if daemon is None else [_docker_daemon.root(daemon)]
    wanted = _docker_drop_in.resolved([*roots, *(paths or [])])
    disk = data_disk if (data_disk or {}).get("device") else None
    text, path = _docker_drop_in.waiting(wanted), _docker_drop_in.order(name)

    def plan(seen):
        # A dry run comes before the step that mounts it.
        if disk and not test:
            _docker_drop_in.insist(wanted, disk["mount_point"])
        return _docker_drop_in.plan(seen, text)

    return _converge.run(
        name,
        "What docker.service waits for",
        observe=lambda: _docker_drop_in.look(path),
        plan=plan,
        apply=lambda seen, changes: _docker_drop_in.put(path, text),
        test=test,
        notes=lambda seen: _docker_drop_in.notes(wanted, *_docker_drop_in.mount_points()),
    )
