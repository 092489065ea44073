"""
The container that makes a host join Rancher 1.x: run once, watched, and removed.

It ends within seconds when all is well. When it is not, it repeats itself for 10 minutes; its
lines tell why much earlier.
"""

import contextlib
import ipaddress
import logging
import os
import re
import time
import urllib.parse

from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

NAME = "rancher-agent-bootstrap"
STATE = "/var/lib/rancher"
# So often may it fail to reach the server before we believe it; it tries every 2 s.
TRIES = 5
PAUSE = 1
# What runs in the containers in which it looks at the host, under a name of Docker's choice; and
# the seconds that such a look may last.
LOOK, LOOKING = ["/run.sh", "inspect-host"], 15

# What it says, and what that means. The first that is found counts.
_SIGNS = (
    (
        r"Invalid CATTLE_AGENT_IP",
        "set rancher:agent:ip to an IPv4 address by which other hosts reach this one",
    ),
    (
        r"CATTLE_URL cannot contain localhost",
        "in Rancher under Admin, Settings, set the Host Registration URL to an address that every "
        "host reaches",
    ),
    (
        r"Configured Host Registration URL does not match",
        "take the URL that Rancher shows now, or correct it in Rancher under Admin, Settings",
    ),
    (
        r"client version \S+ is too old|client is newer than server",
        "the agent's own Docker client speaks API 1.22: Docker 1.12 to 24 understand it; set "
        "rancher:docker:version",
    ),
    (
        r"Failed to load registration env",
        "the URL gave something else than a registration script; is there a proxy in between?",
    ),
    (r"Could not reach", "check the way from a container of this host to the server"),
    (r"One parameter required|Invalid API credentials", "the token was not accepted; apply again"),
)
_UNREACHABLE = r"ERROR: .* is not accessible"
_WHY_UNREACHABLE = (
    (r"certificate|SSL", "set rancher:agent:ca_certificate to the authority's PEM"),
    (r"resol[uv]", "containers use the host's DNS, not its /etc/hosts; use a name that DNS knows"),
    (r"", "check the firewall between containers of this host and the server"),
)


def environment(ip, labels):
    """
    Make the variables for the bootstrap; pure.

    ip (str or None)
        Address by which other hosts reach this one.
    labels (dict)
        Labels of the host, text to text.

    Returns a dict.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_bootstrap.environment 192.0.2.11 '{zone: a b}'

    Source: Rancher 1.6 documentation, "Adding Hosts": host labels, CATTLE_AGENT_IP
    """
    made = {"CATTLE_HOST_LABELS": urllib.parse.urlencode(labels, quote_via=urllib.parse.quote)}
    return {**made, "CATTLE_AGENT_IP": ip} if ip else made


def check_ip(ip):
    """
    Refuse an address that the bootstrap would refuse.

    ip (str or None)
        The setting ``agent:ip``.

    Returns nothing.

    Raises CommandExecutionError when it is no IPv4 address that another host could use.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_bootstrap.check_ip 192.0.2.11

    Source: rancher/agent's run.sh, validate_ip
    """
    if ip is None:
        return
    try:
        address = ipaddress.IPv4Address(ip)
        usable = not (address.is_loopback or address.is_unspecified or ip == "255.255.255.255")
    except ValueError:
        usable = False
    if not usable:
        raise CommandExecutionError(f"rancher:agent:ip is {ip!r}; {_SIGNS[0][1]}")


def check_docker(version):
    """
    Refuse a Docker that the agent cannot speak to.

    version (dict)
        Docker's own description: ``Version``, ``ApiVersion``, ``MinAPIVersion``.

    Returns nothing.

    Raises CommandExecutionError when it is too new or too old.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_bootstrap.check_docker '{Version: 24.0.9, MinAPIVersion: "1.12"}'

    Source: rancher/rancher issue 45103; the agent's image v1.2.11 holds Docker's client 1.10.3
    """
    for key, fits, words in (
        ("MinAPIVersion", lambda api: api <= (1, 22), "understands API {} and newer only"),
        ("ApiVersion", lambda api: api >= (1, 22), "understands API {} at most"),
    ):
        api = version.get(key)
        if api and not fits(tuple(int(part) for part in api.split("."))):
            raise CommandExecutionError(
                f"Docker {version.get('Version')} {words.format(api)}, but the agent of Rancher "
                "1.6 speaks API 1.22; set rancher:docker:version to one from 1.12 to 24"
            )


def trouble(lines):
    """
    Find out from what the bootstrap says whether there is no hope left; pure.

    lines (list of str)
        Its output so far.

    Returns None, or one line (str): what it said, and the way out.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_bootstrap.trouble '["ERROR: Invalid CATTLE_AGENT_IP (node1)"]'

    Source: rancher/agent's run.sh
    """
    for sign, way_out in _SIGNS:
        for line in lines:
            if re.search(sign, line):
                return f"{_said(line)}. {way_out[0].upper()}{way_out[1:]}"
    failed = [line for line in lines if re.search(_UNREACHABLE, line)]
    if len(failed) < TRIES:
        return None
    way_out = next(words for sign, words in _WHY_UNREACHABLE if re.search(sign, failed[-1], re.I))
    return f"from inside a container, {_said(failed[-1])}, though this host reaches it: {way_out}"


def _said(line):
    return re.sub(r"^.*?ERROR:\s*", "", line).strip()[:300]


def run(image, url, variables, timeout):
    """
    Run the bootstrap and wait for its end; only then is there a container ``rancher-agent``.

    The URL, a secret, has to be an argument of that container: the image takes it no other way.
    So `docker inspect`, and the list of processes, show it to root while the bootstrap runs.

    image (str)
        The agent's image, which is on this host.
    url (str)
        The registration URL.
    variables (dict)
        As ``environment`` makes them.
    timeout (seconds)
        After this time it is ended.

    Returns nothing.

    Raises CommandExecutionError with the telling line, as soon as there is one.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it would show the token.

    Source: Rancher 1.6 documentation, "Adding Custom Hosts"
    """
    until = time.monotonic() + timeout
    # A run that was killed may have left one; one that is under way is begun again, harmlessly.
    remove()
    try:
        _begin(image, url, variables)
        while True:
            state = (__salt__["docker_engine.container"](NAME) or {"State": {}})["State"]
            lines = [_clean(line, url) for line in __salt__["docker_engine.logs"](NAME)]
            problem = trouble(lines)
            if problem is None and not state.get("Running"):
                problem = _outcome(state.get("ExitCode"), lines)
                if problem is None:
                    return
            if problem is None and time.monotonic() > until:
                problem = f"it did not end within {timeout:.0f} s; its last line: {_last(lines)}"
            if problem:
                raise CommandExecutionError(f"{image} could not register this host: {problem}")
            log.info("the bootstrap of the agent is at work: %s", _last(lines))
            time.sleep(PAUSE)
    finally:
        remove()


def _begin(image, url, variables):
    # Neither --rm, which takes the output and the exit code away with it, nor a host name: by
    # that, the container's id, the bootstrap finds out which image it is.
    with __salt__["docker_engine.client"]("start the bootstrap of the agent") as api:
        api.create_container(
            image,
            command=[url],
            environment=variables,
            name=NAME,
            host_config=api.create_host_config(
                binds=[f"{_socket()}:/var/run/docker.sock", f"{STATE}:/var/lib/rancher"],
                privileged=True,
                log_config={"type": "json-file", "config": {}},
            ),
        )
        api.start(NAME)


def _socket():
    host = __opts__.get("docker.url") or os.environ.get("DOCKER_HOST") or ""
    return host.removeprefix("unix://") if host.startswith("unix://") else "/var/run/docker.sock"


def left():
    """
    List the containers that a bootstrap left on this host.

    These are itself, running or not, and those in which it looked at the host: it removes them
    by itself unless it is ended. One that still runs is not left, it ends within seconds.

    Returns a list of ids (str).

    Raises CommandExecutionError when Docker gives no answer.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_bootstrap.left

    Source: rancher/agent's run.sh, inspect_host; rancher/rancher issue 8116
    """
    return [each["Id"] for each in _listed() if _is_itself(each) or _is_look(each, runs=False)]


def _listed():
    return __salt__["docker_engine.containers"]()


def _is_itself(each):
    return f"/{NAME}" in (each.get("Names") or ())


def _is_look(each, runs):
    is_up = (each.get("Status") or "").startswith("Up")
    return (each.get("Command") or "").split() == LOOK and is_up is runs


def remove():
    """
    Remove what a bootstrap left, itself first, running or not; without it nothing happens.

    Returns nothing.

    Raises CommandExecutionError when Docker refuses.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_bootstrap.remove

    Source: Docker Engine API, "ContainerDelete"
    """
    itself = [each["Id"] for each in _listed() if _is_itself(each)]
    _take_away(itself)
    # Its look at the host goes on without it, and may write the host's token just now.
    until = time.monotonic() + LOOKING
    while itself and any(_is_look(each, runs=True) for each in _listed()):
        if time.monotonic() > until:
            break
        time.sleep(PAUSE)
    _take_away(left())


def _take_away(ids):
    with __salt__["docker_engine.client"]("remove the bootstrap of the agent") as api:
        import docker

        for each in ids:
            with contextlib.suppress(docker.errors.NotFound):
                api.remove_container(each, v=True, force=True)


def _outcome(code, lines):
    if code == 0:
        return None
    errors = [line for line in lines if "ERROR" in line]
    return f"it ended with exit code {code}: {_said((errors or lines or ['no output'])[-1])}"


def _last(lines):
    return lines[-1][:200] if lines else "no output yet"


def _clean(line, url):
    """A line without the token and without keys."""
    line = __salt__["rancher_script.hidden"](line, url)
    return re.sub(r"((?:SECRET|TOKEN|ACCESS_KEY)\w*=)\S+", r"\1***", line)
