"""
This host as a member of a Rancher 1.x project: what is so, what is to do, and doing it.

With `server_url` the server's API says whether the host is active. With `registration_url`, or on
a member without keys whose server wants some, nothing is asked but the registration script: then a
container `rancher-agent` that keeps running without complaint is all the proof there can be.
"""

import itertools
import logging
import time

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _docker_change
import _docker_engine
import _docker_pull
import _host
import _rancher
import _rancher_agent_bootstrap
import _rancher_agent_host
import _rancher_agent_match
import _rancher_agent_plan
import _rancher_agent_script
import _rancher_agent_site
import _rancher_http

log = logging.getLogger(__name__)

NAME = "rancher-agent"
DEFAULT_IMAGE = "rancher/agent:v1.2.11"
STATE = "/var/lib/rancher"
# Seconds: for a look at a host that is a member already; that an agent must run without
# complaint when nobody else can be asked.
LOOK, STEADY = 60, 15
PAUSES = (1, 1, 2, 3, 5)


def wanted(pillar, server_url, project, image, ip, labels, timeout):
    """
    Put together what is asked for; the rest comes from the pillar ``rancher:agent``. Returns a
    dict. Its ``registration_url`` is a secret.
    """
    # Not pillar.get: from Salt 3008 on it gives modules asterisks in place of values.
    agent = (pillar.get("rancher") or {}).get("agent") or {}
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
    }


def observe(want, test=False):
    """
    Look at the host, its agent and, with an API to ask, at Rancher's list of hosts. Returns a dict
    for ``_rancher_agent_plan.plan``.
    """
    _rancher_agent_bootstrap.check_ip(want["ip"])
    agent, leftover = None, False
    if _docker_is_there(test):
        agent = _rancher_agent_host.agent(bool(want["authority"]))
        leftover = bool(_rancher_agent_bootstrap.left())
    else:
        agent = _rancher_agent_host.resting(want["ip"])
    asked = want["registration_url"] is None and not (agent and _is_kept_out(want))
    seen = {
        "agent": agent,
        "asked": asked,
        "leftover": leftover,
        "authority": _host.read(f"{STATE}/etc/ssl/ca.crt"),
        "me": _rancher_agent_host.marks(want["ip"]),
        "row": None,
        "by": None,
        "elsewhere": None,
        "silent": None,
    }
    absent = agent is None
    try:
        if asked:
            seen.update(_in_rancher(want, seen, _patience(want, absent, test)))
        else:
            seen["elsewhere"] = _other_server(want, seen)
        if absent or _rancher_agent_plan.other_ip(seen, want):
            _check_way(want, _patience(want, absent, test))
    except CommandExecutionError as exc:
        if not (test and absent and _answers_later(want)):
            raise
        seen["silent"] = str(exc)
    return seen


def _is_kept_out(want):
    """Whether only holders of API keys may ask, and this host has none: its master registered it."""
    if ((want["pillar"].get("rancher") or {}).get("agent") or {}).get("access_key"):
        return False
    url = f"{want['server_url'].rstrip('/')}/v2-beta/projects"
    answer = _rancher_http.exchange("GET", url, ca_certificate=want["authority"], timeout=10)
    return answer["status"] == 401


def _docker_is_there(test):
    there = _docker_engine.answers()
    # In a dry run on a bare host, Docker and the library for it come with the run.
    return there or not test


def _patience(want, absent, test):
    if test:
        return 10
    # A server that was started in the same run takes minutes.
    return want["timeout"] if absent else min(LOOK, want["timeout"])


def _answers_later(want):
    """Whether the server only is not up yet, as when the same run makes it."""
    url = want["registration_url"] or want["server_url"]
    where = _rancher_agent_script.origin(url)
    answer = _rancher_http.exchange(
        "GET", f"{where}/ping", ca_certificate=want["authority"], timeout=10
    )
    return bool(answer["problem"] and answer["passing"])


def _in_rancher(want, seen, patience):
    """This host in Rancher: its row, or the project or server that it belongs to instead."""
    url, project = want["server_url"], want["project"]
    rows = _rancher.hosts(want["pillar"], url, project, timeout=patience)
    found = _rancher_agent_match.find(rows, seen["me"])
    if found["by"] == "name" and seen["agent"] is None:
        # Another machine may have that name; before the agent runs it proves nothing.
        found = {"row": None, "by": None}
    if found["row"] is not None:
        return found
    return {**found, "elsewhere": _other_project(want, seen) or _other_server(want, seen)}


def _other_project(want, seen):
    projects = _rancher_agent_site.projects(want["pillar"], want["server_url"])
    for project in projects if len(projects) > 1 else []:
        rows = _rancher.hosts(want["pillar"], want["server_url"], project["id"])
        found = _rancher_agent_match.find(rows, seen["me"])
        if found["by"] in ("label", "name and address"):
            return f"project {project['name']} ({project['id']}) as host {found['row']['id']}"
    return None


def _other_server(want, seen):
    agent, origin = seen["agent"], _rancher_agent_script.origin
    if not agent or not agent["url"]:
        return None
    script, url = want["registration_url"], want["server_url"]
    if origin(agent["url"]) == origin(script or url):
        return None
    # The server's own idea of its address may be another one than ours.
    if script:
        known = _rancher_agent_script.server(
            _rancher_agent_script.fetch(script, want["authority"], LOOK)
        )
    else:
        known = _rancher_agent_site.registration_host(want["pillar"], url)
    if known and origin(agent["url"]) == origin(known):
        return None
    return f"the server {origin(agent['url'])}"


def _check_way(want, patience):
    """Raise what would make a bootstrap fail."""
    if _docker_engine.answers():
        with _docker_engine.client("tell its version") as api:
            _rancher_agent_bootstrap.check_docker(api.version(api_version=False))
    url = want["registration_url"]
    if url is None:
        token = _rancher.registration(
            want["pillar"], want["server_url"], want["project"], timeout=patience, create=False
        )
        url = token and token["url"]
    if url is not None:
        _prove(url, want, patience)
        return
    # No token as yet: what its URL will begin with, and the clock, are known all the same.
    base = (
        _rancher_agent_site.registration_host(want["pillar"], want["server_url"])
        or want["server_url"]
    )
    problem = _rancher_agent_script.wrong_url(base)
    if problem is None:
        before = time.time()
        answer = _rancher_http.exchange(
            "GET", f"{want['server_url'].rstrip('/')}/ping", ca_certificate=want["authority"]
        )
        problem = _rancher_agent_script.clock(answer["date"], before, time.time())
    if problem:
        raise CommandExecutionError(problem)


def _prove(url, want, patience):
    try:
        _rancher_agent_script.fetch(url, want["authority"], patience)
    except CommandExecutionError as exc:
        if not (url.startswith("http:") and (want["server_url"] or "").startswith("https:")):
            raise
        raise CommandExecutionError(
            f"{exc}. The server gives out http for its https: let the proxy in front send "
            "X-Forwarded-Proto, or set the Host Registration URL in Rancher under Admin, Settings"
        ) from exc


def apply(seen, changes, want):
    """Make the host a member."""
    bootstrap = seen["agent"] is None or "ip" in changes
    image, url = _ready_to_run(want) if bootstrap else (None, None)
    # From here on: a slow download of the image does not count.
    until = time.monotonic() + want["timeout"]
    if "authority" in changes:
        _host.write(f"{STATE}/etc/ssl/ca.crt", want["authority"])
    if "bootstrap" in changes:
        _rancher_agent_bootstrap.remove()
    if bootstrap:
        mine = _rancher_agent_host.own_id()
        labels = _rancher_agent_match.with_id(want["labels"], mine)
        variables = _rancher_agent_bootstrap.environment(want["ip"], labels)
        _rancher_agent_bootstrap.run(image, url, variables, until - time.monotonic())
    elif changes.get("agent", {}).get("new") == "restarted":
        with _docker_engine.client("restart rancher-agent") as api:
            api.restart(NAME, timeout=10)
    elif "agent" in changes:
        _docker_change.start(NAME)
    _await(want, until)


def _ready_to_run(want):
    """Image and registration URL, both proved; nothing on this host is changed before that."""
    left = min(LOOK, want["timeout"])
    if want["registration_url"] is not None:
        image, url = want["image"] or DEFAULT_IMAGE, want["registration_url"]
    else:
        token = _rancher.registration(
            want["pillar"], want["server_url"], want["project"], timeout=left
        )
        image, url = want["image"] or token["image"], token["url"]
    _prove(url, want, left)
    if _docker_engine.image(image) is None:
        _docker_pull.pull(image)
    return image, url


def _await(want, until):
    """Look again until nothing is left to do; a refusal that shows meanwhile ends it at once."""
    begin = time.monotonic()
    for turn in itertools.count():
        seen = observe(want)
        steady = begin + (0 if seen["asked"] else STEADY)
        left = _rancher_agent_plan.plan(seen, want)
        if not left and time.monotonic() >= steady:
            return
        if time.monotonic() > until:
            raise CommandExecutionError(_rancher_agent_plan.in_vain(seen, want))
        log.info("waiting for Rancher: %s", _rancher_agent_match.status(seen["row"]))
        time.sleep(PAUSES[min(turn, len(PAUSES) - 1)])
