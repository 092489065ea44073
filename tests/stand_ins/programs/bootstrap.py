"""
What the agent decides, apart from doing it: addresses, URLs, scripts, containers.

As read in rancher/agent v1.2.11 (run.sh) and share-mnt v1.0.3.
"""

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
# What the agent that stays finds mounted, and cannot work without.
PLACES = (
    "/var/run/docker.sock",
    "/host/proc",
    "/host/dev",
    "/.r",
    "/var/lib/cattle",
    "/var/lib/rancher",
)
ADMIN = 21  # CAP_SYS_ADMIN
SHARE = ["--", "/usr/bin/share-mnt", "/var/lib/rancher/volumes", "/var/lib/kubelet", "--", "norun"]
SYSTEM = {"io.rancher.container.system": "rancher-agent"}


def complaint(url, environment):
    """Why the bootstrap refuses before it asks anybody, or None."""
    ip = environment.get("CATTLE_AGENT_IP")
    if ip and not usable(ip):
        return f"Invalid CATTLE_AGENT_IP ({ip})"
    if re.search(r"(http|https)://(127\.0\.0\.1|localhost)([:/]|$)", url):
        return "CATTLE_URL cannot contain localhost or 127.0.0.1, please check the Host Registration URL."
    return None


def usable(ip):
    """Whether it is four numbers that may be a host's address."""
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", ip):
        return False
    parts = [int(part) for part in ip.split(".")]
    return max(parts) < 256 and parts[0] != 127 and ip not in ("0.0.0.0", "255.255.255.255")


def shown(url):
    """A registration URL as it is printed: without the token only when it is one of API v1."""
    return re.sub(r"/v1.*/scripts.*", "/v1", url)


def exports(text):
    """The variables that a registration script exports, or None when it is no such script."""
    found = dict(SCRIPT.findall(text))
    wanted = {"CATTLE_URL", "CATTLE_REGISTRATION_ACCESS_KEY", "CATTLE_REGISTRATION_SECRET_KEY"}
    return found if text.startswith("#!/bin/sh") and wanted <= set(found) else None


def mismatch(url, configured):
    """Why a URL of API v1, with a project in it or without, is not that of the server, or None."""
    given = shown(url)
    if given.endswith("/v1") and given != configured:
        return (
            "Configured Host Registration URL does not match given URL: "
            f"CATTLE_URL={configured} ENV_URL={given}"
        )
    return None


def container_id(cgroup):
    """The own container as share-mnt finds it in /proc/self/cgroup, or None."""
    lines = cgroup.splitlines()
    for line in lines:
        if "docker/" in line and ":devices:" in line:
            return line.split("/")[-1]
    for line in lines:
        found = re.fullmatch(r".*/docker-([a-z0-9]+).scope", line)
        if found:
            return found[1]
    return None


def lacking(status, exists):
    """Why the agent that stays cannot work in this container, or None."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    if not found or not int(found[1], 16) >> ADMIN & 1:
        return "mount: permission denied (are you root, and privileged?)"
    for place in PLACES:
        if not exists(place):
            return f"{place}: No such file or directory"
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
        "HostConfig": {
            "Binds": ["/run:/run", "/var/run:/var/run", "/var/lib:/var/lib"],
            "Privileged": True,
        },
    }


def share_container(image):
    """The container in which the agent that stays makes its volumes shared."""
    return {
        "Image": image,
        "Cmd": SHARE,
        "Tty": True,
        "HostConfig": {
            "Binds": ["/:/host"],
            "NetworkMode": "host",
            "PidMode": "host",
            "Privileged": True,
        },
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
