"""
What a Rancher server stands on, for real and apart from this machine's own: a Docker daemon, a
MariaDB, and images that behave as Rancher's does where these states look.
"""

import contextlib
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.parse

import docker
import yaml
from factories import Master as MasterFactory
from factories import Minion as MinionFactory
from fakes import ROOT
from lab.services import Database

# What a password generator, or a quoting that went wrong, may think of.
NASTY = "p$HOME `id`'\" #{{ grains.id }} %s%20 äß€ \\z"
NEEDED = ("dockerd", "containerd", "mariadbd", "mariadb-install-db", "busybox", "ip")
# Of this run alone: two may run on one machine.
BRIDGE, NET = f"br-rs{os.getpid()}", f"10.213.{os.getpid() % 250 + 1}"
# Answers on 8080 after a moment; the mode is in a file of the image.
ENTRY = r"""#!/bin/sh
trap 'exit 0' TERM
echo "start $(cat /mode)"
if [ -z "$CATTLE_DB_CATTLE_MYSQL_HOST" ]; then
  if [ -e /var/lib/mysql/denied ]; then
    echo "mysqld: Can't create/write to file '/var/lib/mysql/x' (Errcode: 13 - Permission denied)"
    exit 1
  fi
  # As the original: without this folder it makes a new database.
  [ -d /var/lib/mysql/mysql ] || { mkdir /var/lib/mysql/mysql; touch /var/lib/mysql/ibdata1; }
  echo start >> /var/lib/mysql/starts
fi
mkdir -p /www; echo pong > /www/ping
case "$(cat /mode)" in
  good) sleep 1; httpd -f -p 8080 -h /www & wait ;;
  slow) sleep 1000 & wait ;;
  fatal) sleep 1; echo "java.sql.SQLException: wrong $CATTLE_DB_CATTLE_PASSWORD here"
    echo "STARTUP FAILED [1234] ms"; exit 1 ;;
  loop) echo "no idea why"; exit 3 ;;
  nodb) while true; do echo "ERROR LazyJDBCSource Failed to get connection to database, will retry for 5 minutes"; sleep 1 & wait; done ;;
esac
"""


def missing():
    return [name for name in NEEDED if not shutil.which(name)]


def await_(what, seconds, look):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if look():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} was not there within {seconds} s")


def free_port():
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return probe.getsockname()[1]


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@contextlib.contextmanager
def dockerd(folder, *options):
    """A daemon with a socket, a containerd and a bridge of its own; gives its client."""
    sock = folder / "docker.sock"
    ip = ["ip", "link"]
    subprocess.run([*ip, "add", BRIDGE, "type", "bridge"], check=True, timeout=20)
    subprocess.run(["ip", "addr", "add", f"{NET}.1/24", "dev", BRIDGE], check=True, timeout=20)
    subprocess.run([*ip, "set", BRIDGE, "up"], check=True, timeout=20)
    argv = ["dockerd", f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    argv += [f"--pidfile={folder}/pid", f"--host=unix://{sock}", "--iptables=false"]
    argv += [f"--bridge={BRIDGE}", "--ip6tables=false", "--log-level=warn", *options]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
    try:
        await_("the daemon's socket", 60, lambda: sock.exists() or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        client = docker.APIClient(base_url=f"unix://{sock}", version="auto", timeout=60)
        await_("the daemon", 60, client.ping)
        client.rancher_host_sock = sock
        yield client
        for each in client.containers(all=True):
            client.remove_container(each["Id"], force=True, v=True)
        client.close()
    finally:
        end(process)
        subprocess.run([*ip, "del", BRIDGE], capture_output=True, check=False)


def root_of_image(mode, extra=b""):
    """A root file system as a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(os.path.realpath(shutil.which("busybox")), "bin/busybox")
        applets = ("sh", "sleep", "httpd", "cat", "echo", "mkdir", "touch")
        for name in applets:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name, text in (("entry", ENTRY.encode()), ("mode", mode.encode()), ("extra", extra)):
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(text), 0o755
            tar.addfile(file, io.BytesIO(text))
        for name in ("tmp", "proc", "dev", "etc", "var", "var/lib", "var/lib/mysql"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(folder)
    return out.getvalue()


def make_image(client, tag, mode="good"):
    answer = client.import_image_from_data(
        root_of_image(mode, tag.encode()),
        repository="rancher/server",
        tag=tag,
        changes=[
            "VOLUME /var/lib/mysql",
            'ENTRYPOINT ["/entry"]',
            "ENV PATH=/bin CATTLE_DB_CATTLE_DATABASE=mysql",
            "EXPOSE 8080 3306",
        ],
    )
    assert "error" not in json.loads(answer.splitlines()[-1]), answer
    return f"rancher/server:{tag}"


@contextlib.contextmanager
def registry(folder):
    """An empty Docker registry on loopback, which a daemon accepts without TLS."""
    address = f"127.0.0.1:{free_port()}"
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": address},
    }
    (folder / "registry.yml").write_text(yaml.safe_dump(config))
    with open(folder / "registry.log", "w") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "registry.yml")],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        host, port = address.split(":")
        await_("the registry", 30, lambda: _listens(host, int(port)))
        yield address
    finally:
        end(process)


def _listens(host, port):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


class MariaDB(Database):
    """One on all addresses of this machine, with the character set that Rancher wants."""

    def __init__(self, folder):
        super().__init__(folder / "mariadb", folder, port=free_port())
        self.host = f"{NET}.1"
        self.start()
        # As on RDS: passwords are the only way in.
        self.sql("ALTER USER root@localhost IDENTIFIED BY ''")

    def arguments(self):
        return [*super().arguments(), "--bind-address=0.0.0.0", "--character-set-server=utf8"]

    def clean(self):
        for name in ("cattle", "my_cattle"):
            self.sql(f"DROP DATABASE IF EXISTS {name}")
        named = ("cattle", "o'connor", "boss", "")
        for account in self.sql("SELECT user, host FROM mysql.user WHERE user IN %s", named):
            self.sql("DROP USER %s@%s", *account)
        self.sql("DROP ROLE IF EXISTS hands")
        self.sql("FLUSH PRIVILEGES")

    def prepare(self, password, user="cattle"):
        self.sql("CREATE DATABASE cattle CHARACTER SET utf8 COLLATE utf8_general_ci")
        self.sql("CREATE USER %s@%s IDENTIFIED BY %s", user, "%", password)
        self.sql("GRANT ALL ON cattle.* TO %s@%s", user, "%")


EXT_PILLAR = """import json

def ext_pillar(minion_id, pillar, path):
    with open(path) as file:
        return json.load(file)
"""


class Minion:
    """Masterless, with the tree's modules and one test SLS."""

    def __init__(self, base, sock, line="3006.28"):
        self.base, self.sock = base, sock
        self.salt_call = pathlib.Path(sys.executable).with_name("salt-call")
        for folder in ("conf", "states", "ext/pillar"):
            (base / folder).mkdir(parents=True)
        config = {
            "id": "node1",
            "root_dir": str(base),
            "file_client": "local",
            "file_roots": {"base": [str(base / "states")]},
            "pillar_roots": {"base": []},
            # Secrets come from here: Salt itself prints the text of a pillar SLS at level debug.
            "ext_pillar": [{"whole": str(base / "pillar.json")}],
            "extension_modules": str(base / "ext"),
            "module_dirs": [str(ROOT)],
            "docker.url": f"unix://{sock}",
            "log_file": str(base / "minion.log"),
            "log_level_logfile": "debug",
        }
        (base / "conf/minion").write_text(yaml.safe_dump(config))
        (base / "ext/pillar/whole.py").write_text(EXT_PILLAR)
        self.pillar({})

    def pillar(self, server):
        (self.base / "pillar.json").write_text(json.dumps({"rancher": {"server": server}}))

    def run(self, *words, level="quiet", timeout=180):
        argv = [self.salt_call, "-c", self.base / "conf", "--out=json", f"--log-level={level}"]
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [*map(str, argv), *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            env=environment,
        )

    def apply(self, states, test=False, level="quiet"):
        """States as an SLS holds them, each its own; gives id to return."""
        (self.base / "states/now.sls").write_text(yaml.safe_dump(states))
        done = self.run("state.apply", "now", f"test={test}", level=level, timeout=600)
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        report = json.loads(done.stdout)["local"]
        assert isinstance(report, dict), report
        self.output = done.stdout + done.stderr
        return {state["__id__"]: state for state in report.values()}


class Cluster(Minion):
    """The same minion with a master; whatever passes over the event bus goes into a file."""

    def __init__(self, factories, sock):
        # A short path: sockets are below it.
        base = pathlib.Path(tempfile.mkdtemp(prefix="rs-test-"))
        super().__init__(base, sock)
        config = yaml.safe_load((base / "conf/minion").read_text())
        of_master = ("file_roots", "pillar_roots", "ext_pillar")
        of_minion = ("module_dirs", "docker.url", "log_level_logfile")
        # Salt takes no folder outside of the root that it has.
        shutil.copytree(base / "ext", base / "m/ext")
        self.master = factories.salt_master_daemon(
            "m",
            defaults={"root_dir": base / "m"},
            overrides={
                **{key: config[key] for key in of_master},
                **{"auto_accept": True, "worker_threads": 2, "log_level_logfile": "debug"},
                "extension_modules": str(base / "m/ext"),
                # The master's own copy of every pillar is Salt's affair.
                "minion_data_cache": False,
            },
            factory_class=MasterFactory,
        )
        self.minion = self.master.salt_minion_daemon(
            "node1",
            defaults={"root_dir": base / "node1"},
            overrides={key: config[key] for key in of_minion},
            factory_class=MinionFactory,
        )
        self.salt = self.master.salt_cli(timeout=240, system_encoding="utf-8")
        self.bus = base / "bus"
        try:
            self.master.start()
            with open(self.bus, "w") as out:
                argv = self.master.salt_run_cli().cmdline("state.event", "pretty=True")
                self.ear = subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True)
            self.minion.start()
        except BaseException:
            # Nobody has this object yet who could.
            self.close()
            raise

    def apply(self, states, test=False, level="quiet"):
        (self.base / "states/now.sls").write_text(yaml.safe_dump(states))
        words = ["--timeout=60", f"--log-level={level}", "state.apply", "now", f"test={test}"]
        done = self.salt.run(*words, minion_tgt="node1")
        self.output = done.stdout + done.stderr
        report = done.data
        assert isinstance(report, dict), self.output
        return {state["__id__"]: state for state in report.values()}

    def close(self):
        if hasattr(self, "ear"):
            end(self.ear)
        for daemon in (self.minion, self.master):
            if daemon.is_running():
                said = daemon.terminate()
                (self.base / f"{daemon.id}.out").write_text(said.stdout + said.stderr)


def forms(secrets):
    """A secret as it may stand somewhere: as it is, in JSON, in YAML, in Python, in a URL."""
    for secret in secrets:
        yield from {
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
            repr(secret.encode())[2:-1],
            secret.replace("'", "''"),
            urllib.parse.quote(secret),
            urllib.parse.quote_plus(secret),
            # Its middle alone, in case that its ends were cut or quoted.
            secret[len(secret) // 4 : 3 * len(secret) // 4],
        }


def where_found(secrets, *places):
    """The files at or below these places that hold a secret in any form."""
    wanted = [form.encode() for form in forms(secrets)]
    found = []
    for place in places:
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file() and any(form in path.read_bytes() for form in wanted):
                found.append(path)
    return found


class Watcher(threading.Thread):
    """Looks at the command line of every process, over and over."""

    def __init__(self, secrets):
        super().__init__(daemon=True)
        self.wanted = [form.encode() for form in forms(secrets)]
        self.found, self.rounds, self.ended = [], 0, threading.Event()

    def run(self):
        while not self.ended.is_set():
            for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    line = path.read_bytes()
                    if any(form in line for form in self.wanted):
                        self.found.append(line)
            self.rounds += 1
            time.sleep(0.005)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()
