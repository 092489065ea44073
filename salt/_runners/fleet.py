"""
A fleet of Rancher hosts, from its master: roll out in batches, day-two work, one table.

Every change goes batch by batch and stops after the first batch with a failure. Each function
may be started again at any time: what is right already is left alone.
"""

import contextlib
import fcntl
import logging
import os
import sys

from salt.exceptions import CommandExecutionError, SaltInvocationError

# A master's daemon keeps what it imported: after a sync this file would be new and these old.
for _name in [each for each in sys.modules if each.startswith(("_export_", "_fleet_"))]:
    del sys.modules[_name]

# isort: split
import _export_project  # noqa: E402
import _export_write  # noqa: E402
import _fleet_batch  # noqa: E402
import _fleet_minions  # noqa: E402
import _fleet_rancher  # noqa: E402
import _fleet_table  # noqa: E402

log = logging.getLogger(__name__)

# Also where a shop has a `common` of its own.
_COMMON = "rancher_salt.common"
# Seconds for each Rancher server in a table of the fleet.
_STATUS = 10


def apply(sls, role=None, target="*", tgt_type="compound", batch=5, test=False, timeout=3600):
    """
    Apply states on the minions of a role, in batches.

    sls (str or list)
        What ``state.apply`` takes; each must be there.
    role (str, default every minion that has one)
        ``common``, ``server`` or ``agent``, as the pillar ``rancher:roles`` says.
    target (str, default ``*``)
        Only these minions.
    tgt_type (str, default ``compound``)
        How ``target`` is written.
    batch (int, or str such as ``25%``, default 5)
        How many minions at once.
    test (bool, default False)
        Dry run.
    timeout (seconds, default 3600)
        After which a minion is no longer waited for. Each minute a line tells who is still at work.

    Returns a dict: ``done``, ``failed`` (minion: one line), ``left`` (list), and ``left_out`` (minion:
    why) when some have no role.

    CLI Example:

    .. code-block:: bash

        salt-run fleet.apply common batch=25%

    Source: docs/decisions/roll-out-in-batches.md
    """
    names = sls.split(",") if isinstance(sls, str) else list(sls)

    def work(some, _members):
        return _fleet_minions.apply(__opts__, some, names, test=test, limit=timeout)

    return _in_batches(role, target, tgt_type, batch, work, sls=names)


def preview(target="*", tgt_type="compound", batch=5):
    """
    Tell what ``orch.deploy`` would do: which hosts, in which batches, and what ``common`` would
    change on each. Nothing is changed.

    target (str, default ``*``), tgt_type (str, default ``compound``)
        Only these minions.
    batch (int, or str such as ``25%``, default 5)
        How many minions at once.

    Returns a list of lines.

    CLI Example:

    .. code-block:: bash

        salt-run fleet.preview batch=10%

    Source: a dry run of an orchestration only names its runners
    """

    def run():
        members = _chosen_from(target, tgt_type)
        batches = _fleet_batch.split(_fleet_minions.with_role(members, None), batch)
        dry = [_fleet_minions.apply(__opts__, some, [_COMMON], test=True) for some in batches]
        agents = _fleet_batch.split(_fleet_minions.with_role(members, "agent"), batch)
        return _fleet_table.preview(
            list(zip(batches, dry, strict=True)),
            _fleet_minions.with_role(members, "server"),
            sorted({members[name]["server_url"] for some in agents for name in some} - {None}),
            agents,
            _fleet_minions.without_role(members),
        )

    try:
        with _alone():
            return run()
    except (CommandExecutionError, SaltInvocationError) as exc:
        __context__["retcode"] = 1
        return [str(exc)]


def register(target="*", tgt_type="compound", batch=5, sls="rancher_salt.agent"):
    """
    Make agents of the minions with the role agent, in batches: hand each the registration URL
    for the while, apply the role, and wait until Rancher shows its host active.

    target (str, default ``*``), tgt_type (str, default ``compound``)
        Only these minions.
    batch (int, or str such as ``25%``, default 5)
        How many minions at once.
    sls (str, default ``rancher_salt.agent``)
        What to apply.

    Returns a dict: ``done``, ``failed`` (minion: one line) and ``left`` (list).

    CLI Example:

    .. code-block:: bash

        salt-run fleet.register batch=10

    Source: docs/decisions/orchestrated-secrets.md
    """
    rancher = _fleet_rancher.Rancher(__opts__)

    def work(some, members):
        return _register(rancher, some, members, sls)

    return _in_batches("agent", target, tgt_type, batch, work)


def ready(target="*", tgt_type="compound"):
    """
    Wait until every Rancher server that an agent's pillar names answers.

    target (str, default ``*``), tgt_type (str, default ``compound``)
        Only the servers of these minions.

    Returns a dict: ``done``, ``failed`` (server URL: one line) and ``left``.

    CLI Example:

    .. code-block:: bash

        salt-run fleet.ready

    Source: see ``rancher.ready``
    """
    rancher = _fleet_rancher.Rancher(__opts__)

    def run():
        members = _fleet_minions.members(__opts__, target, tgt_type)
        agents = _fleet_minions.with_role(members, "agent")
        waits = {members[name]["server_url"]: members[name]["ready_timeout"] for name in agents}
        report = {"done": {}, "failed": {}, "left": []}
        for url, timeout in waits.items():
            if url:
                rancher.ready(url, timeout)
                report["done"][url] = "ready"
        return report

    return _reported(run)


def upgrade_docker(target="*", tgt_type="compound", batch=1, sls="rancher_salt.docker"):
    """
    Bring Docker to the version of the settings, host by host: take it out of service in Rancher,
    apply ``docker``, start again what ran, activate it.

    Where every container belongs to a service, and another host is active, they are made again
    elsewhere first. Rancher removes all others when it empties a host, so a host with such is only
    deactivated: its containers stay, stop with Docker and are started again; the report says so.
    A host whose dry run shows nothing to change is left in service; one that an operator made
    inactive stays so.

    target (str, default ``*``), tgt_type (str, default ``compound``)
        Only these minions with the role agent.
    batch (int, or str such as ``25%``, default 1)
        How many minions at once; the others must bear the load.
    sls (str, default ``rancher_salt.docker``)
        What to apply while the host is out of service.

    Returns a dict: ``done``, ``failed`` (minion: one line) and ``left`` (list). A host that
    failed stays inactive: look at it, and start again.

    CLI Example:

    .. code-block:: bash

        salt-run fleet.upgrade_docker batch=2

    Source: Rancher 1.6 documentation, "Hosts": Evacuating Hosts
    """
    rancher = _fleet_rancher.Rancher(__opts__)

    def work(some, members):
        return _upgraded(rancher, some, members, sls)

    return _in_batches("agent", target, tgt_type, batch, work)


def remove(minion, project=None, machine=True, sls="rancher_salt.agent.absent"):
    """
    Take a host out of Rancher for good: services make their containers again elsewhere, Rancher
    forgets it, agent, its volumes and state directory go. Docker and the thin pool stay. Refused
    while it has containers that no service makes again: Rancher would remove those.

    minion (str)
        One minion id. Take ``agent`` out of its roles first: the next run would register it again.
    project (str, default of its pillar)
        Id or name of the project that the host is in.
    machine (bool, default True)
        False: the machine is gone already, only Rancher is to forget it.
    sls (str, default ``rancher_salt.agent.absent``)
        What to apply at the end.

    Returns a dict: ``done``, ``failed`` (minion: one line) and ``left`` (list).

    CLI Example:

    .. code-block:: bash

        salt-run fleet.remove node1

    Source: Rancher 1.6 documentation, "Hosts": Removing Hosts
    """
    rancher = _fleet_rancher.Rancher(__opts__)

    def work(_some, members):
        one = members[minion]
        if "agent" in one["roles"]:
            why = "its pillar still gives it the role agent; take that out first"
            return {minion: {"failed": why}}
        return {minion: _leave(rancher, minion, _of_project(one, project), machine, sls)}

    return _in_batches(None, minion, "list", 1, work, everybody=True)


def move(minion, project, sls="rancher_salt.agent", leave="rancher_salt.agent.absent"):
    """
    Move a host to the project that its pillar names now.

    minion (str)
        One minion id.
    project (str)
        Id or name of the project that it comes from.
    sls (str, default ``rancher_salt.agent``)
        What makes it an agent again.
    leave (str, default ``rancher_salt.agent.absent``)
        What takes the old agent away.

    Returns a dict: ``done``, ``failed`` (minion: one line) and ``left`` (list).

    CLI Example:

    .. code-block:: bash

        salt-run fleet.move node1 Staging

    Source: Rancher 1.6 documentation, "Hosts"; rancher/rancher issue 5839: remove it first
    """
    rancher = _fleet_rancher.Rancher(__opts__)

    def work(some, members):
        one = members[minion]
        if one["project"] == project:
            return {minion: {"failed": f"its pillar names project {project!r} itself"}}
        # Begun earlier, and there already: its new agent must stay.
        if not rancher.known(one):
            left = _leave(rancher, minion, _of_project(one, project), True, leave)
            if "failed" in left:
                return {minion: left}
        return _register(rancher, some, members, sls)

    return _in_batches("agent", minion, "list", 1, work)


def status(target="*", tgt_type="compound"):
    """
    Show how full the hosts are, as one table.

    target (str, default ``*``), tgt_type (str, default ``compound``)
        Only these minions.

    Returns a dict: ``hosts``, a table with the headings first: ``minion``, ``pool %`` and ``meta %``
    (how full the thin pool is), ``next`` (its next extension fits or not), ``conn %`` (connection
    tracking), ``docker`` (version) and ``rancher`` (state of the host there). And ``why``, when
    something is not known or not well: a list of lines. Bounded, also when Rancher is down.

    CLI Example:

    .. code-block:: bash

        salt-run fleet.status

    Source: see ``capacity.status``, ``rancher.hosts``
    """
    rancher = _fleet_rancher.Rancher(__opts__)
    members = _fleet_minions.members(__opts__, target, tgt_type)
    members = {name: members[name] for name in _fleet_minions.with_role(members, None)}
    answers = _fleet_minions.call(
        __opts__, list(members), "capacity.status", timeout=15, gather=10, limit=60
    )
    agents = _fleet_minions.with_role(members, "agent")
    try:
        hosts = rancher.states({name: members[name] for name in agents}, timeout=_STATUS)
    except (CommandExecutionError, SaltInvocationError) as exc:
        hosts = dict.fromkeys(agents, str(exc))
    return {"data": _fleet_table.table(members, answers, hosts), "outputter": "table"}


def export(path, project=None, stack=None, url=None):
    """
    Write down everything that Rancher runs: an inventory, manifests for Kubernetes, and a report
    of what became of every field. Nothing is changed in Rancher.

    path (str)
        Absolute path of a folder on the master, made with mode 0700. In it a folder for each
        project, in that one for each stack: ``inventory.yaml``, ``kubernetes/*.yaml``,
        ``secrets.yaml`` and ``REPORT.md``. The same environment gives the same bytes.
    project (str, default all that the API keys show)
        Id or name of a project.
    stack (str, default all)
        Id or name of a stack; the rest of the folder then stays as it is.
    url (str, default ``rancher:agent:server_url`` of the master's own pillar or of the minions)
        ``http(s)://host[:port]`` of the server. The API keys are those of the master's own pillar.

    Returns a dict: ``done`` (the folder, and how much is in it), ``failed`` and ``left``.

    CLI Example:

    .. code-block:: bash

        salt-run fleet.export /srv/export

    Source: docs/kubernetes.md; Rancher 1.6 documentation, API v2-beta
    """

    def run():
        api = _fleet_rancher.Rancher(__opts__).conversation(url or _server_of_fleet)
        with _export_write.alone(path) as folder:
            done = _export_project.export(api, folder, project, stack, log.warning)
        return {"done": done, "failed": {}, "left": []}

    # It only reads, so that it need not wait for a roll-out.
    return _reported(run, alone=contextlib.nullcontext)


def _server_of_fleet():
    """The URL of the one server that the pillars of the minions name."""
    members = _fleet_minions.members(__opts__).values()
    urls = sorted({one["server_url"] for one in members if one["server_url"]})
    if len(urls) != 1:
        found = ", ".join(urls) or "none"
        raise SaltInvocationError(
            f"the pillars of the minions name these Rancher servers: {found}; give one as url="
        )
    return urls[0]


def _register(rancher, some, members, sls):
    chosen = {name: members[name] for name in some}
    try:
        problems = rancher.hand_over(chosen)
        able = [name for name in some if name not in problems]
        results = _fleet_minions.apply(__opts__, able, [sls])
    finally:
        rancher.take_back(some)
    # Else the master's cache of pillars would keep the URL until the next run.
    _fleet_minions.call(__opts__, able, "saltutil.refresh_pillar")
    applied = {name: chosen[name] for name in able if "done" in results[name]}
    problems.update(rancher.active(applied))
    return {**results, **{name: {"failed": why} for name, why in problems.items()}}


def _upgraded(rancher, some, members, sls):
    dry = _fleet_minions.apply(__opts__, some, [sls], test=True)
    bad = {name: one for name, one in dry.items() if "failed" in one}
    if bad:
        # Known before any host was taken out of service for it.
        return bad
    to_do = [name for name in some if dry[name]["done"] != "nothing to change"]
    results, stay = dict(dry), {}
    for name in to_do:
        try:
            rancher.mark(name, members[name])
            stay[name] = _out_of_service(rancher, name, members[name])
        except (CommandExecutionError, SaltInvocationError) as exc:
            results[name] = {"failed": str(exc)}
    results.update(_fleet_minions.apply(__opts__, list(stay), [sls]))
    # Also those that an earlier run left out of service, but none that an operator did.
    whole = [name for name in some if "done" in results[name]]
    for name in whole:
        try:
            again = _started_again(rancher, name)
            if rancher.marked([name]):
                _at_rancher(rancher, "activate", members[name])
            rancher.unmark(name)
            words = [results[name]["done"], stay.get(name), again]
            results[name] = {"done": "; ".join(filter(None, words))}
        except (CommandExecutionError, SaltInvocationError) as exc:
            results[name] = {"failed": str(exc)}
    return results


def _out_of_service(rancher, name, member):
    """Take a host out of service; why its containers stay, or None when they were made elsewhere."""
    there = rancher.containers(member)
    why = None
    if there["lost"]:
        why = f"no service makes again: {', '.join(there['lost'])}"
    elif there["moves"] and not there["others"]:
        why = "no other host is active"
    _at_rancher(rancher, "deactivate" if why else "evacuate", member)
    answer = _fleet_minions.call(__opts__, [name], "docker_containers.running")[name]
    running = answer and answer["ret"]
    if not isinstance(running, list):
        raise CommandExecutionError(
            f"deactivated; its containers could not be listed: {running or 'no answer'}"
        )
    rancher.remember(name, [one["id"] for one in running])
    return why and f"its containers stayed in place, {why}"


def _started_again(rancher, name):
    """Start what ran before and does not any more; what was started, or None."""
    ids = rancher.ran(name)
    if not ids:
        return None
    answer = _fleet_minions.call(
        __opts__, [name], "docker_containers.start_again", [ids], timeout=120
    )[name]
    started = answer and answer["ret"]
    if not isinstance(started, list):
        raise CommandExecutionError(
            f"upgraded, still inactive; not all could be started again: {started or 'no answer'}"
        )
    return f"started again: {', '.join(started)}" if started else None


def _leave(rancher, minion, member, machine, sls):
    if machine:
        problem = _fleet_minions.idle(__opts__, [minion]).get(minion)
        if problem:
            return {"failed": f"{problem}; machine=False if it is gone for good"}
    try:
        if machine and rancher.known(member):
            _at_rancher(rancher, "evacuate", member)
        _at_rancher(rancher, "remove", member)
    except (CommandExecutionError, SaltInvocationError) as exc:
        words = str(exc)
        if "no service makes again" in words:
            words += (
                f"; or let them run on without Rancher: apply {sls} on {minion} first, and when "
                "Rancher shows it as disconnected, `salt-run fleet.remove` with machine=False"
            )
        return {"failed": words}
    if not machine:
        return {"done": "forgotten by Rancher"}
    # It leaves, whatever its pillar says of the time after.
    pillar = {"rancher": {"roles": []}}
    return _fleet_minions.apply(__opts__, [minion], [sls], pillar=pillar)[minion]


def _of_project(member, project):
    return {**member, "project": project or member["project"]}


def _at_rancher(rancher, action, member):
    try:
        rancher.host(action, member)
    except (CommandExecutionError, SaltInvocationError) as exc:
        raise CommandExecutionError(f"{action} in Rancher: {exc}") from exc


def _in_batches(role, target, tgt_type, batch, work, sls=(), everybody=False):
    def run():
        members = _chosen_from(target, tgt_type)
        chosen = list(members) if everybody else _fleet_minions.with_role(members, role)
        _fleet_minions.unknown_sls(__opts__, sls)
        out = (
            {} if everybody or role in ("server", "agent") else _fleet_minions.without_role(members)
        )
        if out and not chosen:
            raise SaltInvocationError(f"{target!r} matches no minion with a role: {_listed(out)}")
        batches = _fleet_batch.split(chosen, batch)
        report = _fleet_batch.walk(batches, lambda some: work(some, members))
        return {**report, "left_out": out} if out else report

    return _reported(run)


def _chosen_from(target, tgt_type):
    members = _fleet_minions.members(__opts__, target, tgt_type)
    if not members:
        raise SaltInvocationError(f"no minion is known that matches {target!r}")
    return members


def _listed(reasons):
    return "; ".join(f"{name}: {why}" for name, why in reasons.items())


def _reported(run, alone=None):
    """The report of a run that is alone; a failure fails the runner, and what requires it."""
    try:
        with (alone or _alone)():
            report = run()
    except (CommandExecutionError, SaltInvocationError) as exc:
        report = {"done": {}, "failed": {"all": str(exc)}, "left": []}
    if report["failed"]:
        # The one is read by an orchestration, the other by `salt-run` for its exit code.
        __context__["retcode"] = report["retcode"] = 1
    return report


@contextlib.contextmanager
def _alone():
    """Two roll-outs at once would undo each other's batches; a killed one holds nothing."""
    with open(os.path.join(__opts__["cachedir"], "fleet.lock"), "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise CommandExecutionError("another run of fleet is under way on this master") from exc
        yield
