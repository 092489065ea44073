import pytest
from export_kit import PROJECT, Api
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _export_read as reads


def rows(kind, count, **fields):
    return [
        {"id": f"1x{number}", "type": kind, "name": f"n{number}", **fields}
        for number in range(count)
    ]


def every(**collections):
    return {**{name: [] for name in reads.COLLECTIONS}, **collections}


def test_every_page_is_read_and_what_is_gone_is_not():
    services = [
        *rows("service", 20, stackId="1x0"),
        {"id": "1x99", "name": "old", "state": "removed"},
    ]
    api = Api(every(services=services, stacks=rows("stack", 1)), page=7)
    there = reads.read(api, PROJECT)
    assert there.ids("services") == [f"1x{number}" for number in range(20)]
    asked = [url for url in api.asked if "/services?" in url]
    assert asked[0].endswith(f"/v2-beta/projects/1a5/services?limit={reads.PAGE}")
    assert asked[1].startswith(api.base), "the server's own name for itself is not believed"
    assert len(asked) == 3


def test_links_actions_and_nothing_are_not_kept():
    there = reads.Environment(PROJECT)
    there.add(
        "stacks", {"id": "1st1", "links": {"a": "b"}, "actions": {}, "name": "x", "group": None}
    )
    assert there.get("stacks", "1st1") == {"id": "1st1", "name": "x"}


def test_a_server_without_secrets():
    collections = every()
    del collections["secrets"], collections["virtualMachines"]
    assert reads.read(Api(collections), PROJECT).ids("secrets") == []


def test_a_server_without_services_is_an_error():
    collections = every()
    del collections["services"]
    with pytest.raises(AssertionError, match="services"):
        reads.read(Api(collections), PROJECT)


def test_an_answer_that_is_no_list():
    api = Api(every())
    api.get = lambda url: {"body": "<html>", "problem": None, "status": 200}
    with pytest.raises(CommandExecutionError, match="stacks is no list of a Rancher API"):
        reads.read(api, PROJECT)


def test_containers_of_services_and_others():
    there = reads.Environment(PROJECT)
    there.add("services", {"id": "1s1", "name": "web"})
    label = {"io.rancher.stack_service.name": "shop/web"}
    there.add(
        "containers", {"id": "1i2", "name": "b", "serviceIds": ["1s1"], "deploymentUnitUuid": "u"}
    )
    there.add("containers", {"id": "1i1", "name": "a", "serviceIds": ["1s1"], "labels": label})
    # A container that stands alone, taken in by a service's selector.
    there.add(
        "containers", {"id": "1i3", "name": "lonely", "serviceIds": ["1s9"], "labels": {"a": "b"}}
    )
    there.add("containers", {"id": "1i4", "name": "native", "nativeContainer": True})
    assert [one["name"] for one in there.containers("1s1")] == ["a", "b"]
    gone = {"serviceIds": ["1s8"], "deploymentUnitUuid": "u", "environment": {"A": "b"}}
    there.add("containers", {"id": "1i5", "name": "orphan", **gone})
    assert [one["name"] for one in there.alone()] == ["lonely", "native", "orphan"]
    assert there.alone()[2]["environment"] == {"A": "b"}
    assert there.count_containers() == 5


def test_a_service_whose_stack_is_gone_meanwhile():
    api = Api(every(services=rows("service", 1, stackId="1st9")))
    with pytest.raises(CommandExecutionError, match="no stack 1st9 of the service n0: it changed"):
        reads.read(api, PROJECT)


def test_progress_is_told():
    said = []
    reads.read(Api(every(stacks=rows("stack", 2100)), page=500), PROJECT, said.append)
    assert said == [
        "Default: 1000 stacks read",
        "Default: 2000 stacks read",
        "Default: 0 services read, that is all",
        "Default: 0 containers read, that is all",
    ]


def test_projects():
    others = [
        {"id": "1a7", "name": "Other", "state": "active"},
        {"id": "1a9", "name": "Gone", "state": "purged"},
    ]
    api = Api({}, projects=[*others, PROJECT])
    assert [one["id"] for one in reads.projects(api)] == ["1a5", "1a7"]
    assert [one["id"] for one in reads.projects(api, "Other")] == ["1a7"]
    assert [one["id"] for one in reads.projects(api, "1a5")] == ["1a5"]
    with pytest.raises(
        SaltInvocationError, match="shows no project 'Nobody' to these API keys, but: Default"
    ):
        reads.projects(api, "Nobody")


def test_an_old_server():
    api = Api({})
    api.collection = lambda name: (f"{api.base}/v1/{name}", [PROJECT])
    with pytest.raises(CommandExecutionError, match="does not have the API v2-beta"):
        reads.projects(api)
