"""
This host as a member of a Rancher 1.x project: what is asked for, and making it so.
"""

import itertools
import logging
import time

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _docker_change
import _docker_engine
import _docker_pull
import _host
import _rancher_agent_bootstrap
import _rancher_agent_host
import _rancher_agent_look
import _rancher_agent_match
import _rancher_agent_plan
import _rancher_api
import _rancher_project
import _rancher_registration

log = logging.getLogger(__name__)

NAME = "rancher-agent"
DEFAULT_IMAGE = "rancher/agent:v1.2.11"
STATE = "/var/lib/rancher"
# Seconds that an agent must run without complaint when nobody else can be asked, and between looks.
STEADY = 15
PAUSES = (1, 1, 2, 3, 5)


def wanted(pillar, server_url, project, image, ip, labels, timeout):
    """
    What is asked for; the rest comes from the pillar ``rancher:agent``. ``registration_url`` and
    ``proxy`` are secrets.
    """
    # Not pillar.get: from Salt 3008 on it gives modules asterisks in place of values.
    settings = pillar.get("rancher") or {}
    agent = settings.get("agent") or {}
    if not server_url and not agent.get("registration_url"):
        raise SaltInvocationError(
            "rancher:agent:server_url is null; set the URL of the server, "
            "or rancher:agent:registration_url"
        )
    return {
        "pillar": pillar,
        "server_url": server_url,
        "project": project,
        "image": image,
        "ip": ip,
        "labels": dict(labels or {}),
        "timeout": timeout,
        "registration_url": agent.get("registration_url"),
        "authority": agent.get("ca_certificate"),
        "proxy": agent.get("proxy"),
        "has_keys": bool(agent.get("access_key")),
        "daemon": (settings.get("docker") or {}).get("daemon") or {},
    }


def apply(seen, changes, want):
    """Make the host a member."""
    bootstrap = seen["agent"] is None or "ip" in changes or "proxy" in changes
    image, url = _ready_to_run(want) if bootstrap else (None, None)
    # From here on: a slow download of the image does not count.
    until = time.monotonic() + want["timeout"]
    if "authority" in changes:
        _host.write(f"{STATE}/etc/ssl/ca.crt", want["authority"])
    if "bootstrap" in changes:
        _rancher_agent_bootstrap.remove()
    if bootstrap:
        labels = _rancher_agent_match.with_id(want["labels"], _rancher_agent_host.own_id())
        variables = _rancher_agent_bootstrap.environment(want["ip"], labels, want["proxy"])
        _rancher_agent_bootstrap.run(image, url, variables, until - time.monotonic())
    elif changes.get("agent", {}).get("new") == "restarted":
        with _docker_engine.client("restart rancher-agent") as api:
            api.restart(NAME, timeout=10)
    elif "agent" in changes:
        _docker_change.start(NAME)
    _await(want, until)


def _ready_to_run(want):
    """Image and registration URL, both proved; nothing on this host is changed before that."""
    left = min(_rancher_agent_look.LOOK, want["timeout"])
    if want["registration_url"] is not None:
        image, url = want["image"] or DEFAULT_IMAGE, want["registration_url"]
    else:
        api = _rancher_api.connect(want["pillar"], want["server_url"], timeout=left)
        token = _rancher_registration.token(_rancher_project.Project(api, want["project"]))
        image, url = want["image"] or token["image"], token["url"]
    _rancher_agent_look.prove(url, want, left)
    if _docker_engine.image(image) is None:
        _docker_pull.pull(image)
    return image, url


def _await(want, until):
    """Look again until nothing is left to do; a refusal that shows meanwhile ends it at once."""
    begin = time.monotonic()
    for turn in itertools.count():
        seen = _rancher_agent_look.observe(want)
        steady = begin + (0 if seen["asked"] else STEADY)
        left = _rancher_agent_plan.plan(seen, want)
        if not left and time.monotonic() >= steady:
            return
        if time.monotonic() > until:
            raise CommandExecutionError(_rancher_agent_plan.missing(seen, want))
        log.info("waiting for Rancher: %s", _rancher_agent_match.status(seen["row"]))
        time.sleep(PAUSES[min(turn, len(PAUSES) - 1)])
