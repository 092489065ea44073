"""
Containers are created, started, stopped, renamed and removed; `_docker_engine` looks at them.
"""

import contextlib

import _docker_engine


def create(name, image, environment=None, binds=None, ports=None, labels=None, restart="no"):
    """
    Create a container; it does not run yet. The environment is sent to the daemon and nowhere
    else. Returns the container's id.
    """
    with _docker_engine.client(f"create container {name}") as api:
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
    """Let a container run, whether it was created, stopped or paused."""
    with _docker_engine.client(f"start container {name}", timeout=120) as api:
        if api.inspect_container(name)["State"]["Paused"]:
            api.unpause(name)
        api.start(name)


def stop(name, grace=60):
    """Stop a container; it is killed when it does not end by itself."""
    with _docker_engine.client(f"stop container {name}", timeout=grace + 60) as api:
        api.stop(name, timeout=grace)


def rename(name, new):
    """Give a container another name."""
    with _docker_engine.client(f"rename container {name} to {new}") as api:
        api.rename(name, new)


def remove(name):
    """Remove a container that does not run. Its volumes stay."""
    with _docker_engine.client(f"remove container {name}", timeout=120) as api:
        import docker

        with contextlib.suppress(docker.errors.NotFound):
            api.remove_container(name, v=False, force=False)
