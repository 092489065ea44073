import contextlib
import fcntl
import os
import subprocess
import sys
import time

import pytest
from fakes import ROOT
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _converge as converge
import _host

WANT = {"size": 2, "active": True}


class Thing:
    """Something with two properties; `breaks_at` names the one that cannot be set."""

    def __init__(self, breaks_at=None, lies=False, **have):
        self.have, self.breaks_at, self.lies = have, breaks_at, lies
        self.writes = 0

    def observe(self):
        return dict(self.have)

    def plan(self, seen):
        return {
            key: {"old": seen.get(key), "new": value}
            for key, value in WANT.items()
            if seen.get(key) != value
        }

    def apply(self, _seen, changes):
        for key, change in changes.items():
            self.writes += 1
            if key == self.breaks_at:
                raise CommandExecutionError("the disk is full")
            if not self.lies:
                self.have[key] = change["new"]


def run(thing, test, **more):
    arguments = {"observe": thing.observe, "plan": thing.plan, "apply": thing.apply, **more}
    return converge.run("it", "Thing", test=test, **arguments)


@pytest.mark.parametrize("test", [True, False])
def test_nothing_to_do(test):
    thing = Thing(**WANT)
    assert run(thing, test) == {
        "name": "it",
        "result": True,
        "changes": {},
        "comment": "Thing is already correct",
    }
    assert thing.writes == 0


def test_a_dry_run_predicts_what_the_run_does():
    thing = Thing(size=1)
    predicted = run(thing, test=True)
    assert (predicted["result"], thing.writes) == (None, 0)
    assert predicted["comment"] == "Thing would change: size, active"
    actual = run(thing, test=False)
    assert actual["result"] is True
    assert actual["changes"] == predicted["changes"]
    assert actual["comment"] == "Thing changed: size, active"
    assert run(thing, test=False)["changes"] == {}


def test_a_partial_failure_reports_what_really_changed():
    ret = run(Thing(size=1, breaks_at="active"), test=False)
    assert ret["result"] is False
    assert ret["changes"] == {"size": {"old": 1, "new": 2}}
    assert ret["comment"] == "Thing could not be completed: the disk is full. Changed so far: size"


def test_a_step_without_effect_is_a_failure():
    ret = run(Thing(lies=True), test=False)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert (
        "still to do after every step succeeded: size, active. Changed so far: nothing"
        in (ret["comment"])
    )


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("where", ["observe", "plan"])
@pytest.mark.parametrize("error", [CommandExecutionError, SaltInvocationError])
def test_a_refusal_changes_nothing(where, error, test):
    def refuse(*_args):
        raise error("Refusing to touch /dev/sda")

    thing = Thing()
    ret = run(thing, test, **{where: refuse})
    assert ret == {
        "name": "it",
        "result": False,
        "changes": {},
        "comment": "Refusing to touch /dev/sda",
    }
    assert thing.writes == 0


def test_what_cannot_be_looked_at_afterwards_is_not_claimed():
    thing = Thing()
    looks = iter([{}])

    def observe():
        try:
            return next(looks)
        except StopIteration:
            raise CommandExecutionError("`lvs` gave no answer") from None

    ret = run(thing, test=False, observe=observe)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "`lvs` gave no answer. Under way were: size, active" in ret["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_notes_stand_in_every_comment(test):
    ret = run(Thing(**WANT), test, notes=lambda seen: [f"size is {seen['size']}"])
    assert ret["comment"] == "Thing is already correct. size is 2"


# --- Two runs on one host ---

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root's runs are kept apart")


@contextlib.contextmanager
def another_run(lock, *, then="time.sleep(60)"):
    """A process that is in the middle of its apply; yields it."""
    code = (
        f"import sys, time, subprocess; sys.path.insert(0, {str(ROOT / '_modules')!r})\n"
        f"import _converge as c, _host; c.LOCK = {str(lock)!r}\n"
        f"def work(seen, changes):\n    print('in', flush=True); {then}\n"
        "c.run('x', 'X', lambda: 1, lambda seen: {'k': {'old': 1, 'new': 2}}, work, False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "in\n"
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def locked(tmp_path, monkeypatch):
    monkeypatch.setattr(converge, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(converge, "WAIT", 0.3)
    return converge


def converged(module, test=False, **over):
    done = []
    ret = module.run(
        "x",
        "Thing x",
        observe=lambda: len(done),
        plan=lambda seen: {} if seen else {"k": {"old": 0, "new": 1}},
        apply=lambda seen, changes: done.append(1),
        test=test,
    )
    return ret, done


@needs_root
def test_a_second_run_is_refused_with_the_pid_of_the_first(locked):
    with another_run(locked.LOCK) as other:
        ret, done = converged(locked)
    assert (ret["result"], ret["changes"], done) == (False, {}, [])
    assert f"another run is changing this host (pid {other.pid}, " in ret["comment"]
    assert "\n" not in ret["comment"]


@needs_root
def test_a_dry_run_waits_for_nobody(locked):
    with another_run(locked.LOCK):
        ret, done = converged(locked, test=True)
    assert (ret["result"], done) == (None, [])


@needs_root
def test_a_dry_run_takes_no_lock(locked):
    converged(locked, test=True)
    assert not os.path.exists(locked.LOCK)


@needs_root
def test_a_run_that_was_killed_holds_nothing(locked):
    with another_run(locked.LOCK) as other:
        other.kill()
        other.wait()
        ret, _ = converged(locked)
    assert ret["result"] is True


@needs_root
def test_a_child_that_outlives_a_killed_run_holds_nothing(locked, tmp_path):
    # LVM starts dmeventd, which stays for ever.
    child = "subprocess.Popen(['sleep', '60'], close_fds=False).pid"
    then = f"open({str(tmp_path / 'pid')!r}, 'w').write(str({child})); print('in', flush=True); "
    then += "time.sleep(60)"
    with another_run(locked.LOCK, then=then) as other:
        assert other.stdout.readline() == "in\n"
        other.kill()
        other.wait()
        ret, _ = converged(locked)
        os.kill(int((tmp_path / "pid").read_text()), 9)
    assert ret["result"] is True


@contextlib.contextmanager
def orphan(lock, folder, seconds):
    """A command of ours that goes on when its run was killed."""
    command = f"echo $$ > {folder}/new; mv {folder}/new {folder}/begun; sleep {seconds}"
    argv = ["sh", "-c", f"{command}; echo over > {folder}/over"]
    then = f"_host.run({argv!r}, timeout=90)"
    with another_run(lock, then=then) as other:
        while not (folder / "begun").exists():
            time.sleep(0.02)
        other.kill()
        other.wait()
        yield other
    if not (folder / "over").exists():
        os.killpg(int((folder / "begun").read_text()), 9)


@needs_root
def test_dd_of_a_killed_run_went_on_beside_the_next_run(locked, tmp_path):
    # It opens what it reads as descriptor 0, in the place of the lock.
    pipe, made = tmp_path / "pipe", tmp_path / "made"
    os.mkfifo(pipe)
    then = f"_host.run(['dd', 'if={pipe}', 'of={made}', 'bs=1'], timeout=90)"
    with another_run(locked.LOCK, then=then) as other:
        with open(pipe, "wb") as end:
            end.write(b"a")
            end.flush()
            while not made.exists() or not made.stat().st_size:
                time.sleep(0.02)
            other.kill()
            other.wait()
            with open(locked.LOCK, "ab") as lock, pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ret, _ = converged(locked)
    assert ret["result"] is True


@needs_root
def test_parted_of_a_killed_run_went_on_beside_the_next_run(locked, tmp_path):
    with orphan(locked.LOCK, tmp_path, 0.5):
        ret, _ = converged(locked)
    assert (tmp_path / "over").exists()
    assert ret["result"] is True


@needs_root
def test_a_command_that_never_ends_after_its_run_was_killed_is_told(locked, tmp_path, monkeypatch):
    monkeypatch.setattr(locked, "ORPHAN_WAIT", 0.2)
    with orphan(locked.LOCK, tmp_path, 600) as other:
        ret, done = converged(locked)
    assert (ret["result"], done) == (False, [])
    assert f"that a killed run had started (pid {other.pid}) is still at work" in ret["comment"]


@needs_root
def test_a_command_finds_nothing_to_read_in_the_lock(locked):
    said = []
    cat = lambda *_: said.append(_host.run(["sh", "-c", "cat; readlink /proc/self/fd/0"]))  # noqa: E731
    locked.run("x", "X", lambda: len(said), lambda n: {} if n else {"k": {}}, cat, False)
    assert said[0]["stdout"] == f"{locked.LOCK}\n"


@needs_root
def test_a_run_that_ends_in_time_is_waited_for(locked, monkeypatch):
    monkeypatch.setattr(locked, "WAIT", 30)
    with another_run(locked.LOCK, then="time.sleep(0.3)"):
        ret, _ = converged(locked)
    assert ret["result"] is True


@needs_root
def test_a_lock_that_is_a_link_is_not_followed(locked, tmp_path):
    os.symlink(tmp_path / "elsewhere", locked.LOCK)
    ret, done = converged(locked)
    assert (ret["result"], done) == (False, [])
    assert "could not be opened" in ret["comment"]
    assert not (tmp_path / "elsewhere").exists()
