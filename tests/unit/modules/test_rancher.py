"""What the answers mean: the real module against the double, over real sockets."""

import itertools
import json
import threading

import pytest
from fake_rancher import FakeRancher
from fake_rancher.certificates import Authority, self_signed
from lab.process import wait_until
from rancher_kit import ACCESS, SECRET, Kit, everything
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _rancher
import _rancher_api
import _rancher_http

TOKENS = "registrationtokens"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def fake():
    """A server whose clock moves with each request, so that waiting is soon over."""
    with FakeRancher() as fake:
        fake.configure(per_request=0.5)
        yield fake


@pytest.fixture(scope="module")
def rancher():
    return Kit().rancher


def posts(fake):
    return [seen for seen in fake.journal if seen.method == "POST"]


# ready


def test_ready(fake, rancher):
    assert rancher.ready(fake.url) == {"ready": True, "reason": "the server answers pong"}


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("refuse", "connection refused; does the server run, and is this its port?"),
        ("close", "the connection was closed without an answer"),
        (
            "502",
            "the proxy in front of Rancher runs, Rancher itself does not yet; "
            "a start takes minutes (HTTP 502)",
        ),
        ("503", "a load balancer in front has no server to send this to (HTTP 503)"),
        (
            "page",
            "the answer is a web page instead of pong: another application, "
            "or a wrong port or path",
        ),
    ],
)
def test_not_ready_has_a_reason(fake, rancher, stage, reason):
    fake.set_stage(stage)
    assert rancher.ready(fake.url) == {"ready": False, "reason": reason}


def test_ready_is_bounded_and_looks_once(fake, rancher, monkeypatch):
    fake.fail("slow-body", value=0.2)
    monkeypatch.setattr(_rancher_api, "ONE_EXCHANGE", 0.3)
    answer = rancher.ready(fake.url)
    assert answer == {"ready": False, "reason": "no complete answer within 0.3 s"}
    wait_until(lambda: fake.journal, timeout=30, what="the one look")
    assert len(fake.journal) == 1


def test_ready_of_something_else(fake, rancher):
    fake.fail("bare-json", value='"status"')
    assert "something else instead of pong" in rancher.ready(fake.url)["reason"]


def test_ready_sends_no_keys(fake):
    Kit({"access_key": ACCESS, "secret_key": SECRET}).rancher.ready(fake.url)
    assert "authorization" not in fake.journal[0].headers


def test_ready_with_a_wrong_url(rancher):
    with pytest.raises(SaltInvocationError, match="the server's URL is 'localhost:8080', allowed"):
        rancher.ready("localhost:8080")


# project


def test_the_default_project(fake, rancher):
    assert rancher.project(fake.url) == "1a5"
    fake.add_project("Second")
    fake.change("1a5", name="Renamed")
    assert rancher.project(fake.url) == "1a5"


def test_a_project_by_id_or_exact_name(fake, rancher):
    second = fake.add_project("default")["id"]
    named_like_an_id = fake.add_project("1a5")["id"]
    assert rancher.project(fake.url, second) == second
    assert rancher.project(fake.url, "default") == second
    assert rancher.project(fake.url, "Default") == "1a5"
    assert rancher.project(fake.url, "1a5") == "1a5", "an id goes before a name"
    assert named_like_an_id != "1a5"
    assert Kit({"project": "default"}).rancher.project(fake.url) == second
    assert Kit({"project": "default"}).rancher.project(fake.url, "Default") == "1a5"


def test_a_project_whose_name_is_a_number(fake, rancher):
    number = fake.add_project("2024")["id"]
    assert rancher.project(fake.url, 2024) == number


def test_the_only_project_without_a_default(fake, rancher):
    fake.change("1a5", state="removed")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url)
    assert "shows no project at all; create one" in str(caught.value)
    only = fake.add_project("Production")["id"]
    assert rancher.project(fake.url) == only
    fake.add_project("Staging")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url)
    assert str(caught.value) == (
        "there is more than one project: 1a6 (Production), 1a7 (Staging); "
        "set rancher:agent:project to the id of the right one"
    )


def test_an_unknown_project_lists_the_candidates(fake, rancher):
    fake.add_project("Production")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url, "production")
    assert str(caught.value) == (
        f"{fake.url} shows no project 'production', but: 1a5 (Default), 1a6 (Production); "
        "set rancher:agent:project to one of them, or take other API keys"
    )


def test_two_projects_of_one_name(fake, rancher):
    fake.add_project("Twin")
    fake.add_project("Twin", uuid="other")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url, "Twin")
    assert "more than one project named 'Twin': 1a6 (Twin), 1a7 (Twin)" in str(caught.value)


def test_an_administrator_reaches_the_projects_of_others(fake):
    other = fake.add_project("Other")["id"]
    fake.add_key(ACCESS, SECRET, projects=["1a5"])
    fake.configure(access_control=True)
    rancher = Kit({"access_key": ACCESS, "secret_key": SECRET}).rancher
    assert rancher.project(fake.url, other) == other
    assert rancher.project(fake.url, "Other") == other
    assert rancher.project(fake.url) == "1a5"


def test_a_key_of_one_project(fake):
    other = fake.add_project("Other")["id"]
    fake.add_key(ACCESS, SECRET, project=other)
    fake.configure(access_control=True)
    rancher = Kit({"access_key": ACCESS, "secret_key": SECRET}).rancher
    assert rancher.project(fake.url) == other
    assert rancher.registration(fake.url)["id"] == "1c1"
    with pytest.raises(CommandExecutionError, match=r"shows no project '1a5', but: 1a6 \(Other\)"):
        rancher.project(fake.url, "1a5")


def test_access_control(fake, rancher):
    assert rancher.project(fake.url, access_key="no", secret_key="such") == "1a5", "off: any key"
    fake.configure(access_control=True)
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url)
    assert str(caught.value) == (
        f"{fake.url}: the server wants API keys; set pillar rancher:agent:access_key and "
        "secret_key (HTTP 401: Unauthorized)"
    )
    with pytest.raises(CommandExecutionError, match="does not know these API keys"):
        rancher.project(fake.url, access_key="no", secret_key="such")


def test_an_administrator_who_is_a_member_of_no_project(fake, rancher):
    """Its list was empty, and the advice was to create a project."""
    fake.change("1a5", foreign=True)
    assert rancher.project(fake.url) == "1a5"
    queries = [(seen.path, seen.query) for seen in fake.journal]
    assert queries == [("/v2-beta/projects", {}), ("/v2-beta/projects", {"all": "true"})]


def test_an_administrator_keeps_to_the_projects_it_is_a_member_of(fake, rancher):
    fake.change("1a5", foreign=True)
    own = fake.add_project("Own")["id"]
    assert rancher.project(fake.url) == own
    assert rancher.project(fake.url, "Default") == "1a5"


def test_the_same_in_api_v1():
    with FakeRancher(versions=("v1",)) as fake:
        fake.change("1a5", foreign=True)
        assert Kit().rancher.project(fake.url) == "1a5"


@pytest.mark.parametrize("name", ["project", "registration", "hosts"])
def test_an_inactive_project_is_named_and_not_the_keys(fake, rancher, name):
    """The server says 403 for all that is in it; the message blamed the API keys."""
    fake.change("1a5", state="inactive")
    with pytest.raises(CommandExecutionError) as caught:
        getattr(rancher, name)(fake.url)
    assert "project 1a5 (Default) is inactive; activate it in Rancher" in str(caught.value)
    assert "keys" not in str(caught.value)


def test_a_name_with_a_line_break_is_one_line(fake, rancher):
    fake.change("1a5", state="inactive", name="De\nfault\x1b[31m")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.project(fake.url)
    assert "1a5 (De?fault?[31m) is inactive" in str(caught.value)


def test_the_keys_of_an_inactive_project(fake):
    """The server says 401 for them; they may be right all the same."""
    fake.add_key(ACCESS, SECRET, project="1a5")
    fake.configure(access_control=True)
    kit = Kit({"access_key": ACCESS, "secret_key": SECRET})
    assert kit.rancher.project(fake.url) == "1a5"
    fake.change("1a5", state="inactive")
    with pytest.raises(CommandExecutionError, match="project's own keys end with it when it is"):
        kit.rancher.project(fake.url)


# registration


def test_a_token_is_created_and_awaited(fake, rancher):
    token = rancher.registration(fake.url)
    assert token["id"] == "1c1" and token["image"] == "rancher/agent:v1.2.11"
    assert token["url"].startswith(f"{fake.url}/v2-beta/projects/1a5/scripts/")
    assert token["command"].startswith("sudo docker run --rm --privileged ")
    assert token["command"].endswith(token["url"])
    assert len(posts(fake)) == 1


def test_an_active_token_is_used_again(fake, rancher):
    fake.configure(restless_tokens=True)
    for state in ("inactive", "active", "active"):
        fake.add_token(state=state)
    tokens = [rancher.registration(fake.url) for _ in range(2)]
    assert [token["id"] for token in tokens] == ["1c2", "1c2"]
    assert tokens[0]["url"] != tokens[1]["url"], "the text changes, the token does not"
    assert posts(fake) == []


def test_only_looking_creates_no_token(fake, rancher):
    fake.add_token(state="inactive")
    assert rancher.registration(fake.url, create=False) is None
    assert posts(fake) == []
    active = fake.add_token(state="active")["id"]
    assert rancher.registration(fake.url, create=False)["id"] == active
    assert posts(fake) == []


def test_inactive_tokens_are_no_use(fake, rancher):
    fake.add_token(state="inactive")
    assert rancher.registration(fake.url)["id"] == "1c2"


def test_a_token_that_somebody_else_asked_for_is_awaited(fake, rancher):
    fake.add_token()
    assert rancher.registration(fake.url)["id"] == "1c1"
    assert posts(fake) == []


def test_a_token_of_somebody_else_that_is_stuck_is_not_awaited_for_ever(fake, monkeypatch):
    fake.configure(token_mode="stuck")
    fake.add_token()
    fake.configure(token_mode="normal")
    monkeypatch.setattr(_rancher, "STUCK", 0.1)
    assert Kit().rancher.registration(fake.url)["id"] == "1c2"


def test_active_but_not_yet_filled(fake, rancher):
    fake.configure(token_mode="incomplete")
    assert rancher.registration(fake.url)["image"] == "rancher/agent:v1.2.11"
    assert len(posts(fake)) == 1


def test_a_token_that_never_becomes_active(fake, rancher):
    fake.configure(token_mode="stuck")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.registration(fake.url, timeout=0.4)
    assert str(caught.value) == (
        f"{fake.url}: waited 0.4 s for a registration token of project 1a5: "
        "1c1 is registering; the server's log knows more"
    )
    assert len(posts(fake)) == 1


def test_a_token_in_error(fake, rancher):
    fake.configure(token_mode="error")
    with pytest.raises(CommandExecutionError) as caught:
        rancher.registration(fake.url)
    assert str(caught.value) == (
        "the server could not activate registration token 1c1: "
        "Failed to find a handler; see the server's log"
    )


def test_a_token_in_error_from_last_week_is_no_obstacle(fake, rancher):
    fake.configure(token_mode="error")
    fake.add_token()
    fake.advance(60)
    fake.configure(token_mode="normal")
    assert rancher.registration(fake.url)["id"] == "1c2"


@pytest.mark.parametrize("kind", ["close", "500", "truncated", "cut-json"])
def test_a_lost_answer_makes_no_second_token(fake, rancher, kind):
    fake.fail(kind, times=1, method="POST", after=True)
    assert rancher.registration(fake.url)["id"] == "1c1"
    assert len(posts(fake)) == 1


def test_conflicts_are_tried_again(fake, rancher):
    fake.fail("409", times=2, method="POST")
    assert rancher.registration(fake.url)["id"] == "1c1"
    assert len(posts(fake)) == 3


@pytest.mark.parametrize("role", ["readonly", "restricted"])
def test_a_reader_gets_no_token(fake, role):
    """The server says 404, and so did we: "there is no such thing"."""
    fake.add_token(state="active")
    fake.add_key(ACCESS, SECRET, role=role, projects=["1a5"])
    fake.configure(access_control=True)
    with pytest.raises(CommandExecutionError) as caught:
        Kit({"access_key": ACCESS, "secret_key": SECRET}).rancher.registration(fake.url)
    assert str(caught.value) == (
        f"{fake.url}: these API keys may not see or make registration tokens of project 1a5 "
        "(Default), the server shows none (HTTP 404); take API keys of an owner or a member of the "
        "project"
    )


@pytest.mark.parametrize("same", [True, False])
def test_api_host_decides_on_the_url(fake, rancher, same):
    host = fake.url if same else "https://rancher.example.test"
    fake.configure(api_host=host)
    assert rancher.registration(fake.url)["url"].startswith(f"{host}/v1/scripts/")


def test_many_hosts_at_once_share_a_few_tokens(fake):
    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(Kit().rancher.registration(fake.url, timeout=20))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8 and all(token["command"] for token in results)


def test_a_server_older_than_1_2(rancher):
    with FakeRancher(versions=("v1",)) as fake:
        fake.configure(per_request=0.5)
        fake.add_host("node1", agent_state="disconnected")
        assert rancher.project(fake.url) == "1a5"
        token = rancher.registration(fake.url)
        assert token["image"] == "rancher/agent:v1.0.2"
        assert token["url"].startswith(f"{fake.url}/v1/projects/1a5/scripts/")
        host = rancher.hosts(fake.url)[0]
        assert (host["state"], host["agent_state"]) == ("active", "disconnected")


# hosts


def test_hosts_of_all_pages_sorted(fake, rancher):
    for number in reversed(range(250)):
        fake.add_host(f"node{number:03d}", ip=f"192.0.2.{number}")
    fake.add_host("elsewhere", project=fake.add_project("Other")["id"])
    rows = rancher.hosts(fake.url)
    assert [row["hostname"] for row in rows] == [f"node{number:03d}" for number in range(250)]
    assert rows[0]["id"] == "1h250", "the last of three pages"


def test_a_host_as_it_is_given(fake, rancher):
    fake.add_host("node1", ip="172.17.0.1", labels={"tier": "web"}, agent_state="reconnecting")
    assert rancher.hosts(fake.url) == [
        {
            "id": "1h1",
            "hostname": "node1",
            "state": "reconnecting",
            "agent_state": "reconnecting",
            "ip": "172.17.0.1",
            "labels": {
                "tier": "web",
                "io.rancher.host.agent_image": "rancher/agent:v1.2.11",
                "io.rancher.host.docker_version": "17.12",
                "io.rancher.host.linux_kernel_version": "4.9",
            },
        }
    ]
    assert next(iter(rancher.hosts(fake.url)[0]["labels"])) == "tier", "own labels first"


def test_hosts_that_share_a_name_are_all_there(fake, rancher):
    for ip in ("192.0.2.1", "192.0.2.2"):
        fake.add_host("twin", ip=ip)
    assert [(row["id"], row["ip"]) for row in rancher.hosts(fake.url)] == [
        ("1h1", "192.0.2.1"),
        ("1h2", "192.0.2.2"),
    ]


def test_a_host_appears_registers_and_is_active(fake, rancher):
    fake.configure(per_request=0)
    fake.add_host("node1", appears=5, active=5)
    seen = []
    for _ in range(3):
        seen.append([row["state"] for row in rancher.hosts(fake.url)])
        fake.advance(5)
    assert seen == [[], ["registering"], ["active"]]


def test_removed_hosts_are_not_listed(fake, rancher):
    fake.add_host("node1")
    fake.change("1h1", state="removed")
    assert rancher.hosts(fake.url) == []
    assert (
        _rancher_http.exchange("GET", f"{fake.url}/v2-beta/hosts/1h1")["body"]["state"] == "removed"
    )


def test_a_row_with_nothing_filled_in(fake, rancher):
    rows = json.dumps({"type": "collection", "data": [{"id": "1h1"}, {"id": "x"}]})
    fake.fail("bare-json", path="hosts", value=rows)
    assert [row["hostname"] for row in rancher.hosts(fake.url)] == [None, None]


# Whatever happens on the way, in the step that is each function's own

CALLS = {"project": "projects$", "registration": "registrationtokens$", "hosts": "hosts$"}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("403", "take API keys of an owner"),
        ("404", "there is no such thing on this server|may not see or make registration tokens"),
        ("not-http", "the answer is not HTTP"),
        ("html", "web page where the API should be|no list of a Rancher API"),
        ("redirect", "it redirects to another server, http://other.example.test/v2-beta/projects"),
    ],
)
def test_what_no_patience_helps_fails_at_once(fake, rancher, name, kind, words):
    fake.fail(kind, path=CALLS[name], value="http://other.example.test")
    with pytest.raises(CommandExecutionError, match=words) as caught:
        getattr(rancher, name)(fake.url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("project", "500", "the server failed inside; its log tells why"),
        ("hosts", "html-500", "a web page says so"),
        ("registration", "close", "the connection was closed without an answer"),
        ("hosts", "truncated", "the connection broke in the middle of the answer"),
        ("registration", "cut-json", "may have been cut off"),
        ("hosts", "slow-body", "no complete answer within"),
        ("registration", "slow-head", "no complete answer within"),
    ],
)
def test_patience_ends_in_time(fake, rancher, monkeypatch, name, kind, words):
    fake.fail(kind, path=CALLS[name], value=0.1)
    if "slow" in kind:
        monkeypatch.setattr(_rancher_api, "ONE_EXCHANGE", 3)
    with pytest.raises(CommandExecutionError) as caught:
        getattr(rancher, name)(fake.url, timeout=0.3)
    assert str(caught.value).startswith(f"{fake.url}: waited 0.3 s for an answer: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("name", CALLS)
def test_a_refusing_port_is_explained_in_time(fake, rancher, name):
    fake.set_stage("refuse")
    with pytest.raises(CommandExecutionError, match="connection refused; does the server run"):
        getattr(rancher, name)(fake.url, timeout=0.2)


@pytest.mark.parametrize("name", CALLS)
def test_trouble_that_passes_is_survived(fake, rancher, name):
    for kind in ("500", "409", "close", "truncated", "gzip", "cut-json", "html-500"):
        fake.fail(kind, times=1)
    assert getattr(rancher, name)(fake.url) is not None


def test_a_slow_start_is_survived(rancher):
    with FakeRancher() as fake:
        fake.configure(per_request=0.5)
        fake.slow_start([["refuse", 0.05], ["close", 0.05], ["502", 0.05], ["503", 0.05]])
        assert rancher.registration(fake.url)["id"] == "1c1"


def test_everything_over_tls_whose_links_say_http():
    authority = Authority()
    with FakeRancher(tls=authority.issue(), link_scheme="http") as fake:
        fake.configure(per_request=0.5)
        for number in range(150):
            fake.add_host(f"node{number}")
        rancher = Kit({"ca_certificate": authority.pem}).rancher
        assert rancher.ready(fake.url)["ready"]
        assert rancher.registration(fake.url)["url"].startswith("http://"), "as the server says"
        assert len(rancher.hosts(fake.url)) == 150


def test_an_untrusted_certificate_is_no_reason_to_wait(rancher, monkeypatch):
    monkeypatch.setattr(_rancher_api.time, "sleep", lambda seconds: pytest.fail("it waits"))
    with FakeRancher(tls=self_signed()) as fake:
        with pytest.raises(CommandExecutionError, match="certificate is not trusted .self"):
            rancher.hosts(fake.url)
        assert "not trusted" in rancher.ready(fake.url)["reason"]


# Secrets


@pytest.mark.parametrize(
    "kind", [None, "401", "403", "409", "422", "500", "close", "truncated", "slow-body", "redirect"]
)
def test_no_secret_leaks(fake, caplog, capfd, monkeypatch, kind):
    caplog.set_level(1)
    caplog.set_level(1, "urllib3")
    fake.add_key(ACCESS, SECRET)
    fake.configure(access_control=True)
    value = {"redirect": "http://localhost:1", "slow-body": 0.05}.get(kind, f"{ACCESS}:{SECRET}")
    if kind:
        fake.fail(kind, path=TOKENS, value=value)
    if kind == "slow-body":
        monkeypatch.setattr(_rancher_api, "ONE_EXCHANGE", 3)
    rancher = Kit({"access_key": ACCESS, "secret_key": SECRET}).rancher
    texts = [repr(rancher.project(fake.url)), repr(rancher.hosts(fake.url))]
    try:
        rancher.registration(fake.url, timeout=0.3 if kind else 5)
    except CommandExecutionError as exc:
        texts.append(everything(exc))
    token = fake.world.token_text(fake.world.tokens["1c1"]) if not kind else "no token"
    texts += [record.getMessage() + str(record.exc_info) for record in caplog.records]
    texts += capfd.readouterr()
    basic = _rancher_http._basic(ACCESS, SECRET)
    assert len(texts) > 3
    for secret in (ACCESS, SECRET, basic, token):
        assert not [text for text in texts if secret in text]
    if kind is None:
        assert fake.journal[0].headers["authorization"] == f"Basic {basic}"


# Pure


def token(number, state="active", filled=True, transitioning="no"):
    text = "x" if filled else None
    return {
        "id": f"1c{number}",
        "state": state,
        "transitioning": transitioning,
        **dict.fromkeys(("command", "image", "registrationUrl"), text),
    }


@pytest.mark.parametrize(
    ("tokens", "made", "patient", "step", "which"),
    [
        ([], None, True, "create", None),
        ([token(10), token(9)], None, True, "use", "1c9"),
        ([token(1, "inactive")], None, True, "create", None),
        ([token(1, filled=False)], None, True, "wait", "1c1"),
        ([token(1, "registering", False, "yes")], None, True, "wait", "1c1"),
        ([token(1, "registering", False, "yes")], None, False, "create", None),
        ([token(1, "registering", False, "yes")], "1c1", False, "wait", "1c1"),
        ([token(1, "registering", False, "error")], None, True, "create", None),
        ([token(1, "registering", False), token(2, "activating", False)], "1c1", 0, "wait", "1c1"),
        ([token(3)], "1c1", True, "use", "1c3"),
    ],
)
def test_next_step(tokens, made, patient, step, which):
    for order in itertools.permutations(tokens):
        found, row = _rancher._next_step(list(order), made, patient)
        assert (found, row and row["id"]) == (step, which)


@pytest.mark.parametrize(
    ("name", "number"), [("1c7", 7), ("1ph11", 11), ("1a5", 5), ("x", 0), ("1c", 0), ("", 0)]
)
def test_number_of_an_id(name, number):
    assert _rancher.number({"id": name}) == number


# Host Registration URL


@pytest.mark.parametrize(
    ("stored", "known"),
    [
        (None, None),
        ("", None),
        ("http://rancher.example.test", "http://rancher.example.test"),
        ("https://rancher.example.test", "https://rancher.example.test"),
        # The server prefixes it; compared bare, it was taken for a foreign server.
        ("rancher.example.test:8080", "http://rancher.example.test:8080"),
        ("localhost:8080", "http://localhost:8080"),
    ],
)
def test_registration_host(fake, stored, known):
    fake.configure(api_host=stored)
    assert _rancher.registration_host(Kit().connect(fake.url)) == known


@pytest.mark.parametrize("kind", ["404", "html"])
def test_a_server_that_does_not_show_that_setting(fake, kind):
    fake.fail(kind, path="settings")
    assert _rancher.registration_host(Kit().connect(fake.url)) is None


@pytest.mark.parametrize(
    ("kind", "words"), [("500", "failed inside"), ("401", "wants API keys"), ("403", "an owner")]
)
def test_could_not_look_was_taken_for_not_set(fake, kind, words):
    fake.fail(kind, path="settings")
    with pytest.raises(CommandExecutionError, match=words):
        _rancher.registration_host(Kit().connect(fake.url))
