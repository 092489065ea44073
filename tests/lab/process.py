"""Processes with time limits: run to the end, or started, watched and ended by pid."""

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import time


class LabError(Exception):
    """The lab could not do what was asked; the message is for a human."""


def run(argv, *, timeout, input=None, check=True, env=None, cwd=None):
    """Run ``argv`` to its end. Raises LabError on a non-zero exit or when the time is over."""
    argv = [str(word) for word in argv]
    try:
        done = subprocess.run(
            argv,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=env,
            cwd=cwd,
        )
    except subprocess.TimeoutExpired as late:
        raise LabError(
            f"{argv[0]} did not end within {timeout} s: {' '.join(argv)[:200]}"
        ) from late
    except FileNotFoundError as missing:
        raise LabError(
            f"{argv[0]} is not installed; tests/lab/README.md lists the packages"
        ) from missing
    if check and done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-15:]
        raise LabError(
            f"{argv[0]} exited {done.returncode}: {' '.join(argv)[:200]}\n" + "\n".join(words)
        )
    return done


# Seconds after which a wait says what it waits for, and says so again.
TELL = 15
# Seconds after which a wait ends, whatever moves meanwhile.
MOST = 3600


class Patience:
    """
    Time for what may be slow. Whoever shows ``signs`` of life (any value that changes) gets it
    anew: a busy machine makes a guest slow, and only one that stands still is given up.
    """

    def __init__(self, what, seconds, signs=None, clock=time.monotonic, say=None):
        self.what, self.seconds, self._signs = what, seconds, signs
        self._clock, self._say = clock, say or _say
        self._began = self._moved = self._told = clock()
        self._last = None

    def over(self):
        """Whether it is given up; says every few seconds what is waited for."""
        now, seen = self._clock(), self._signs() if self._signs else None
        if seen != self._last:
            self._last, self._moved = seen, now
        if now - self._told >= TELL:
            self._told = now
            self._say(f"waiting for {self.what}, {now - self._began:.0f} s so far")
        return now - self._moved >= self.seconds or now - self._began >= MOST

    def error(self):
        """What to raise when it is over."""
        if not self._signs:
            return LabError(f"{self.what}: not within {self.seconds} s")
        return LabError(f"{self.what}: nothing moved for {self.seconds} s")


def wait_until(probe, *, timeout, what, every=0.2, signs=None):
    """Call ``probe`` until it answers something true, and return that."""
    patience = Patience(what, timeout, signs)
    while True:
        answer = probe()
        if answer:
            return answer
        if patience.over():
            raise patience.error()
        time.sleep(every)


def _say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(path):
    """Hold the lock file ``path``; a second process waits for the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Daemon:
    """
    A background process known by its pid file.

    The file also holds the time the process started: a pid that was given to another
    process in the meantime is never signalled. It leads a process group of its own, so
    that its children can be ended with it. Unless it is ``kept``, the kernel ends it
    when we die, however we die.
    """

    def __init__(self, pid_file, log):
        self.pid_file = pathlib.Path(pid_file)
        self.log = pathlib.Path(log)

    def start(self, argv, *, kept, env=None):
        guard = [] if kept else ["setpriv", "--pdeathsig", "TERM", "--"]
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                guard + [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=env,
            )
        self.pid_file.write_text(f"{process.pid} {_start_time(process.pid)}\n")

    @property
    def pid(self):
        """The pid while it runs, else None."""
        try:
            pid, started = self.pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(int(pid), os.WNOHANG)
        return int(pid) if started == _start_time(pid) else None

    def stop(self, grace=20):
        """Ask it to end, make it end when ``grace`` seconds are over."""
        if self._signal(signal.SIGTERM):
            with contextlib.suppress(LabError):
                wait_until(lambda: not self.pid, timeout=grace, what="end of the process")
        self.kill()

    def kill(self):
        """End it and its children now, as a power cut would."""
        if self._signal(signal.SIGKILL, group=True):
            wait_until(
                lambda: not self.pid, timeout=20, what=f"end of the process in {self.pid_file}"
            )
        self.pid_file.unlink(missing_ok=True)

    def _signal(self, number, group=False):
        pid = self.pid
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number) if group else os.kill(pid, number)
        return pid

    def tail(self, lines=20):
        """The last lines it wrote."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""


def _start_time(pid):
    """Clock ticks from boot to the start of ``pid``; None when it has ended."""
    try:
        after_name = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        threads = len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A zombie whose threads still end holds on to its files: not yet.
    ended = after_name[0] in "ZX" and threads == 1
    return None if ended else after_name[19]
