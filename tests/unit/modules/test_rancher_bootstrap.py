"""What is given to the bootstrap, and what its lines mean; running it: test_rancher_agent."""

import pytest
from fakes import load
from salt.exceptions import CommandExecutionError

bootstrap = load("rancher_bootstrap")


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
