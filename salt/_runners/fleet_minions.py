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

# Seconds between two looks at what a minion is doing.
_PAUSE = 2


def members(target="*", tgt_type="compound"):
    """
    List minions with the settings that decide how a fleet is worked on; no secrets.

    target (str, default ``*``)
        Which minions.
    tgt_type (str, default ``compound``)
        How ``target`` is written.

    Returns a dict by minion id: ``roles`` (list), ``hostname`` (of the pillar, else the id),
    ``server_url``, ``project`` (str or None), ``registered_timeout``, ``ready_timeout``
    (seconds), ``registration_given`` and ``image_given`` (bool: the pillar names one itself).

    CLI Example:

    .. code-block:: bash

        salt-run fleet_minions.members 'N@rack1'

    Source: Salt's documentation, "Storing Static Data in the Pillar"
    """
    check = salt.utils.minions.CkMinions(__opts__)
    known = check.check_minions(target, tgt_type)["minions"]
    return {minion: _member(minion) for minion in sorted(known)}


def with_role(members, role):
    """
    Pick the minions of a role.

    members (dict)
        What ``members`` returned.
    role (str or None)
        ``server`` or ``agent``; None and ``common``: every one.

    Returns a list of minion ids.

    CLI Example:

    .. code-block:: bash

        salt-run fleet_minions.with_role '{a1: {roles: [agent]}}' agent

    Source: interface of this tree: common is always there
    """
    everyone = role in (None, "common")
    return [name for name, one in members.items() if everyone or role in one["roles"]]


def call(minions, function, args=(), timeout=30, **kwargs):
    """
    Run a function on some minions and wait for all of them.

    minions (list of str)
        Minion ids.
    function (str)
        For example ``state.apply``.
    args (list)
        Its arguments. Never a secret: they stay in the job cache.
    timeout (seconds, default 30)
        After which a minion is asked whether it still works on it.

    Further keyword arguments go to the function.

    Returns a dict by minion id: the full return, or False when none came.

    CLI Example:

    .. code-block:: bash

        salt-run fleet_minions.call '[a1]' test.ping

    Source: salt.client.LocalClient
    """
    if not minions:
        return {}
    try:
        with salt.client.get_local_client(mopts=__opts__, listen=True) as client:
            answers = client.cmd(
                list(minions),
                function,
                list(args),
                tgt_type="list",
                timeout=timeout,
                # A host at work may be slow to say that it still is.
                gather_job_timeout=max(30, __opts__["gather_job_timeout"]),
                full_return=True,
                kwarg=kwargs,
            )
    except SaltClientError as exc:
        return {name: {"ret": f"the master could not send it: {exc}"} for name in minions}
    return {name: _returned((answers or {}).get(name)) for name in minions}


def idle(minions, limit=3600):
    """
    Wait until no state run is under way on the minions, for example of a deploy that was killed.

    minions (list of str)
        Minion ids.
    limit (seconds, default 3600)
        The longest wait.

    Returns a dict: for each minion that cannot be worked on, the reason.

    CLI Example:

    .. code-block:: bash

        salt-run fleet_minions.idle '[a1]'

    Source: Salt refuses a state run while another one is under way
    """
    until = time.monotonic() + limit
    problems, waiting = {}, list(minions)
    while waiting:
        answers = call(waiting, "saltutil.is_running", ["state.*"])
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


def apply(minions, sls, test=False):
    """
    Apply states on one batch of minions.

    minions (list of str)
        Minion ids.
    sls (list of str)
        What ``state.apply`` takes.
    test (bool, default False)
        Only a dry run.

    Returns a dict by minion id: what ``fleet_batch.verdict`` gives.

    CLI Example:

    .. code-block:: bash

        salt-run fleet_minions.apply '[a1, a2]' '[common]'

    Source: Salt's documentation, "state.apply"
    """
    results = {name: {"failed": why} for name, why in idle(minions).items()}
    able = [name for name in minions if name not in results]
    more = {"test": True} if test else {}
    answers = call(able, "state.apply", [",".join(sls)], timeout=60, **more)
    for name, answer in answers.items():
        results[name] = __salt__["fleet_batch.verdict"](answer, dry=test)
    return results


def _returned(answer):
    """False when none came; Salt 3008 then gives a text in its place."""
    return answer if answer and answer.get("out") != "no_return" else False


def _member(minion):
    _, grains, _ = salt.utils.minions.get_minion_data(minion, __opts__)
    grains = {**(grains or {}), "id": minion}
    pillar = salt.pillar.Pillar(__opts__, grains, minion, "base").compile_pillar()
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
