"""
Containers of this host over a restart of Docker: which run, and starting those again.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _docker_containers
import _docker_engine


def running():
    """
    List the containers that run now.

    Returns a list of dicts ``id`` and ``name``, sorted by name.

    Raises CommandExecutionError when Docker gives no answer.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_containers.running

    Source: Docker Engine API, "List containers"
    """
    with _docker_engine.at(__opts__):
        return _docker_containers.running()


def start_again(ids):
    """
    Start those of some containers that do not run, as after an upgrade of Docker: it starts only
    those whose restart policy says so. One that is gone is left out.

    ids (list of str)
        Ids, as ``docker_containers.running`` gave them before.

    Returns the names of those that were started (list of str).

    Raises CommandExecutionError when Docker gives no answer, or cannot start one.

    CLI Example:

    .. code-block:: bash

        salt 'node1' docker_containers.start_again '[4d5f0a]'

    Source: Docker Engine API, "Start a container"
    """
    with _docker_engine.at(__opts__):
        return _docker_containers.start_again(ids)
