"""
Containers and images of this host, looked at through the Docker daemon's own Python SDK.

Not through Salt's `docker.*` functions: those write the arguments of every call into the debug
log, the environment of a container with its passwords included, and a pull tells nothing before
its end. Every call is bounded in time, and an error is one line.
"""

import contextlib
import contextvars
import os
import re
import socket
import struct
import urllib.parse

from salt.exceptions import CommandExecutionError

import _host

SOCKET = "unix:///var/run/docker.sock"
# The minion option `docker.url`, for the run of one face.
_GIVEN = contextvars.ContextVar("docker.url", default=None)
# What is read of an answer. Other shapes were not understood, which is not "nothing there".
LISTED = [
    {
        "Id": str,
        "Names": ([str], None),
        "Labels": (dict, None),
        "Ports": ([dict], None),
        "Command": (str, None),
        "Status": (str, None),
    }
]
CONTAINER = {
    "Id": str,
    "Created": str,
    "Image": str,
    "Config": {"Image": str, "Env": ([str], None), "Cmd": ([str], None), "Labels": (dict, None)},
    "HostConfig": {"PortBindings": (dict, None), "RestartPolicy": (dict, None)},
    "Mounts": ([dict], None),
    "State": {"Status": str, "Running": bool, "StartedAt": str},
}
IMAGE = {"Id": str}
INFO = {
    "ServerVersion": str,
    "CgroupDriver": str,
    "CgroupVersion": (str, None),
    "SecurityOptions": ([str], None),
}
VOLUMES = {"Volumes": ([{"Name": str}], None)}


def available():
    """
    Tell whether Salt's Python can speak to a Docker daemon and to MySQL. Returns True or False.
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
    Returns a context manager that gives a ``docker.APIClient``.
    """
    return _conversation(url(), doing, timeout)


@contextlib.contextmanager
def at(opts):
    """Speak to the daemon that the minion's options name, if they name one."""
    token = _GIVEN.set(opts.get("docker.url"))
    try:
        yield
    finally:
        _GIVEN.reset(token)


def url():
    return _GIVEN.get() or os.environ.get("DOCKER_HOST") or SOCKET


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
    strange = (ValueError, LookupError, TypeError, AttributeError, struct.error)
    try:
        with contextlib.closing(
            docker.APIClient(base_url=url, version=_version(url, timeout), timeout=timeout)
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
    except (*strange, docker.errors.StreamParseError) as exc:
        raise _nonsense(doing, type(exc).__name__) from None
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
        raise CommandExecutionError(
            f"Docker could not {doing}: no answer within {timeout} s, or the connection broke "
            f"({type(exc).__name__}); `systemctl status docker` tells more"
        ) from None


def _version(url, timeout):
    """
    The version of the API that the daemon speaks, as the docker command asks for it: by a ping.

    Not by "auto", the SDK's own way, which asks /version before every question, and for the answer
    to that the daemon starts two other programs. An old Docker tells it there only.
    """
    import docker
    import requests

    oldest = docker.constants.MINIMUM_DOCKER_API_VERSION
    with contextlib.closing(docker.APIClient(base_url=url, version=oldest, timeout=timeout)) as api:
        try:
            pong = api.get(f"{api.base_url}/_ping", timeout=api.timeout)
        except (requests.exceptions.RequestException, OSError) as exc:
            raise docker.errors.DockerException(exc) from exc
    return pong.headers.get("Api-Version", "auto")


def _bound(api, timeout):
    """Give a limit to every request, also where the SDK sets none, as it does for a pull."""
    send = api.send

    def bounded(request, **options):
        return send(request, **{**options, "timeout": options.get("timeout") or timeout})

    api.send = bounded


def _line(text):
    return " ".join(plain(str(text)))[:400]


def _nonsense(doing, what):
    return CommandExecutionError(
        f"Docker could not {doing}: its answer is not of the Docker Engine API ({what}); "
        "`systemctl status docker` tells more"
    )


def _understood(answer, shape, doing):
    if not _fits(answer, shape):
        raise _nonsense(doing, "of another shape")
    return answer


def _fits(value, shape):
    """A dict has at least these keys, a list only such members, of a tuple one fits."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(_fits(value.get(k), s) for k, s in shape.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(each, shape[0]) for each in value)
    if isinstance(shape, tuple):
        return any(_fits(value, one) for one in shape)
    return value is None if shape is None else isinstance(value, shape)


def answers():
    """
    Tell whether there is a daemon to ask. Returns True, or False when nothing listens where it
    would, or Salt's Python cannot ask it.
    """
    if not (available() and _listens(url())):
        return False
    doing = "be asked whether it runs"
    with client(doing, timeout=20) as api:
        if not api.ping():
            raise _nonsense(doing, "no OK")
    return True


def _listens(url):
    parts = urllib.parse.urlsplit(url)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(20)
                probe.connect(parts.path)
        else:
            socket.create_connection((parts.hostname, parts.port or 2375), timeout=20).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except OSError:
        return True  # something is there: its client tells what is wrong with it
    return True


def containers():
    """
    List all containers, stopped ones too. Returns a list of dicts, as ``docker ps --all`` gets it:
    ``Id``, ``Names``, ``Labels``, ``Ports``, ``Command``, ``Status``.
    """
    doing = "list its containers"
    with client(doing) as api:
        return _understood(api.containers(all=True), LISTED, doing)


def confines():
    """Tell whether the daemon uses SELinux. Returns True or False."""
    if not os.path.exists("/sys/fs/selinux/enforce"):
        return False
    doing = "tell its security options"
    with client(doing) as api:
        options = _understood(api.info(), {"SecurityOptions": ([str], None)}, doing)
    return any("selinux" in option for option in options["SecurityOptions"] or [])


def info():
    """What the daemon says of itself and its host: of cgroups, as far as it is read here."""
    doing = "tell about itself"
    with client(doing) as api:
        return _understood(api.info(), INFO, doing)


def volumes():
    """List the names of all volumes. Returns a list of str."""
    doing = "list its volumes"
    with client(doing) as api:
        found = _understood(api.volumes(), VOLUMES, doing)
    return [one["Name"] for one in found["Volumes"] or []]


def container(name):
    """
    Look at a container. Its environment may hold passwords: never log the answer. Returns what
    ``docker inspect`` shows (dict), or None when there is no such container.
    """
    doing = f"look at container {name}"
    with client(doing) as api:
        return _or_none(api.inspect_container, name, CONTAINER, doing)


def image(name):
    """
    Look at an image on this host. Returns what ``docker image inspect`` shows (dict), or None when
    it is not on this host.
    """
    doing = f"look at image {name}"
    with client(doing) as api:
        return _or_none(api.inspect_image, name, IMAGE, doing)


def _or_none(look, name, shape, doing):
    import docker

    try:
        found = look(name)
    except docker.errors.NotFound:
        return None
    return _understood(found, shape, doing)


def publisher(port):
    """
    Find the running container that publishes a TCP port of this host. Returns the container's
    name, or None.
    """
    for each in containers():
        for published in each.get("Ports") or []:
            if (published.get("PublicPort"), published.get("Type")) == (port, "tcp"):
                return (each.get("Names") or [each["Id"]])[0].lstrip("/")
    return None


def logs(name, since=0, tail=400):
    """
    The last lines that a container wrote to its output and error output. Returns the lines (list
    of str), without colours and control characters.
    """
    with client(f"give the log of container {name}") as api:
        raw = api.logs(name, stdout=True, stderr=True, since=since or None, tail=tail)
    return plain(raw.decode("utf-8", "replace"))


def plain(text):
    """
    Cut a log into lines without colours and control characters. Returns the lines that hold
    anything (list of str).
    """
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", text)
    lines = ["".join(c if c.isprintable() else " " for c in line) for line in _host.lines(text)]
    return [line.strip() for line in lines if line.strip()]
