"""
A real Salt master and several real minions on this machine, each with its own directories, and
stand-ins for the roles whose real ones need a host of their own.

    with Fleet(salt_factories, ["s1", "a1"], pillars) as fleet:
        report = fleet.orchestrate("orch.deploy")

The stand-in of the role agent registers at the double of Rancher as the real bootstrap does: it
takes `rancher:agent:registration_url` from the pillar, reads the script there, and asks with
the token that it finds.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import attr
from factories import Master, Minion, environ
from fakes import ROOT
from lab.process import LabError, wait_until

STATES = '''
"""Stand-ins for hosts: a role writes down what it did, and fails or dawdles when told to."""
import base64, json, os, re, time, urllib.request

def _note(words):
    with open(os.path.join(__opts__["cachedir"], "notes"), "a") as out:
        out.write(words + "\\n")

def _told():
    return __pillar__.get("standin") or {}

def role(name):
    ret = {"name": name, "result": True, "changes": {}, "comment": "is right"}
    mark = os.path.join(__opts__["cachedir"], f"made-{name}-{_told().get('version', 1)}")
    if os.path.exists(mark):
        return ret
    ret["changes"] = {name: {"old": None, "new": "made"}}
    if __opts__["test"]:
        return {**ret, "result": None}
    _note(f"begin {name}")
    time.sleep(_told().get("seconds", 0))
    if name in _told().get("broken", ()):
        return {**ret, "result": False, "changes": {}, "comment": f"{name} is broken here"}
    open(mark, "w").close()
    _note(f"end {name}")
    return ret

def _agent_file():
    return os.path.join(__opts__["cachedir"], "agent-of")

def agent(name):
    ret = {"name": name, "result": True, "changes": {}, "comment": "is right"}
    url = ((__pillar__.get("rancher") or {}).get("agent") or {}).get("registration_url")
    if os.path.exists(_agent_file()):
        return ret
    ret["changes"] = {"agent": {"old": None, "new": "registered"}}
    if __opts__["test"]:
        return {**ret, "result": None}
    if not url:
        return {**ret, "result": False, "changes": {}, "comment": "no registration_url in the pillar"}
    _note("begin agent")
    time.sleep(_told().get("seconds", 0))
    with urllib.request.urlopen(url, timeout=20) as answer:
        script = answer.read().decode()
    known = dict(re.findall(r'export (\\w+)="([^"]*)"', script))
    token = known["CATTLE_REGISTRATION_SECRET_KEY"]
    keys = base64.b64encode(f"registrationToken:{token}".encode()).decode()
    body = {"key": __grains__["id"] + token[:8], "hostname": __grains__["id"] + ".example.test"}
    request = urllib.request.Request(
        known["CATTLE_URL"] + "/register", json.dumps(body).encode(),
        {"Authorization": "Basic " + keys, "Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=20).read()
    open(_agent_file(), "w").close()
    _note("end agent")
    return ret

def no_agent(name):
    ret = {"name": name, "result": True, "changes": {}, "comment": "is right"}
    if os.path.exists(_agent_file()):
        ret["changes"] = {"agent": {"old": "registered", "new": None}}
        if __opts__["test"]:
            return {**ret, "result": None}
        os.unlink(_agent_file())
        _note("no agent")
    return ret
'''
CONTAINERS = '''
"""Stand-in: one container runs before, and does not after."""
from _fresh import checked  # noqa: F401
import os

def running():
    return [{"id": "c1", "name": "web"}]

def start_again(ids):
    with open(os.path.join(__opts__["cachedir"], "notes"), "a") as out:
        out.write(f"start again {ids}\\n")
    return ["web"]
'''
ROLES = {
    "common": {"common-made": {"standin.role": [{"name": "common"}]}},
    "server": {"server-made": {"standin.role": [{"name": "server"}]}},
    "server/database": {"database-made": {"standin.role": [{"name": "database"}]}},
    "server/container": {"container-made": {"standin.role": [{"name": "container"}]}},
    "server/ready": {"server-ready": {"standin.role": [{"name": "ready"}]}},
    "docker": {"docker-made": {"standin.role": [{"name": "docker"}]}},
    "agent": {
        "include": ["rancher_salt.common"],
        "agent-registered": {
            "standin.agent": [{"name": "a"}, {"require": [{"standin": "common-made"}]}]
        },
    },
    "agent/absent": {"agent-absent": {"standin.no_agent": [{"name": "a"}]}},
}


class Fleet:
    """A master and minions made by `factories`; the minions may be of those of another Salt."""

    def __init__(self, factories, minions=(), pillars=None, of_minions=None, **config):
        # Of its own and short: sockets are below it.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fleet-"))
        self.home = self.folder / "fleet"
        self._pillars = self.folder / "pillar"
        self.pillars(pillars or dict.fromkeys(minions, {}))
        self._stand_ins()
        self.master = attr.evolve(factories, root_dir=self.folder).salt_master_daemon(
            "fleet", overrides={**self._settings(), **config}, factory_class=Master
        )
        self._makers = attr.evolve(of_minions or factories, root_dir=self.folder)
        self.minions = {name: self._minion(name) for name in minions}
        self._salt = self.master.salt_cli(environ=environ())
        self._run = self.master.salt_run_cli(environ=environ())

    def __enter__(self):
        try:
            self.master.start()
            if self.minions:
                self._start(self.minions.values())
                self.salt("*", "saltutil.sync_states")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in [*self.minions.values(), self.master]:
            daemon.terminate()
        shutil.rmtree(self.folder)

    # What a test says and asks.

    def renew(self, pillars):
        """Other pillars, every minion up, and nothing made by the stand-ins yet."""
        self.pillars(pillars)
        shutil.rmtree(self.folder / "handover", ignore_errors=True)
        for made in ("made-*", "notes", "agent-of"):
            for path in self.folder.glob(f"*/cache/{made}"):
                path.unlink()
        self._start(daemon for daemon in self.minions.values() if not daemon.is_running())

    def pillars(self, pillars):
        """By minion id; `*` for everybody and `MASTER` for the master itself."""
        self._pillars.mkdir(parents=True, exist_ok=True)
        top, master = {}, pillars.pop("MASTER", None)
        if master:
            top["fleet"] = ["master"]
            (self._pillars / "master.sls").write_text("#!json\n" + json.dumps(master))
        for name, data in pillars.items():
            file = "everybody" if name == "*" else name
            top[name] = [file]
            (self._pillars / f"{file}.sls").write_text("#!json\n" + json.dumps(data))
        (self._pillars / "top.sls").write_text("#!json\n" + json.dumps({"base": top}))

    @contextlib.contextmanager
    def guest(self, name):
        """One more minion for a while."""
        daemon = self._minion(name)
        with daemon.started():
            yield daemon
        self.master.salt_key_cli().run("--yes", "--delete", name)
        shutil.rmtree(self.folder / name)

    def shown(self, *words):
        """`salt-run` as an operator sees it, without colours."""
        command = self.master.salt_run_cli(environ=environ())
        command.__cli_output_supported__ = False
        return command.run("--no-color", "--timeout=15", *words, _timeout=300).stdout

    def runner(self, *words):
        """`salt-run`; gives its JSON and its exit code."""
        done = self._run.run("--timeout=15", *words, _timeout=300)
        if done.data is None:
            raise LabError(f"{words}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.data, done.returncode

    def orchestrate(self, sls, *words, **pillar):
        """The states of an orchestration by id, and the exit code."""
        answer, code = self.runner(*self._orchestration(sls, pillar), *words)
        ((_, states),) = answer["data"].items()
        if not isinstance(states, dict):
            raise LabError(f"{sls}: {states}")
        return {row["__id__"]: row for row in states.values()}, code

    def begin(self, sls, **pillar):
        """The same as a process of its own, to be killed."""
        return self._begin("begun.out", *self._orchestration(sls, pillar))

    @staticmethod
    def _orchestration(sls, pillar):
        return ["state.orchestrate", sls, f"pillar={json.dumps(pillar)}"]

    def salt(self, target, *words):
        words = ["--static", "--timeout=15", *words]
        return json.loads(self._salt.run(*words, minion_tgt=target, _timeout=120).stdout)

    def notes(self, minion):
        """What the stand-ins did there."""
        path = self.folder / minion / "cache/notes"
        return path.read_text().splitlines() if path.exists() else []

    @contextlib.contextmanager
    def listening(self):
        """Everything on the master's event bus meanwhile, in one file."""
        file = self.folder / "events"
        file.unlink(missing_ok=True)
        ear = self._begin("events", "state.event", "quiet=False")
        try:
            wait_until(self._heard, timeout=60, what="an event")
            yield file
            time.sleep(1)
        finally:
            os.killpg(ear.pid, 9)
            ear.wait()

    # Behind it.

    def _begin(self, output, *words):
        with open(self.folder / output, "ab") as out:
            argv = self._run.cmdline(*words)
            return subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True)

    def _heard(self):
        self.salt("*", "test.ping")
        return (self.folder / "events").stat().st_size

    @staticmethod
    def _start(daemons):
        """All at once."""
        with concurrent.futures.ThreadPoolExecutor() as threads:
            list(threads.map(lambda daemon: daemon.start(), daemons))

    def _minion(self, name):
        config = {"grains_cache": True, "disable_modules": ["zabbix"], "loop_interval": 1}
        return self._makers.salt_minion_daemon(
            name, master=self.master, overrides=config, factory_class=Minion
        )

    def _stand_ins(self):
        roots = self.folder / "roots"
        (roots / "_states").mkdir(parents=True)
        (roots / "_states/standin.py").write_text(STATES)
        (roots / "_modules").mkdir()
        (roots / "_modules/docker_containers.py").write_text(CONTAINERS)
        for name, data in ROLES.items():
            path = roots / f"rancher_salt/{name}.sls"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("#!json\n" + json.dumps(data))

    def _settings(self):
        return {
            "file_roots": {"base": [str(self.folder / "roots"), str(ROOT / "salt")]},
            "pillar_roots": {"base": [str(self._pillars)]},
            "ext_pillar": [{"rancher_handover": str(self.folder / "handover")}],
            "auto_accept": True,
            "worker_threads": 3,
            "timeout": 15,
            "enable_ssh_minions": False,
        }
