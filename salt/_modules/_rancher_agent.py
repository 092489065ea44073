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
import _rancher_agent_cgroup
import _rancher_agent_host
import _rancher_agent_match
import _rancher_agent_plan
import _rancher_agent_script
import _rancher_api
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


def observe(want, test=False):
    """
    Look at the host, its agent and, with an API to ask, at Rancher's list of hosts; before a
    bootstrap would run, also at everything that would make it fail.
    """
    _rancher_agent_bootstrap.check_ip(want["ip"])
    agent, leftover = None, False
    # In a dry run on a bare host, Docker and the library for it come with the run.
    if _docker_engine.answers() or not test:
        agent = _rancher_agent_host.agent(bool(want["authority"]))
        leftover = bool(_rancher_agent_bootstrap.left())
    else:
        agent = _rancher_agent_host.resting(want["ip"])
    seen = {
        "agent": agent,
        "asked": False,
        "leftover": leftover,
        "authority": _host.read(f"{STATE}/etc/ssl/ca.crt"),
        "me": _rancher_agent_host.marks(want["ip"]),
        "row": None,
        "by": None,
        "twins": [],
        "closed": [],
        "elsewhere": None,
        "unsure": None,
        "silent": None,
    }
    if agent is None:
        # Before a server is waited for.
        _check_host(want, test)
    try:
        _ask(want, seen, test)
    except CommandExecutionError as exc:
        if not (test and agent is None and _answers_later(want)):
            raise
        seen["silent"] = str(exc)
    if agent is not None and _would_bootstrap(seen, want):
        _check_host(want, test)
    return seen


def _would_bootstrap(seen, want):
    return (
        seen["agent"] is None
        or _rancher_agent_plan.other_ip(seen, want) is not None
        or _rancher_agent_plan.other_proxy(seen, want)
    )


def _check_host(want, test):
    """Raise what on this host itself would make a bootstrap, or the agent after it, fail."""
    info = None
    if _docker_engine.answers():
        with _docker_engine.client("tell its version") as api:
            _rancher_agent_bootstrap.check_docker(api.version(api_version=False))
        info = _docker_engine.info()
    unified = _rancher_agent_cgroup.is_unified()
    # In the run itself Docker was configured before.
    _rancher_agent_cgroup.check(info, unified, want["daemon"] if test else None)


def _patience(want, absent, test):
    if test:
        return 10
    # A server that was started in the same run takes minutes.
    return want["timeout"] if absent else min(LOOK, want["timeout"])


def _ask(want, seen, test):
    """Add to ``seen`` what the server says, in one conversation."""
    absent = seen["agent"] is None
    patience = _patience(want, absent, test)
    url = want["server_url"]
    if want["registration_url"] is not None:
        seen["elsewhere"] = _other_server(want, seen)
        if _would_bootstrap(seen, want):
            _prove(want["registration_url"], want, patience)
        return
    api = _rancher_api.connect(want["pillar"], url, timeout=patience)
    if not absent and not want["has_keys"] and api.knock("/v2-beta/projects")["status"] == 401:
        # Only holders of API keys may ask, and this host has none: its master registered it. The
        # server's own idea of its address may be another one than ours, so nothing is refused.
        origin, agent_url = _rancher_agent_script.origin, seen["agent"]["url"]
        if agent_url and origin(agent_url) != origin(url):
            seen["unsure"] = origin(agent_url)
        return
    seen["asked"] = True
    project = _rancher.Project(api, want["project"])
    found = _rancher_agent_match.find(project.hosts(), seen["me"])
    if found["by"] == "name" and absent:
        # Another machine may have that name; before the agent runs it proves nothing.
        found.update(row=None, by=None)
    seen.update(found)
    if seen["row"] is None:
        seen["elsewhere"] = _other_project(project, seen) or _other_server(want, seen, api)
    if _would_bootstrap(seen, want) and not seen["elsewhere"]:
        _check_way(want, project, patience)


def _other_project(project, seen):
    others, seen["closed"] = project.others()
    for other in others:
        found = _rancher_agent_match.find(other.hosts(), seen["me"])
        if found["by"] in ("label", "name and address"):
            return f"project {other} as host {found['row']['id']}"
    return None


def _other_server(want, seen, api=None):
    """The server that the agent reports to when it is not the wanted one, else None."""
    agent, origin = seen["agent"], _rancher_agent_script.origin
    if not agent or not agent["url"]:
        return None
    script = want["registration_url"]
    if origin(agent["url"]) == origin(script or want["server_url"]):
        return None
    # The server's own idea of its address may be another one than ours.
    if script:
        known = _rancher_agent_script.server(
            _rancher_agent_script.fetch(script, want["authority"], want["proxy"], LOOK)
        )
    else:
        known = _rancher.registration_host(api)
    if known and origin(agent["url"]) == origin(known):
        return None
    return f"the server {origin(agent['url'])}"


def _answers_later(want):
    """Whether the server only is not up yet, as when the same run makes it."""
    where = _rancher_agent_script.origin(want["registration_url"] or want["server_url"])
    answer = _rancher_http.exchange(
        "GET",
        f"{where}/ping",
        ca_certificate=want["authority"],
        proxy=want["proxy"],
        timeout=10,
    )
    return bool(answer["problem"] and answer["passing"])


def _check_way(want, project, patience):
    """Raise what on the way to the server would make a bootstrap fail."""
    token = project.registration(create=False)
    if token:
        _prove(token["url"], want, patience)
        return
    # No token yet: what its URL will begin with, and the clock, are known all the same.
    api = project.api
    base = _rancher.registration_host(api) or api.base
    problem = _rancher_agent_script.wrong_url(base)
    if problem is None:
        before = time.time()
        problem = _rancher_agent_script.clock(api.knock("/ping")["date"], before, time.time())
    if problem:
        raise CommandExecutionError(problem)


def _prove(url, want, patience):
    try:
        _rancher_agent_script.fetch(url, want["authority"], want["proxy"], patience)
    except CommandExecutionError as exc:
        if not (url.startswith("http:") and (want["server_url"] or "").startswith("https:")):
            raise
        raise CommandExecutionError(
            f"{exc}. The server gives out http for its https: let the proxy in front send "
            "X-Forwarded-Proto, or set the Host Registration URL in Rancher under Admin, Settings"
        ) from exc


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
    left = min(LOOK, want["timeout"])
    if want["registration_url"] is not None:
        image, url = want["image"] or DEFAULT_IMAGE, want["registration_url"]
    else:
        api = _rancher_api.connect(want["pillar"], want["server_url"], timeout=left)
        token = _rancher.Project(api, want["project"]).registration()
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
            raise CommandExecutionError(_rancher_agent_plan.missing(seen, want))
        log.info("waiting for Rancher: %s", _rancher_agent_match.status(seen["row"]))
        time.sleep(PAUSES[min(turn, len(PAUSES) - 1)])
