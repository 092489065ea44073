"""
Containers are created, started, stopped, renamed and removed; `_docker_engine` looks at them.
"""

import contextlib

import _docker_engine

# The API of Docker 1.13, the first one in which a bind is not made when it is missing.
MOUNTS = [1, 25]


def create(name, image, environment=None, mounts=None, ports=None, labels=None, restart="no"):
    """
    Create a container; it does not run yet. The environment is sent to the daemon and nowhere
    else. Of ``mounts``, pairs of paths here and inside, each must be there. Returns its id.
    """
    with _docker_engine.client(f"create container {name}") as api:
        host_config = api.create_host_config(
            port_bindings=ports or None,
            restart_policy={"Name": restart},
        )
        if mounts:
            host_config.update(_mounts(mounts, api.api_version))
        made = api.create_container(
            image,
            name=name,
            environment=environment or None,
            ports=list(ports or {}) or None,
            labels=labels or None,
            host_config=host_config,
        )
        return made["Id"]


def _mounts(pairs, version):
    """Not through the SDK, which allows them only to a newer Docker than the one that has them."""
    if [int(number) for number in version.split(".")] < MOUNTS:
        return {"Binds": [f"{here}:{inside}" for here, inside in pairs]}
    return {
        "Mounts": [{"Type": "bind", "Source": here, "Target": inside} for here, inside in pairs]
    }


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
