"""
Containers are created, started, stopped, renamed and removed; `docker_engine` looks at them.
"""

import contextlib


def create(name, image, environment=None, binds=None, ports=None, labels=None, restart="no"):
    """
    Create a container; it does not run yet. The environment is sent to the daemon and nowhere else.

    name (str)
        Its name, which must be free.
    image (str)
        An image that is on this host.
    environment (dict, optional)
        Variables, text to text.
    binds (list of str, optional)
        ``/on/the/host:/in/the/container``.
    ports (dict, optional)
        TCP port in the container to port of the host.
    labels (dict, optional)
        Text to text. Everybody who may ask the daemon sees them.
    restart (str, default ``no``)
        The restart policy.

    Returns the container's id.

    Raises CommandExecutionError when the daemon refuses.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_change.create web nginx:1.25 ports='{80: 8080}' restart=always

    Source: Docker Engine API, "Create a container"
    """
    with __salt__["docker_engine.client"](f"create container {name}") as api:
        host_config = api.create_host_config(
            binds=binds or None,
            port_bindings=ports or None,
            restart_policy={"Name": restart},
        )
        made = api.create_container(
            image,
            name=name,
            environment=environment or None,
            ports=list(ports or {}) or None,
            labels=labels or None,
            host_config=host_config,
        )
        return made["Id"]


def start(name):
    """
    Let a container run, whether it was created, stopped or paused.

    name (str)
        Name or id.

    Returns None.

    Raises CommandExecutionError when the daemon refuses.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_change.start rancher-server

    Source: Docker Engine API, "Start a container"
    """
    with __salt__["docker_engine.client"](f"start container {name}", timeout=120) as api:
        if api.inspect_container(name)["State"]["Paused"]:
            api.unpause(name)
        api.start(name)


def stop(name, grace=60):
    """
    Stop a container; it is killed when it does not end by itself.

    name (str)
        Name or id.
    grace (seconds, default 60)
        Time to end by itself.

    Returns None.

    Raises CommandExecutionError when the daemon refuses.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_change.stop rancher-server

    Source: Docker Engine API, "Stop a container"
    """
    with __salt__["docker_engine.client"](f"stop container {name}", timeout=grace + 60) as api:
        api.stop(name, timeout=grace)


def rename(name, new):
    """
    Give a container another name.

    name (str)
        Name or id.
    new (str)
        A name that is free.

    Returns None.

    Raises CommandExecutionError when the daemon refuses.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_change.rename web web.old

    Source: Docker Engine API, "Rename a container"
    """
    with __salt__["docker_engine.client"](f"rename container {name} to {new}") as api:
        api.rename(name, new)


def remove(name):
    """
    Remove a container that does not run. Its volumes stay.

    name (str)
        Name or id. When there is none, nothing is done.

    Returns None.

    Raises CommandExecutionError when it runs, or the daemon refuses.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_change.remove web.old

    Source: Docker Engine API, "Remove a container"
    """
    with __salt__["docker_engine.client"](f"remove container {name}", timeout=120) as api:
        import docker

        with contextlib.suppress(docker.errors.NotFound):
            api.remove_container(name, v=False, force=False)
