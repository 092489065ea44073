"""
A real Salt master and several real minions on this machine, each with its own directories, and
stand-ins for the roles whose real ones need a host of their own.

    with Fleet(folder, "3008.3", ["s1", "a1"], pillars) as fleet:
        report = fleet.orchestrate("orch.deploy")

The stand-in of the role agent registers at the double of Rancher as the real bootstrap does: it
takes `rancher:agent:registration_url` from the pillar, reads the script there, and asks with
the token that it finds.
"""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from fakes import ROOT
from lab.process import Daemon, LabError, wait_until

LINES = ("3006.28", "3008.3")
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
    """A master and minions of one Salt line, or minions of another (`minion_line`)."""

    def __init__(self, folder, line, minions, pillars, minion_line=None, config=None):
        self.folder = pathlib.Path(folder)
        self.line, self.minion_line = line, minion_line or line
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="fleet-"))
        self.publish, self.answers = _free_port(), _free_port()
        self.config = config or {}
        self._pillars = self.folder / "pillar"
        self.pillars(pillars)
        self._stand_ins()
        self._master = Daemon(self.folder / "master.pid", self.folder / "master.out")
        self.minions = {
            name: Daemon(self.folder / f"{name}.pid", self.folder / f"{name}.out")
            for name in minions
        }

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in [*self.minions.values(), self._master]:
            daemon.kill()
        shutil.rmtree(self.sockets, ignore_errors=True)

    # What a test says and asks.

    def renew(self, pillars):
        """Other pillars, every minion up, and nothing made by the stand-ins yet."""
        self.pillars(pillars)
        shutil.rmtree(self.folder / "handover", ignore_errors=True)
        for made in ("made-*", "notes", "agent-of"):
            for path in self.folder.glob(f"*/cache/{made}"):
                path.unlink()
        if not all(daemon.pid for daemon in self.minions.values()):
            self._start_minions()

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

    def shown(self, *words, timeout=300):
        """`salt-run` as an operator sees it, without colours."""
        return self._run("--no-color", *words, timeout=timeout).stdout

    def _run(self, *words, timeout):
        argv = [_program(self.line, "salt-run"), "-c", self.folder / "etc", *words]
        return subprocess.run(
            list(map(str, argv)), capture_output=True, text=True, timeout=timeout, check=False
        )

    def runner(self, *words, timeout=300):
        """`salt-run`; gives its JSON and its exit code."""
        done = self._run("--out=json", *words, timeout=timeout)
        try:
            return json.loads(done.stdout), done.returncode
        except ValueError:
            raise LabError(f"{words}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}") from None

    def orchestrate(self, sls, *words, timeout=300, **pillar):
        """The states of an orchestration by id, and the exit code."""
        answer, code = self.runner(*self._orchestration(sls, pillar), *words, timeout=timeout)
        ((_, states),) = answer["data"].items()
        if not isinstance(states, dict):
            raise LabError(f"{sls}: {states}")
        return {row["__id__"]: row for row in states.values()}, code

    def begin(self, sls, **pillar):
        """The same as a process of its own, to be killed."""
        argv = [_program(self.line, "salt-run"), "-c", self.folder / "etc"]
        argv += self._orchestration(sls, pillar)
        with open(self.folder / "begun.out", "ab") as out:
            return subprocess.Popen(
                list(map(str, argv)), stdout=out, stderr=out, start_new_session=True
            )

    @staticmethod
    def _orchestration(sls, pillar):
        return ["state.orchestrate", sls, f"pillar={json.dumps(pillar)}"]

    def salt(self, *words, timeout=120):
        argv = [_program(self.line, "salt"), "-c", self.folder / "etc", "--out=json", "--static"]
        done = subprocess.run(
            [*map(str, argv), *words], capture_output=True, text=True, timeout=timeout, check=False
        )
        return json.loads(done.stdout)

    def notes(self, minion):
        """What the stand-ins did there."""
        path = self.folder / minion / "cache/notes"
        return path.read_text().splitlines() if path.exists() else []

    @contextlib.contextmanager
    def listening(self):
        """Everything on the master's event bus meanwhile, in one file."""
        file = self.folder / "events"
        with open(file, "wb") as out:
            argv = [_program(self.line, "salt-run"), "-c", self.folder / "etc"]
            argv += ["state.event", "quiet=False"]
            ear = subprocess.Popen(
                list(map(str, argv)), stdout=out, stderr=out, start_new_session=True
            )
        try:
            wait_until(self._heard, timeout=60, what="an event")
            yield file
            time.sleep(1)
        finally:
            os.killpg(ear.pid, 9)
            ear.wait()

    # Behind it.

    def _heard(self):
        self.salt("*", "test.ping")
        return (self.folder / "events").stat().st_size

    def _start(self):
        self._write("etc/master", self._master_settings())
        program = _program(self.line, "salt-master")
        self._master.start([program, "-c", self.folder / "etc", "-l", "warning"], kept=False)
        ready = self.sockets / "m"
        wait_until(
            lambda: (ready / "publish_pull.ipc").exists() and (ready / "workers.ipc").exists(),
            timeout=120,
            what="start of salt-master",
        )
        self._start_minions()
        self.salt("*", "saltutil.sync_states")

    def _start_minions(self):
        for name, daemon in self.minions.items():
            if not daemon.pid:
                self._write(f"{name}/etc/minion", self._minion_settings(name))
                program = _program(self.minion_line, "salt-minion")
                config = self.folder / name / "etc"
                daemon.start([program, "-c", config, "-l", "warning"], kept=False)
        wait_until(self._all_answer, timeout=180, what="first answer of all minions", every=1)

    def _all_answer(self):
        accepted = self.folder / "pki/minions"
        names = set(self.minions)
        if not accepted.exists() or set(os.listdir(accepted)) != names:
            return False
        try:
            answers = self.salt("*", "test.ping", "--timeout=5")
        except ValueError:
            # On a machine with much to do the first question may get lost.
            return False
        return {name for name, answer in answers.items() if answer is True} == names

    def _write(self, name, settings):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=1))

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

    def _master_settings(self):
        return {
            "id": "fleet",
            "interface": "127.0.0.1",
            "publish_port": self.publish,
            "ret_port": self.answers,
            "root_dir": "/",
            "sock_dir": str(self.sockets / "m"),
            "pidfile": str(self.sockets / "master"),
            "pki_dir": str(self.folder / "pki"),
            "cachedir": str(self.folder / "cache"),
            "extension_modules": str(self.folder / "cache/extmods"),
            "token_dir": str(self.folder / "cache/tokens"),
            "syndic_dir": str(self.folder / "cache/syndics"),
            "sqlite_queue_dir": str(self.folder / "cache/queues"),
            "log_file": str(self.folder / "master.log"),
            "key_logfile": str(self.folder / "key.log"),
            "file_roots": {"base": [str(self.folder / "roots"), str(ROOT / "salt")]},
            "pillar_roots": {"base": [str(self._pillars)]},
            "ext_pillar": [{"rancher_handover": str(self.folder / "handover")}],
            "fileserver_list_cache_time": 0,
            "auto_accept": True,
            "worker_threads": 3,
            "timeout": 15,
            "enable_ssh_minions": False,
            **self.config,
        }

    def _minion_settings(self, name):
        home = self.folder / name
        return {
            "id": name,
            "master": "127.0.0.1",
            "publish_port": self.publish,
            "master_port": self.answers,
            "root_dir": "/",
            "sock_dir": str(self.sockets / name),
            "pidfile": str(self.sockets / f"{name}.pid"),
            "pki_dir": str(home / "pki"),
            "cachedir": str(home / "cache"),
            "conf_file": str(home / "etc/minion"),
            "extension_modules": str(home / "cache/extmods"),
            "sqlite_queue_dir": str(home / "cache/queues"),
            "log_file": str(home / "minion.log"),
            "grains_cache": True,
            "disable_modules": ["zabbix"],
            "acceptance_wait_time": 1,
            "multiprocessing": True,
        }


def _program(line, name):
    return ROOT / ".venv" / line / "bin" / name


def _free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
