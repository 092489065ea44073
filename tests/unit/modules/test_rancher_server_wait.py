import functools
import logging

import pytest
from salt.exceptions import CommandExecutionError

import _docker_engine
import _rancher_project
import _rancher_server_wait

SECRET = "p$'\" #{{ x }}%ü\\"
URL = "http://127.0.0.1:8080"
PILLAR = {"rancher": {"server": {"database": {"password": "pillar-" + SECRET}}}}


def condition(**more):
    clean = {"status": "running", "code": None, "error": "", "memory": False, "restarts": 0}
    return {**clean, "since": 1, "secrets": [SECRET], **more}


class Host:
    """A clock that moves with each pause; `life` gives condition and log at a second."""

    def __init__(self, replace, monkeypatch, ready_at=None, life=lambda now: (condition(), [])):
        self.now, self.ready_at, self.life = 0, ready_at, life
        replace(_rancher_project, ready=self.ready)
        logs = lambda name, since=0, tail=400: self.life(self.now)[1]  # noqa: E731
        replace(_docker_engine, logs=logs)
        replace(_rancher_server_wait, _look=lambda name: self.life(self.now)[0])
        monkeypatch.setattr(_rancher_server_wait.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(_rancher_server_wait.time, "sleep", self.sleep)

    def sleep(self, seconds):
        self.now += seconds

    def ready(self, pillar, url, ca_certificate=None, timeout=10):
        assert url == URL
        ready = self.ready_at is not None and self.now >= self.ready_at
        return {"ready": ready, "reason": "connection refused"}

    def wait(self, limit=600):
        return _rancher_server_wait.until_ready(PILLAR, "rancher-server", URL, limit)

    def failure(self, limit=600):
        with pytest.raises(CommandExecutionError) as caught:
            self.wait(limit)
        text = str(caught.value)
        assert "\n" not in text and SECRET not in text
        return text


@pytest.fixture
def make_host(replace, monkeypatch):
    return functools.partial(Host, replace, monkeypatch)


def test_it_takes_its_time(make_host, caplog):
    host = make_host(ready_at=95)
    with caplog.at_level(logging.INFO):
        assert host.wait() == 96
    lines = [record.message for record in caplog.records]
    assert lines[0] == f"waiting for pong of {URL} (connection refused): 10 s of 600 s"
    assert len(lines) == 9


def test_never_ready(make_host):
    host = make_host(life=lambda now: (condition(), ["one", "two", "three", "four"]))
    text = host.failure(limit=20)
    assert "it did not answer within 20 s: connection refused. Its log: two | three | four" in text
    assert text.endswith("`docker logs rancher-server` shows more") and host.now <= 20


def test_startup_failed(make_host):
    log = ["noise", f"cannot use {SECRET} or pillar-{SECRET} here: Access denied for user 'x'"]
    log += ["STARTUP FAILED [344668] ms"]
    host = make_host(life=lambda now: (condition(), log if now > 9 else []))
    text = host.failure()
    assert "the server says that it cannot start. Its log: cannot use *** or *** here" in text
    assert "| STARTUP FAILED [344668] ms. Next: check rancher:server:database:user" in text
    assert host.now == 10


@pytest.mark.parametrize(
    ("line", "way"),
    [
        ("LockException: Could not acquire change log lock. Currently locked by x", "SET LOCKED=0"),
        ("mysqld: Can't create/write to file (Errcode: 13)", "must belong to 102:105"),
        ("mysqld: Can't find file: './mysql/plugin.frm' (errno: 13)", "must belong to 102:105"),
        ("Specified key was too long; max key length is 767 bytes", "shows more"),
        ("write: No space left on device", "the disk is full"),
    ],
)
def test_lines_after_which_no_start_succeeds(make_host, line, way):
    host = make_host(life=lambda now: (condition(), [line]))
    text = host.failure()
    assert line in text and way in text and host.now == 0


def test_a_database_that_comes_back_in_time_is_waited_for(make_host):
    log = ["Failed to get connection to database, will retry for 5 minutes"]
    assert make_host(ready_at=25, life=lambda now: (condition(), log)).wait() == 26
    host = make_host(ready_at=300, life=lambda now: (condition(), log if now > 9 else []))
    text = host.failure()
    assert "the server could not use its database for 30 s" in text and host.now == 40


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (condition(status="exited", code=1), "does not run, it is exited (exit code 1)"),
        (condition(status="exited", memory=True), "it is exited (memory was short)"),
        (condition(status="created", error="no device"), "it is created (no device)"),
        (condition(status="restarting", restarts=3, code=3), "ended 3 times and was restarted"),
    ],
)
def test_a_container_that_ends(now, words):
    assert words in _rancher_server_wait.hopeless(condition(), now, [], 0)


@pytest.mark.parametrize(
    ("seen", "how"), [("restarting", "restarted, with exit code 3. "), ("running", "restarted. ")]
)
def test_a_container_that_runs_again_has_not_ended_with_exit_code_0(make_host, seen, how):
    """What Docker tells of one that runs is 0, whatever it ended with before."""

    def life(now):
        if now == 2:
            return condition(status=seen, restarts=1, code=3 if seen == "restarting" else None), []
        return condition(restarts=min(now, 4)), []

    text = make_host(life=life).failure()
    assert f"times and was {how}" in text


def test_one_restart_is_forgiven_and_old_ones_do_not_count():
    assert _rancher_server_wait.hopeless(condition(), condition(restarts=2), [], 0) is None
    old = condition(restarts=9)
    assert _rancher_server_wait.hopeless(old, old, [], 0) is None
    assert "ended 10 times" in _rancher_server_wait.hopeless(old, condition(restarts=10), [], 0)


def test_no_container(make_host):
    host = make_host(life=lambda now: (None, []))
    assert "there is no such container; apply server.container" in host.failure()
    assert host.now == 0


def test_what_counts_of_a_container():
    inspected = {
        "Config": {"Env": ["CATTLE_DB_CATTLE_PASSWORD=a=b", "PATH=/bin", "X_KEY=", "A_SECRET=s"]},
        "RestartCount": 2,
        "State": {
            "Status": "running",
            "StartedAt": "2024-05-05T08:00:00.123456789Z",
            "FinishedAt": "2024-05-05T07:59:58.123456789Z",
            "ExitCode": 0,
            "OOMKilled": False,
            "Error": "",
        },
    }
    found = _rancher_server_wait.condition(inspected)
    assert found["code"] is None
    assert found["secrets"] == ["a=b", "s"] and found["restarts"] == 2
    inspected["State"]["StartedAt"] = "0001-01-01T00:00:00Z"
    assert _rancher_server_wait.condition(inspected)["since"] == 0
    inspected["State"].update(Status="restarting", ExitCode=3)
    assert _rancher_server_wait.condition(inspected)["code"] == 3


@pytest.mark.parametrize(
    ("finished", "since"),
    [
        ("2024-05-05T07:59:58Z", 1714895999),  # restarted: neither start nor end is exact
        ("2024-05-05T08:00:07Z", 1714896000),  # ended since
        ("0001-01-01T00:00:00Z", 1714896000 / 2),  # its first start: all that there is
    ],
)
def test_the_first_line_may_be_older_than_the_noted_start(finished, since):
    state = {"Status": "running", "StartedAt": "2024-05-05T08:00:00Z", "FinishedAt": finished}
    assert _rancher_server_wait.condition({"Config": {}, "State": state})["since"] == since


def test_secrets_are_hidden_however_they_are_quoted():
    secret = "a b'\"\\%ü"
    texts = [
        secret,
        "a%20b%27%22%5C%25%C3%BC",
        "a+b%27%22%5C%25%C3%BC",
        "a b'\\\"\\\\%\\u00fc",
        "a b''\"\\%ü",
    ]
    for text in texts:
        assert _rancher_server_wait.hide(f"x {text} y", [secret]) == "x *** y"
    assert _rancher_server_wait.hide("ends with itself", [" itself "]) == "ends with ***"
    assert _rancher_server_wait.hide("long and longer", ["long", "longer"]) == "*** and ***"
    assert _rancher_server_wait.hide("nothing", ["", "x"]) == "nothing"
