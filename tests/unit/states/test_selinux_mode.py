"""The state with its module on an imitated host; dry run and run of every scenario."""

import os
import types

import pytest
import yaml
from fakes import ROOT, Salt, load, load_state
from salt.exceptions import CommandExecutionError

CASES = yaml.safe_load((ROOT / "tests/unit/cases/selinux_mode.yaml").read_text())["states"]
CONFIG = "# the mode\nSELINUX={}\nSELINUXTYPE=targeted\n"
GONE = "SELINUXTYPE=targeted\n"


class Machine:
    def __init__(self, root, case):
        self.root = root
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
        return load("_host").write(path, text, mode)

    def state(self, mode, test):
        host = {"_host.read": load("_host").read, "_host.write": self.write, "_host.run": self.run}
        module = load("_selinux_mode", Salt(host))
        module.ROOT = str(self.root)
        uname = types.SimpleNamespace(release=self.release)
        module.os = types.SimpleNamespace(uname=lambda: uname, path=os.path)
        names = ("observe", "plan", "apply", "notes")
        functions = {f"_selinux_mode.{name}": getattr(module, name) for name in names}
        salt = Salt({**functions, "_converge.run": load("_converge").run})
        return load_state("selinux_mode", salt, test).configured(mode=mode)


@pytest.mark.parametrize("test", [True, False])
def test_null_leaves_the_mode_and_says_so(tmp_path, test):
    machine = Machine(tmp_path, {"running": "permissive", "boot": "permissive"})
    ret = machine.state(None, test)
    assert (ret["result"], ret["changes"], machine.steps) == (True, {}, [])
    assert ret["comment"] == "No SELinux mode is configured, so it stays as it is"


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_host_in_a_mode(tmp_path, case, test):
    machine = Machine(tmp_path, case)
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
def test_the_second_run_changes_nothing_and_says_the_same(tmp_path, case):
    machine = Machine(tmp_path, case)
    predicted = machine.state(case["wanted"], test=True)
    first = machine.state(case["wanted"], test=False)
    assert first["changes"] == predicted["changes"]
    second = machine.state(case["wanted"], test=False)
    assert (second["result"], second["changes"]) == (True, {})
    assert second["comment"].partition(". ")[2] == first["comment"].partition(". ")[2]


def test_the_configuration_keeps_its_other_lines_and_its_mode(tmp_path):
    machine = Machine(tmp_path, {"running": "enforcing", "boot": "enforcing"})
    machine.state("permissive", test=False)
    config = tmp_path / "etc/selinux/config"
    assert config.read_text() == CONFIG.format("permissive")
    assert config.stat().st_mode & 0o7777 == 0o640


def test_the_old_name_stays_a_link(tmp_path):
    machine = Machine(tmp_path, {"running": "enforcing", "boot": "enforcing"})
    os.makedirs(tmp_path / "etc/sysconfig")
    os.symlink("../selinux/config", tmp_path / "etc/sysconfig/selinux")
    machine.state("disabled", test=False)
    assert (tmp_path / "etc/sysconfig/selinux").is_symlink()
    assert "SELINUX=disabled\n" in (tmp_path / "etc/sysconfig/selinux").read_text()


def test_a_failed_setenforce_reports_what_was_done(tmp_path):
    def refuses(argv, timeout=60, accept=(0,)):
        raise CommandExecutionError("`setenforce 0` failed with exit code 1: Permission denied")

    machine = Machine(tmp_path, {"running": "enforcing", "boot": "enforcing"})
    machine.run = refuses
    ret = machine.state("permissive", test=False)
    assert ret["result"] is False
    assert ret["changes"] == {"at boot": {"old": "enforcing", "new": "permissive"}}
    assert "Permission denied. Changed so far: at boot" in ret["comment"]
