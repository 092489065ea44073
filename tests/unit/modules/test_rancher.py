"""What the answers mean: the real module against the double, over real sockets."""

import json

import pytest
from fake_rancher import FakeRancher
from fake_rancher.certificates import Authority, self_signed
from lab.process import wait_until
from rancher_kit import ACCESS, SECRET, Kit, everything
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _rancher_api
import _rancher_http

TOKENS = "registrationtokens"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


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
