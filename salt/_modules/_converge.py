"""
The one way from a wanted state to a state return: observe, plan, apply, look again.
"""

import contextlib
import fcntl
import logging
import os
import threading
import time

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _host

log = logging.getLogger(__name__)

# Not in /run/lock, where every user may write, and so could hold it for ever.
LOCK = "/run/rancher-salt.lock"
# How long a run waits for another one, in seconds: a step's usual time, not that of a mkfs.
WAIT = 10
# For a command that outlived its run: whatever it does must be over before anything else is done.
ORPHAN_WAIT = 1800


def run(name, subject, observe, plan, apply, test, notes=None):
    """
    Converge one thing and build the state return; made for state modules. Returns a state return:
    name, result, changes, comment.
    """
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}
    try:
        with contextlib.nullcontext() if test else _alone():
            return _converge(ret, subject, observe, plan, apply, test, notes)
    except _Busy as exc:
        ret["comment"] = f"{subject} was not looked at: {exc}"
        return ret


class _Busy(Exception):
    """Another run holds the lock."""


@contextlib.contextmanager
def _alone():
    """
    Hold the host's lock. The kernel takes it back however we end; or, when a command of ours
    outlives us, at the end of that: `_host.run` lends it to what it starts.
    """
    if os.geteuid() != 0:
        # Who may not change the host needs no protection from others.
        yield
        return
    thread = threading.current_thread()
    try:
        handle = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as exc:
        raise _Busy(f"{LOCK} could not be opened: {exc.strerror}") from exc
    try:
        _wait_for(handle)
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        # Where it has nothing to read: it becomes the commands' standard input.
        setattr(thread, _host.LOCK, handle)
        yield
    finally:
        vars(thread).pop(_host.LOCK, None)
        # For all who have it, too: a command that the kernel holds after its kill does nothing more.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _wait_for(handle):
    began, told = time.monotonic(), False
    while True:
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        pid = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "not known"
        waited, alive = time.monotonic() - began, _alive(pid)
        if waited >= (WAIT if alive else ORPHAN_WAIT):
            raise _Busy(
                f"another run is changing this host (pid {pid}, {LOCK}). Nothing was written. "
                "Wait for its end, then run again"
                if alive
                else f"a command that a killed run had started (pid {pid}) is still at work. Nothing "
                f"was written. `fuser -v {LOCK}` names it; wait for its end, then run again"
            )
        if not alive and not told:
            log.warning("waiting for a command that outlived its run (pid %s)", pid)
            told = True
        time.sleep(0.1)


def _alive(pid):
    """Whether this process runs; one that has ended and was not looked at yet has no program."""
    try:
        return bool(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return False


def _converge(ret, subject, observe, plan, apply, test, notes):
    try:
        seen = observe()
        planned = plan(seen)
    except (CommandExecutionError, SaltInvocationError) as exc:
        ret["comment"] = str(exc)
        return ret
    if planned and not test:
        return _carry_out(ret, subject, observe, plan, apply, notes, seen, planned)
    ret["changes"] = planned
    ret["result"] = None if planned else True
    outcome = f"would change: {', '.join(planned)}" if planned else "is already correct"
    ret["comment"] = _sentences(f"{subject} {outcome}", notes, seen)
    return ret


def _carry_out(ret, subject, observe, plan, apply, notes, seen, planned):
    failure = None
    try:
        apply(seen, planned)
    except (CommandExecutionError, SaltInvocationError, OSError) as exc:
        failure = str(exc)
    try:
        seen = observe()
        left = plan(seen)
    except (CommandExecutionError, SaltInvocationError) as exc:
        # Not known what holds now: claim nothing, say what was under way.
        failure = f"{failure}; then: {exc}" if failure and failure != str(exc) else str(exc)
        ret["comment"] = f"{subject} could not be completed: {failure}. " + (
            f"Under way were: {', '.join(planned)}"
        )
        return ret
    ret["changes"] = {key: value for key, value in planned.items() if key not in left}
    if failure or left:
        reason = failure or f"still to do after every step succeeded: {', '.join(left)}"
        done = ", ".join(ret["changes"]) or "nothing"
        ret["comment"] = f"{subject} could not be completed: {reason}. Changed so far: {done}"
        return ret
    ret["result"] = True
    ret["comment"] = _sentences(f"{subject} changed: {', '.join(planned)}", notes, seen)
    return ret


def _sentences(first, notes, seen):
    return ". ".join([first, *(notes(seen) if notes else [])])
