"""A Salt master on this machine that serves the checkout's states to the guest."""

import json
import pathlib
import re
import shutil
import sys
import time

from .process import Daemon, LabError, wait_until

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PATHS = {
    "pki_dir": "pki",
    "cachedir": "cache",
    "extension_modules": "cache/extmods",
    "token_dir": "cache/tokens",
    "syndic_dir": "cache/syndics",
    "sqlite_queue_dir": "cache/queues",
    "log_file": "master.log",
    "key_logfile": "key.log",
}


class Master:
    """
    The salt-master of the running interpreter's environment, all its files in ``directory``.

    ``pillar`` replaces the pillar of all minions; ``call`` runs a function on one.
    """

    def __init__(self, directory, sockets, *, publish_port, return_port, kept=False):
        self.directory = directory
        self.config = directory / "etc/master"
        self.publish_port = publish_port
        self.return_port = return_port
        self.kept = kept
        self._sockets = sockets
        self._pillar = directory / "pillar"
        self._process = Daemon(directory / "master.pid", directory / "master.out")
        self._client = None

    @property
    def running(self):
        return bool(self._process.pid)

    def start(self):
        """Start it when it is not running, and wait until it serves."""
        if self.running:
            return
        self._write_config()
        shutil.rmtree(self._sockets / "master", ignore_errors=True)
        (self._sockets / "master").mkdir()
        if not (self._pillar / "top.sls").exists():
            self.pillar({})
        self._process.start(
            [_salt_master(), "-c", self.config.parent, "-l", "warning"], kept=self.kept
        )
        wait_until(self._serves, timeout=180, what="start of salt-master")

    def stop(self):
        self._client = None
        self._process.stop()

    def pillar(self, data, minions=None):
        """Give all minions the pillar ``data``, and each of ``minions`` its own on top of that."""
        own = minions or {}
        top = {"*": ["lab"], **{name: [f"lab-{name}"] for name in own}}
        files = {"top": {"base": top}, "lab": data, **{f"lab-{name}": own[name] for name in own}}
        self._pillar.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (self._pillar / f"{name}.sls").write_text("#!json\n" + json.dumps(text, indent=1))

    def listen(self):
        """A process that writes all events of the bus, as JSON, to its log; stop it."""
        program = pathlib.Path(sys.prefix) / "bin/salt-run"
        ears = Daemon(self.directory / "events.pid", self.directory / "events.log")
        ears.log.unlink(missing_ok=True)
        ears.start([program, "-c", self.config.parent, "state.event", "pretty=False"], kept=False)
        return ears

    def call(self, minion, function, args=(), *, timeout=300, **kwargs):
        """
        Run ``function`` on ``minion`` and return what it returns.

        Keyword arguments go to the function: ``call("guest", "state.apply", ["common"], test=True)``.
        Raises LabError when nothing came back within ``timeout`` seconds.
        """
        return self.call_all([minion], function, args, timeout=timeout, **kwargs)[minion]

    def call_all(self, minions, function, args=(), *, timeout=300, progress=None, **kwargs):
        """
        Run ``function`` on all ``minions`` at once; returns what each returned, by its id.

        ``progress`` is called with a minion and each state that has ended there, as it ends.
        """
        job = self._publish(",".join(minions), function, args, kwargs)
        missing, returns = set(minions), {}
        deadline = time.monotonic() + timeout
        while missing:
            left = max(0, deadline - time.monotonic())
            event = self._return([job], sorted(missing), left, bool(progress))
            if event and "return" not in event:
                progress(event["id"], event["data"]["ret"])
                continue
            if event is None:
                raise LabError(
                    f"{', '.join(sorted(missing))} did not answer to {function} within {timeout} s"
                )
            missing.discard(event["id"])
            returns[event["id"]] = event["return"]
        return returns

    def ping(self, minion, patience, alive=lambda: True):
        """
        Whether ``minion`` answers before ``patience`` is over, and while its host is ``alive``.

        A question may be lost, so it is asked again; less and less often, because a slow
        guest has to answer all of them. A late answer to an early question counts.
        """
        pause, asked = 2, []
        while alive() and not patience.over():
            if not self._key(minion).exists():
                time.sleep(0.5)
                continue
            asked.append(self._publish(minion, "test.ping"))
            if self._return(asked, [minion], pause):
                return True
            pause = min(2 * pause, 15)
        return False

    def forget(self, minion):
        """Accept whoever calls itself ``minion`` next: a new guest has a new key."""
        self._key(minion).unlink(missing_ok=True)

    def client(self):
        """Salt's own client of this master."""
        if self._client is None:
            import salt.client

            self._client = salt.client.LocalClient(c_path=str(self.config))
        return self._client

    def options(self):
        """The master's configuration, as Salt's outputters want it."""
        import salt.config

        return salt.config.client_config(str(self.config))

    @property
    def log(self):
        """The file to look into when something goes wrong."""
        return self._process.log

    def _key(self, minion):
        return self.directory / "pki/minions" / minion

    def _publish(self, minions, function, args=(), kwargs=None):
        """Ask ``minions``, one or a list with commas, to run ``function``; returns the job's id."""
        job = self.client().run_job(
            minions,
            function,
            list(args),
            tgt_type="list",
            listen=True,
            timeout=60,
            kwarg=kwargs or {},
        )
        if not job:
            raise LabError(f"{minions} is not known to the master, so it cannot run {function}")
        return job["jid"]

    def _return(self, jobs, minions, timeout, progress=False):
        """What one of ``minions`` returned for one of ``jobs``; None after ``timeout`` seconds."""
        kind, rest = ("(ret|prog)", "(/.*)?") if progress else ("ret", "")
        names = "|".join(re.escape(minion) for minion in minions)
        tag = f"salt/job/({'|'.join(jobs)})/{kind}/({names}){rest}$"
        return self.client().event.get_event(wait=timeout, tag=tag, match_type="regex")

    def _write_config(self):
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(json.dumps(self.settings(), indent=1) + "\n")

    def settings(self):
        """The content of the master's configuration file."""
        return {
            "interface": "127.0.0.1",
            "publish_port": self.publish_port,
            "ret_port": self.return_port,
            # Salt would put a root_dir before every other path, the sockets' too.
            "root_dir": "/",
            "sock_dir": str(self._sockets / "master"),
            "pidfile": str(self._sockets / "master/pid"),
            **{key: str(self.directory / name) for key, name in PATHS.items()},
            "file_roots": {"base": [str(CHECKOUT / "salt")]},
            "pillar_roots": {"base": [str(self._pillar)]},
            "fileserver_list_cache_time": 0,
            "auto_accept": True,
            "worker_threads": 3,
            "keep_jobs_seconds": 3600,
            "enable_ssh_minions": False,
        }

    def _serves(self):
        if not self.running:
            raise LabError(f"salt-master ended: {self._process.tail()}")
        return (self._sockets / "master/publish_pull.ipc").exists() and (
            self._sockets / "master/workers.ipc"
        ).exists()


def _salt_master():
    program = pathlib.Path(sys.prefix) / "bin/salt-master"
    if not program.exists():
        raise LabError(
            f"no salt-master in {sys.prefix}/bin: use the Python of an environment with Salt"
        )
    return program
