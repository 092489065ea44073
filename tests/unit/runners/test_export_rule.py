import pytest
from export_kit import project, service

import _export_rule as rule
import _export_scope as scopes


def rules(*given, **launch):
    one = service(
        id="1s9",
        name="lb",
        type="loadBalancerService",
        launchConfig=launch,
        lbConfig={"portRules": given},
    )
    targets = [service(launchConfig={"labels": {"tier": "x"}}), service(id="1s2", name="api")]
    scope = scopes.Scope(project(services=[one, *targets]))
    return list(rule.rules_of(one, None, scope)), one, scope


def test_a_rule_with_what_it_leaves_out():
    (found,), _, _ = rules({"sourcePort": 80, "serviceId": "1s1"}, ports=["8080:80"])
    assert (found.protocol, found.source, found.public, found.port) == ("http", 80, 8080, 80)
    assert found.is_bare and found.target == "1s1"


@pytest.mark.parametrize(
    ("given", "host"),
    [(None, ""), ("", ""), ("*", ""), (" A.Test ", "a.test"), ("*.a.test", "*.a.test")],
)
def test_hosts(given, host):
    assert rule.host_of(given) == host


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        (("", ""), ("a.test", "/x"), True),
        (("a.test", ""), ("a.test", "/x"), True),
        (("*.a.test", ""), ("b.a.test", ""), True),
        (("*.a.test", ""), ("a.test", ""), False),
        (("a.test", "/x"), ("a.test", "/y"), False),
        (("a.test", ""), ("", ""), False),
    ],
)
def test_which_rule_takes_the_requests_of_another(wide, narrow, expected):
    found, _, _ = rules(
        *(
            {"sourcePort": 80, "serviceId": "1s1", "hostname": h, "path": p}
            for h, p in (wide, narrow)
        )
    )
    assert rule.covers(*found) is expected


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ([{"sourcePort": 25, "protocol": "tcp", "serviceId": "1s1"}], True),
        ([{"sourcePort": 8080, "protocol": "http", "serviceId": "1s1"}], True),
        ([{"sourcePort": 80, "protocol": "http", "serviceId": "1s1"}], False),
        ([{"sourcePort": 8080, "hostname": "a.test", "serviceId": "1s1"}], False),
        (
            [{"sourcePort": one, "protocol": "tcp", "serviceId": f"1s{one}"} for one in (1, 2)],
            False,
        ),
        ([{"sourcePort": 8080, "serviceId": "1s1", "path": p} for p in ("/a", "")], False),
    ],
)
def test_when_one_service_does_all_of_it(given, whole):
    found, one, scope = rules(*given)
    assert bool(rule.is_whole(found, one, scope)) is whole
