"""A conversation: base and keys, patience, versions, pages, links."""

import logging

import pytest
from fake_rancher import FakeRancher
from fake_rancher.certificates import Authority
from lab.process import wait_until
from rancher_kit import ACCESS, SECRET, Kit, everything
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _rancher_api

PROJECTS = "/v2-beta/projects"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def fake():
    with FakeRancher() as fake:
        yield fake


def connect(fake, agent=None, **options):
    return Kit(agent).connect(fake.url, **{"timeout": 5, **options})


# The base


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://rancher.example.test:8080", "http://rancher.example.test:8080"),
        (" http://rancher.example.test/ ", "http://rancher.example.test"),
        ("https://h/v1", "https://h"),
        ("https://h/v2-beta/", "https://h"),
        ("https://h/behind/a/path", "https://h/behind/a/path"),
        ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
    ],
)
def test_base_of_a_url(given, base):
    assert _rancher_api._base(given) == base


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "rancher.example.test:8080",
        "ftp://h",
        "http://",
        "http://h:99999",
        "http://h:x",
        "http://h o",
        "http://h\n",
        "http://h/\x00",
        "http://h?x=1",
        "http://h#x",
        "http://[h",
    ],
)
def test_a_url_that_is_none(given):
    if given == "http://h\n":
        assert _rancher_api._base(given) == "http://h"
        return
    with pytest.raises(SaltInvocationError, match=r"allowed is http\(s\)://host\[:port\]"):
        _rancher_api._base(given)


def test_a_password_in_the_url_is_refused_and_not_repeated():
    with pytest.raises(SaltInvocationError) as caught:
        Kit().connect(f"http://me:{SECRET}@h:8080")
    assert "must not contain user and password" in str(caught.value)
    assert SECRET not in everything(caught.value) and "me:" not in str(caught.value)


def test_a_registration_url_is_not_the_servers_and_not_repeated():
    pasted = f"http://h:8080/v1/scripts/{'A' * 20}:1:token"
    with pytest.raises(SaltInvocationError) as caught:
        Kit().connect(pasted)
    assert "set rancher:agent:registration_url to it" in str(caught.value)
    assert "AAAA" not in everything(caught.value)


@pytest.mark.parametrize(
    ("link", "base", "url"),
    [
        ("http://h/v2-beta/x?a=b", "https://h:8443", "https://h:8443/v2-beta/x?a=b"),
        ("http://h/behind/v1/x", "http://h/behind", "http://h/behind/v1/x"),
        ("http://h/v1/x", "http://h/behind", "http://h/behind/v1/x"),
        ("http://elsewhere/v1/x", "http://h", "http://h/v1/x"),
    ],
)
def test_links_stay_on_the_callers_base(link, base, url):
    assert _rancher_api._rebased(link, base) == url


# Keys and certificate


def test_keys_come_from_the_pillar(fake):
    fake.add_key(ACCESS, SECRET)
    fake.configure(access_control=True)
    api = connect(fake, {"access_key": ACCESS, "secret_key": SECRET})
    assert api.get(fake.url + PROJECTS)["status"] == 200
    assert SECRET not in repr(api) + str(api)


@pytest.mark.parametrize("pillar", [{}, {"rancher": None}, {"rancher": {"agent": None}}])
def test_no_pillar_no_keys(fake, pillar):
    api = _rancher_api.connect(pillar, fake.url)
    assert api.get(fake.url + PROJECTS)["status"] == 200
    assert "authorization" not in fake.journal[0].headers
    assert api.project is None


def test_keys_are_read_through_the_mask_that_salt_3008_puts_on_the_pillar(fake):
    secret = pytest.importorskip("salt.utils.secret", reason="Salt before 3008 masks nothing")
    fake.add_key(ACCESS, SECRET)
    fake.configure(access_control=True)
    agent = {"access_key": ACCESS, "secret_key": SECRET, "project": "Default"}
    masked = secret.hide({"rancher": {"agent": agent}})
    assert SECRET not in repr(masked)
    api = _rancher_api.connect(masked, fake.url)
    assert api.get(fake.url + PROJECTS)["status"] == 200
    assert api.project == "Default"


def test_arguments_go_before_the_pillar(fake):
    fake.add_key("given", "key")
    fake.configure(access_control=True)
    pillar = {"access_key": ACCESS, "secret_key": SECRET}
    api = connect(fake, pillar, access_key="given", secret_key="key")
    assert api.get(fake.url + PROJECTS)["status"] == 200


@pytest.mark.parametrize("name", ["access_key", "secret_key"])
def test_half_a_key(fake, name):
    with pytest.raises(SaltInvocationError) as caught:
        connect(fake, {name: SECRET})
    assert str(caught.value) == f"{name} is given alone; give both API keys or neither"


def test_keys_may_be_numbers_and_knocking_needs_none(fake):
    fake.add_key("1234", "5678")
    fake.configure(access_control=True)
    api = connect(fake, {"access_key": 1234, "secret_key": 5678})
    assert api.get(fake.url + PROJECTS)["status"] == 200
    api.knock("/ping")
    assert "authorization" not in fake.journal[-1].headers


def test_the_certificate_is_text_or_a_path(tmp_path):
    authority = Authority()
    path = tmp_path / "ca.pem"
    path.write_text(authority.pem)
    with FakeRancher(tls=authority.issue()) as fake:
        for given in (authority.pem, str(path)):
            assert connect(fake, ca_certificate=given).knock("/ping")["body"] == "pong\n"
            assert connect(fake, {"ca_certificate": given}).knock("/ping")["body"] == "pong\n"
        with pytest.raises(SaltInvocationError, match="neither PEM text nor a file: '/no/such'"):
            connect(fake, ca_certificate="/no/such")


@pytest.mark.parametrize("timeout", [0, -1, True, "60", None, float("nan")])
def test_a_time_limit_that_is_none(fake, timeout):
    with pytest.raises(SaltInvocationError, match="allowed is a number of seconds above 0"):
        connect(fake, timeout=timeout)


# Patience


@pytest.mark.parametrize("kind", ["409", "500", "html-500", "503", "close", "truncated"])
def test_what_passes_is_asked_again(fake, kind):
    fake.fail(kind, times=2)
    assert connect(fake).get(fake.url + PROJECTS)["status"] == 200
    assert len(fake.journal) == 3


@pytest.mark.parametrize("kind", ["401", "403", "404", "405", "422"])
def test_what_does_not_pass_is_asked_once(fake, kind):
    fake.fail(kind)
    with pytest.raises(CommandExecutionError, match=f"^{fake.url}: .*HTTP {kind}"):
        connect(fake).get(fake.url + PROJECTS)
    assert len(fake.journal) == 1


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("500", "the server failed inside; its log tells why (HTTP 500: Internal Server Error)"),
        ("close", "the connection was closed without an answer"),
        ("cut-json", "the answer is no valid JSON, it may have been cut off"),
        ("slow-body", "no complete answer within 0.1 s"),
    ],
)
def test_patience_ends_with_the_time(fake, kind, why, monkeypatch):
    fake.fail(kind, value=0.05 if kind == "slow-body" else None)
    # However slow this machine is just now: an answer that comes is waited for.
    monkeypatch.setattr(_rancher_api, "SHORTEST", 5)
    if kind == "slow-body":
        monkeypatch.setattr(_rancher_api, "ONE_EXCHANGE", 0.1)
    api = connect(fake, timeout=6)
    with pytest.raises(CommandExecutionError) as caught:
        api.get(fake.url + PROJECTS)
    assert str(caught.value) == f"{fake.url}: waited 6 s for an answer: {why}"
    wait_until(lambda: len(fake.journal) > 1, timeout=30, what="a second look")


def test_waiting_tells_how_long(fake, caplog):
    caplog.set_level(logging.INFO, "_rancher_api")
    fake.set_stage("refuse")
    with pytest.raises(CommandExecutionError):
        connect(fake, timeout=0.4).get(fake.url + PROJECTS)
    assert caplog.messages[0] == (
        f"{fake.url}: waiting for an answer (connection refused; does the server run, "
        "and is this its port?): 0 s of 0 s"
    )


def test_a_slow_start_is_waited_for(fake):
    fake.slow_start([["refuse", 0.05], ["close", 0.05], ["502", 0.05], ["503", 0.05]])
    assert connect(fake).collection("projects")[1]


# Versions, pages, links


def test_an_old_server_is_asked_as_v1():
    with FakeRancher(versions=("v1",)) as fake:
        url, rows = connect(fake).collection("projects")
        assert (url, len(rows)) == (f"{fake.url}/v1/projects", 1)


def test_a_server_known_as_old_is_not_asked_anew():
    with FakeRancher(versions=("v1",)) as fake:
        api = connect(fake)
        for _ in range(2):
            api.collection("projects")
        paths = [seen.path for seen in fake.journal]
        assert paths == ["/v2-beta/projects", "/v1/projects", "/v1/projects"]
        assert api.old is True


def test_a_refusal_carries_its_status(fake):
    fake.fail("403")
    with pytest.raises(_rancher_api.Refused) as caught:
        connect(fake).get(fake.url + PROJECTS)
    assert caught.value.status == 403


def test_web_pages_everywhere(fake):
    fake.set_stage("page")
    with pytest.raises(CommandExecutionError) as caught:
        connect(fake).collection("projects")
    assert str(caught.value) == (
        f"{fake.url} answers with a web page where the API should be; "
        "check host and port of the URL, Rancher's own port is 8080"
    )


def test_pages_are_followed(fake):
    for number in range(250):
        fake.add_host(f"node{number}")
    rows = connect(fake).pages(f"{fake.url}/v2-beta/projects/1a5/hosts")
    assert [row["hostname"] for row in rows] == [f"node{number}" for number in range(250)]
    assert len(fake.journal) == 3


def test_pages_in_a_circle(fake):
    fake.fail("bare-json", value='{"type":"collection","data":[],"pagination":{"next":"/x"}}')
    assert connect(fake).pages(f"{fake.url}/v2-beta/x") == []
    assert len(fake.journal) == 2


@pytest.mark.parametrize(
    "text", ["[]", "1", "{}", '{"type":"collection","data":[{}]}', '{"type":"collection"}']
)
def test_json_of_another_api(fake, text):
    fake.fail("bare-json", value=text)
    with pytest.raises(CommandExecutionError, match="/v2-beta/projects is no list of a Rancher"):
        connect(fake).collection("projects")


def test_links_with_the_wrong_scheme_behind_tls():
    authority = Authority()
    with FakeRancher(tls=authority.issue(), link_scheme="http") as fake:
        for number in range(150):
            fake.add_host(f"node{number}")
        api = connect(fake, ca_certificate=authority.pem)
        row = api.collection("projects")[1][0]
        assert row["links"]["hosts"].startswith("http://")
        assert len(api.pages(api.link(row, "hosts"))) == 150


def test_a_link_that_is_not_offered(fake):
    with pytest.raises(CommandExecutionError, match="offers no hosts for 1a5 to these API keys"):
        connect(fake).link({"id": "1a5"}, "hosts")
