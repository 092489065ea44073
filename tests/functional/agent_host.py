"""
A host for the agent, for real and apart from this machine's own: a Docker daemon with a bridge,
in a mount namespace where /run, /var/lib/rancher and /lib/modules are its own; and a masterless
minion inside that namespace. The image is the stand-in of `stand_ins`.
"""

import contextlib
import gzip
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import time

import docker
import yaml
from fakes import ROOT
from stand_ins import build, images, root

NEEDED = ("dockerd", "containerd", "mmdebstrap", "unshare", "nsenter", "ip")
# Of this run alone: two may run on one machine.
BRIDGE, NET = f"br-ra{os.getpid()}", f"10.214.{os.getpid() % 250 + 1}"
IMAGE = "rancher/agent:v1.2.11"
PRIVATE = ("/run", "/var/lib/rancher", "/lib/modules")
# The daemon's own containers find its socket at the usual place.
BEGIN = """
for place in {places}; do mount -t tmpfs tmpfs "$place" || exit 1; done
exec dockerd --data-root={folder}/data --exec-root={folder}/exec --pidfile={folder}/pid \
  --host=unix:///run/docker.sock --iptables=false --ip6tables=false --bridge={bridge} \
  --storage-driver={driver} --log-level=warn \
  --add-runtime=bounded={folder}/bounded --default-runtime=bounded
"""
# Where this machine itself may not do all that root may, runc refuses what `--privileged` and
# `--oom-score-adj` ask for: here they get what there is.
RUNTIME = """#!{python}
import json, os, sys
words, LACKING, BIT, BLIND = sys.argv[1:], "CAP_SYS_RESOURCE", 24, {blind}
with open("/proc/self/status") as status:
    (bound,) = (int(line.split()[1], 16) for line in status if line.startswith("CapBnd"))
bounded = not bound >> BIT & 1
if "create" in words and (bounded or BLIND):
    path = words[words.index("--bundle") + 1] + "/config.json"
    with open(path) as config:
        spec = json.load(config)
    if bounded:
        spec["process"].pop("oomScoreAdj", None)
        for wanted in spec["process"].get("capabilities", {{}}).values():
            wanted[:] = [one for one in wanted if one != LACKING]
    if BLIND:
        # On cgroup v2 Docker does this by itself, also for privileged containers.
        spec["linux"]["namespaces"].append({{"type": "cgroup"}})
    with open(path, "w") as config:
        json.dump(spec, config)
os.execvp("runc", ["runc", *words])
"""


def missing():
    return [name for name in NEEDED if not shutil.which(name)]


class Host:
    """`client` is the daemon's, `salt_call` runs beside it, `path` leads into its namespace."""

    def __init__(self, folder, blind=False):
        self.folder = folder
        for part in ("conf", "states", "pillar"):
            (folder / part).mkdir(parents=True)
        self.made = [place for place in PRIVATE if not os.path.isdir(place)]
        for place in self.made:
            os.mkdir(place)
        self._bridge("add", "type", "bridge")
        subprocess.run(["ip", "addr", "add", f"{NET}.1/24", "dev", BRIDGE], check=True, timeout=20)
        subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True, timeout=20)
        runtime = folder / "bounded"
        runtime.write_text(RUNTIME.format(python=sys.executable, blind=blind))
        runtime.chmod(0o755)
        script = BEGIN.format(
            places=" ".join(PRIVATE), folder=folder, bridge=BRIDGE, driver="overlay2"
        )
        self._script = script
        argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        with open(folder / "log", "w") as log:
            self.daemon = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        self.client = self._connect()
        self._minion()

    def _bridge(self, verb, *more):
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False, timeout=20)
        if verb == "add":
            subprocess.run(["ip", "link", "add", BRIDGE, *more], check=True, timeout=20)

    def path(self, inside):
        return pathlib.Path(f"/proc/{self.daemon.pid}/root{inside}")

    def _connect(self):
        until = time.monotonic() + 90
        while time.monotonic() < until:
            assert self.daemon.poll() is None, (self.folder / "log").read_text()
            with contextlib.suppress(docker.errors.DockerException):
                url = f"unix://{self.path('/run/docker.sock')}"
                return docker.APIClient(base_url=url, version="auto", timeout=60)
            time.sleep(0.2)
        raise AssertionError("dockerd did not start: " + (self.folder / "log").read_text())

    def restart(self):
        """The daemon ends and begins again, in its namespace, as at an upgrade of its package."""
        # Something must hold the namespace meanwhile.
        keeper = subprocess.Popen(
            ["nsenter", f"--target={self.daemon.pid}", "--mount", "sleep", "600"]
        )
        time.sleep(0.2)
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(90)
        script = self._script.partition("exec dockerd")
        argv = ["nsenter", f"--target={keeper.pid}", "--mount", "sh", "-c", "".join(script[1:])]
        with open(self.folder / "log", "a") as log:
            self.daemon = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        self.client.close()
        self.client = self._connect()
        keeper.kill()
        keeper.wait()

    def load_image(self):
        """The stand-in for the agent as one image, straight into the daemon."""
        out, seen = io.BytesIO(), set()
        with tarfile.open(fileobj=out, mode="w") as both:
            base = gzip.decompress(root.ensure(build.CACHE).packed.data)
            for content in (base, images.archive(build.program("rancher/agent"))):
                with tarfile.open(fileobj=io.BytesIO(content)) as part:
                    for member in part:
                        if member.name in seen:
                            continue
                        seen.add(member.name)
                        both.addfile(member, part.extractfile(member) if member.isfile() else None)
        settings = build.settings(*IMAGE.split(":"))
        changes = [f"ENTRYPOINT {json.dumps(settings['Entrypoint'])}"]
        changes += [f"ENV {each}" for each in settings["Env"]]
        changes += [f"LABEL {key}={value}" for key, value in settings["Labels"].items()]
        name, tag = IMAGE.split(":")
        answer = self.client.import_image_from_data(
            out.getvalue(), repository=name, tag=tag, changes=changes
        )
        assert "error" not in json.loads(answer.splitlines()[-1]), answer

    def _minion(self):
        folder = self.folder
        config = {
            "id": "node1",
            "root_dir": str(folder),
            "file_client": "local",
            "file_roots": {"base": [str(folder / "states")]},
            "pillar_roots": {"base": [str(folder / "pillar")]},
            "module_dirs": [str(ROOT / "salt")],
            "log_file": str(folder / "minion.log"),
            "log_level_logfile": "debug",
        }
        (folder / "conf/minion").write_text(yaml.safe_dump(config))
        (folder / "pillar/top.sls").write_text("base: {'*': [rancher]}\n")

    def apply(
        self,
        agent=None,
        test=False,
        python=sys.executable,
        timeout=240,
        state="rancher.agent_registered",
        **given,
    ):
        """The state, by salt-call, inside the namespace; its return, and everything printed."""
        # Salt itself logs the text of a pillar SLS: what is secret there is no fault of ours.
        (self.folder / "pillar/rancher.sls").write_text("#!json\n{}\n")
        arguments = [{key: value} for key, value in {"name": "rancher-agent", **given}.items()]
        states = {"registered": {state: arguments}}
        (self.folder / "states/now.sls").write_text(yaml.safe_dump(states))
        words = ["state.apply", "now", f"test={test}"]
        if agent:
            secret = self.folder / "pillar.json"
            secret.write_text(json.dumps({"rancher": {"agent": agent}}))
            (self.folder / "pillar/rancher.sls").write_text(
                f"#!py\nimport json\ndef run():\n    return json.load(open({str(secret)!r}))\n"
            )
        argv = ["nsenter", f"--target={self.daemon.pid}", "--mount"]
        argv += [str(pathlib.Path(python).with_name("salt-call")), "-c", str(self.folder / "conf")]
        done = subprocess.run(
            [*argv, "--out=json", "--log-level=debug", *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, "no_proxy": "*", "LC_ALL": "C.UTF-8"},
        )
        assert done.stdout.startswith("{"), done.stdout[-2000:] + done.stderr[-4000:]
        report = json.loads(done.stdout)["local"]
        assert isinstance(report, dict), report
        (ret,) = report.values()
        return ret, done.stdout + done.stderr

    def shell(self, commands):
        """What an operator types; a container or volume that is not there is no harm."""
        argv = ["nsenter", f"--target={self.daemon.pid}", "--mount", "sh", "-c", commands]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)

    def await_log(self, name, words, seconds=60):
        until = time.monotonic() + seconds
        while words not in self.client.logs(name).decode():
            assert time.monotonic() < until, self.client.logs(name).decode()
            time.sleep(0.5)

    def close(self):
        with contextlib.suppress(docker.errors.DockerException, OSError):
            for each in self.client.containers(all=True):
                self.client.remove_container(each["Id"], force=True, v=True)
        self.client.close()
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.daemon.pid, signal.SIGKILL)
            self.daemon.wait(10)
        self._bridge("del")
        for place in self.made:
            os.rmdir(place)
