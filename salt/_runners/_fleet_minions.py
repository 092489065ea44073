"""
The minions of a fleet, as the master sees them: who is what, and asking them.

Roles come from the pillar, compiled here for each accepted key: what a minion says of itself
decides nothing.
"""

import time

import salt.client
import salt.pillar
import salt.utils.minions
from salt.exceptions import SaltClientError

import _fleet_batch

# Seconds between two looks at what a minion is doing.
_PAUSE = 2


def members(opts, target="*", tgt_type="compound"):
    """
    List minions with the settings that decide how a fleet is worked on, by minion id; no secrets.
    See `_facts` for the keys.
    """
    check = salt.utils.minions.CkMinions(opts)
    known = check.check_minions(target, tgt_type)["minions"]
    return {minion: _member(opts, minion) for minion in sorted(known)}


def with_role(members, role):
    """Pick the minions of a role; None and ``common``: every one. Returns a list of ids."""
    everyone = role in (None, "common")
    return [name for name, one in members.items() if everyone or role in one["roles"]]


def call(opts, minions, function, args=(), timeout=30, **kwargs):
    """
    Run a function on some minions and wait for all of them. Never give it a secret: arguments stay
    in the job cache. Returns by minion id the full return, or False when none came.
    """
    if not minions:
        return {}
    try:
        with salt.client.get_local_client(mopts=opts, listen=True) as client:
            answers = client.cmd(
                list(minions),
                function,
                list(args),
                tgt_type="list",
                timeout=timeout,
                # A host at work may be slow to say that it still is.
                gather_job_timeout=max(30, opts["gather_job_timeout"]),
                full_return=True,
                kwarg=kwargs,
            )
    except SaltClientError as exc:
        return {name: {"ret": f"the master could not send it: {exc}"} for name in minions}
    return {name: _returned((answers or {}).get(name)) for name in minions}


def idle(opts, minions, limit=3600):
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
            elif not isinstance(answer["ret"], list):
                problems[name] = f"gave no list of its runs: {answer['ret']}"
        waiting = [name for name in waiting if name not in problems and answers[name]["ret"]]
        if waiting and time.monotonic() > until:
            problems.update(dict.fromkeys(waiting, f"another state run did not end in {limit} s"))
            break
        if waiting:
            time.sleep(_PAUSE)
    return problems


def apply(opts, minions, sls, test=False, pillar=None):
    """
    Apply states on one batch of minions, with values laid over their pillar: never a secret.
    Returns what `_fleet_batch.verdict` says of each.
    """
    results = {name: {"failed": why} for name, why in idle(opts, minions).items()}
    able = [name for name in minions if name not in results]
    more = {"test": True} if test else {}
    if pillar is not None:
        more["pillar"] = pillar
    answers = call(opts, able, "state.apply", [",".join(sls)], timeout=60, **more)
    for name, answer in answers.items():
        results[name] = _fleet_batch.verdict(answer, dry=test)
    return results


def _returned(answer):
    """False when none came; Salt 3008 then gives a text in its place."""
    return answer if answer and answer.get("out") != "no_return" else False


def _member(opts, minion):
    _, grains, _ = salt.utils.minions.get_minion_data(minion, opts)
    grains = {**(grains or {}), "id": minion}
    pillar = salt.pillar.Pillar(opts, grains, minion, "base").compile_pillar()
    return _facts(minion, pillar)


def _facts(minion, pillar):
    """What of a pillar matters here; pure."""
    rancher = pillar.get("rancher")
    rancher = rancher if isinstance(rancher, dict) else {}
    agent, server = rancher.get("agent") or {}, rancher.get("server") or {}
    return {
        "roles": list(rancher.get("roles") or []),
        "hostname": rancher.get("hostname") or minion,
        "server_url": agent.get("server_url"),
        "project": agent.get("project"),
        "registered_timeout": agent.get("registered_timeout") or 600,
        "ready_timeout": server.get("ready_timeout") or 600,
        "registration_given": bool(agent.get("registration_url")),
        "image_given": bool(agent.get("image")),
    }
