"""
The agent's real modules against a real HTTP double of Rancher and a fake Docker.

    kit = Kit(fake, tmp_path, monkeypatch)
    ret = kit.run()                  # the state agent_registered, as Salt would call it
    kit.docker.containers            # what became of it

The fake Docker stands where the SDK does (`docker.APIClient`, with its signatures). Starting the
bootstrap's container does what the original does: reads the script, registers, starts the agent.
"""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import docker
import rancher_kit  # noqa: F401 - the same looks, closer together
import requests
from clocks import Waits
from fake_docker import pong
from fakes import LOCK, Killed, state_over

import _converge
import _docker_engine
import _rancher_agent
import _rancher_agent_bootstrap
import _rancher_agent_cgroup
import _rancher_agent_host
import _rancher_agent_look
import _rancher_agent_script
import rancher

IMAGE = "rancher/agent:v1.2.11"
BOOTSTRAP = "rancher-agent-bootstrap"
NAME, ADDRESS = "node1.example.test", "192.0.2.11"


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(seconds))


class FakeDocker:
    """One daemon. `says`: what the bootstrap writes instead of doing its work."""

    def __init__(self, state):
        self.state = state  # stands for /var/lib/rancher
        self.containers, self.images, self.calls = {}, {IMAGE}, []
        self.version_said = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}
        self.info_said = {
            "ServerVersion": "20.10.24",
            "CgroupVersion": "1",
            "CgroupDriver": "cgroupfs",
            "SecurityOptions": [],
        }
        self.says, self.exit_code = None, None
        self.agent_says, self.agent_runs, self.agent_starts = [], True, True
        self.hostname, self.address, self.pid = NAME, ADDRESS, None
        self.dies_after = None  # name of the call that is the last one of a killed run
        self.pull_says = [
            {"status": "Pulling from rancher/agent", "id": "v1.2.11"},
            {"status": "Pull complete", "progressDetail": {}, "id": "a1"},
        ]

    def client(self, base_url=None, version=None, timeout=60):
        return Client(self)

    def add_agent(self, url, ip=None, running=True, age=5.0, says=(), image=IMAGE, keys=True):
        variables = [f"CATTLE_URL={url}"] + ([f"CATTLE_AGENT_IP={ip}"] if ip else [])
        variables += (
            ["CATTLE_ACCESS_KEY=AGENTACCESS", "CATTLE_SECRET_KEY=agentsecret"] if keys else []
        )
        began = time.time() - age
        self.containers["rancher-agent"] = {
            "Id": f"agent{len(self.calls)}",
            "Created": stamp(began),
            "Config": {"Image": image, "Env": variables, "Cmd": ["run"]},
            "State": {
                "Running": running,
                "Paused": False,
                "StartedAt": stamp(began),
                "Pid": self.pid,
            },  # fmt: skip
            "logs": list(says),
        }

    def changes(self):
        """Calls that change anything."""
        return [call for call in self.calls if call[0] not in ("inspect_container", "logs")]

    def began(self, name):
        box = self.containers[name]
        box["State"].update(Running=True, StartedAt=stamp(time.time()))
        if name == BOOTSTRAP:
            self._bootstrap(box)

    def _bootstrap(self, box):
        if self.says is not None:
            box["logs"] = list(self.says)
            box["State"].update(Running=self.exit_code is None, ExitCode=self.exit_code)
            return
        (url,) = box["Config"]["Cmd"]
        variables = dict(each.split("=", 1) for each in box["Config"]["Env"])
        try:
            script = self._get(url)
        except urllib.error.URLError as exc:
            where = url.partition("/scripts/")[0]
            box["logs"] = [f"ERROR: {where} is not accessible ({exc})"] * 9
            return
        self._register(box, script, variables)

    @staticmethod
    def _get(url):
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            return answer.read().decode()

    def _register(self, box, script, variables):
        said = dict(re.findall(r'export (\w+)="([^"]*)"', script))
        token_file = self.state / "state" / ".registration_token"
        token_file.parent.mkdir(parents=True, exist_ok=True)
        if not token_file.exists():
            token_file.write_text(f"machine-{uuid.uuid4()}")
        answer = requests.post(
            f"{said['CATTLE_URL']}/register",
            json={
                "key": token_file.read_text(),
                "hostname": self.hostname,
                "agentIpAddress": variables.get("CATTLE_AGENT_IP") or self.address,
                "labels": dict(urllib.parse.parse_qsl(variables.get("CATTLE_HOST_LABELS", ""))),
            },
            auth=("registrationToken", said["CATTLE_REGISTRATION_SECRET_KEY"]),
            timeout=10,
        )
        assert answer.status_code == 201, answer.text
        self.containers.pop("rancher-agent", None)
        if self.agent_starts:
            self.add_agent(said["CATTLE_URL"], variables.get("CATTLE_AGENT_IP"), age=0)
            passed = [f"{k}={v}" for k, v in variables.items() if k.lower().endswith("_proxy")]
            self.containers["rancher-agent"]["Config"]["Env"] += passed
            self.containers["rancher-agent"]["logs"] = list(self.agent_says)
            self.containers["rancher-agent"]["State"]["Running"] = self.agent_runs
        box["logs"] = [f"INFO: Launched Rancher Agent: {id(box)}"]
        box["State"].update(Running=False, ExitCode=0)


def problem(status, words):
    response = requests.Response()
    response.status_code = status
    kind = docker.errors.NotFound if status == 404 else docker.errors.APIError
    return kind(words, response, explanation=words)


class Client:
    """Stands for ``docker.APIClient``; `test_the_fake_has_the_real_signatures` compares."""

    base_url, timeout = "http+docker://localhost", 60

    def __init__(self, daemon):
        self.daemon = daemon

    def close(self):
        pass

    def send(self, request, **kwargs):
        raise AssertionError("nothing goes over a socket here")

    def get(self, url, params=None, **kwargs):
        assert url == f"{self.base_url}/_ping"
        return pong(self.daemon.version_said["ApiVersion"])

    def _box(self, name):
        if name not in self.daemon.containers:
            raise problem(404, f"No such container: {name}")
        return self.daemon.containers[name]

    def _note(self, call, *args):
        self.daemon.calls.append((call, *args))

    def _die(self, call):
        if self.daemon.dies_after == call:
            raise Killed

    def ping(self):
        return "OK"

    def version(self, api_version=True):
        return self.daemon.version_said

    def info(self):
        return self.daemon.info_said

    def containers(
        self,
        quiet=False,
        all=False,
        trunc=False,
        latest=False,
        since=None,
        before=None,
        limit=-1,
        size=False,
        filters=None,
    ):
        assert all, "stopped ones count"
        return [
            {
                "Id": name,
                "Names": [f"/{name}"],
                "Command": " ".join(["/run.sh", *box["Config"]["Cmd"]]),
                "Status": "Up 3 seconds" if box["State"]["Running"] else "Exited (0)",
            }
            for name, box in self.daemon.containers.items()
        ]

    def inspect_container(self, container):
        self._note("inspect_container", container)
        box = json.loads(json.dumps(self._box(container)))
        status = "running" if box["State"]["Running"] else "exited"
        state = {"Status": status, "StartedAt": stamp(0), **box["State"]}
        config = {"Image": IMAGE, **box.get("Config", {})}
        known = {"Id": container, "Created": stamp(0), "Image": "sha256:a1", "HostConfig": {}}
        return {**known, **box, "Config": config, "State": state}

    def inspect_image(self, image):
        if image not in self.daemon.images:
            raise problem(404, f"No such image: {image}")
        return {"Id": image}

    def pull(
        self,
        repository,
        tag=None,
        stream=False,
        auth_config=None,
        decode=False,
        platform=None,
        all_tags=False,
    ):
        self._note("pull", repository)
        yield from self.daemon.pull_says
        self.daemon.images.add(repository)
        self._die("pull")

    def create_host_config(self, *args, **kwargs):
        return dict(kwargs)

    def create_container(
        self,
        image,
        command=None,
        hostname=None,
        user=None,
        detach=False,
        stdin_open=False,
        tty=False,
        ports=None,
        environment=None,
        volumes=None,
        network_disabled=False,
        name=None,
        entrypoint=None,
        working_dir=None,
        domainname=None,
        host_config=None,
        mac_address=None,
        labels=None,
        stop_signal=None,
        networking_config=None,
        healthcheck=None,
        stop_timeout=None,
        runtime=None,
        use_config_proxy=True,
        platform=None,
    ):
        self._note("create", name)
        if name in self.daemon.containers:
            raise problem(409, f"Conflict. The name {name} is in use")
        if image not in self.daemon.images:
            raise problem(404, f"No such image: {image}")
        assert hostname is None, "the bootstrap knows itself by it"
        self.daemon.containers[name] = {
            "Id": name,
            "Created": stamp(time.time()),
            "Config": {
                "Image": image,
                "Cmd": command,
                "Env": [f"{key}={value}" for key, value in environment.items()],
            },
            "HostConfig": host_config,
            "State": {"Running": False, "Paused": False, "StartedAt": "0001-01-01T00:00:00Z"},
            "logs": [],
        }
        self._die("create")
        return {"Id": name}

    def start(self, container, *args, **kwargs):
        self._note("start", container)
        self._box(container)
        self.daemon.began(container)
        self._die("start")

    def restart(self, container, timeout=10):
        self._note("restart", container)
        self._box(container)["State"].update(Running=True, StartedAt=stamp(time.time() + 1))

    def unpause(self, container):
        self._note("unpause", container)
        self._box(container)["State"]["Paused"] = False

    def logs(
        self,
        container,
        stdout=True,
        stderr=True,
        stream=False,
        timestamps=False,
        tail="all",
        since=None,
        follow=None,
        until=None,
    ):
        self._note("logs", container)
        lines = self._box(container)["logs"]
        return "\n".join(lines[-tail:] if tail != "all" else lines).encode()

    def remove_container(self, container, v=False, link=False, force=False):
        self._note("remove", container)
        box = self._box(container)
        assert force or not box["State"]["Running"]
        del self.daemon.containers[container]


class Kit:
    """`agent` is what the pillar holds under rancher:agent; keyword arguments are the state's."""

    def __init__(self, fake, folder, monkeypatch, agent=None, **given):
        self.fake, self.folder = fake, folder
        self.docker = FakeDocker(folder)
        monkeypatch.setattr(docker, "APIClient", self.docker.client)
        monkeypatch.setenv("no_proxy", "*")
        self.pillar = {"rancher": {"agent": agent or {}}}
        self.given = {"server_url": fake.url, "timeout": 20, **given}
        self.addresses = [ADDRESS]
        self.names = {"node1", NAME}
        self.cgroup_is_unified = False
        self._wire(monkeypatch)

    def _wire(self, monkeypatch):
        patch = monkeypatch.setattr
        for module in (
            _rancher_agent,
            _rancher_agent_look,
            _rancher_agent_host,
            _rancher_agent_bootstrap,
        ):
            patch(module, "STATE", str(self.folder))
        patch(_rancher_agent_host.salt.utils.network, "interfaces", lambda: self._cards())
        patch(_docker_engine, "_listens", lambda url: True)
        patch(_converge, "LOCK", LOCK)
        patch(_rancher_agent_host, "_names", lambda: self.names)
        patch(_rancher_agent_cgroup, "is_unified", lambda: self.cgroup_is_unified)
        # Patience for tests: the same looks, closer together.
        self.clock = Waits()
        for module in (
            _rancher_agent,
            _rancher_agent_bootstrap,
            _rancher_agent_host,
            _rancher_agent_script,
        ):
            patch(module, "time", self.clock)
        patch(_rancher_agent, "PAUSES", (0.005, 0.01))
        patch(_rancher_agent, "STEADY", 0.05)
        patch(_rancher_agent_host, "PAUSE", 0.005)
        patch(_rancher_agent_bootstrap, "PAUSE", 0.005)
        patch(_rancher_agent_script, "PAUSE", 0.01)
        # The double listens at 127.0.0.1; what that means to an agent is tested by itself.
        patch(_rancher_agent_script, "is_loopback", lambda url: "localhost" in url)

    def _cards(self):
        inet = [{"address": address} for address in self.addresses]
        bridge = {"inet": [{"address": "172.17.0.1"}]}
        return {
            "lo": {"inet": [{"address": "127.0.0.1"}]},
            "eth0": {"inet": inet},
            "docker0": bridge,
        }

    def run(self, test=False):
        """The state, as Salt would call it: its face does the work."""
        dunders = {"__pillar__": self.pillar, "__context__": {}, "__opts__": {}}
        vars(rancher).update(dunders)
        return state_over(rancher, test).agent_registered("rancher-agent", **self.given)

    def posts(self):
        return [seen for seen in self.fake.journal if seen.method != "GET"]

    def registered(self, **fields):
        """This machine as a member, in Rancher and in Docker, as an earlier run left it."""
        _rancher_agent_host.own_id()
        mine = (self.folder / "state" / ".salt_id").read_text().strip()
        row = {"hostname": NAME, "ip": ADDRESS, "labels": {"rancher.salt.id": mine}, **fields}
        host = self.fake.add_host(row.pop("hostname"), **row)
        self.docker.add_agent(f"{self.fake.url}/v1")
        return host
