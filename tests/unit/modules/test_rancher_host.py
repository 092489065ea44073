"""Hosts in Rancher: the real module against the double, over real sockets."""

import pytest
from fake_rancher import FakeRancher
from rancher_kit import ACCESS, SECRET, Kit, everything
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _rancher_host

FUNCTIONS = ["deactivate", "activate", "evacuate", "remove"]
NODE = "node1.example.test"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def fake():
    """A server whose clock moves with each request, so that waiting is soon over."""
    with FakeRancher() as fake:
        fake.configure(per_request=0.4)
        yield fake


def module(agent=None):
    return Kit(agent).host


@pytest.fixture(scope="module")
def hosts():
    return module()


def posts(fake):
    return [
        f"{seen.method} {seen.query.get('action', '')}".strip()
        for seen in fake.journal
        if seen.method != "GET"
    ]


def state(fake, number="1h1"):
    return {row["id"]: row["state"] for row in fake.show()["hosts"]}[number]


def test_deactivate_and_back(fake, hosts):
    fake.add_host(NODE)
    answer = {"id": "1h1", "hostname": NODE, "state": "inactive", "changed": True}
    assert hosts.deactivate(fake.url, NODE) == answer
    assert state(fake) == "inactive"
    assert hosts.deactivate(fake.url, "1h1") == {**answer, "changed": False}
    back = hosts.activate(fake.url, "node1")
    assert back == {**answer, "state": "active"}
    assert hosts.activate(fake.url, "NODE1") == {**back, "changed": False}
    assert posts(fake) == ["POST deactivate", "POST activate"]


def test_remove_goes_the_whole_way_and_may_be_repeated(fake, hosts):
    fake.add_host(NODE)
    fake.add_host("node2.example.test")
    assert hosts.remove(fake.url, NODE)["changed"] is True
    assert posts(fake) == ["POST deactivate", "POST remove"]
    assert (state(fake), state(fake, "1h2")) == ("removed", "active")
    again = hosts.remove(fake.url, NODE)
    assert again == {"id": None, "hostname": NODE, "state": "removed", "changed": False}
    assert len(posts(fake)) == 2


def names(fake, number=0):
    return [one["name"] for one in fake.show()["hosts"][number]["instances"]]


def test_evacuate_lets_services_make_their_containers_again(fake, hosts):
    fake.add_host(NODE)
    fake.add_host("node2.example.test")
    fake.add_instance("1h1", "web-1", service="1s1")
    fake.add_instance("1h1", "ipsec-1", system=True, service="1s2")
    answer = hosts.evacuate(fake.url, NODE)
    assert (answer["state"], answer["changed"]) == ("inactive", True)
    assert posts(fake) == ["POST deactivate", "POST evacuate"]
    fake.advance(10)
    assert (names(fake), names(fake, 1)) == (["ipsec-1"], ["web-1"])
    assert hosts.evacuate(fake.url, NODE)["changed"] is False
    assert len(posts(fake)) == 2


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"native": True}, "started without Rancher"),
        ({}, "started without a service"),
        ({"selector": "1s9"}, "started without a service"),
        ({"state": "stopped"}, "started without a service"),
        # Somebody's own label does not make it a service's.
        (
            {"native": True, "labels": {"io.rancher.service.deployment.unit": "x"}},
            "started without Rancher",
        ),
    ],
)
@pytest.mark.parametrize("function", ["evacuate", "remove"])
def test_an_evacuation_removed_containers_that_nobody_makes_again(
    fake, hosts, fields, why, function
):
    """Rancher answered 200 and then removed `docker run` ones and plain ones within a second."""
    fake.add_host(NODE)
    fake.add_instance("1h1", "web-1", service="1s1")
    fake.add_instance("1h1", "data", **fields)
    with pytest.raises(CommandExecutionError) as caught:
        getattr(hosts, function)(fake.url, NODE)
    assert f"no service makes again: data ({why})" in str(caught.value)
    assert "Nothing was done" in str(caught.value)
    assert posts(fake) == []
    assert names(fake) == ["web-1", "data"]


def test_what_comes_between_the_looks_is_not_removed(fake, hosts):
    """Somebody ran `docker run` while the host was being deactivated."""
    fake.add_host(NODE)
    fake.add_instance("1h1", "web-1", service="1s1")
    real = fake.answer

    def answer(request):
        if request.query.get("action") == "deactivate":
            fake.add_instance("1h1", "late", native=True)
        return real(request)

    fake.answer = answer
    with pytest.raises(CommandExecutionError, match="makes again: late"):
        hosts.evacuate(fake.url, NODE)
    assert posts(fake) == ["POST deactivate"]
    assert names(fake) == ["web-1", "late"]


def test_what_an_evacuation_would_do(fake, hosts):
    fake.add_host(NODE)
    fake.add_host("node2.example.test")
    fake.add_host("node3.example.test", agent_state="disconnected")
    fake.add_instance("1h1", "web-1", service="1s1")
    fake.add_instance("1h1", "rancher-server", native=True)
    fake.add_instance("1h1", "plain")
    fake.add_instance("1h1", "old", state="purged")
    fake.add_instance("1h1", "ipsec-1", system=True, service="1s2")
    own = {"io.rancher.container.system": "rancher-agent"}
    fake.add_instance("1h1", "rancher-agent", native=True, labels=own)
    assert hosts.containers(fake.url, NODE) == {
        "moves": ["web-1"],
        "lost": ["plain (started without a service)", "rancher-server (started without Rancher)"],
        "stays": ["ipsec-1", "rancher-agent"],
        "others": ["1h2"],
    }
    assert posts(fake) == []


def test_containers_of_all_pages_count(fake, hosts):
    """The real server gives 100 at a time; the hundred-and-first was not looked at."""
    fake.add_host(NODE)
    for number in range(101):
        fake.add_instance("1h1", f"web-{number}", service="1s1")
    fake.add_instance("1h1", "data", native=True)
    with pytest.raises(CommandExecutionError, match="makes again: data"):
        hosts.evacuate(fake.url, NODE)


@pytest.mark.parametrize("agent_state", ["disconnected", "reconnecting"])
def test_a_host_that_is_gone_is_removed_whatever_it_held(fake, hosts, agent_state):
    fake.add_host(NODE, agent_state=agent_state)
    fake.add_instance("1h1", "data", native=True)
    assert hosts.remove(fake.url, NODE)["changed"] is True


def test_an_evacuation_in_api_v1_left_the_host_inactive():
    """Its hosts have no such action: seen only after the deactivation, and blamed on the keys."""
    with FakeRancher(versions=("v1",)) as fake:
        fake.add_host(NODE)
        with pytest.raises(CommandExecutionError, match="API v1 only .*cannot evacuate host 1h1"):
            module().evacuate(fake.url, NODE)
        assert posts(fake) == []


def test_an_evacuation_that_does_not_end_names_what_is_left(fake, hosts):
    fake.add_host(NODE)
    fake.add_instance("1h1", "web-1", service="1s1")
    fake.configure(seconds=10000.0)
    fake.change("1h1", state="inactive")
    with pytest.raises(CommandExecutionError, match="to be empty: still there: web-1"):
        hosts.evacuate(fake.url, NODE, timeout=0.5)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("status", ["409", "500", "422", "close"])
def test_a_passing_refusal_is_asked_again(fake, hosts, function, status):
    fake.add_host(NODE, state="inactive" if function == "activate" else "active")
    fake.add_instance("1h1", "web-1", service="1s1")
    fake.fail(status, times=1, method="POST")
    assert getattr(hosts, function)(fake.url, NODE)["changed"] is True


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_answer_that_got_lost_is_not_asked_for_twice(fake, hosts, function):
    fake.add_host(NODE, state="inactive" if function == "activate" else "active")
    fake.fail("close", times=1, method="POST", after=True)
    getattr(hosts, function)(fake.url, NODE)
    assert len(posts(fake)) == len(set(posts(fake)))


def test_a_disconnected_host_can_be_removed(fake, hosts):
    fake.add_host(NODE, agent_state="disconnected")
    assert hosts.remove(fake.url, NODE)["changed"] is True


def test_active_means_the_agent_too(fake, hosts):
    fake.add_host(NODE, agent_state="reconnecting")
    with pytest.raises(CommandExecutionError, match="to be active: it is reconnecting"):
        hosts.activate(fake.url, NODE, timeout=0.5)
    fake.change("1h1", agent_state="active")
    assert hosts.activate(fake.url, NODE)["changed"] is False


def test_a_host_that_still_registers_is_waited_for(fake, hosts):
    fake.add_host(NODE, active=4)
    assert hosts.deactivate(fake.url, NODE)["state"] == "inactive"


@pytest.mark.parametrize("function", ["deactivate", "activate", "evacuate"])
def test_an_unknown_host(fake, hosts, function):
    with pytest.raises(CommandExecutionError, match="project 1a5 of .* has no host 'node9'"):
        getattr(hosts, function)(fake.url, "node9")
    assert posts(fake) == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_two_hosts_of_one_name(fake, hosts, function):
    fake.add_host(NODE)
    fake.add_host(NODE)
    with pytest.raises(CommandExecutionError, match=r"more than one host .*1h1 .*1h2"):
        getattr(hosts, function)(fake.url, NODE)
    assert posts(fake) == []


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("host", [None, "", " node1", 7, ["node1"]])
def test_what_is_no_name(fake, hosts, function, host):
    with pytest.raises(SaltInvocationError, match="allowed is an id or a host name"):
        getattr(hosts, function)(fake.url, host)
    assert fake.journal == []


def test_keys_that_may_only_read(fake):
    fake.add_key(ACCESS, SECRET, role="readonly", projects=("1a5",))
    fake.configure(access_control=True)
    fake.add_host(NODE)
    reader = module({"access_key": ACCESS, "secret_key": SECRET})
    for function in ("deactivate", "evacuate", "remove"):
        with pytest.raises(CommandExecutionError, match="may only read; .* an owner") as caught:
            getattr(reader, function)(fake.url, NODE)
        assert ACCESS not in everything(caught.value) and SECRET not in everything(caught.value)


def test_the_host_of_another_project(fake, hosts):
    other = fake.add_project("Other")["id"]
    fake.add_host(NODE, project=other)
    with pytest.raises(CommandExecutionError, match="has no host"):
        hosts.deactivate(fake.url, NODE)
    assert hosts.deactivate(fake.url, NODE, project="Other")["changed"] is True


def test_a_server_that_knows_only_v1():
    with FakeRancher(versions=("v1",)) as fake:
        fake.configure(per_request=0.4)
        fake.add_host(NODE)
        assert module().remove(fake.url, NODE)["changed"] is True


def test_it_gives_up_in_time(fake, hosts):
    fake.add_host(NODE)
    fake.configure(seconds=10000.0)
    with pytest.raises(CommandExecutionError, match="waited 0.5 s for host 1h1 .* to be"):
        hosts.deactivate(fake.url, NODE, timeout=0.5)


ROWS = [
    {"id": "1h1", "hostname": "node1.example.com"},
    {"id": "1h2", "hostname": "node1.other.com"},
    {"id": "1h3", "hostname": "node3.example.com"},
    {"id": "1h4", "hostname": None},
    {"id": "1h5", "hostname": "1h1"},
]


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("1h1", "1h1"),
        ("1h5", "1h5"),
        ("node1.example.com", "1h1"),
        ("Node3.Example.com", "1h3"),
        ("node3", "1h3"),
        ("node3.example", None),
        ("node", None),
    ],
)
def test_pick(host, found):
    assert (_rancher_host.pick(ROWS, host) or {}).get("id") == found


def test_pick_refuses_to_guess():
    with pytest.raises(CommandExecutionError, match="1h1 .node1.example.com., 1h2"):
        _rancher_host.pick(ROWS, "node1")
