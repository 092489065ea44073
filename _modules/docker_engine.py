"""
Containers and images of this host, looked at through the Docker daemon's own Python SDK.

Not through Salt's `docker.*` functions: those write the arguments of every call into the debug
log, the environment of a container with its passwords included, and a pull tells nothing before
its end. Every call is bounded in time, and an error is one line.
"""

import contextlib
import os
import re

from salt.exceptions import CommandExecutionError

SOCKET = "unix:///var/run/docker.sock"


def available():
    """
    Tell whether Salt's Python can speak to a Docker daemon and to MySQL.

    Returns True or False.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_engine.available

    Source: https://docker-py.readthedocs.io, https://pymysql.readthedocs.io
    """
    try:
        import docker  # noqa: F401
        import pymysql  # noqa: F401
    except ImportError:
        return False
    return True


def client(doing, timeout=60):
    """
    A conversation with the daemon, in which every error becomes one line; made for modules.

    The daemon is the one of the minion option ``docker.url``, of the variable ``DOCKER_HOST``,
    else the one of this host.

    doing (str)
        What it is for, to go on after "could not".
    timeout (seconds, default 60)
        How long the daemon may stay silent.

    Returns a context manager that gives a ``docker.APIClient``.

    Raises CommandExecutionError when the SDK is missing or the daemon refuses.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it gives an object. See docker_engine.container.

    Source: https://docker-py.readthedocs.io/en/stable/api.html
    """
    url = __opts__.get("docker.url") or os.environ.get("DOCKER_HOST") or SOCKET
    return _conversation(url, doing, timeout)


@contextlib.contextmanager
def _conversation(url, doing, timeout):
    try:
        import docker
        import requests
        import urllib3
    except ImportError as exc:
        raise CommandExecutionError(
            f"Docker could not {doing}: Salt's Python has no Docker SDK ({exc.name}); "
            "apply docker.sdk"
        ) from exc
    try:
        with contextlib.closing(
            docker.APIClient(base_url=url, version="auto", timeout=timeout)
        ) as api:
            _bound(api, timeout)
            yield api
    except docker.errors.APIError as exc:
        raise CommandExecutionError(f"Docker could not {doing}: {_line(exc.explanation)}") from None
    except docker.errors.DockerException as exc:
        raise CommandExecutionError(
            f"Docker could not {doing}: no daemon answers at {url} ({_line(exc)}); "
            "`systemctl status docker` tells more"
        ) from None
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
        raise CommandExecutionError(
            f"Docker could not {doing}: no answer within {timeout} s, or the connection broke "
            f"({type(exc).__name__}); `systemctl status docker` tells more"
        ) from None


def _bound(api, timeout):
    """Give a limit to every request, also where the SDK sets none, as it does for a pull."""
    send = api.send

    def bounded(request, **options):
        return send(request, **{**options, "timeout": options.get("timeout") or timeout})

    api.send = bounded


def _line(text):
    return " ".join(str(text).split())[:400]


def answers():
    """
    Tell whether a daemon answers.

    Returns True or False.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_engine.answers

    Source: Docker Engine API, "Ping"
    """
    try:
        with client("be asked whether it runs", timeout=20) as api:
            return bool(api.ping())
    except CommandExecutionError:
        return False


def container(name):
    """
    Look at a container. Its environment may hold passwords: never log the answer.

    name (str)
        Name or id.

    Returns what ``docker inspect`` shows (dict), or None when there is no such container.

    Raises CommandExecutionError when the daemon cannot be asked.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: the environment would stand in the job cache.

    Source: Docker Engine API, "Inspect a container"
    """
    with client(f"look at container {name}") as api:
        return _or_none(api.inspect_container, name)


def image(name):
    """
    Look at an image on this host.

    name (str)
        Repository with tag or digest, or an id.

    Returns what ``docker image inspect`` shows (dict), or None when it is not on this host.

    Raises CommandExecutionError when the daemon cannot be asked.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_engine.image rancher/server:v1.6.30

    Source: Docker Engine API, "Inspect an image"
    """
    with client(f"look at image {name}") as api:
        return _or_none(api.inspect_image, name)


def _or_none(look, name):
    import docker

    try:
        return look(name)
    except docker.errors.NotFound:
        return None


def publisher(port):
    """
    Find the running container that publishes a TCP port of this host.

    port (int)
        The port of the host.

    Returns the container's name, or None.

    Raises CommandExecutionError when the daemon cannot be asked.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_engine.publisher 8080

    Source: Docker Engine API, "List containers"
    """
    with client("list its containers") as api:
        for each in api.containers():
            for published in each.get("Ports") or []:
                if (published.get("PublicPort"), published.get("Type")) == (port, "tcp"):
                    return each["Names"][0].lstrip("/")
    return None


def logs(name, since=0, tail=400):
    """
    The last lines that a container wrote to its output and error output.

    name (str)
        Name or id.
    since (seconds since 1970, default 0)
        Older lines are left out.
    tail (int, default 400)
        How many lines at most.

    Returns the lines (list of str), without colours and control characters.

    Raises CommandExecutionError when the daemon refuses.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_engine.logs rancher-server tail=20

    Source: Docker Engine API, "Get container logs"
    """
    with client(f"give the log of container {name}") as api:
        raw = api.logs(name, stdout=True, stderr=True, since=since or None, tail=tail)
    return plain(raw.decode("utf-8", "replace"))


def plain(text):
    """
    Cut a log into lines without colours and control characters.

    text (str)
        What a container wrote.

    Returns the lines that hold anything (list of str).

    CLI Example:

    .. code-block:: bash

        salt '*' docker_engine.plain 'one line'

    Source: ECMA-48, control sequences
    """
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", text)
    lines = ["".join(c if c.isprintable() else " " for c in line) for line in text.splitlines()]
    return [line.strip() for line in lines if line.strip()]
