"""The state with its module on an imitated host; dry run and run of every scenario."""

import os
import types

import pytest
import yaml
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _host
import _selinux_mode

CASES = yaml.safe_load((ROOT / "tests/unit/cases/selinux_mode.yaml").read_text())["states"]
WRITE = _host.write
CONFIG = "# the mode\nSELINUX={}\nSELINUXTYPE=targeted\n"
GONE = "SELINUXTYPE=targeted\n"


class Machine:
    def __init__(self, root, case, monkeypatch, state):
        self.root, self.monkeypatch, self.face = root, monkeypatch, state
        self.steps = []
        self.release = case.get("release", "4.18.0-513.el8.x86_64")
        self.put("proc/cmdline", case.get("arguments", "ro quiet"))
        if case["running"] != "disabled":
            self.put("sys/fs/selinux/enforce", "1" if case["running"] == "enforcing" else "0")
        if case["boot"] is not None:
            self.put("etc/selinux/config", self.config(case["boot"]))
            (root / "etc/selinux/config").chmod(0o640)
        if case.get("activate"):
            self.put("usr/sbin/selinux-activate", "")

    def config(self, mode):
        return GONE if mode == "unknown" else CONFIG.format(mode)

    def put(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def tree(self):
        files = [path for path in sorted(self.root.rglob("*")) if path.is_file()]
        return {
            str(path): (path.stat().st_ino, path.stat().st_mode, path.read_text()) for path in files
        }

    def run(self, argv, timeout=60, accept=(0,)):
        assert argv[0] == "setenforce" and argv[1] in ("0", "1")
        self.steps.append(argv)
        self.put("sys/fs/selinux/enforce", argv[1])
        return {"retcode": 0, "stdout": "", "stderr": ""}

    def write(self, path, text, mode="0644"):
        self.steps.append(["write", path])
        return WRITE(path, text, mode)

    def state(self, mode, test):
        uname = types.SimpleNamespace(release=self.release)
        over = {
            (_selinux_mode, "ROOT"): str(self.root),
            (_selinux_mode, "os"): types.SimpleNamespace(uname=lambda: uname, path=os.path),
            (_host, "write"): self.write,
            (_host, "run"): self.run,
        }
        for (module, name), value in over.items():
            self.monkeypatch.setattr(module, name, value)
        return self.face("selinux_mode", test).configured(mode=mode)


@pytest.fixture
def host(tmp_path, monkeypatch, state):
    return lambda case: Machine(tmp_path, case, monkeypatch, state)


@pytest.mark.parametrize("test", [True, False])
def test_null_leaves_the_mode_and_says_so(host, test):
    machine = host({"running": "permissive", "boot": "permissive"})
    ret = machine.state(None, test)
    assert (ret["result"], ret["changes"], machine.steps) == (True, {}, [])
    assert ret["comment"] == "No SELinux mode is configured, so it stays as it is"


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_host_in_a_mode(host, case, test):
    machine = host(case)
    before = machine.tree()
    ret = machine.state(case["wanted"], test)
    if "refused" in case:
        assert ret["result"] is False
        assert case["refused"] in ret["comment"] and "\n" not in ret["comment"]
    else:
        assert ret["result"] is (None if test and case["changes"] else True)
        new = {key: change["new"] for key, change in ret["changes"].items()}
        assert new == case["changes"]
    for words in case.get("words", []):
        assert words in ret["comment"]
    for words in case.get("never", []):
        assert words not in ret["comment"]
    if test or not ret["changes"]:
        assert (machine.steps, machine.tree()) == ([], before)


@pytest.mark.parametrize("case", [it for it in CASES.values() if it.get("changes")], ids=str)
def test_the_second_run_changes_nothing_and_says_the_same(host, case):
    machine = host(case)
    predicted = machine.state(case["wanted"], test=True)
    first = machine.state(case["wanted"], test=False)
    assert first["changes"] == predicted["changes"]
    second = machine.state(case["wanted"], test=False)
    assert (second["result"], second["changes"]) == (True, {})
    assert second["comment"].partition(". ")[2] == first["comment"].partition(". ")[2]


def test_the_configuration_keeps_its_other_lines_and_its_mode(host):
    machine = host({"running": "enforcing", "boot": "enforcing"})
    machine.state("permissive", test=False)
    config = machine.root / "etc/selinux/config"
    assert config.read_text() == CONFIG.format("permissive")
    assert config.stat().st_mode & 0o7777 == 0o640


def test_the_old_name_stays_a_link(host):
    machine = host({"running": "enforcing", "boot": "enforcing"})
    os.makedirs(machine.root / "etc/sysconfig")
    os.symlink("../selinux/config", machine.root / "etc/sysconfig/selinux")
    machine.state("disabled", test=False)
    assert (machine.root / "etc/sysconfig/selinux").is_symlink()
    assert "SELINUX=disabled\n" in (machine.root / "etc/sysconfig/selinux").read_text()


def test_a_failed_setenforce_reports_what_was_done(host):
    def refuses(argv, timeout=60, accept=(0,)):
        raise CommandExecutionError("`setenforce 0` failed with exit code 1: Permission denied")

    machine = host({"running": "enforcing", "boot": "enforcing"})
    machine.run = refuses
    ret = machine.state("permissive", test=False)
    assert ret["result"] is False
    assert ret["changes"] == {"at boot": {"old": "enforcing", "new": "permissive"}}
    assert "Permission denied. Changed so far: at boot" in ret["comment"]
