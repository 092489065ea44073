"""
A fleet of Rancher hosts, from its master: roll out in batches, day-two work, one table.

Every change goes batch by batch and stops after the first batch with a failure. Each function
may be started again at any time: what is right already is left alone.
"""

import functools
import logging
import sys

# A master's daemon keeps what it imported: after a sync this file would be new and these old.
for _name in [each for each in sys.modules if each.startswith(("_export_", "_fleet_"))]:
    del sys.modules[_name]

# isort: split
import _fleet_hosts  # noqa: E402
import _fleet_run  # noqa: E402
import _fleet_show  # noqa: E402

log = logging.getLogger(__name__)


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
    work = functools.partial(_fleet_hosts.Hosts(__opts__).apply, names, test, timeout)
    return _run().in_batches(work, role, target, tgt_type, batch, sls=names)


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
    return _run().lines(lambda: _fleet_show.preview(__opts__, target, tgt_type, batch))


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
    work = functools.partial(_fleet_hosts.Hosts(__opts__).register, sls)
    return _run().in_batches(work, "agent", target, tgt_type, batch)


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
    hosts = _fleet_hosts.Hosts(__opts__)
    return _run().reported(lambda: hosts.servers_ready(target, tgt_type))


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
    work = functools.partial(_fleet_hosts.Hosts(__opts__).upgrade, sls)
    return _run().in_batches(work, "agent", target, tgt_type, batch)


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
    work = functools.partial(_fleet_hosts.Hosts(__opts__).remove, project, machine, sls)
    return _run().in_batches(work, None, minion, "list", 1, everybody=True)


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
    work = functools.partial(_fleet_hosts.Hosts(__opts__).move, project, sls, leave)
    return _run().in_batches(work, "agent", minion, "list", 1)


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
    return {"data": _fleet_show.status(__opts__, target, tgt_type), "outputter": "table"}


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
    # It only reads, so that it need not wait for a roll-out.
    return _run().reported(
        lambda: _fleet_show.export(__opts__, path, project, stack, url, log.warning), alone=False
    )


def _run():
    return _fleet_run.Run(__opts__, __context__)
