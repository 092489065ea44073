"""
What an operator is shown of a fleet: a deploy before it, how full the hosts are, an export.
"""

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _export_project
import _export_write
import _fleet_batch
import _fleet_minions
import _fleet_rancher
import _fleet_run
import _fleet_table

# Also where a shop has a `common` of its own.
_COMMON = "rancher_salt.common"
# Seconds for each Rancher server in a table of the fleet.
_STATUS = 10


def preview(opts, target, tgt_type, batch):
    """The lines that tell what a deploy would do; it makes the dry runs."""
    members = _fleet_run.chosen_from(opts, target, tgt_type)
    batches = _fleet_batch.split(_fleet_minions.with_role(members, None), batch)
    dry = [_fleet_minions.apply(opts, some, [_COMMON], test=True) for some in batches]
    agents = _fleet_batch.split(_fleet_minions.with_role(members, "agent"), batch)
    return _fleet_table.preview(
        list(zip(batches, dry, strict=True)),
        _fleet_minions.with_role(members, "server"),
        sorted({members[name]["server_url"] for some in agents for name in some} - {None}),
        agents,
        _fleet_minions.without_role(members),
    )


def status(opts, target, tgt_type):
    """The table of the minions with a role, see `_fleet_table.table`."""
    rancher = _fleet_rancher.Rancher(opts)
    members = _fleet_minions.members(opts, target, tgt_type)
    members = {name: members[name] for name in _fleet_minions.with_role(members, None)}
    answers = _fleet_minions.call(
        opts, list(members), "capacity.status", timeout=15, gather=10, limit=60
    )
    agents = _fleet_minions.with_role(members, "agent")
    try:
        hosts = rancher.states({name: members[name] for name in agents}, timeout=_STATUS)
    except (CommandExecutionError, SaltInvocationError) as exc:
        hosts = dict.fromkeys(agents, str(exc))
    return _fleet_table.table(members, answers, hosts)


def export(opts, path, project, stack, url, say):
    """The report of an export into the folder `path`; ``say(words)`` tells how far it is."""
    api = _fleet_rancher.Rancher(opts).conversation(url or (lambda: _server_of_fleet(opts)))
    with _export_write.alone(path) as folder:
        done = _export_project.export(api, folder, project, stack, say)
    return {"done": done, "failed": {}, "left": []}


def _server_of_fleet(opts):
    """The URL of the one server that the pillars of the minions name."""
    members = _fleet_minions.members(opts).values()
    urls = sorted({one["server_url"] for one in members if one["server_url"]})
    if len(urls) != 1:
        found = ", ".join(urls) or "none"
        raise SaltInvocationError(
            f"the pillars of the minions name these Rancher servers: {found}; give one as url="
        )
    return urls[0]
