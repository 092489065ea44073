"""
What is so on a host that is to be a member of a Rancher 1.x project, looked at before anything is done.

With `server_url` the server's API says whether the host is active. With `registration_url`, or on
a member without keys whose server wants some, nothing is asked but the registration script: then a
container `rancher-agent` that keeps running without complaint is all the proof there can be.
"""

import time

from salt.exceptions import CommandExecutionError

import _docker_engine
import _host
import _rancher_agent_bootstrap
import _rancher_agent_cgroup
import _rancher_agent_host
import _rancher_agent_match
import _rancher_agent_plan
import _rancher_agent_script
import _rancher_api
import _rancher_http
import _rancher_project
import _rancher_registration

STATE = "/var/lib/rancher"
# Seconds for a look at a host that is a member already.
LOOK = 60


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
            prove(want["registration_url"], want, patience)
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
    project = _rancher_project.Project(api, want["project"])
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
        known = _rancher_registration.host(api)
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
    token = _rancher_registration.token(project, create=False)
    if token:
        prove(token["url"], want, patience)
        return
    # No token yet: what its URL will begin with, and the clock, are known all the same.
    api = project.api
    base = _rancher_registration.host(api) or api.base
    problem = _rancher_agent_script.wrong_url(base)
    if problem is None:
        before = time.time()
        problem = _rancher_agent_script.clock(api.knock("/ping")["date"], before, time.time())
    if problem:
        raise CommandExecutionError(problem)


def prove(url, want, patience):
    """Raise why a bootstrap would not get its registration script."""
    try:
        _rancher_agent_script.fetch(url, want["authority"], want["proxy"], patience)
    except CommandExecutionError as exc:
        if not (url.startswith("http:") and (want["server_url"] or "").startswith("https:")):
            raise
        raise CommandExecutionError(
            f"{exc}. The server gives out http for its https: let the proxy in front send "
            "X-Forwarded-Proto, or set the Host Registration URL in Rancher under Admin, Settings"
        ) from exc
