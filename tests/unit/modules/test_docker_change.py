import contextlib

import pytest
from fake_docker import api_error, client

import _docker_change
import _docker_engine


@pytest.fixture
def engine(replace):
    def make(**methods):
        api = client(**methods)
        replace(_docker_engine, client=lambda doing, timeout=60: contextlib.nullcontext(api))
        return _docker_change, api

    return make


def test_create_hands_everything_to_the_daemon(engine):
    module, api = engine(create_container={"Id": "abc"}, create_host_config={"made": True})
    given = {"name": "web", "image": "nginx:1", "environment": {"A": "b c"}}
    made = module.create(**given, ports={80: 8080}, labels={"x": "y"}, restart="always")
    assert made == "abc"
    assert api.create_host_config.call_args.kwargs == {
        "port_bindings": {80: 8080},
        "restart_policy": {"Name": "always"},
    }
    assert api.create_container.call_args.args == ("nginx:1",)
    assert api.create_container.call_args.kwargs == {
        "name": "web",
        "environment": {"A": "b c"},
        "ports": [80],
        "labels": {"x": "y"},
        "host_config": {"made": True},
    }


@pytest.mark.parametrize(
    ("version", "binds"),
    [
        ("1.24", {"Binds": ["/a:/b"]}),
        ("1.25", {"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b"}]}),
        ("1.41", {"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b"}]}),
    ],
)
def test_a_bind_that_must_be_there_is_of_the_mount_type_that_makes_nothing(engine, version, binds):
    module, api = engine(create_container={"Id": "abc"}, create_host_config={})
    api.api_version = version
    module.create("web", "nginx:1", mounts=[("/a", "/b")])
    assert api.create_container.call_args.kwargs["host_config"] == binds


@pytest.mark.parametrize("paused", [True, False])
def test_start(engine, paused):
    module, api = engine(inspect_container={"State": {"Paused": paused}})
    module.start("web")
    assert api.unpause.called is paused
    assert api.start.call_args.args == ("web",)


def test_stop_and_rename(engine):
    module, api = engine()
    module.stop("web", 5)
    module.rename("web", "old")
    assert api.stop.call_args.args == ("web",) and api.stop.call_args.kwargs == {"timeout": 5}
    assert api.rename.call_args.args == ("web", "old")


def test_remove_keeps_volumes_and_running_containers(engine):
    module, api = engine()
    module.remove("web")
    assert api.remove_container.call_args.kwargs == {"v": False, "force": False}
    module, api = engine(remove_container=api_error(404, "No such container"))
    assert module.remove("web") is None
