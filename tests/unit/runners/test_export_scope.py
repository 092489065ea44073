import pytest
from export_kit import project, service

import _export_scope as scopes


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ("tier=batch", {"tier": "batch"}, True),
        ("tier=batch", {"tier": "front"}, False),
        ("tier=batch", {}, False),
        ("tier != batch", {}, True),
        ("tier != batch", {"tier": "batch"}, False),
        ("app in (web,api)", {"app": "api"}, True),
        ("app in (web, api)", {"app": "db"}, False),
        ("app notin (web,api), tier=x", {"app": "db", "tier": "x"}, True),
        ("app", {"app": "x"}, True),
        ("!app", {"app": "x"}, False),
        ("!app", {}, True),
        ("", {"a": "b"}, False),
    ],
)
def test_selectors(selector, labels, expected):
    assert scopes.matches(selector, labels) is expected


def test_names_and_addresses():
    scope = scopes.Scope(
        project(
            stacks=[{"id": "1st1", "name": "Shop"}, {"id": "1st2", "name": "default"}],
            services=[service(), service(id="1s2", name="Data_Base", stackId="1st2")],
            hosts=[{"id": "1h1", "hostname": "Node1.example.test"}],
        )
    )
    assert scope.namespace("1st1") == "shop"
    assert scope.namespace(None) == "standalone"
    assert scope.address("1s2") == "data-base.rancher-default.svc.cluster.local"
    assert scope.title("1s2") == "default/Data_Base"
    assert scope.find("default", "Data_Base") == "1s2"
    assert scope.find("default", "web") is None
    assert scope.hostname("1h1") == "node1.example.test"
    assert scope.hostname("1h9") == "1h9"


def test_a_stack_called_as_our_own_folder():
    scope = scopes.Scope(project(stacks=[{"id": "1st1", "name": "standalone"}]))
    assert scope.namespace("1st1") != scope.namespace(None)


def test_who_a_selector_finds_and_what_balancers_send_to():
    rules = [
        {"sourcePort": 80, "selector": "tier=x", "targetPort": 81},
        {"serviceId": "1s3", "sourcePort": 5},
    ]
    scope = scopes.Scope(
        project(
            services=[
                service(id="1s2", name="b", launchConfig={"labels": {"tier": "x"}}),
                service(id="1s1", name="a", launchConfig={"labels": {"tier": "x"}}),
                service(id="1s3", name="c"),
                service(
                    id="1s4", name="lb", type="loadBalancerService", lbConfig={"portRules": rules}
                ),
            ]
        )
    )
    assert scope.matching("tier=x") == ["1s1", "1s2"]
    assert scope.targets == {"1s1": {81}, "1s2": {81}, "1s3": {5}}
