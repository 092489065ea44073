"""
The container that makes a host join Rancher 1.x: run once, watched, and removed.

It ends within seconds when all is well. When it is not, it repeats itself for 10 minutes; its
lines tell why much earlier.
"""

import contextlib
import ipaddress
import logging
import re
import time
import urllib.parse

from salt.exceptions import CommandExecutionError

import _docker_engine
import _rancher_agent_script

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


def environment(ip, labels, proxy=None):
    """The variables for the bootstrap; pure. Those of the proxy reach the agent, too."""
    made = {"CATTLE_HOST_LABELS": urllib.parse.urlencode(labels, quote_via=urllib.parse.quote)}
    for name, value in (proxy or {}).items():
        if value:
            # Its programs read the one spelling or the other.
            made.update({name: value, name.upper(): value})
    return {**made, "CATTLE_AGENT_IP": ip} if ip else made


def check_ip(ip):
    """Refuse an address that the bootstrap would refuse."""
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
    """Refuse a Docker that the agent cannot speak to."""
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
    """Why there is no hope left, as the bootstrap tells, and the way out: one line, or None; pure."""
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
    """Run the bootstrap and wait for its end; only then is there a container ``rancher-agent``."""
    until = time.monotonic() + timeout
    # A run that was killed may have left one; one that is under way starts again, harmlessly.
    remove()
    try:
        _begin(image, url, variables)
        while True:
            state = (_docker_engine.container(NAME) or {"State": {}})["State"]
            lines = [_clean(line, url) for line in _docker_engine.logs(NAME)]
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
    with _docker_engine.client("start the bootstrap of the agent") as api:
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
    host = _docker_engine.url()
    return host.removeprefix("unix://") if host.startswith("unix://") else "/var/run/docker.sock"


def left():
    """Ids of the containers that a bootstrap left on this host."""
    return [each["Id"] for each in _listed() if _is_itself(each) or _is_look(each, runs=False)]


def _listed():
    return _docker_engine.containers()


def _is_itself(each):
    return f"/{NAME}" in (each.get("Names") or ())


def _is_look(each, runs):
    is_up = (each.get("Status") or "").startswith("Up")
    return (each.get("Command") or "").split() == LOOK and is_up is runs


def remove():
    """Remove what a bootstrap left, itself first, running or not; without it nothing happens."""
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
    with _docker_engine.client("remove the bootstrap of the agent") as api:
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
    """A line without the token, keys, and the password of a proxy, which the bootstrap prints."""
    line = _rancher_agent_script.hidden(line, url)
    line = re.sub(r"//[^/\s@]+@", "//***@", line)
    return re.sub(r"((?:SECRET|TOKEN|ACCESS_KEY)\w*=)\S+", r"\1***", line)
