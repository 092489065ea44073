"""
One run over a fleet: alone on its master, batch by batch, and the report that its operator reads.
"""

import contextlib
import fcntl
import os

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _fleet_batch
import _fleet_minions


class Run:
    """With the master's options, and the context in which a runner leaves its exit code."""

    def __init__(self, opts, context):
        self._opts, self._context = opts, context

    def in_batches(self, work, role, target, tgt_type, batch, sls=(), everybody=False):
        """
        Do ``work(names, members)`` on each batch of the minions with a role, or of all that match.
        The SLS must be there. Returns the report, see `reported`.
        """

        def run():
            members = chosen_from(self._opts, target, tgt_type)
            chosen = list(members) if everybody else _fleet_minions.with_role(members, role)
            _fleet_minions.unknown_sls(self._opts, sls)
            named = everybody or role in ("server", "agent")
            out = {} if named else _fleet_minions.without_role(members)
            if out and not chosen:
                raise SaltInvocationError(
                    f"{target!r} matches no minion with a role: {_listed(out)}"
                )
            batches = _fleet_batch.split(chosen, batch)
            report = _fleet_batch.walk(batches, lambda some: work(some, members))
            return {**report, "left_out": out} if out else report

        return self.reported(run)

    def reported(self, run, alone=True):
        """The report of a run; a failure fails the runner, and what requires it."""
        try:
            with self._alone() if alone else contextlib.nullcontext():
                report = run()
        except (CommandExecutionError, SaltInvocationError) as exc:
            report = {"done": {}, "failed": {"all": str(exc)}, "left": []}
        if report["failed"]:
            # The one is read by an orchestration, the other by `salt-run` for its exit code.
            self._context["retcode"] = report["retcode"] = 1
        return report

    def lines(self, run):
        """The same for a run whose report is lines to read."""
        try:
            with self._alone():
                return run()
        except (CommandExecutionError, SaltInvocationError) as exc:
            self._context["retcode"] = 1
            return [str(exc)]

    @contextlib.contextmanager
    def _alone(self):
        """Two roll-outs at once would undo each other's batches; a killed one holds nothing."""
        with open(
            os.path.join(self._opts["cachedir"], "fleet.lock"), "a", encoding="utf-8"
        ) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise CommandExecutionError(
                    "another run of fleet is under way on this master"
                ) from exc
            yield


def chosen_from(opts, target, tgt_type):
    """The minions that match, see `_fleet_minions.members`; raises when there is none."""
    members = _fleet_minions.members(opts, target, tgt_type)
    if not members:
        raise SaltInvocationError(f"no minion is known that matches {target!r}")
    return members


def _listed(reasons):
    return "; ".join(f"{name}: {why}" for name, why in reasons.items())
