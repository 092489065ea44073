"""
The minions of a fleet, as the master sees them: who is what, and asking them.

Roles come from the pillar, compiled here for each accepted key: what a minion says of itself
decides nothing.
"""

import difflib
import logging
import time

import salt.client
import salt.fileserver
import salt.pillar
import salt.utils.minions
from salt.exceptions import SaltClientError, SaltInvocationError

import _fleet_batch

log = logging.getLogger(__name__)

ROLES = ("common", "server", "agent")
# Seconds after which a minion is no longer waited for.
LONGEST = 3600
# Seconds between two looks at what a minion is doing.
_PAUSE = 2
# Seconds between two lines about who is still at work, and between two looks for answers.
_TELL, _LOOK = 60, 0.05


def members(opts, target="*", tgt_type="compound"):
    """
    List minions with the settings that decide how a fleet is worked on, by minion id; no secrets.
    See `_facts` for the keys.
    """
    check = salt.utils.minions.CkMinions(opts)
    known = check.check_minions(target, tgt_type)["minions"]
    return {minion: _member(opts, minion) for minion in sorted(known)}


def with_role(members, role):
    """
    Pick the minions of a role; None and ``common``: those that have any. A host that nobody gave a
    role is none of ours. Returns a list of ids.
    """
    if role not in (None, *ROLES):
        raise SaltInvocationError(f"role is {role!r}, allowed: {', '.join(ROLES)}")
    everyone = role in (None, "common")
    return [
        name for name, one in members.items() if role in one["roles"] or (everyone and one["roles"])
    ]


def without_role(members):
    """The minions that have no role at all, each with the reason."""
    return {
        name: one["problem"] or "its pillar lists no rancher:roles"
        for name, one in members.items()
        if not one["roles"]
    }


def unknown_sls(opts, names):
    """Raise SaltInvocationError when the master serves one of these SLS in no environment."""
    files = salt.fileserver.Fileserver(opts)
    known = set()
    for env in files.envs():
        known.update(each for each in files.file_list({"saltenv": env}) if each.endswith(".sls"))
    known = {path.removesuffix(".sls").removesuffix("/init").replace("/", ".") for path in known}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SaltInvocationError(f"the master serves no SLS {name!r}{hint}")


def call(opts, minions, function, args=(), timeout=30, gather=30, limit=LONGEST, **kwargs):
    """
    Run a function on some minions and wait for all, at most `limit` seconds. Never give it a secret:
    arguments stay in the job cache. Returns by minion id the full return, False when none came.
    """
    if not minions:
        return {}
    answers, start, told = {}, time.monotonic(), 0
    # A host at work may be slow to say that it still is.
    patience = {"timeout": timeout, "gather_job_timeout": max(gather, opts["gather_job_timeout"])}
    try:
        with salt.client.get_local_client(mopts=opts, listen=True) as client:
            job = client.run_job(
                list(minions), function, list(args), tgt_type="list", kwarg=kwargs, listen=True
            )
            asked = set(job.get("minions") or [])
            returns = client.get_iter_returns(
                job["jid"], asked, tgt=list(minions), tgt_type="list", block=False, **patience
            )
            for answer in returns if asked else ():
                answers.update(answer or {})
                if asked <= set(answers):
                    break
                passed = time.monotonic() - start
                late = [name for name in minions if name not in answers]
                if passed > limit:
                    answers.update(dict.fromkeys(late, {"ret": _hung(function, args, limit)}))
                    break
                if passed // _TELL > told:
                    told = passed // _TELL
                    log.warning("after %d s still at work: %s", passed, ", ".join(late))
                if not answer:
                    time.sleep(_LOOK)
    except (SaltClientError, KeyError) as exc:
        return {name: {"ret": f"the master could not send it: {exc}"} for name in minions}
    return {name: _returned(answers.get(name)) for name in minions}


def _hung(function, args, limit):
    what = " ".join([function, *map(str, args)])
    return (
        f"no end of {what} after {limit} s; it may still go on: see what it does with "
        "`salt <minion> state.running`"
    )


def idle(opts, minions, limit=LONGEST):
    """
    Wait until no state run is under way on the minions. Returns the reason for each that cannot be
    worked on.
    """
    until = time.monotonic() + limit
    problems, waiting = {}, list(minions)
    while waiting:
        answers = call(opts, waiting, "saltutil.is_running", ["state.*"])
        for name, answer in answers.items():
            if not answer:
                problems[name] = "does not answer; is it up, and its minion running?"
            elif not isinstance(answer.get("ret"), list):
                problems[name] = _fleet_batch.line(f"gave no list of its runs: {answer.get('ret')}")
        waiting = [name for name in waiting if name not in problems and answers[name]["ret"]]
        if waiting and time.monotonic() > until:
            problems.update(dict.fromkeys(waiting, f"another state run did not end in {limit} s"))
            break
        if waiting:
            time.sleep(_PAUSE)
    return problems


def apply(opts, minions, sls, test=False, pillar=None, limit=LONGEST):
    """
    Apply states on one batch of minions, with values laid over their pillar: never a secret.
    Returns what `_fleet_batch.verdict` says of each.
    """
    results = {name: {"failed": why} for name, why in idle(opts, minions).items()}
    able = [name for name in minions if name not in results]
    more = {"test": True} if test else {}
    if pillar is not None:
        more["pillar"] = pillar
    answers = call(opts, able, "state.apply", [",".join(sls)], timeout=60, limit=limit, **more)
    for name, answer in answers.items():
        results[name] = _fleet_batch.verdict(answer, dry=test)
    return results


def _returned(answer):
    """False when none came; Salt 3008 then gives a text in its place."""
    fits = isinstance(answer, dict) and answer.get("out") != "no_return"
    return answer if answer and fits else False


def _member(opts, minion):
    _, grains, _ = salt.utils.minions.get_minion_data(minion, opts)
    grains = {**(grains or {}), "id": minion}
    pillar = salt.pillar.Pillar(opts, grains, minion, "base").compile_pillar()
    return _facts(minion, pillar)


def _facts(minion, pillar):
    """What of a pillar matters here; pure. Other values than the settings allow count as not given."""
    rancher = _mapping(pillar.get("rancher"))
    agent, server = _mapping(rancher.get("agent")), _mapping(rancher.get("server"))
    roles = rancher.get("roles")
    errors = pillar.get("_errors")
    return {
        "roles": [role for role in roles if role in ROLES] if isinstance(roles, list) else [],
        "hostname": rancher.get("hostname") or minion,
        "server_url": agent.get("server_url"),
        "project": agent.get("project"),
        "registered_timeout": _seconds(agent.get("registered_timeout")),
        "ready_timeout": _seconds(server.get("ready_timeout")),
        "registration_given": bool(agent.get("registration_url")),
        "image_given": bool(agent.get("image")),
        "problem": errors and f"its pillar could not be compiled: {_fleet_batch.line(errors)}",
    }


def _mapping(value):
    return value if isinstance(value, dict) else {}


def _seconds(value):
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 600
