"""
A real master, its command line, and salt-ssh: with the tree's own etc/master, in a Network.

Not pytest-salt-factories, as everywhere else: it writes the configuration itself, where this one
is to be tried, and hears by an event over the machine's own network that a daemon is up, which
none in a Network can send.
"""

import json
import pathlib
import shutil
import tempfile

import yaml
from fakes import ROOT
from lab.process import Daemon, run, wait_until

from functional.hosts import environment

ROSTER_OPTIONS = {
    "host": "127.0.0.1",
    "port": 22,
    "user": "root",
    "set_path": "/usr/sbin:/usr/bin:/sbin:/bin",
}


class Salt:
    """The master's side of a line of Salt: configuration, pillar, command line; `start` the daemon."""

    def __init__(self, folder, network, line):
        self.folder, self.network, self.line = folder, network, line
        self.venv = environment(line)
        self.pillar = folder / "pillar"
        self.config = folder / "etc"
        # Of its own and short: a socket's path ends at 107 characters.
        self._state = tempfile.TemporaryDirectory(prefix="salt-")
        self.state = pathlib.Path(self._state.name)
        # All of it, external pillars included.
        shutil.copytree(ROOT / "etc", self.config, ignore=shutil.ignore_patterns("gpgkeys"))
        self.configure()
        self._daemon = Daemon(folder / "master.pid", folder / "master.out")

    def configure(self, **settings):
        """Lay settings over etc/master."""
        ours = {
            "root_dir": str(self.state),
            "interface": "127.0.0.1",
            "pillar_roots": {"base": [str(self.pillar)]},
            # A master works in /, and looks for one that is not there in each of Salt's own.
            "pillar_dirs": [str(ROOT / "_pillar")],
            "log_level": "warning",
            "worker_threads": 3,
            "fileserver_list_cache_time": 0,
            "known_hosts_file": str(self.config / "known_hosts"),
            # All hosts are 127.0.0.1, each in its own network: no connection is shared between them.
            "ssh_options": self._ssh_options(),
        }
        text = yaml.safe_dump({**ours, **settings})
        (self.config / "master.d/test.conf").write_text(text)

    def _ssh_options(self):
        given = yaml.safe_load((ROOT / "etc/master").read_text())["ssh_options"]
        ours = f"ControlPath={self.state}/%C"
        return [ours if option.startswith("ControlPath=") else option for option in given]

    def settings(self, rancher):
        """Give every minion the pillar `rancher`, and what the tree's own pillar gives to all."""
        self.pillar.mkdir(exist_ok=True)
        shutil.copy(ROOT / "pillar/modules.sls", self.pillar)
        (self.pillar / "top.sls").write_text("base: {'*': [rancher, modules]}\n")
        (self.pillar / "rancher.sls").write_text(yaml.safe_dump({"rancher": rancher}))

    def start(self):
        """Start the master and wait until it serves; `stop` ends it."""
        argv = [self.venv / "bin/salt-master", "-c", self.config]
        self._daemon.start(["env", "-C", ROOT, *self.network.inside(argv)], kept=False)
        wait_until(self._serves, timeout=120, what="start of salt-master")

    def stop(self):
        """End the daemon, when there is one, and forget all keys."""
        self._daemon.stop()
        self._state.cleanup()

    def says(self):
        """What the daemon has said so far."""
        return self._daemon.tail(1_000_000)

    def _serves(self):
        assert self._daemon.pid, f"the master ended: {self._daemon.tail()}"
        sockets = self.state / "var/run/salt/master"
        return (sockets / "workers.ipc").exists() and (sockets / "publish_pull.ipc").exists()

    def accept(self, minion):
        """Accept the key of `minion` as an operator does, and wait until it answers."""
        wait_until(lambda: self._pending(minion), timeout=120, what=f"the key of {minion}", every=1)
        self._tool("salt-key", "--yes", "--accept", minion)
        wait_until(lambda: self._answers(minion), timeout=120, what=f"an answer of {minion}")

    def _pending(self, minion):
        return (self.state / "etc/salt/pki/master/minions_pre" / minion).exists()

    def _answers(self, minion):
        return "true" in self._tool(
            "salt", "--out=json", "--timeout=5", minion, "test.ping", check=False
        )

    def salt(self, target, *words, timeout=400):
        """What the minions answer, by id, to `salt <target> <words>`."""
        answer = self._tool(
            "salt",
            "--out=json",
            "--static",
            f"--timeout={timeout}",
            target,
            *words,
            timeout=timeout + 60,
            check=False,
        )
        return json.loads(answer)

    def ssh(self, target, *words, timeout=400):
        """What the hosts of the roster answer, by id, to `salt-ssh <target> <words>`."""
        answer = self._tool(
            "salt-ssh", "--out=json", "--static", target, *words, timeout=timeout, check=False
        )
        return json.loads(answer)

    def roster(self, machines):
        """Write the roster of `machines`, by id, and the keys that they show as hosts."""
        keys = {
            name: [path.read_text() for path in machine.path("/etc/ssh").glob("ssh_host_*.pub")]
            for name, machine in machines.items()
        }
        self.write_roster({name: {"priv": str(it.key)} for name, it in machines.items()}, keys)

    def write_roster(self, entries, keys):
        """The same from the entries' own options; `keys` are the lines of public host keys."""
        roster = {name: {**ROSTER_OPTIONS, **entry} for name, entry in entries.items()}
        (self.config / "roster").write_text(yaml.safe_dump(roster))
        lines = [
            f"[{it['host']}]:{it['port']} {key}" if it["port"] != 22 else f"{it['host']} {key}"
            for name, it in roster.items()
            for key in keys[name]
        ]
        (self.config / "known_hosts").write_text("".join(lines))

    def _tool(self, name, *words, timeout=60, check=True):
        argv = [self.venv / "bin" / name, "-c", self.config, "--log-level=error", *words]
        return run(self.network.inside(argv), timeout=timeout, check=check, cwd=ROOT).stdout
