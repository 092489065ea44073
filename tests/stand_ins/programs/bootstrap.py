"""What the agent decides, apart from doing it: addresses, URLs, scripts, containers."""

import re
import urllib.parse

SCRIPT = re.compile(r'^export ([A-Z_]+)="([^"]*)"$', re.MULTILINE)
# Of the bootstrap's environment, what reaches rancher-agent.
PASSED = (
    "CATTLE_AGENT_IP", "CATTLE_HOST_LABELS", "CATTLE_SCHEDULER_IPS", "CATTLE_SCHEDULER_REQUIRE_ANY",
    "CATTLE_MEMORY_OVERRIDE", "CATTLE_MILLI_CPU_OVERRIDE", "CATTLE_LOCAL_STORAGE_MB_OVERRIDE",
    "CATTLE_PHYSICAL_HOST_UUID", "CATTLE_DOCKER_UUID", "CATTLE_CHECK_NAMESERVER", "CATTLE_DETECT_CLOUD_PROVIDER",
    "CA_FINGERPRINT", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "STAND_IN_PAUSE",
)  # fmt: skip
BINDS = [
    "/var/run/docker.sock:/var/run/docker.sock",
    "/var/run/rancher/storage:/var/run/rancher/storage",
    "/lib/modules:/lib/modules:ro",
    "/proc:/host/proc",
    "/dev:/host/dev",
    "rancher-cni:/.r",
    "rancher-agent-state:/var/lib/cattle",
    "/var/lib/rancher:/var/lib/rancher",
]
SYSTEM = {"io.rancher.container.system": "rancher-agent"}


def complaint(url, environment):
    """Why the bootstrap refuses before it asks anybody, or None."""
    ip = environment.get("CATTLE_AGENT_IP")
    if ip and not usable(ip):
        return f"Invalid CATTLE_AGENT_IP ({ip})"
    host = urllib.parse.urlsplit(url).hostname or ""
    if host in ("localhost", "127.0.0.1"):
        return "CATTLE_URL cannot contain localhost or 127.0.0.1. Please configure a proper Host Registration URL."
    return None


def usable(ip):
    """Whether it is four numbers that may be a host's address."""
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", ip):
        return False
    parts = [int(part) for part in ip.split(".")]
    return max(parts) < 256 and parts[0] != 127 and ip not in ("0.0.0.0", "255.255.255.255")


def base(url):
    """The part of a registration URL that is shown: no token."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def exports(text):
    """The variables that a registration script exports, or None when it is no such script."""
    found = dict(SCRIPT.findall(text))
    wanted = {"CATTLE_URL", "CATTLE_REGISTRATION_ACCESS_KEY", "CATTLE_REGISTRATION_SECRET_KEY"}
    return found if text.startswith("#!/bin/sh") and wanted <= set(found) else None


def mismatch(url, configured):
    """Why a URL given as <base>/v1/scripts/<token> is not that of the server, or None."""
    given = url.rpartition("/scripts/")[0]
    if given.endswith("/v1") and given != configured:
        return f"Configured Host Registration URL does not match given URL: {configured} is not {given}"
    return None


def labels(text):
    """CATTLE_HOST_LABELS as a dict; of a label that is given twice the first counts."""
    pairs = urllib.parse.parse_qsl(text or "", keep_blank_values=True)
    return dict(reversed(pairs))


def side_container(image):
    """The container that looks at the host before the registration."""
    return {
        "Image": image,
        "Cmd": ["inspect-host"],
        "Tty": True,
        "HostConfig": {"Binds": [BINDS[0], BINDS[-1]], "Privileged": True},
    }


def agent_container(image, variables):
    """The container that stays."""
    return {
        "Image": image,
        "Cmd": ["run"],
        "Env": [f"{name}={value}" for name, value in sorted(variables.items())],
        "Labels": SYSTEM,
        "HostConfig": {
            "Binds": BINDS,
            "NetworkMode": "host",
            "PidMode": "host",
            "Privileged": True,
            "OomScoreAdj": -500,
            "RestartPolicy": {"Name": "always"},
        },
    }
