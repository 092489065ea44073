"""
The package repository of Docker.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _docker_repository

# For the package after it: what a repository offers that this run writes, a dry run cannot know.
_NEW = "docker_repository.new"


def configured(name, repository=None, test=False):
    """
    Converge, as the state ``docker_repository.configured`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_repository.configured``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_repository.configured docker test=True

    Source: the state ``docker_repository.configured``
    """
    __context__[_NEW] = False
    if repository is None:
        comment = "The host's own repositories are used"
        return {"name": name, "result": True, "changes": {}, "comment": comment}
    ret = _converge.run(
        name,
        f"Package repository {name}",
        observe=lambda: _docker_repository.status(__salt__, __grains__, repository),
        plan=lambda seen: _docker_repository.plan(repository, seen),
        apply=lambda seen, changes: _docker_repository.configure(
            __salt__, __grains__, repository, changes
        ),
        test=test,
    )
    __context__[_NEW] = bool(ret["changes"])
    return ret
