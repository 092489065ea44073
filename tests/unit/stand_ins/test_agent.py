"""The agent's stand-in from the URL to the container that stays, against the double and a dockerd of paper."""

import contextlib
import http.server
import json
import os
import socketserver
import threading

import pytest
from fake_rancher import FakeRancher
from fake_rancher.world import Clock

from .programs import load

agent, docker_socket = load("agent"), load("docker_socket")
TOKEN_URL = "/v2-beta/projects/1a5/scripts/"


class FakeDockerd(http.server.BaseHTTPRequestHandler):
    """Containers as the daemon's API shows them; `inspect-host` prints a token and ends."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def address_string(self):
        return "socket"

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        status, answer = self.server.dockerd.act(self.command, self.path, body)
        raw = isinstance(answer, bytes)
        data = b"" if answer is None else answer if raw else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if raw else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # of who has seen enough
            self.wfile.write(data)

    do_GET = do_POST = do_DELETE = serve


class Dockerd:
    def __init__(self, path, containers=()):
        self.containers = {
            name: {"Config": {"Image": "rancher/agent:v1.2.11"}} for name in containers
        }
        self.done, self.code = [], 0
        self.prints = (
            b"INFO: env TOKEN=host-token\r\nINFO: env CATTLE_BOOT2DOCKER=false\r\n"
            b"INFO: env CATTLE_VAR_LIB_WRITABLE=true\r\n"
        )
        self.versions = set()
        self.server = socketserver.ThreadingUnixStreamServer(str(path), FakeDockerd)
        self.server.daemon_threads = True
        self.server.dockerd = self
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def act(self, method, path, body):
        _, version, *words = path.partition("?")[0].split("/")
        self.versions.add(version)
        if words == ["version"]:
            return 200, {"Version": "20.10.24+dfsg1"}
        name = path.partition("name=")[2] or words[1]
        if words == ["containers", "create"]:
            self.containers[name] = {"Config": body}
            self.done.append(("create", body["Cmd"]))
            return 201, {"Id": name if name != "create" else "side"}
        if method == "DELETE":
            self.done.append(("remove", name))
            return (204, None) if self.containers.pop(name, None) else (404, {"message": "no"})
        if words[-1] == "start":
            return 204, None
        if words[-1] == "wait":
            return 200, {"StatusCode": self.code}
        if words[-1] == "logs":
            return 200, self.prints
        found = self.containers.get(name)
        return (200, found) if found else (404, {"message": f"No such container: {name}"})


@pytest.fixture
def dockerd(tmp_path, monkeypatch):
    dockerd = Dockerd(tmp_path / "docker.sock", ["bootstrap"])
    monkeypatch.setattr(docker_socket, "SOCKET", str(tmp_path / "docker.sock"))
    monkeypatch.setattr(
        docker_socket.Docker, "__init__", lambda self: setattr(self, "path", docker_socket.SOCKET)
    )
    monkeypatch.setattr(agent.socket, "gethostname", lambda: "bootstrap")
    monkeypatch.setattr(agent, "STATE", tmp_path / "state")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STAND_IN_TRIES", "2")
    monkeypatch.setenv("STAND_IN_PAUSE", "0.05")
    yield dockerd
    dockerd.server.shutdown()
    dockerd.server.server_close()


@pytest.fixture
def fake():
    with FakeRancher(clock=Clock(running=True)) as fake:
        fake.configure(liveness=True, seconds=0.05)
        fake.add_token(state="active")
        yield fake


def url_of(fake, token="1c1"):
    # The double listens at 127.0.0.1, which no agent may be given.
    return f"{fake.url}{TOKEN_URL}{fake.world.token_text(fake.world.tokens[token])}"


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch):
    complaint = agent.bootstrap.complaint
    monkeypatch.setattr(
        agent.bootstrap,
        "complaint",
        lambda url, env: complaint(url.replace("127.0.0.1", "192.0.2.1"), env),
    )


def variables(container):
    return dict(line.split("=", 1) for line in container["Config"]["Env"])


def test_the_bootstrap_registers_and_leaves_the_agent(fake, dockerd, monkeypatch, capsys):
    monkeypatch.setenv("CATTLE_AGENT_IP", "192.0.2.20")
    monkeypatch.setenv("CATTLE_HOST_LABELS", "zone=a%20b")
    monkeypatch.setenv("CATTLE_NOT_PASSED", "1")
    assert agent.register(url_of(fake)) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "INFO: Launched Rancher Agent: rancher-agent"
    assert dockerd.versions == {"v1.22"}
    assert dockerd.done == [("create", ["inspect-host"]), ("remove", "side"), ("create", ["run"])]
    made = dockerd.containers["rancher-agent"]
    assert made["Config"]["HostConfig"]["RestartPolicy"] == {"Name": "always"}
    assert made["Config"]["HostConfig"]["NetworkMode"] == "host"
    given = variables(made)
    assert given["CATTLE_URL"] == f"{fake.url}/v2-beta"
    assert (given["CATTLE_AGENT_IP"], given["CATTLE_HOST_LABELS"]) == ("192.0.2.20", "zone=a%20b")
    assert "CATTLE_NOT_PASSED" not in given
    known = fake.world.registers["host-token"]
    assert (given["CATTLE_ACCESS_KEY"], given["CATTLE_SECRET_KEY"]) == (
        known["accessKey"],
        known["secretKey"],
    )
    assert known["secretKey"] not in said and "host-token" not in said
    # Registered, and not yet heard of.
    assert fake.show()["hosts"] == []


def test_a_second_bootstrap_replaces_the_agent_and_keeps_the_keys(fake, dockerd):
    assert agent.register(url_of(fake)) == 0
    first = variables(dockerd.containers["rancher-agent"])
    assert agent.register(url_of(fake)) == 0
    assert ("remove", "rancher-agent") in dockerd.done
    assert variables(dockerd.containers["rancher-agent"]) == first


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda fake: fake.change("1c1", state="inactive"), "returned error: 404"),
        (lambda fake: fake.fail("500"), "returned error: 500"),
    ],
)
def test_a_url_that_does_not_answer_is_tried_and_given_up(fake, dockerd, capsys, change, words):
    url = url_of(fake)
    change(fake)
    assert agent.register(url) == 1
    said = capsys.readouterr().out.splitlines()
    # Of a URL of v2-beta the original prints all, the token, too.
    failed = f"ERROR: {url} is not accessible (The requested URL {words})"
    assert said[-3:] == [failed, failed, f"ERROR: Could not reach {url}. Giving up."]
    assert dockerd.done == []


def test_a_web_page_is_no_registration(fake, dockerd, capsys):
    assert agent.register(f"{fake.url}/somewhere") == 1
    assert "ERROR: Failed to load registration env" in capsys.readouterr().out


def test_a_bad_address_is_refused_at_once(fake, dockerd, monkeypatch, capsys):
    monkeypatch.setenv("CATTLE_AGENT_IP", "127.0.0.1")
    assert agent.register(url_of(fake)) == 1
    assert capsys.readouterr().out == "ERROR: Invalid CATTLE_AGENT_IP (127.0.0.1)\n"


def test_what_the_daemon_refuses_is_told(fake, dockerd, monkeypatch):
    monkeypatch.setattr(
        dockerd, "act", lambda *_: (400, {"message": "client version 1.22 is too old"})
    )
    with pytest.raises(docker_socket.DockerError, match="daemon: client version 1.22 is too old"):
        agent.register(url_of(fake))


class Enough(Exception):
    """Ends an agent that would stay for ever."""


def run(monkeypatch, fake, keys, pings):
    """Let rancher-agent ping some times."""
    left = [pings]

    def sleep(_):
        left[0] -= 1
        if not left[0]:
            raise Enough
        fake.world.clock.advance(1)

    monkeypatch.setattr(agent.time, "sleep", sleep)
    monkeypatch.setenv("CATTLE_URL", f"{fake.url}/v1")
    monkeypatch.setenv("CATTLE_ACCESS_KEY", keys["accessKey"])
    monkeypatch.setenv("CATTLE_SECRET_KEY", keys["secretKey"])
    monkeypatch.setenv("CATTLE_CHECK_NAMESERVER", "false")
    monkeypatch.setenv("RANCHER_AGENT_IMAGE", "rancher/agent:v1.2.11")
    monkeypatch.setattr(agent.bootstrap, "lacking", lambda status, exists: None)
    with contextlib.suppress(Enough):
        return agent.run()


def test_the_agent_makes_its_host_active_and_silence_is_seen(fake, dockerd, monkeypatch):
    monkeypatch.setattr(agent, "full_name", lambda: "node1.example.test")
    monkeypatch.setenv("CATTLE_AGENT_IP", "192.0.2.20")
    monkeypatch.setenv("CATTLE_HOST_LABELS", "zone=a%20b")
    agent.register(url_of(fake))
    known = fake.world.registers["host-token"]
    run(monkeypatch, fake, known, 3)
    (host,) = fake.show()["hosts"]
    assert (host["state"], host["agent_state"], host["ip"]) == ("active", None, None)
    fake.advance(50)
    (host,) = fake.show()["hosts"]
    assert (host["agent_state"], host["ip"]) == (None, "192.0.2.20")
    assert host["hostname"] == "node1.example.test"
    assert host["labels"]["zone"] == "a b"
    assert host["labels"]["io.rancher.host.docker_version"] == "20.10"
    for seconds, state in ((10, "reconnecting"), (195, "disconnected")):
        fake.advance(seconds)
        assert fake.show()["hosts"][0]["agent_state"] == state
    run(monkeypatch, fake, known, 1)
    assert fake.show()["hosts"][0]["agent_state"] == "active"


@pytest.mark.parametrize(("access", "ends"), [(False, 1), (True, None)])
def test_an_agent_whose_host_was_removed_is_told(fake, dockerd, monkeypatch, capsys, access, ends):
    agent.register(url_of(fake))
    known = fake.world.registers["host-token"]
    run(monkeypatch, fake, known, 2)
    fake.change("1h1", state="removed")
    fake.configure(access_control=access)
    assert run(monkeypatch, fake, known, 2) == ends
    assert "please re-register this agent" in capsys.readouterr().out.lower()


def test_two_machines_with_one_state_directory_are_one_host(fake, dockerd, monkeypatch):
    agent.register(url_of(fake))
    known = fake.world.registers["host-token"]
    for name in ("node1", "node2"):
        monkeypatch.setattr(agent, "full_name", lambda name=name: name)
        run(monkeypatch, fake, known, 2)
        assert [host["hostname"] for host in fake.show()["hosts"]] == [name]


V1 = "12:pids:/docker/{0}\n5:devices:/docker/{0}\n1:name=systemd:/docker/{0}\n"
ID = "0123456789abcdef" * 4
FATAL = 'level=fatal msg="Failed to find container id:\\n0::/\\n"'


@pytest.mark.parametrize(
    ("cgroup", "found"),
    [
        (V1.format(ID), True),
        (f"5:devices:/system.slice/docker-{ID}.scope\n", True),
        # cgroup v2: Docker's own namespace, and that of the host with either driver.
        ("0::/\n", False),
        (f"0::/system.slice/docker-{ID}.scope\n", True),
        (f"0::/docker/{ID}\n", False),
        # cgroup v1 in a namespace of its own.
        ("5:devices:/\n0::/\n", False),
    ],
)
def test_its_own_container_as_the_original_finds_it(tmp_path, capsys, cgroup, found):
    (tmp_path / "cgroup").write_text(cgroup)
    assert (agent.bootstrap.container_id(cgroup) == ID) is found
    assert agent.share_mnt(tmp_path / "cgroup") == (0 if found else 1)
    if cgroup == "0::/\n":
        assert FATAL in capsys.readouterr().err


def test_the_agent_ends_where_it_cannot_find_itself(fake, dockerd, monkeypatch, capsys):
    agent.register(url_of(fake))
    dockerd.done.clear()
    dockerd.code, dockerd.prints = 1, f'time="x" {FATAL}\r\n'.encode()
    assert run(monkeypatch, fake, fake.world.registers["host-token"], 3) == 1
    assert dockerd.done == [("create", agent.bootstrap.SHARE), ("remove", "side")]
    assert FATAL in capsys.readouterr().err
    assert fake.show()["hosts"] == []


@pytest.mark.parametrize(
    ("status", "gone", "words"),
    [
        ("CapEff:\t000001ffffffffff\n", None, None),
        ("CapEff:\t00000000a80425fb\n", None, "permission denied"),
        ("CapEff:\t000001ffffffffff\n", "/var/run/docker.sock", "/var/run/docker.sock"),
        ("CapEff:\t000001ffffffffff\n", "/var/lib/rancher", "/var/lib/rancher"),
        ("CapEff:\t000001ffffffffff\n", "/.r", "/.r"),
    ],
)
def test_what_the_agent_needs_of_its_container(status, gone, words):
    found = agent.bootstrap.lacking(f"Name:\tx\n{status}", lambda path: path != gone)
    assert found is None if words is None else words in found


def test_a_bootstrap_under_another_host_name_does_not_know_itself(fake, dockerd, monkeypatch):
    monkeypatch.setattr(agent.socket, "gethostname", lambda: "node1")
    assert agent.register(url_of(fake)) == 1
    assert dockerd.done == []


def test_a_token_that_a_power_cut_emptied_is_made_anew_as_the_original_does(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(agent, "STATE", tmp_path)
    (tmp_path / ".registration_token").write_text("")
    assert agent.inspect_host() == 0
    made = (tmp_path / ".registration_token").read_text()
    assert len(made) == 128 and made in capsys.readouterr().out
    agent.inspect_host()
    assert (tmp_path / ".registration_token").read_text() == made
