"""
Runs in mount and network namespaces of its own: a server, a token, a bootstrap and an active
host, one real chain through one Docker daemon. Prints what every step returned, as JSON.

    unshare --mount --net --propagation private python rancher_chain.py DIRECTORY
"""

import json
import pathlib
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / each) for each in (".", "kits")]

from lab.services import Registry  # noqa: E402

from functional.agent_host import PRIVATE, RUNTIME  # noqa: E402
from functional.rancher_host import NET, Minion, dockerd, free_port  # noqa: E402

OLD, NEW = "rancher/server:v1.6.29", "rancher/server:v1.6.30"
LABELS = {"zone": "a b&c=ä"}


def own_places(folder):
    """What of this machine the daemon and the agent use: here, and nobody else's."""
    for place in PRIVATE:
        mount("-t", "tmpfs", "tmpfs", place)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=20)
    # The bootstrap is given docker's socket at its usual place.
    link = pathlib.Path("/run/docker.sock")
    link.touch()
    return lambda: mount("--bind", folder / "docker.sock", link)


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True, timeout=20)


class Host:
    """The two roles on one host."""

    def __init__(self, minion, port, data):
        self.minion, self.port, self.data = minion, port, data
        self.url = f"http://{NET}.1:{port}"

    def apply(self, image, **options):
        agent = {"server_url": self.url, "ip": f"{NET}.1", "labels": LABELS}
        pillar = {"rancher": {"server": {"image": image}, "agent": agent}}
        (self.minion.base / "pillar.json").write_text(json.dumps(pillar))
        server = {"name": "rancher-server", "port": self.port}
        states = {
            "running": {
                "server_running": {**server, "image": image, "data_directory": str(self.data)}
            },
            "ready": {"server_ready": {**server, "timeout": 300}},
            "registered": {"agent_registered": {"name": "rancher-agent", **agent, "timeout": 300}},
        }
        sls = {}
        for name, each in states.items():
            ((function, given),) = each.items()
            before = [{"require": [{"rancher": before}]} for before in list(sls)[-1:]]
            sls[name] = {f"rancher.{function}": [*({key: given[key]} for key in given), *before]}
        report = self.minion.apply(sls, **options)
        failed = [each["comment"] for each in report.values() if each["result"] is False]
        if failed:
            sys.exit(f"{image}, {options}: {failed}")
        return report

    def hosts(self):
        done = self.minion.run("rancher.hosts", self.url)
        return json.loads(done.stdout)["local"]

    def settled(self):
        """The hosts, when their agents had time to be heard by a server that is new."""
        time.sleep(8)
        return self.hosts()


def main(folder):
    join = own_places(folder)
    runtime = folder / "runc"
    runtime.write_text(RUNTIME.format(python=sys.executable, blind=False))
    runtime.chmod(0o755)
    options = [f"--add-runtime=bounded={runtime}", "--default-runtime=bounded"]
    registry = Registry(folder / "registry", port=free_port())
    registry.start()
    past = {"address": f"{NET}.1"}
    try:
        with dockerd(folder, f"--registry-mirror={registry.url}", *options) as client:
            join()
            minion = Minion(folder / "minion", "/run/docker.sock")
            host = Host(minion, free_port(), folder / "mysql")
            past["dry"] = host.apply(OLD, test=True)
            past["first"] = host.apply(OLD)
            past["hosts"] = host.hosts()
            past["agent"] = client.inspect_container("rancher-agent")
            past["containers"] = [each["Names"] for each in client.containers(all=True)]
            past["second"] = host.apply(OLD)
            client.stop("rancher-agent", timeout=2)
            past["stopped"] = host.apply(OLD)
            past["upgrade"] = host.apply(NEW)
            past["hosts after the upgrade"] = host.settled()
            past["after the upgrade"] = host.apply(NEW)
            client.remove_container("rancher-agent", force=True)
            past["agent gone"] = host.apply(NEW)
            past["hosts after that"] = host.settled()
    finally:
        registry.stop()
        print(json.dumps(past))


main(pathlib.Path(sys.argv[1]))
