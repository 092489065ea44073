"""
A Docker daemon that fits into a test: containers in a dict, behind the SDK's own signatures.
"""

from unittest import mock

import docker
import requests

import _docker_change
import _docker_engine
import _docker_pull

CLIENT = docker.APIClient


def api_error(status, text):
    response = requests.Response()
    response.status_code = status
    kind = docker.errors.NotFound if status == 404 else docker.errors.APIError
    return kind(text, response=response, explanation=text)


def pong(version="1.41"):
    """The answer to a ping; an old Docker does not tell its version there."""
    response = requests.Response()
    response.status_code = 200
    response.headers.update({"Api-Version": version} if version else {})
    return response


def client(**methods):
    """A ``docker.APIClient`` in which every method has its real signature and no daemon behind."""
    api = mock.create_autospec(CLIENT, instance=True)
    api.base_url, api.timeout = "http+docker://localhost", 60
    api.get.return_value = pong()
    for name, answer in methods.items():
        kind = (
            "side_effect" if callable(answer) or isinstance(answer, Exception) else "return_value"
        )
        setattr(getattr(api, name), kind, answer)
    return api


class Containers:
    """What `_docker_engine` and `_docker_change` see and do; `log` holds what was done."""

    def __init__(self, images=("rancher/server:v1",)):
        self.images = {image: f"sha256:{image}" for image in images}
        self.all, self.log, self.fails = {}, [], {}
        self.answering = self.importable = True

    def do(self, *step):
        """One step; one that shall fail, or that the run is killed at, raises before it acts."""
        self.log.append(step)
        problem = self.fails.pop(step, None) or self.fails.pop(len(self.log), None)
        if problem:
            raise problem

    def container(self, name):
        return self.all.get(name)

    def image(self, name):
        return {"Id": self.images[name]} if name in self.images else None

    def pull(self, image, limit=1800):
        self.do("pull", image)
        self.images[image] = f"sha256:{image}"
        return {"image": image, "layers": 1, "seconds": 1}

    def create(
        self, name, image, environment=None, mounts=None, ports=None, labels=None, restart="no"
    ):
        self.do("create", name)
        assert name not in self.all and image in self.images
        inside = {f"{port}/tcp": [{"HostPort": str(at)}] for port, at in (ports or {}).items()}
        mounts = [{"Source": here, "Destination": inside} for here, inside in mounts or []]
        mounts = mounts or [{"Source": "/var/lib/docker/volumes/abc/_data", "Name": "abc" * 20}]
        mounts[0].setdefault("Destination", "/var/lib/mysql")
        given = [f"{key}={value}" for key, value in (environment or {}).items()]
        self.all[name] = {
            "Id": f"id{len(self.log)}",
            "Image": self.images[image],
            "Config": {
                "Image": image,
                "Env": ["CATTLE_DB_CATTLE_DATABASE=mysql", *given],
                "Labels": labels,
            },
            "HostConfig": {"PortBindings": inside, "RestartPolicy": {"Name": restart}},
            "Mounts": mounts,
            "State": {"Status": "created"},
        }
        return self.all[name]["Id"]

    def start(self, name):
        self.do("start", name)
        self.all[name]["State"]["Status"] = "running"

    def stop(self, name, grace=60):
        self.do("stop", name)
        self.all[name]["State"]["Status"] = "exited"

    def rename(self, name, new):
        self.do("rename", name, new)
        assert new not in self.all
        self.all[new] = self.all.pop(name)

    def remove(self, name):
        self.do("remove", name)
        assert self.all[name]["State"]["Status"] != "running"
        del self.all[name]

    def publisher(self, port):
        for name, each in self.all.items():
            bound = each["HostConfig"]["PortBindings"].get("8080/tcp")
            if each["State"]["Status"] == "running" and bound == [{"HostPort": str(port)}]:
                return name
        return None

    def available(self):
        return self.importable

    def answers(self):
        return self.answering and self.importable

    def confines(self):
        return False

    def install(self, replace):
        """Take the daemon's place."""
        looks = ("available", "answers", "confines", "container", "image", "publisher")
        acts = ("create", "start", "stop", "rename", "remove")
        replace(_docker_engine, **{name: getattr(self, name) for name in looks})
        replace(_docker_change, **{name: getattr(self, name) for name in acts})
        replace(_docker_pull, pull=self.pull)
        return self
