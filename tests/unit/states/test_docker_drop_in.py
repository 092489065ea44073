import pytest

import _docker_daemon_json
import _docker_drop_in
import _docker_service

both = pytest.mark.parametrize("test", [True, False], ids=["dry", "real"])


class Host:
    def __init__(self, text=None, loaded=True):
        self.text, self.loaded, self.calls = text, loaded, []

    def look(self, path):
        return {"text": self.text, "loaded": self.loaded}

    def put(self, path, text):
        self.calls.append(path)
        self.text, self.loaded = text, True


def wanted(kernel, installed, package, version=None, settings=None, thin_pool=None):
    return {"will": {"base": settings.get("data-root", "/var/lib/docker")}}


@pytest.fixture
def waiting(state, replace):
    def run(host, test, **arguments):
        replace(_docker_drop_in, look=host.look, put=host.put)
        replace(_docker_drop_in, mount_points=lambda: (["/data"], ["/", "/data"]))
        replace(_docker_daemon_json, wanted=wanted)
        own = {"__salt__": {"pkg.version": lambda name: ""}, "__grains__": {"kernelrelease": "6.1"}}
        return state("docker_drop_in", test, **own).waiting("docker-data", **arguments)

    return run


PATH = _docker_service.ORDER + "docker-data.conf"


@both
def test_the_data_root_is_waited_for(test, waiting):
    host = Host()
    ret = waiting(
        host, test, package="docker-ce", daemon={"data-root": "/data/docker"}, paths=["/srv"]
    )
    assert ret["changes"] == {"waits for": {"old": None, "new": ["/srv", "/data/docker"]}}
    assert ret["result"] is (None if test else True)
    assert "Docker starts only with /data mounted" in ret["comment"]
    assert host.calls == ([] if test else [PATH])
    again = waiting(
        host, test, package="docker-ce", daemon={"data-root": "/data/docker"}, paths=["/srv"]
    )
    assert test or (again["result"] is True and again["changes"] == {})


@both
@pytest.mark.parametrize("daemon", [{}, {"debug": True}])
def test_without_a_data_root_it_is_dockers_own(test, waiting, daemon):
    ret = waiting(Host(), test, package="docker-ce", daemon=daemon)
    assert ret["changes"]["waits for"]["new"] == ["/var/lib/docker"]
    assert "mounted" not in ret["comment"]


@both
def test_nothing_to_wait_for(test, waiting):
    host = Host()
    ret = waiting(host, test)
    assert ret["result"] is True and ret["changes"] == {} and host.calls == []
    host = Host(_docker_drop_in.waiting(["/a"]))
    ret = waiting(host, test, paths=[])
    assert ret["changes"] == {"waits for": {"old": ["/a"], "new": None}}
    assert host.calls == ([] if test else [PATH])


@both
def test_a_run_that_was_killed_before_the_reload(test, waiting):
    host = Host(_docker_drop_in.waiting(["/a"]), loaded=False)
    ret = waiting(host, test, paths=["/a"])
    assert list(ret["changes"]) == ["systemd"]
    assert host.calls == ([] if test else [PATH])


def test_a_data_disk_that_is_not_mounted_stops_the_run_before_docker(waiting, tmp_path):
    disk = {"device": "/dev/vdb", "mount_point": str(tmp_path)}
    daemon = {"data-root": f"{tmp_path}/docker"}
    arguments = {"package": "docker-ce", "daemon": daemon, "data_disk": disk}
    host = Host()
    ret = waiting(host, False, **arguments)
    assert ret["result"] is False and ret["changes"] == {} and host.calls == []
    assert f"{tmp_path} is not mounted" in ret["comment"]
    # In a dry run the disk is yet to come; without one in the settings nothing is asked.
    assert waiting(host, True, **arguments)["result"] is None
    arguments["data_disk"] = {**disk, "device": None}
    assert waiting(host, False, **arguments)["result"] is True
