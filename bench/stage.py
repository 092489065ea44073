"""A host that has converged, and every way to apply `common` to it, or to a bare one."""

import contextlib
import os
import pathlib
import shutil
import sys

import yaml
from fakes import ROOT
from functional import hosts
from functional.masters import Salt
from lab.process import LabError, locked, run, wait_until

FOLDER = pathlib.Path(__file__).parent
ANSIBLE = pathlib.Path(sys.prefix).parent / "ansible"
CACHE = ROOT / ".cache/bench"
LIBRARY = ["python3-apt", "python-apt-common", "distro-info-data"]
ID = "node1"
SETTINGS = {
    "hostname": "node7.example.test",
    "packages": {"install": ["gdisk"]},
    "conntrack": {"max": 524288},
    "docker": {"daemon": {"log-driver": "json-file"}},
}
MINION = {"master": "127.0.0.1", "enable_fqdns_grains": False, "log_level": "warning"}
# What a run without changes leaves alone, whichever way it goes.
LOOK = ["find", "/etc", "-type", "f", "-not", "-path", "/etc/salt/*", "-printf", "%p %i %T@\\n"]


class Stage:
    """One network with a master of a Salt line and a host; a context manager."""

    def __init__(self, folder, line):
        self.folder, self.line = folder, line

    def __enter__(self):
        self.folder.mkdir(parents=True)
        with contextlib.ExitStack() as stack:
            self.network = stack.enter_context(hosts.Network(self.folder))
            venv = hosts.environment(self.line)
            self.host = stack.enter_context(hosts.Host(self.folder / "host", self.network, venv))
            self.salt = Salt(self.folder, self.network, self.line)
            stack.callback(self.salt.stop)
            self.salt.configure(
                file_roots={"base": [str(ROOT / "salt")]},
                auto_accept=True,
                worker_threads=5,
                fileserver_list_cache_time=20,  # Salt's own
            )
            # Salt from PyPI and Salt's packages come without it; here it is for the tests.
            (self.folder / "without").mkdir()
            (self.folder / "without/git.py").write_text("raise ImportError\n")
            self.salt.settings(SETTINGS)
            self.salt.start()
            self._write_inventories()
            self._end = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._end.close()

    @property
    def leader(self):
        """The host's init, as seen from here."""
        found = pathlib.Path(f"/proc/{self.host._boot.pid}/task/{self.host._boot.pid}/children")
        return int(found.read_text().split()[0])

    @property
    def trees(self):
        """The processes that work for us without being our children's children to wait for."""
        return [self.leader, self.salt._daemon.pid]

    @property
    def minion(self):
        """The minion's first process, as seen from here."""
        cgroup = "system.slice/salt-minion.service"
        pids = [
            int(status.parent.name)
            for status in pathlib.Path("/proc").glob("[0-9]*/cgroup")
            if cgroup in _text(status)
        ]
        return min(pid for pid in pids if _parent(pid) == self.leader)

    def _write_inventories(self):
        """The same host, user, key and known hosts for all of them."""
        self.salt.roster({ID: self.host})
        key, known = self.host.key, self.salt.config / "known_hosts"
        (self.folder / "inventory").write_text(
            f"{ID} ansible_host=127.0.0.1 ansible_user=root ansible_ssh_private_key_file={key} "
            "ansible_python_interpreter=/usr/bin/python3 "
            f'ansible_ssh_common_args="-oUserKnownHostsFile={known}"\n'
        )
        entry = {
            "ssh_hostname": "127.0.0.1",
            "ssh_user": "root",
            "ssh_key": str(key),
            "ssh_known_hosts_file": str(known),
        }
        (self.folder / "hosts.py").write_text(f"hosts = [({ID!r}, {entry!r})]\n")

    def look(self):
        """The files of the host's configuration, with inode and time of the last change."""
        return set(self.host.must(LOOK).splitlines())

    def prepare_for_ansible(self):
        """Its module for packages needs a library of the host; Salt's does not."""
        with locked(CACHE / "lock"):
            if not list(CACHE.glob("python3-apt_*.deb")):
                run(["apt-get", "download", *LIBRARY], timeout=300, cwd=CACHE)
        for package in CACHE.glob("*.deb"):
            shutil.copy(package, self.host.path("/root"))
        self.host.must(["sh", "-c", "dpkg --install /root/*.deb"], timeout=300)

    def start_minion(self):
        self.host.start_minion(yaml.safe_dump({**MINION, "id": ID}))
        wait_until(self._answers, timeout=300, what="an answer of the minion")

    def _answers(self):
        with contextlib.suppress(LabError):
            self.via_minion("test.ping")
            return True

    def tool(self, name, *words):
        """A command of the master's side."""
        argv = [
            self.salt.venv / "bin" / name,
            "-c",
            self.salt.config,
            "--log-level=error",
            "--out=quiet",
        ]
        without = ["env", f"PYTHONPATH={self.folder / 'without'}"]
        done = run(self.network.inside([*without, *argv, *words]), timeout=1200, check=False)
        if done.returncode:
            raise LabError(f"{name} {words}: {done.stdout[-500:]} {done.stderr[-500:]}")

    def via_minion(self, *words):
        self.tool("salt", "--timeout=60", ID, *words)

    def via_call(self, *words):
        call = [f"{self.salt.venv}/bin/salt-call", "--retcode-passthrough", "--out=quiet", *words]
        self.host.must(call, timeout=600)

    def via_ssh(self, *words):
        self.tool("salt-ssh", ID, *words)

    def via_ansible(self, mitogen=False):
        """The playbook, with pipelining, or with the strategy of mitogen."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
        }
        if mitogen:
            (plugins,) = ANSIBLE.glob("lib/python3*/site-packages/ansible_mitogen/plugins/strategy")
            environment |= {
                "ANSIBLE_STRATEGY_PLUGINS": str(plugins),
                "ANSIBLE_STRATEGY": "mitogen_linear",
            }
        argv = [
            ANSIBLE / "bin/ansible-playbook",
            "-i",
            self.folder / "inventory",
            FOLDER / "playbook.yml",
        ]
        done = run(self.network.inside(argv), timeout=900, env=environment, check=False)
        if done.returncode:
            raise LabError(f"ansible-playbook: {done.stdout[-1500:]} {done.stderr[-1500:]}")
        return done.stdout

    def via_pyinfra(self):
        """The deploy, without questions before it acts."""
        argv = [ANSIBLE / "bin/pyinfra", "-y", self.folder / "hosts.py", FOLDER / "deploy.py"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        done = run(self.network.inside(argv), timeout=900, env=environment, check=False)
        if done.returncode:
            raise LabError(f"pyinfra: {done.stdout[-1500:]} {done.stderr[-1500:]}")

    def via_script(self):
        self.host.write("/root/first.sh", (FOLDER / "first.sh").read_text())
        self.host.must(["sh", "/root/first.sh"], timeout=900)


def _text(path):
    try:
        return path.read_text()
    except OSError:
        return ""


def _parent(pid):
    words = _text(pathlib.Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(words[1]) if words else None
