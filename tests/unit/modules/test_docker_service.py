import os
import time

import pytest
from salt.exceptions import CommandExecutionError

import _docker_service as docker
import _host

SHOWN = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "NeedDaemonReload": "no",
    "FragmentPath": "",
    "DropInPaths": "",
    "ExecMainStartTimestampMonotonic": "1000000",
}


@pytest.mark.parametrize(
    ("changed", "stale"),
    [(5, []), (10, []), (11, ["/a"]), (20, ["/a"]), (21, [])],
    ids=["before", "at the start", "after", "just now", "in the future"],
)
def test_what_changed_since_the_start(changed, stale):
    assert docker.stale({"/a": changed, "/b": 1}, started=10, now=20) == stale


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [
                "Starting Docker Application Container Engine...",
                'time="2024-01-01T00:00:00Z" level=info msg="Starting up"',
                "unable to configure the Docker daemon with file /etc/docker/daemon.json: the "
                "following directives are specified both as a flag and in the configuration "
                "file: hosts: (from flag: [fd://], from file: [tcp://0.0.0.0:2375])",
                "docker.service: Main process exited, code=exited, status=1/FAILURE",
                "docker.service: Failed with result 'exit-code'.",
                "Failed to start Docker Application Container Engine.",
            ],
            "Next: take the flag out of the unit",
        ),
        (
            [
                'time="x" level=fatal msg="Error starting daemon: Base Device UUID verification failed"'
            ],
            "Next: /var/lib/docker belongs to another pool",
        ),
        (
            [
                'time="x" level=fatal msg="Error starting daemon: devmapper: Thin Pool has 9 free data '
                'blocks which is less than minimum required 16384"'
            ],
            "Next: the thin pool is nearly full",
        ),
        (
            [
                "failed to start daemon: error initializing graphdriver: Unable to take ownership of thin-pool"
            ],
            "Next: the pool was used by another data root",
        ),
        (["docker.service: Start request repeated too quickly."], "Next: journalctl -u"),
        ([], "the journal says nothing. Next: journalctl -u docker.service"),
    ],
    ids=[
        "flag and file",
        "another pool",
        "a full pool",
        "a pool of another root",
        "systemd only",
        "nothing",
    ],
)
def test_the_lines_that_tell(lines, said):
    text = docker.telling(lines)
    assert said in text and "\n" not in text
    assert "Main process exited" not in text and 'time="' not in text


class Systemd:
    def __init__(self, **shown):
        self.shown, self.ran, self.fails = {**SHOWN, **shown}, [], False

    def run(self, argv, timeout=60, accept=(0,)):
        self.ran.append(argv[:2] if argv[0] == "systemctl" else argv[:1])
        # As systemctl takes a name like -.mount.
        assert not argv[-1].startswith("-.") or argv[-2] == "--"
        if self.fails and argv[1] in ("start", "restart"):
            raise CommandExecutionError("`systemctl start docker.service` failed with exit code 1")
        texts = {
            "systemctl": "\n".join(f"{key}={value}" for key, value in self.shown.items()),
            "journalctl": "failed to start daemon: no space",
        }
        return {"retcode": 0, "stdout": texts[argv[0]], "stderr": ""}

    def module(self, monkeypatch, booted=True):
        monkeypatch.setattr(_host, "run", self.run)
        monkeypatch.setattr(docker, "booted", lambda: booted)
        return docker


@pytest.mark.parametrize(
    ("shown", "state", "boot"),
    [
        ({}, "running", "enabled"),
        ({"ActiveState": "reloading"}, "running", "enabled"),
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, "stopped", "disabled"),
        ({"ActiveState": "activating"}, "failed", "enabled"),
        ({"ActiveState": "failed"}, "failed", "enabled"),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, "absent", "absent"),
        ({"LoadState": "masked", "ActiveState": "inactive"}, "masked", "enabled"),
    ],
    ids=lambda value: str(value) if not isinstance(value, dict) else None,
)
def test_how_the_service_is(shown, state, boot, monkeypatch, tmp_path):
    seen = Systemd(**shown).module(monkeypatch).status(str(tmp_path / "daemon.json"))
    assert (seen["state"], seen["boot"]) == (state, boot)
    assert (seen["started"] is not None) == (state == "running")


def started(module, monkeypatch, seconds_ago):
    """Let the daemon have started that many seconds ago."""
    monkeypatch.setattr(module.time, "monotonic", lambda: 1.0 + seconds_ago)


def test_a_file_that_changed_after_the_start_is_named(monkeypatch, tmp_path):
    config, drop_in = tmp_path / "daemon.json", tmp_path / "a.conf"
    config.write_text("{}")
    drop_in.write_text("")
    module = Systemd(DropInPaths=str(drop_in)).module(monkeypatch)
    started(module, monkeypatch, 3600)
    monkeypatch.setattr(module, "_read_by", lambda unit, path: {path: os.stat(path).st_ctime})
    assert module.status(str(config))["stale"] == [str(config)]
    started(module, monkeypatch, -1)
    assert module.status(str(config))["stale"] == []


def test_a_start_that_outlived_its_run_is_awaited(monkeypatch, caplog):
    # Between a dry run and the next run it had come up: "stopped" was foretold, and was untrue.
    systemd = Systemd(ActiveState="activating", Job="7")
    module, slept = systemd.module(monkeypatch), []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            del systemd.shown["Job"]
            systemd.shown["ActiveState"] = "active"

    monkeypatch.setattr(module.time, "sleep", sleep)
    assert module.status()["state"] == "running" and len(slept) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "systemd is at work on docker.service (activating); waiting for it, at most 600 s",
        "systemd is done with docker.service after 0 s",
    ]


def test_a_start_without_an_end_is_not_taken_for_an_answer(monkeypatch):
    module = Systemd(ActiveState="inactive", Job="7").module(monkeypatch)
    now = [5.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.time, "sleep", lambda seconds: now.append(now.pop() + 100))
    with pytest.raises(CommandExecutionError) as caught:
        module.status()
    assert now == [605.0]
    assert str(caught.value) == (
        "systemd is at work on docker.service (inactive) for more than 600 s. "
        "`systemctl list-jobs` tells what it waits for, `systemctl stop docker.service` ends it"
    )


def test_what_was_moved_aside_counts_by_its_own_change(monkeypatch, tmp_path):
    config = tmp_path / "daemon.json"
    (tmp_path / "daemon.json.before-20240101T000000Z").write_text("")
    (tmp_path / "a.conf").write_text("")
    read = docker._read_by({"DropInPaths": f"{tmp_path}/a.conf {tmp_path}/gone"}, str(config))
    assert {os.path.basename(path) for path in read} >= {
        "a.conf",
        "daemon.json.before-20240101T000000Z",
    }
    assert str(config) not in read and f"{tmp_path}/gone" not in read


def test_an_old_mtime_does_not_hide_a_change(tmp_path):
    config = tmp_path / "daemon.json"
    config.write_text("{}")
    os.utime(config, (0, 0))
    assert docker._read_by({}, str(config))[str(config)] > time.time() - 3600


def test_without_systemd_nothing_is_claimed(monkeypatch):
    with pytest.raises(CommandExecutionError, match="systemd does not run here"):
        Systemd().module(monkeypatch, booted=False).status()


def test_a_start_reads_units_again_and_forgets_failures(monkeypatch):
    systemd = Systemd()
    systemd.module(monkeypatch).start("restart")
    verbs = [argv[1] for argv in systemd.ran]
    assert verbs == ["daemon-reload", "reset-failed", "restart"]


def test_a_daemon_that_does_not_come_up_is_explained(monkeypatch):
    systemd = Systemd()
    systemd.fails = True
    with pytest.raises(CommandExecutionError) as caught:
        systemd.module(monkeypatch).start()
    assert str(caught.value) == (
        "docker.service did not start: failed to start daemon: no space. "
        "Next: journalctl -u docker.service"
    )


def test_a_daemon_whose_disk_is_missing_names_the_mount(monkeypatch):
    systemd = Systemd(Requires="system.slice data.mount -.mount", Where="/data")
    systemd.shown["ActiveState"], systemd.fails = "failed", True
    with pytest.raises(CommandExecutionError) as caught:
        systemd.module(monkeypatch).start()
    assert "did not start: it waits for /data, /data, not mounted now" in str(caught.value)
    assert str(caught.value).endswith(
        "Next: attach the disk if it is missing, `mount /data`, then apply again"
    )


def test_a_run_waited_ten_minutes_while_the_socket_started_docker_again_and_again(monkeypatch):
    systemd = Systemd(ActiveState="inactive", Job="7", Requires="data.mount", Where="/data")
    module, slept = systemd.module(monkeypatch), []

    def sleep(seconds):
        slept.append(seconds)
        # Ninety seconds for the disk, and the next connection begins it anew.
        systemd.shown["Job"] = str(7 + len(slept) // 90)

    monkeypatch.setattr(module.time, "sleep", sleep)
    with pytest.raises(CommandExecutionError, match="did not start: it waits for /data, not mount"):
        module.status()
    assert len(slept) == 90


def test_a_second_try_with_all_its_mounts_is_awaited(monkeypatch):
    systemd = Systemd(ActiveState="activating", Job="7")
    module, slept = systemd.module(monkeypatch), []

    def sleep(seconds):
        slept.append(seconds)
        systemd.shown["Job"] = str(7 + len(slept))
        if len(slept) == 5:
            systemd.shown |= {"ActiveState": "active", "Job": ""}

    monkeypatch.setattr(module.time, "sleep", sleep)
    assert module.status()["state"] == "running"


def test_enable(monkeypatch):
    systemd = Systemd()
    systemd.module(monkeypatch).enable()
    assert systemd.ran == [["systemctl", "enable"]]


@pytest.mark.parametrize(
    ("shown", "there", "loaded"),
    [
        ({"DropInPaths": "/a /x"}, True, True),
        ({"DropInPaths": "/a"}, True, False),
        ({"DropInPaths": "/a /x"}, False, False),
        ({"DropInPaths": "/x", "NeedDaemonReload": "yes"}, True, False),
        ({"LoadState": "not-found"}, True, True),
    ],
    ids=["known", "not read yet", "gone, and still known", "an older text", "no Docker yet"],
)
def test_whether_systemd_has_read_a_drop_in(shown, there, loaded, monkeypatch):
    assert Systemd(**shown).module(monkeypatch).loaded("/x", there) is loaded


def test_what_only_orders_the_start_needs_no_restart(tmp_path, monkeypatch):
    monkeypatch.setattr(docker, "ORDER", f"{tmp_path}/rancher-salt-after-")
    for name in ("rancher-salt-after-docker-data.conf", "own.conf"):
        (tmp_path / name).write_text("")
    shown = {"DropInPaths": " ".join(map(str, tmp_path.glob("*.conf")))}
    read = docker._read_by(shown, str(tmp_path / "daemon.json"))
    assert str(tmp_path / "own.conf") in read
    assert not any("rancher-salt-after" in path for path in read)
