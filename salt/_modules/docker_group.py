"""
The group that may talk to the Docker daemon.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _docker_group


def present(name, users=None, test=False):
    """
    Converge, as the state ``docker_group.present`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_group.present``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_group.present docker '[deployer]' test=True

    Source: the state ``docker_group.present``
    """
    wanted = users or []
    return _converge.run(
        name,
        f"Group {name}",
        observe=lambda: _docker_group.status(name, wanted),
        plan=lambda seen: _docker_group.plan(name, wanted, seen),
        apply=lambda seen, changes: _docker_group.apply(__salt__, name, wanted, seen),
        test=test,
        notes=lambda seen: _docker_group.notes(name, wanted, seen),
    )
