"""
Every way that Salt is run takes a bare host to the same end, on both lines of Salt.

Real masters, minions and ssh; the hosts are namespaces with systemd (hosts.py), where the whole
of `common` runs. One table is printed at the end.
"""

import contextlib
import json
import shutil

import pytest
import yaml
from fakes import ROOT
from ways_table import Row, by_id, disagreements

from functional import hosts
from functional.masters import Salt

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(hosts.missing()), reason=f"no hosts here: {hosts.missing()}"),
]
LINES = ["3006.28", "3008.3"]
ID = "node1.example.test"
SETTINGS = {
    "roles": ["common"],
    "hostname": "node7.example.test",
    "packages": {"install": ["gdisk"]},
    "conntrack": {"max": 524288},
    "docker": {"daemon": {"log-driver": "json-file"}},
}
CHANGED = {"hostname": "node8.example.test", "docker": {"daemon": {"log-driver": "local"}}}
BARE = "host in namespaces"
MINION = {
    "id": ID,
    "master": "127.0.0.1",
    "log_level": "warning",
    "enable_fqdns_grains": False,
    "acceptance_wait_time": 1,
}
FOLDERS = ["etc", "salt", "pillar"]


class Way:
    """A way to apply states to a bare host: `apply` gives the report by ID, `tree` where it is from."""

    def __init__(self, folder, *lines):
        self.folder, self.lines = folder, lines
        self.tree = folder / "tree"

    def __enter__(self):
        self.tree.mkdir(parents=True)
        shutil.copy(ROOT / "Saltfile", self.tree)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, self.tree / name, symlinks=True)
        with contextlib.ExitStack() as stack:
            self.network = stack.enter_context(hosts.Network(self.folder))
            self.open(stack)
            self._end = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._end.close()

    def host(self, stack, line=None):
        salt = hosts.environment(line) if line else None
        self.machine = stack.enter_context(hosts.Host(self.folder / "host", self.network, salt))

    def prepare(self, stack, line):
        self.salt = Salt(self.folder, self.network, line)
        stack.callback(self.salt.stop)
        self.salt.configure(file_roots={"base": [str(self.tree / "salt")]})
        self.settle(SETTINGS)

    def settle(self, settings):
        """Give all minions these settings."""
        self.salt.settings(settings)

    def apply(self, sls, test=False):
        answer = self.answer(
            "state.apply", *([sls] if sls else []), *(["test=True"] if test else [])
        )
        (report,) = answer.values()
        return by_id(report)

    def renew(self):
        """Make the way see what was changed in the tree."""


class MasterWay(Way):
    command = "salt '*' state.apply"

    def open(self, stack):
        master, minion = self.lines
        self.host(stack, minion)
        self.prepare(stack, master)
        self.salt.start()
        self.machine.start_minion(yaml.safe_dump(MINION))
        self.salt.accept(ID)

    def answer(self, *words):
        return self.salt.salt("*", *words)


class SshWay(Way):
    command = "salt-ssh '*' state.apply"

    def open(self, stack):
        self.host(stack)
        self.prepare(stack, *self.lines)
        self.salt.roster({ID: self.machine})

    def answer(self, *words):
        return self.salt.ssh("*", *words)


class MasterlessWay(Way):
    command = "salt-call state.apply"

    def open(self, stack):
        self.host(stack, *self.lines)
        self.settle(SETTINGS)

    def settle(self, settings):
        (self.tree / "pillar/rancher.sls").write_text(yaml.safe_dump({"rancher": settings}))
        self.renew()

    def renew(self):
        shutil.rmtree(self.machine.path("/root/checkout"), ignore_errors=True)
        shutil.copytree(self.tree, self.machine.path("/root/checkout"), symlinks=True)

    def answer(self, *words):
        call = [f"{self.machine.salt}/bin/salt-call", "--out=json", "--log-level=error", *words]
        return json.loads(self.machine.run(call, timeout=400, cwd="/root/checkout").stdout)


WAYS = [
    (MasterWay, "3006.28", "3006.28"),
    (MasterWay, "3008.3", "3008.3"),
    (MasterWay, "3008.3", "3006.28"),
    *((way, line) for way in (SshWay, MasterlessWay) for line in LINES),
]
IDS = ["-".join([way[0].__name__, *way[1:]]) for way in WAYS]


@pytest.fixture(scope="module", params=WAYS, ids=IDS)
def run(request, tmp_path_factory):
    """One way, with a host that is bare for the first test."""
    kind, *lines = request.param
    with kind(tmp_path_factory.mktemp("way"), *lines) as way:
        yield way


def test_a_bare_host_converges(run):
    """`common` from the first contact on, then the highstate when the settings have changed."""
    salt = "/".join(dict.fromkeys(run.lines))
    common, high = (Row(f"{run.command} {sls}", salt, BARE) for sls in ("common", ""))
    contact = run.apply("", test=True)
    dry, first, second = run.apply("common", test=True), run.apply("common"), run.apply("common")
    common.judge(dry, first, second, disagreements(contact, dry))
    run.settle({**SETTINGS, **CHANGED})
    high.judge(run.apply("", test=True), run.apply(""), run.apply(""))
    assert not common.problems + high.problems
    if isinstance(run, SshWay):
        # The libraries came along: the host has no Salt and no SDK of its own.
        sdk = run.apply("docker.sdk", test=True)["docker-sdk-installed"]
        assert sdk["result"] is True and not sdk["changes"]
        assert run.answer("capacity.status")[ID]["docker"] not in (None, "down")
    if isinstance(run, MasterWay):
        # An external pillar that it does not find costs half a second each time.
        assert "CRITICAL" not in run.salt.says()
    assert run.machine.must(["docker", "info", "-f", "{{.LoggingDriver}}"]) == "local\n"
    assert run.machine.must(["hostname"]) == "node8.example.test\n"


OF_LAST_MONTH = {
    "salt/_states/settings.py": (
        "    return ret\n",
        "    return {**ret, 'comment': f'Last month: {ret[\"comment\"]}'}\n",
    ),
    "salt/_modules/settings.py": ('comment = "\\n".join(found) or', 'comment = "no" or'),
}


def test_other_modules_arrive(run):
    """Those of last month, and then this month's again."""
    for path, (now, then) in OF_LAST_MONTH.items():
        text = (ROOT / path).read_text()
        assert text.count(now) == 1, path
        (run.tree / path).write_text(text.replace(now, then))
    run.renew()
    assert run.apply("rancher_salt.settings")["settings-checked"]["comment"] == "Last month: no"
    for path in OF_LAST_MONTH:
        shutil.copy(ROOT / path, run.tree / path)
    run.renew()
    answer = run.apply("rancher_salt.settings", test=True)["settings-checked"]["comment"]
    assert answer == "Settings under rancher are valid"
