"""What is given to the bootstrap, and what its lines mean; running it: test_rancher_agent."""

import contextlib

import docker
import pytest
from salt.exceptions import CommandExecutionError

import _rancher_agent_bootstrap as bootstrap


def test_environment():
    assert bootstrap.environment(None, {}) == {"CATTLE_HOST_LABELS": ""}
    made = bootstrap.environment("192.0.2.1", {"a=b": "c&d e+f%", "ü": ""})
    assert made == {
        "CATTLE_HOST_LABELS": "a%3Db=c%26d%20e%2Bf%25&%C3%BC=",
        "CATTLE_AGENT_IP": "192.0.2.1",
    }


@pytest.mark.parametrize("ip", [None, "192.0.2.1", "10.0.0.255"])
def test_addresses(ip):
    assert bootstrap.check_ip(ip) is None


@pytest.mark.parametrize("ip", ["127.0.0.1", "0.0.0.0", "255.255.255.255", "node1", "::1", "1.2.3"])
def test_addresses_that_are_none(ip):
    with pytest.raises(CommandExecutionError, match="rancher:agent:ip is "):
        bootstrap.check_ip(ip)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ({"Version": "17.06.2-ce", "ApiVersion": "1.30", "MinAPIVersion": "1.12"}, None),
        ({"Version": "24.0.9", "ApiVersion": "1.43", "MinAPIVersion": "1.12"}, None),
        ({"Version": "1.10.3", "ApiVersion": "1.22"}, None),
        (
            {"Version": "25.0.3", "ApiVersion": "1.44", "MinAPIVersion": "1.24"},
            "API 1.24 and newer",
        ),
        ({"Version": "1.9.1", "ApiVersion": "1.21"}, "API 1.21 at most"),
    ],
)
def test_docker(version, words):
    if words is None:
        assert bootstrap.check_docker(version) is None
        return
    with pytest.raises(CommandExecutionError) as caught:
        bootstrap.check_docker(version)
    assert words in str(caught.value)
    assert f"Docker {version['Version']} understands" in str(caught.value)


UNREACHABLE = "ERROR: http://r:8080/v1 is not accessible"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["INFO: Running Agent Registration Process, CATTLE_URL=http://r:8080/v1"], None),
        ([UNREACHABLE] * 4, None),
        ([UNREACHABLE] * 5, "http://r:8080/v1 is not accessible, though this host reaches it"),
        ([f"{UNREACHABLE} (Could not resolve host: r)"] * 5, "not its /etc/hosts"),
        ([f"{UNREACHABLE} (Temporary failure in name resolution)"] * 5, "not its /etc/hosts"),
        ([f"{UNREACHABLE} (SSL certificate problem: self signed)"] * 5, "agent:ca_certificate"),
        ([UNREACHABLE, "ERROR: Could not reach http://r:8080/v1. Giving up."], "Check the way"),
        (["Error response from daemon: client version 1.22 is too old."], "Docker 1.12 to 24"),
        (["Error: client is newer than server (client API version: 1.22)"], "Docker 1.12 to 24"),
        (
            ["ERROR: Configured Host Registration URL does not match given URL: A B"],
            "Take the URL that Rancher shows now",
        ),
        (["ERROR: Failed to load registration env from A"], "registration script"),
    ],
)
def test_trouble(lines, words):
    problem = bootstrap.trouble(lines)
    assert problem is None if words is None else words in problem
    assert "ERROR:" not in (problem or "")


class Docker:
    """What runs of `looks` ends at the second listing."""

    def __init__(self, *boxes):
        self.boxes = {box["Id"]: box for box in boxes}
        self.removed, self.listed, self.gone = [], 0, ()

    def containers(self, all=False):
        assert all, "stopped ones count"
        self.listed += 1
        for each in self.boxes.values():
            if self.listed > 2 and each["Id"] == "ends":
                each["Status"] = "Exited (137) Less than a second ago"
        return list(self.boxes.values())

    def remove_container(self, container, v=False, force=False):
        assert v and force
        self.removed.append(container)
        if container in self.gone:
            raise docker.errors.NotFound("no such container")
        del self.boxes[container]


def box(name, command, status="Exited (0) 3 minutes ago"):
    return {"Id": name, "Names": [f"/{name}"], "Command": command, "Status": status}


@pytest.fixture
def with_docker(monkeypatch):
    def made(*boxes):
        engine = Docker(*boxes)
        patch, module = monkeypatch.setattr, bootstrap
        patch(module._docker_engine, "client", lambda doing: contextlib.nullcontext(engine))
        patch(module._docker_engine, "containers", lambda: engine.containers(all=True))
        patch(module, "PAUSE", 0.001)
        patch(module, "engine", engine, raising=False)
        return module

    return made


OTHERS = (
    box("rancher-agent", "/run.sh run", "Up 3 days"),
    box("web", "nginx -g daemon"),
    box("bare", None),
    box("not-ours", "/run.sh inspect-host-of-mine"),
    box("nor-this", "/opt/inventory inspect-host"),
)


def test_what_a_killed_bootstrap_left(with_docker):
    """One that was ended while it looked at the host left a container of a random name for ever."""
    mine = [
        box("rancher-agent-bootstrap", "/run.sh http://r/v1/scripts/A", "Up 2 seconds"),
        box("romantic_antonelli", "/run.sh inspect-host"),
        box("boring_wozniak", "/run.sh inspect-host", "Created"),
    ]
    module = with_docker(*OTHERS, *mine)
    assert module.left() == [each["Id"] for each in mine]
    module.engine.gone = ("boring_wozniak",)
    module.remove()
    assert module.engine.removed == [each["Id"] for each in mine]


def test_a_look_that_still_runs_is_let_end(with_docker):
    itself = box("rancher-agent-bootstrap", "/run.sh http://r/v1/scripts/A", "Up 2 seconds")
    module = with_docker(itself, box("ends", "/run.sh inspect-host", "Up 1 second"))
    module.remove()
    assert module.engine.removed == ["rancher-agent-bootstrap", "ends"]
    assert module.engine.listed > 2, "it ended before it was removed"


def test_a_look_of_a_bootstrap_that_somebody_else_runs_is_no_business_of_ours(with_docker):
    module = with_docker(box("theirs", "/run.sh inspect-host", "Up 1 second"))
    assert module.left() == []
    module.remove()
    assert module.engine.removed == []


def test_a_look_that_does_not_end_does_not_hold_the_run(with_docker, monkeypatch):
    itself = box("rancher-agent-bootstrap", "/run.sh http://r/v1/scripts/A", "Up 2 seconds")
    module = with_docker(itself, box("hangs", "/run.sh inspect-host", "Up 1 second"))
    monkeypatch.setattr(module, "LOOKING", 0.05)
    module.remove()
    assert module.engine.removed == ["rancher-agent-bootstrap"]


def test_the_proxy_reaches_the_agent_in_both_spellings():
    proxy = {"http_proxy": "http://u:p@proxy:3128", "https_proxy": None, "no_proxy": "10.0.0.0/8"}
    made = bootstrap.environment(None, {}, proxy)
    assert made == {
        "CATTLE_HOST_LABELS": "",
        "http_proxy": "http://u:p@proxy:3128",
        "HTTP_PROXY": "http://u:p@proxy:3128",
        "no_proxy": "10.0.0.0/8",
        "NO_PROXY": "10.0.0.0/8",
    }


def test_the_bootstrap_prints_its_proxies():
    """The first line of the original's start script that it writes, password included."""
    line = "http://me:secret@proxy:3128 https://me:se%23cret@proxy:3128"
    shown = bootstrap._clean(line, "http://r/v1/scripts/T")
    assert shown == "http://***@proxy:3128 https://***@proxy:3128"
