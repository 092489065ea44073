"""Processes of the lab are ended by pid, never someone else's, and never left behind."""

import subprocess
import sys
import time

import pytest
from lab.process import Daemon, LabError, Patience, locked, run, wait_until


@pytest.fixture
def daemon(tmp_path):
    daemon = Daemon(tmp_path / "pid", tmp_path / "log")
    yield daemon
    daemon.kill()


def test_a_command_that_takes_too_long_is_an_error():
    with pytest.raises(LabError, match="did not end within 0.2 s"):
        run(["sleep", "5"], timeout=0.2)


def test_a_command_that_fails_shows_what_it_said():
    with pytest.raises(LabError, match="(?s)exited 3.*no such thing"):
        run(["sh", "-c", "echo no such thing >&2; exit 3"], timeout=30)


def test_a_missing_program_is_named():
    with pytest.raises(LabError, match="no-such-program is not installed"):
        run(["no-such-program"], timeout=5)


def test_waiting_ends():
    with pytest.raises(LabError, match="boot: not within 0.1 s"):
        wait_until(lambda: False, timeout=0.1, what="boot", every=0.02)


def test_a_daemon_runs_until_it_is_stopped(daemon):
    daemon.start(["sleep", "60"], kept=True)
    assert daemon.pid
    daemon.stop()
    assert daemon.pid is None
    assert not daemon.pid_file.exists()


def test_a_daemon_that_ignores_the_request_is_killed_with_its_children(daemon, tmp_path):
    daemon.start(
        ["sh", "-c", f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/child; wait"], kept=True
    )
    child = int(wait_until(lambda: _text(tmp_path / "child"), timeout=30, what="child"))
    daemon.stop(grace=0.3)
    assert daemon.pid is None
    wait_until(lambda: not _runs(child), timeout=30, what="end of the child")


def test_the_pid_of_another_process_is_left_alone(daemon):
    stranger = subprocess.Popen(["sleep", "60"])
    daemon.pid_file.write_text(f"{stranger.pid} 1\n")
    daemon.stop()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_daemon_that_is_not_kept_ends_with_us_however_we_end(tmp_path):
    code = (
        "import os, pathlib, signal; from lab.process import Daemon, wait_until\n"
        f"Daemon({str(tmp_path / 'pid')!r}, {str(tmp_path / 'log')!r}).start(['sleep', '60'], kept=False)\n"
        # setpriv arms the signal just before it becomes sleep.
        f"comm = '/proc/' + open({str(tmp_path / 'pid')!r}).read().split()[0] + '/comm'\n"
        "wait_until(lambda: open(comm).read() == 'sleep\\n', timeout=60, what='start of sleep')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, timeout=90)
    pid = int((tmp_path / "pid").read_text().split()[0])
    wait_until(lambda: not _runs(pid), timeout=30, what="end of the daemon")


def test_a_lock_is_held_by_one_process(tmp_path):
    path = tmp_path / "locks/one"
    with locked(path):
        busy = subprocess.run(["flock", "--nonblock", path, "true"])
    assert busy.returncode == 1
    assert subprocess.run(["flock", "--nonblock", path, "true"]).returncode == 0


def _text(path):
    return path.read_text().strip() if path.exists() else ""


def _runs(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    time.sleep(0.05)
    return state.stdout.strip() not in ("",) and not state.stdout.startswith("Z")


class Clock:
    """A clock that a test moves, and what was said."""

    def __init__(self):
        self.now, self.said = 0, []

    def patience(self, signs=None):
        return Patience("the guest", 60, signs, clock=lambda: self.now, say=self.said.append)


def test_who_shows_no_sign_of_life_is_given_up():
    clock = Clock()
    patience = clock.patience()
    clock.now = 59
    assert not patience.over()
    clock.now = 60
    assert patience.over()
    assert str(patience.error()) == "the guest: not within 60 s"


def test_a_guest_on_a_busy_machine_is_waited_for_as_long_as_something_moves():
    clock = Clock()
    patience = clock.patience(signs=lambda: clock.now // 50)
    for clock.now in range(0, 3600, 10):
        assert not patience.over()
    clock.now = 3600
    assert patience.over()


def test_a_guest_that_stands_still_is_given_up():
    clock = Clock()
    patience = clock.patience(signs=lambda: "the same")
    assert not patience.over()
    clock.now = 61
    assert patience.over()
    assert str(patience.error()) == "the guest: nothing moved for 60 s"


def test_what_is_waited_for_is_told_every_15_seconds():
    clock = Clock()
    patience = clock.patience()
    for clock.now in range(0, 46):
        patience.over()
    assert clock.said == [f"waiting for the guest, {n} s so far" for n in (15, 30, 45)]
