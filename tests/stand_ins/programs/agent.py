"""
What runs in the stand-in for rancher/agent.

    /run.sh URL             the bootstrap: registers this machine, starts rancher-agent, ends
    /run.sh inspect-host    its side container: the host's token
    /run.sh run             rancher-agent: says every few seconds that the host lives
    /run.sh -- share-mnt    its side container: finds itself in /proc/self/cgroup, or does not

It needs what the original needs: its container's id as host name, Docker's socket, the mounts, to be
privileged, and a /proc/self/cgroup that names its container. Not done: the mounts themselves.

Its own environment: STAND_IN_TRIES (300) looks at the URL, STAND_IN_PAUSE (2) seconds apart.
"""

import base64
import json
import os
import pathlib
import secrets
import signal
import socket
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import bootstrap  # noqa: E402
import docker_socket  # noqa: E402

HOME = pathlib.Path("/var/lib/rancher")
STATE = HOME / "state"
AUTHORITY = HOME / "etc/ssl/ca.crt"
PING = 5


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    words = sys.argv[1:]
    if words[:1] == ["--"]:
        return share_mnt()
    if len(words) != 1:
        error("One parameter required")
        return 1
    if words[0] == "inspect-host":
        return inspect_host()
    try:
        return run() if words[0] == "run" else register(words[0])
    except docker_socket.DockerError as refused:
        print(refused, file=sys.stderr, flush=True)
        return 1


def info(text):
    print(f"INFO: {text}", flush=True)


def error(text):
    print(f"ERROR: {text}", flush=True)


# The bootstrap.


def register(url):
    docker = docker_socket.Docker()
    image = own_image(docker)
    if image is None:
        print(f"Error: No such image or container: {socket.gethostname()}", flush=True)
        return 1
    refused = bootstrap.complaint(url, os.environ)
    if refused:
        error(refused)
        return 1
    print(os.environ.get("http_proxy", ""), os.environ.get("https_proxy", ""), flush=True)
    info(f"Running Agent Registration Process, CATTLE_URL={bootstrap.shown(url)}")
    text = patiently(url)
    if text is None:
        error(f"Could not reach {bootstrap.shown(url)}. Giving up.")
        return 1
    given = bootstrap.exports(text)
    if given is None:
        error(f"{bootstrap.shown(url)} returned")
        print(f"ERROR: --- START ---\n{text}\nERROR: --- END ---", flush=True)
        error(f"Failed to load registration env from CATTLE_URL={bootstrap.shown(url)}")
        return 1
    refused = bootstrap.mismatch(url, given["CATTLE_URL"])
    if refused:
        error(refused)
        return 1
    token = host_token(docker, image)
    info("Running registration")
    keys = registered(given, token)
    if keys is None:
        error("Failed to register this host")
        return 1
    info(f"ENV: CATTLE_ACCESS_KEY={keys['accessKey']}")
    info("ENV: CATTLE_SECRET_KEY=xxxxxxx")
    info(f"ENV: CATTLE_URL={given['CATTLE_URL']}")
    passed = {name: os.environ[name] for name in bootstrap.PASSED if os.environ.get(name)}
    passed.setdefault("CATTLE_AGENT_IP", given.get("DETECTED_CATTLE_AGENT_IP", ""))
    variables = {
        **passed,
        "CATTLE_URL": given["CATTLE_URL"],
        "CATTLE_ACCESS_KEY": keys["accessKey"],
        "CATTLE_SECRET_KEY": keys["secretKey"],
        "RANCHER_AGENT_IMAGE": image,
    }
    if docker.inspect("rancher-agent"):
        info("Deleting container rancher-agent")
        docker.remove("rancher-agent")
    made = docker.create("rancher-agent", bootstrap.agent_container(image, variables))
    info(f"Launched Rancher Agent: {made}")
    return 0


def patiently(url):
    """What the URL answers; None when it did not for too long."""
    tries = int(os.environ.get("STAND_IN_TRIES") or 300)
    pause = float(os.environ.get("STAND_IN_PAUSE") or 2)
    where = bootstrap.shown(url)
    info(f"Attempting to connect to: {where}")
    for _ in range(tries):
        try:
            with ask(url, timeout=15) as answer:
                text = answer.read().decode("utf-8", "replace")
                info(f"{where} is accessible")
                return text
        except urllib.error.HTTPError as refused:
            reason = f"The requested URL returned error: {refused.code}"
        except OSError as failed:
            reason = getattr(failed, "reason", failed)
        error(f"{where} is not accessible ({reason})")
        time.sleep(pause)
    return None


def ask(url, data=None, keys=None, timeout=15):
    """An open answer of the server; with ``keys`` as HTTP's user and password."""
    headers = {"Content-Type": "application/json"}
    if keys:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(keys).encode()).decode()
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, headers)
    return urllib.request.urlopen(request, timeout=timeout, context=trust(url))


def trust(url):
    if not url.startswith("https:"):
        return None
    return ssl.create_default_context(cafile=AUTHORITY if AUTHORITY.exists() else None)


def own_image(docker):
    """By the host name, which Docker makes from the container's id; None when it has another."""
    me = docker.inspect(socket.gethostname())
    return me and me["Config"]["Image"]


def host_token(docker, image):
    info("Inspecting host capabilities")
    made = docker.create(None, bootstrap.side_container(image))
    try:
        code, text = docker.output(made)
    finally:
        docker.remove(made)
    said = [line.removeprefix("INFO: env ") for line in text.splitlines()]
    lines = dict(line.partition("=")[::2] for line in said)
    if code or "TOKEN" not in lines:
        raise docker_socket.DockerError(f"the host could not be inspected: {text.strip()}")
    info(f"Boot2Docker: {lines['CATTLE_BOOT2DOCKER']}")
    info(f"Host writable: {lines['CATTLE_VAR_LIB_WRITABLE']}")
    info("Token: xxxxxxxx")
    return lines["TOKEN"]


def registered(given, token):
    """The agent's keys, once the server has made them."""
    who = given["CATTLE_REGISTRATION_ACCESS_KEY"], given["CATTLE_REGISTRATION_SECRET_KEY"]
    url = f"{given['CATTLE_URL']}/register"
    query = f"{url}?{urllib.parse.urlencode({'key': token})}"
    for attempt in range(100):
        with ask(query, keys=who) as answer:
            found = json.load(answer)["data"]
        if found and found[0]["state"] == "active" and found[0]["secretKey"]:
            return found[0]
        if not attempt:
            with ask(url, {"key": token}, who):
                pass
        else:
            time.sleep(3)
    return None


def inspect_host():
    """Token of the host, from its state directory; a new one when there is none, or an empty one."""
    STATE.mkdir(parents=True, exist_ok=True)
    path = STATE / ".registration_token"
    if not path.exists() or not path.read_text().strip():
        path.write_text(secrets.token_hex(64))
    info(f"env TOKEN={path.read_text().strip()}")
    info("env CATTLE_BOOT2DOCKER=false")
    info("env CATTLE_VAR_LIB_WRITABLE=true")
    return 0


def share_mnt(cgroup="/proc/self/cgroup"):
    """What the original's share-mnt begins with: on cgroup v2 it ends here."""
    text = pathlib.Path(cgroup).read_text()
    if bootstrap.container_id(text) is None:
        shown = json.dumps(f"Failed to find container id:\n{text}")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        print(f'time="{now}" level=fatal msg={shown}', file=sys.stderr, flush=True)
        return 1
    return 0


# The agent that stays.


def run():
    refused = bootstrap.lacking(pathlib.Path("/proc/self/status").read_text(), os.path.exists)
    if refused:
        print(refused, file=sys.stderr, flush=True)
        return 1
    docker = docker_socket.Docker()
    made = docker.create(None, bootstrap.share_container(os.environ["RANCHER_AGENT_IMAGE"]))
    try:
        code, text = docker.output(made)
    finally:
        docker.remove(made)
    print(text, end="", file=sys.stderr, flush=True)
    if code:
        # Its shell ends at the first command that fails; Docker starts it again, for ever.
        return code
    url = os.environ["CATTLE_URL"]
    keys = os.environ["CATTLE_ACCESS_KEY"], os.environ["CATTLE_SECRET_KEY"]
    for name, wanted in (
        (".physical_host_uuid", "CATTLE_PHYSICAL_HOST_UUID"),
        (".docker_uuid", "CATTLE_DOCKER_UUID"),
    ):
        path = STATE / name
        if not path.exists():
            STATE.mkdir(parents=True, exist_ok=True)
            path.write_text(os.environ.get(wanted) or str(uuid.uuid4()))
    while loopback_resolver():
        info(
            "DNS Checking loopback IP address 127.0.0.0/8, localhost or ::1 configured as the DNS server"
        )
        time.sleep(2)
    fields, connected = None, False
    while True:
        try:
            fields = fields or about()
            with ask(f"{url}/subscribe", fields, keys):
                pass
            if not connected:
                info(f"Connected to {url}")
            connected = True
        except urllib.error.HTTPError as refused:
            connected = False
            if refused.code == 401:
                error("Credentials are no longer valid, please re-register this agent")
            elif refused.code == 404:
                error("Please re-register this agent")
                return 1
            else:
                error(f"{url} is not accessible (The requested URL returned error: {refused.code})")
        except (OSError, docker_socket.DockerError) as failed:
            connected = False
            error(f"{url} is not accessible ({getattr(failed, 'reason', failed)})")
        time.sleep(float(os.environ.get("STAND_IN_PAUSE") or PING))


def loopback_resolver():
    if os.environ.get("CATTLE_CHECK_NAMESERVER") == "false":
        return False
    try:
        lines = pathlib.Path("/etc/resolv.conf").read_text().splitlines()
    except FileNotFoundError:
        return False
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    return any(server.startswith("127.") or server == "::1" for server in servers)


def about():
    """What the agent tells of its host."""
    docker = ".".join(docker_socket.Docker().version().split(".")[:2])
    kernel = ".".join(os.uname().release.split(".")[:2])
    return {
        "hostname": full_name(),
        "agentIpAddress": os.environ.get("CATTLE_AGENT_IP") or None,
        "labels": {
            **bootstrap.labels(os.environ.get("CATTLE_HOST_LABELS")),
            "io.rancher.host.docker_version": docker,
            "io.rancher.host.linux_kernel_version": kernel,
            "io.rancher.host.agent_image": os.environ.get("RANCHER_AGENT_IMAGE"),
        },
    }


def full_name():
    """As `hostname -f`."""
    name = socket.gethostname()
    try:
        return socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)[0][3] or name
    except OSError:
        return name


if __name__ == "__main__":
    sys.exit(main())
