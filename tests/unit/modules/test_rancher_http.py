"""One exchange over real sockets: every way in which an answer can fail to come."""

import http.client
import json
import ssl

import pytest
import urllib3
from fake_rancher import FakeRancher
from fake_rancher.certificates import Authority, self_signed
from rancher_kit import ACCESS, SECRET, everything
from salt.exceptions import SaltInvocationError

import _rancher_http as http_module

PROJECTS = "/v2-beta/projects"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def fake():
    with FakeRancher() as fake:
        yield fake


def exchange(url, method="GET", **options):
    return http_module.exchange(method, url, **{"timeout": 5, **options})


def test_a_good_answer(fake):
    answer = exchange(fake.url + PROJECTS)
    assert (answer["problem"], answer["status"], answer["kind"]) == (None, 200, "json")
    assert answer["body"]["type"] == "collection"
    assert answer["date"].endswith("GMT")
    assert "authorization" not in fake.journal[0].headers


def test_text_and_web_pages_are_told_apart(fake):
    assert exchange(fake.url + "/ping")["body"] == "pong\n"
    assert exchange(fake.url + "/ping")["kind"] == "other"
    assert exchange(fake.url + "/nonsense")["kind"] == "html"


def test_keys_of_any_characters_arrive(fake):
    fake.add_key(ACCESS, SECRET)
    fake.configure(access_control=True)
    keys = {"access_key": ACCESS, "secret_key": SECRET}
    assert exchange(fake.url + PROJECTS, **keys)["problem"] is None
    wrong = exchange(fake.url + PROJECTS, access_key=ACCESS, secret_key="other")
    assert wrong["problem"] == (
        "the server does not know these API keys; check pillar rancher:agent:access_key (a "
        "project's own keys end with it when it is deactivated) (HTTP 401: Unauthorized)"
    )
    none = exchange(fake.url + PROJECTS)
    assert none["problem"].startswith("the server wants API keys; set pillar rancher:agent:")
    assert not none["passing"]


def test_netrc_is_not_read(fake, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    exchange(fake.url + PROJECTS)
    assert "authorization" not in fake.journal[0].headers


def test_a_proxy_of_the_environment_is_used(fake, monkeypatch):
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", fake.url)
    exchange("http://rancher.example.test:8080/ping")
    assert fake.journal[0].path == "http://rancher.example.test:8080/ping"


PROXY = {"http_proxy": None, "https_proxy": None, "no_proxy": None}


def test_the_proxy_of_the_settings_goes_before_the_environment(fake, monkeypatch):
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://proxy.example.test:3128")
    proxy = {**PROXY, "http_proxy": fake.url.replace("//", "//me:pa%24%24@")}
    assert exchange("http://rancher.example.test:8080/ping", proxy=proxy)["status"] == 200
    seen = fake.journal[0]
    assert seen.path == "http://rancher.example.test:8080/ping"
    assert seen.headers["proxy-authorization"] == "Basic bWU6cGEkJA=="


@pytest.mark.parametrize(
    "no_proxy", ["127.0.0.2,rancher.example.test", "192.0.2.0/24,.example.test"]
)
def test_no_proxy_of_the_settings(fake, no_proxy):
    given = {**PROXY, "http_proxy": fake.url, "no_proxy": no_proxy}
    url = "http://rancher.example.test:8080/ping"
    assert http_module._proxies(url, given) == {}
    assert http_module._proxies("http://other.test/", given) == {"http": fake.url}


@pytest.mark.parametrize("proxy", ["http://me:secret@127.0.0.1:1", "http://me:secret@[broken"])
def test_a_proxy_that_does_not_work_is_told_without_its_password(proxy, caplog):
    caplog.set_level("DEBUG")
    given = {**PROXY, "http_proxy": proxy}
    answer = exchange("http://rancher.example.test:8080/ping", proxy=given)
    assert answer["problem"]
    assert "secret" not in repr(answer) + caplog.text


def test_a_proxy_that_wants_a_password(fake):
    fake.fail("html-407")
    answer = exchange("http://r.example.test/ping", proxy={**PROXY, "http_proxy": fake.url})
    assert answer["problem"].startswith("the proxy wants a user and a password; set them in")


def test_this_host_itself_is_never_asked_for_through_a_proxy(fake, monkeypatch):
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://proxy.example.test:3128")
    assert exchange(f"{fake.url}/ping")["status"] == 200


@pytest.mark.parametrize(
    ("kind", "words", "passing"),
    [
        ("400", "did not understand the request (HTTP 400: Bad Request)", False),
        ("403", "take API keys of an owner or a member of the project (HTTP 403", False),
        ("404", "no such thing on this server, or not for this user (HTTP 404: Not Found)", False),
        ("405", "does not allow that to this user or in this state (HTTP 405: Method", False),
        ("409", "busy with the same thing (HTTP 409: Conflict)", True),
        ("422", "did not accept the request (HTTP 422: Unprocessable Entity)", False),
        ("500", "the server failed inside; its log tells why (HTTP 500: Internal Server", True),
        ("503", "a load balancer in front has no server to send this to (HTTP 503", True),
        ("html-500", "a web page says so, perhaps of a proxy in front", True),
        ("html-404", "a web page says so", False),
        ("html-503", "a load balancer in front has no server to send this to (HTTP 503)", True),
        ("close", "the connection was closed without an answer", True),
        ("truncated", "the connection broke in the middle of the answer", True),
        ("cut-json", "no valid JSON, it may have been cut off", True),
        ("not-http", "the answer is not HTTP; is this the right port?", False),
    ],
)
def test_an_unhappy_answer_is_a_value(fake, kind, words, passing):
    fake.fail(kind)
    answer = exchange(fake.url + PROJECTS)
    assert words in answer["problem"]
    assert "\n" not in answer["problem"]
    assert answer["passing"] is passing


def test_stages_of_a_start(fake):
    seen = []
    for stage in ("refuse", "close", "502", "503"):
        fake.set_stage(stage)
        answer = exchange(fake.url + "/ping")
        assert answer["passing"]
        seen.append(answer["problem"])
    assert seen == [
        "connection refused; does the server run, and is this its port?",
        "the connection was closed without an answer",
        "the proxy in front of Rancher runs, Rancher itself does not yet; "
        "a start takes minutes (HTTP 502)",
        "a load balancer in front has no server to send this to (HTTP 503)",
    ]


def test_a_name_that_does_not_exist():
    answer = exchange("http://no-such-host.invalid:8080/ping")
    assert answer["problem"].startswith("the name no-such-host.invalid cannot be resolved")


def test_a_host_that_drops_packets(monkeypatch):
    def connect(*_, **__):
        raise urllib3.exceptions.ConnectTimeoutError(None, "late")

    monkeypatch.setattr("urllib3.connection.HTTPConnection.connect", connect)
    answer = exchange("http://192.0.2.1:8080/ping")
    assert answer["problem"] == "no connection in time; a firewall in between, or a wrong address"


def test_an_address_without_a_route(monkeypatch):
    def connect(*_, **__):
        raise OSError(113, "No route to host")

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    answer = exchange("http://192.0.2.1:8080/ping")
    assert (answer["problem"], answer["passing"]) == (
        "the connection failed (no route to host)",
        True,
    )


def test_an_impossible_url():
    assert exchange(f"http://{'a' * 70}.example:8080/ping")["problem"]


def test_gzip_is_unpacked(fake):
    fake.fail("gzip")
    assert exchange(fake.url + PROJECTS)["body"]["resourceType"] == "project"


@pytest.mark.parametrize("kind", ["slow-body", "slow-head"])
def test_dripping_answers_end_with_the_time(fake, kind):
    # It drips for minutes.
    fake.fail(kind, value=0.05)
    answer = exchange(fake.url + PROJECTS, timeout=0.4)
    assert answer["problem"] == "no complete answer within 0.4 s"
    assert answer["passing"]


def test_a_gigantic_answer_is_cut(fake, monkeypatch):
    monkeypatch.setattr(http_module, "LARGEST", 1 << 20)
    fake.fail("gigantic")
    answer = exchange(fake.url + PROJECTS)
    assert answer["problem"] == "the answer is larger than 1024 KiB, no sane API sends that"
    assert not answer["passing"]


def test_deep_json_is_no_crash(fake):
    fake.fail("bare-json", value="[" * 200000)
    assert "no valid JSON" in exchange(fake.url + PROJECTS)["problem"]


def test_a_bug_in_the_library_is_not_called_a_time_out(monkeypatch, recwarn):
    def broken(*_):
        raise KeyError("surprise")

    monkeypatch.setattr(http_module, "_content", broken)
    monkeypatch.setattr("threading.excepthook", lambda *_: None)
    with FakeRancher() as fake:
        assert "failed in a new way" in exchange(fake.url + "/ping")["problem"]


# Statuses that the original gives to a wrong request


def test_what_the_api_refuses(fake):
    fake.add_host("node1")
    host = fake.url + "/v2-beta/projects/1a5/hosts/1h1"
    assert exchange(host, "DELETE")["status"] == 405
    answer = exchange(f"{host}/?action=activate", "POST", body={})
    assert "(HTTP 422: ActionNotAvailable, action)" in answer["problem"]
    assert exchange(fake.url + "/v2-beta/registrationtokens", "POST", body={})["status"] == 405
    script = exchange(fake.url + "/v1/scripts/AAAA:1546214400000:wrong")
    assert script["problem"].endswith("(HTTP 404: Not Found)")
    fake.fail("409", times=2, method="PUT")
    tries = [exchange(host, "PUT", body={"labels": {}}) for _ in range(3)]
    assert [one["status"] for one in tries] == [409, 409, 200]


# Redirects


def test_a_redirect_to_https_on_the_same_host_is_followed_with_keys(fake, authority):
    with FakeRancher(tls=authority.issue()) as secure:
        secure.add_key(ACCESS, SECRET)
        secure.configure(access_control=True)
        fake.fail("redirect", value=secure.url)
        options = {"access_key": ACCESS, "secret_key": SECRET, "ca_certificate": authority.pem}
        assert exchange(fake.url + PROJECTS, **options)["body"]["resourceType"] == "project"
        url = fake.url + "/v2-beta/projects/1a5/registrationtokens"
        answer = exchange(url, "POST", body={}, **options)
        assert answer["status"] == 201, "the method survives the redirect"


def test_a_redirect_to_another_host_gets_nothing(fake):
    with FakeRancher() as other:
        for value in (
            f"http://localhost:{other.port}",
            other.url,
            f"http://me:{other.port}@127.0.0.1:{other.port}",
            "http://[broken",
        ):
            fake.heal()
            fake.fail("redirect", value=value)
            answer = exchange(fake.url + PROJECTS, access_key=ACCESS, secret_key=SECRET)
            assert answer["problem"].startswith("it redirects to another server, ")
            assert "me:" not in answer["problem"]
            assert answer["passing"] is False
        assert other.journal == []


def test_no_way_back_from_https_to_http(fake, authority):
    with FakeRancher(tls=authority.issue()) as secure:
        secure.fail("redirect", value=fake.url)
        answer = exchange(secure.url + PROJECTS, ca_certificate=authority.pem)
    assert "redirects to another server" in answer["problem"]
    assert fake.journal == []


def test_a_redirect_in_a_circle(fake):
    fake.fail("redirect", value="")
    assert exchange(fake.url + PROJECTS)["problem"] == "the server redirects in a circle"
    assert len(fake.journal) == http_module.REDIRECTS + 1


# TLS


def test_own_authority(authority):
    with FakeRancher(tls=authority.issue()) as fake:
        comment = "# Ä comment above, as bundles have them\n"
        answer = exchange(fake.url + "/ping", ca_certificate=comment + authority.pem)
        assert answer["body"] == "pong\n"


def test_a_self_signed_certificate_can_be_its_own_authority():
    issued = self_signed()
    with FakeRancher(tls=issued) as fake:
        assert exchange(fake.url + "/ping", ca_certificate=issued.pem)["body"] == "pong\n"


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (lambda authority: self_signed(), "the server's certificate is not trusted (self"),
        (
            lambda authority: Authority("Another").issue(),
            "the server's certificate is not trusted (unable",
        ),
        (
            lambda authority: authority.issue(names=["rancher.example.test"]),
            "the server's certificate has other names (IP address mismatch, certificate is not "
            "valid for '127.0.0.1'); use one of them in the URL",
        ),
        (
            lambda authority: authority.issue(days=(-9, -2)),
            "the server's certificate has expired; renew it, or set this host's clock right",
        ),
        (
            lambda authority: authority.issue(days=(2, 9)),
            "the server's certificate is not yet valid; renew it, or set this host's clock right",
        ),
    ],
    ids=["self-signed", "another authority", "wrong name", "expired", "from tomorrow"],
)
def test_certificates_that_are_refused(authority, certificate, words):
    with FakeRancher(tls=certificate(authority)) as fake:
        answer = exchange(fake.url + "/ping", ca_certificate=authority.pem)
        assert answer["problem"].startswith(words)
        assert not answer["passing"], "no try can help"
        assert fake.journal == []


def test_without_an_own_authority_the_systems_are_trusted(authority):
    with FakeRancher(tls=authority.issue()) as fake:
        answer = exchange(fake.url + "/ping")
    assert "set pillar rancher:agent:ca_certificate to the PEM" in answer["problem"]


def test_https_to_a_plain_port(fake, authority):
    answer = exchange(fake.url.replace("http:", "https:"), ca_certificate=authority.pem)
    assert answer["problem"].endswith("); is this really an https port?")
    assert not answer["passing"]


def test_http_to_a_tls_port(authority):
    with FakeRancher(tls=authority.issue()) as fake:
        answer = exchange(fake.url.replace("https:", "http:"))
        assert answer["problem"] == "the connection was closed without an answer"


def test_a_certificate_that_is_none():
    with pytest.raises(SaltInvocationError, match="holds no certificate in PEM form"):
        exchange("https://127.0.0.1:1/", ca_certificate="-----BEGIN CERTIFICATE-----\nx\n")


# Secrets


def test_no_secret_in_logs_messages_and_values(fake, authority, caplog, capsys):
    caplog.set_level(1)
    caplog.set_level(1, "urllib3")
    fake.configure(access_control=True)
    secret_kinds = ["close", "truncated", "500", "403", "redirect", "slow-body", "not-http"]
    found = []
    for kind in secret_kinds:
        fake.heal()
        # A server that repeats what it was sent, and one that leads elsewhere.
        value = {"redirect": "http://localhost:1", "slow-body": 0.05}.get(kind)
        fake.fail(kind, value=value or f"echo {ACCESS}:{SECRET} and {SECRET}")
        patience = 0.3 if kind == "slow-body" else 30
        keys = {"access_key": ACCESS, "secret_key": SECRET}
        answer = exchange(fake.url + PROJECTS, timeout=patience, **keys)
        assert answer["problem"]
        found.append(json.dumps(answer, ensure_ascii=False))
    found += [record.getMessage() + str(record.exc_info) for record in caplog.records]
    found += capsys.readouterr()
    basic = http_module._basic(ACCESS, SECRET)
    assert "***" in found[2]
    for secret in (ACCESS, SECRET, basic):
        assert not any(secret in text for text in found)


def test_no_secret_in_the_chain_of_an_exception():
    with pytest.raises(SaltInvocationError) as caught:
        exchange("https://x/", ca_certificate="nonsense", access_key=ACCESS, secret_key=SECRET)
    assert SECRET not in everything(caught.value)


# Pure


def test_trouble_that_nobody_foresaw():
    trouble = http_module._trouble(urllib3.exceptions.HTTPError(), "host")
    assert trouble == ("the connection failed (HTTPError)", True)


def test_causes_end_in_a_circle():
    one, two = OSError("a"), ssl.SSLError("b")
    one.__cause__, two.__cause__ = two, one
    assert http_module._causes(one) == [one, two]


def test_an_answer_that_broke_off_is_not_called_closed():
    broken = urllib3.exceptions.ProtocolError("broken", http.client.IncompleteRead(b"x", 5))
    assert "middle of the answer" in http_module._trouble(broken, "host")[0]
