"""The double itself, seen with clients that we did not write."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import requests
from fake_rancher import FakeRancher
from fake_rancher.world import Clock
from fakes import ROOT

TOKENS = "/v2-beta/projects/1a5/registrationtokens"
HOSTS = "/v2-beta/projects/1a5/hosts"


@pytest.fixture
def fake():
    with FakeRancher() as fake:
        yield fake


@pytest.fixture
def gdapi(monkeypatch):
    # It goes by the environment alone.
    monkeypatch.setenv("no_proxy", "*")
    return pytest.importorskip("gdapi", reason="gdapi-python is not installed")


def get(fake, path, **options):
    return requests.get(fake.url + path, timeout=5, **options)


def post(fake, path, body=None, **options):
    return requests.post(fake.url + path, json=body, timeout=5, **options)


# With Rancher's own Python client.


def test_gdapi_creates_awaits_and_cancels_a_token(fake, gdapi):
    client = gdapi.Client(url=f"{fake.url}/v2-beta/projects/1a5")
    token = client.create_registration_token()
    assert (token.state, token.transitioning, token.command) == ("registering", "yes", None)
    fake.advance(2)
    token = client.reload(token)
    assert token.state == "active" and token.registrationUrl in token.command
    assert requests.get(token.registrationUrl, timeout=5).text.startswith("#!/bin/sh\n")
    assert client.action(token, "deactivate").state == "deactivating"
    fake.advance(2)
    client.action(client.reload(token), "remove")
    fake.advance(2)
    assert client.list_registration_token().data == []
    assert client.reload(token).state == "removed"


def test_gdapi_pages_through_hosts_and_ends_one(fake, gdapi):
    for number in range(5):
        fake.add_host(f"node{number}.example.test")
    client = gdapi.Client(url=f"{fake.url}/v2-beta/projects/1a5")
    page, names = client.list_host(limit=2), []
    while True:
        names += [host.hostname for host in page]
        if page.pagination.next is None:
            break
        page = page.next()
    assert names == [f"node{number}.example.test" for number in range(5)]
    host = client.list_host().data[0]
    with pytest.raises(gdapi.ApiError) as caught:
        client.delete(host)
    assert caught.value.error.status == 405
    client.action(host, "deactivate")
    with pytest.raises(gdapi.ApiError) as caught:
        client.action(host, "deactivate")
    assert (caught.value.error.status, caught.value.error.code) == (422, "ActionNotAvailable")
    fake.advance(2)
    client.delete(client.reload(host))
    fake.advance(2)
    assert len(client.list_host().data) == 4
    assert client.by_id_host(host.id).state == "removed"


def test_gdapi_with_access_control(fake, gdapi):
    client = gdapi.Client(url=f"{fake.url}/v2-beta")
    key = client.create_api_key(accountId="1a5")
    assert client.by_id_api_key(key.id).secretValue is None
    fake.configure(access_control=True)
    with pytest.raises(gdapi.ApiError) as caught:
        gdapi.Client(url=f"{fake.url}/v2-beta")
    assert caught.value.error.status == 401
    fake.add_project("Other")
    client = gdapi.Client(
        url=f"{fake.url}/v2-beta", access_key=key.publicValue, secret_key=key.secretValue
    )
    assert [project.id for project in client.list_project()] == ["1a5"]
    assert client.create_registration_token().accountId == "1a5"
    assert client.by_id_host("1h99") is None


def test_gdapi_with_a_server_older_than_1_2(gdapi):
    with FakeRancher(versions=("v1",)) as fake:
        fake.add_host("node1", agent_state="disconnected")
        client = gdapi.Client(url=f"{fake.url}/v1")
        assert client.list_host().data[0].state == "active"
        with pytest.raises(json.JSONDecodeError):
            gdapi.Client(url=f"{fake.url}/v2-beta")


# With requests: what the facts say and no client library shows.


def test_ping_is_plain_and_open(fake):
    fake.configure(access_control=True)
    answer = get(fake, "/ping")
    assert (answer.status_code, answer.text) == (200, "pong\n")
    assert answer.headers["Content-Type"] == "text/plain"


def test_a_client_may_take_it_for_its_proxy(fake):
    other = "http://10.0.3.11:8080/v2-beta"
    answer = requests.get(other, timeout=5, proxies={"http": fake.url})
    assert answer.json()["links"]["self"] == other


def test_the_root_lists_versions_and_other_paths_are_web_pages(fake):
    versions = get(fake, "/").json()
    assert [one["id"] for one in versions["data"]] == ["v1", "v2-beta"]
    assert versions["links"]["latest"] == f"{fake.url}/v2-beta"
    assert get(fake, "/v3/projects").headers["Content-Type"] == "text/html"
    browser = {"User-Agent": "Mozilla/5.0"}
    assert get(fake, "/v2-beta", headers=browser).headers["Content-Type"] == "text/html"
    answer = post(fake, TOKENS, headers={**browser, "Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (403, "InvalidCSRFToken")


def test_json_looks_like_the_original(fake):
    answer = get(fake, "/v2-beta/projects")
    assert "\\/v2-beta\\/projects" in answer.text
    assert answer.headers["X-API-Schemas"] == f"{fake.url}/v2-beta/schemas"
    assert answer.headers["Set-Cookie"].startswith("PL=rancher")
    assert answer.json()["pagination"] is None
    project = answer.json()["data"][0]
    assert (project["uuid"], project["created"]) == ("adminProject", "2020-05-05T08:00:00Z")
    assert not {"isDefault", "default"} & set(project)


def test_links_follow_the_host_header_and_the_proxy(fake):
    named = get(fake, "/v2-beta", headers={"Host": "Rancher.Example.TEST:8080"}).json()
    assert named["links"]["self"] == "http://rancher.example.test:8080/v2-beta"
    behind = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "rancher.example.test"}
    assert get(fake, "/v2-beta", headers=behind).json()["links"]["self"].startswith("https://")


def test_access_control_off_takes_any_key(fake):
    assert get(fake, "/v2-beta/projects", auth=("no", "such")).status_code == 200
    enforced = {"X-ENFORCE-AUTHENTICATION": "true"}
    answer = get(fake, "/v2-beta/projects", headers=enforced)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    silent = get(fake, "/v2-beta/projects", headers={**enforced, "X-API-No-Challenge": "true"})
    assert "WWW-Authenticate" not in silent.headers


def test_a_reader_sees_no_tokens_and_makes_none(fake):
    fake.configure(access_control=True)
    fake.add_token(state="active")
    fake.add_key("reader", "key", role="readonly", projects=["1a5"])
    assert get(fake, TOKENS, auth=("reader", "key")).json()["data"] == []
    answer = post(fake, TOKENS, auth=("reader", "key"))
    assert (answer.status_code, answer.json()["message"]) == (
        403,
        "Cannot access registrationToken",
    )
    fake.add_host("node1")
    assert get(fake, HOSTS, auth=("reader", "key")).json()["data"][0]["actions"] == {}


def test_statuses_for_wrong_requests(fake):
    fake.add_key("other", "key", project=fake.add_project("Other")["id"])
    fake.configure(access_control=True)
    assert get(fake, HOSTS, auth=("other", "key")).status_code == 403
    fake.configure(access_control=False)
    assert get(fake, "/v2-beta/projects/1a99/hosts").status_code == 403
    assert get(fake, "/v2-beta/projects/1a99").status_code == 404
    assert get(fake, "/v2-beta/nonsense").status_code == 404
    assert post(fake, "/v2-beta/registrationtokens").status_code == 405
    assert post(fake, "/v2-beta/registrationtokens?projectId=1a5").status_code == 201
    token = f"{TOKENS}/1c1/?action="
    assert post(fake, f"{token}fly").json()["code"] == "InvalidAction"
    answer = requests.post(fake.url + TOKENS, data="{", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidBodyContent")
    error = get(fake, "/v2-beta/nonsense").json()
    assert (error["type"], error["baseType"], error["status"]) == ("error", "error", 404)


def test_four_spellings_of_a_type(fake):
    for word in ("registrationToken", "registrationTokens", "registrationtoken"):
        assert get(fake, f"/v2-beta/projects/1a5/{word}").status_code == 200


def test_filters_of_columns_only(fake):
    fake.add_host("node1", name="one")
    fake.add_host("node2", agent_state="reconnecting")
    assert len(get(fake, f"{HOSTS}?hostname=node1").json()["data"]) == 2
    assert len(get(fake, f"{HOSTS}?name=one").json()["data"]) == 1
    # The filter looks at the row's state, the document shows the agent's.
    active = get(fake, f"{HOSTS}?state=active").json()["data"]
    assert [host["state"] for host in active] == ["active", "reconnecting"]


def test_pages(fake):
    for number in range(205):
        fake.add_host(f"node{number}")
    first = get(fake, HOSTS).json()
    assert (len(first["data"]), first["pagination"]["total"]) == (100, None)
    last = get(fake, f"{HOSTS}?marker=m200").json()
    assert (len(last["data"]), last["pagination"]["next"]) == (5, None)
    assert len(get(fake, f"{HOSTS}?limit=-1").json()["data"]) == 205


def test_projects_know_three_filters(fake):
    fake.add_project("default")
    assert len(get(fake, "/v2-beta/projects?name=DEFAULT").json()["data"]) == 2
    assert len(get(fake, "/v2-beta/projects?uuid=adminProject").json()["data"]) == 1
    assert len(get(fake, "/v2-beta/projects?state=inactive").json()["data"]) == 2


def test_the_token_text_changes_while_old_ones_stay_valid(fake):
    fake.add_token(state="active")
    fake.configure(restless_tokens=True)
    urls = {get(fake, TOKENS).json()["data"][0]["registrationUrl"] for _ in range(3)}
    assert len(urls) == 3
    assert {requests.get(url, timeout=5).status_code for url in urls} == {200}


def test_the_script_is_a_script(fake):
    fake.add_token(state="active")
    url = get(fake, TOKENS).json()["data"][0]["registrationUrl"]
    fake.configure(access_control=True)
    answer = requests.get(url, headers={"X-Forwarded-For": "203.0.113.7, 10.0.0.1"}, timeout=5)
    assert answer.headers["Content-Type"] == "text/plain"
    shell = subprocess.run(
        ["sh", "-s"],
        input=answer.text + 'echo "$CATTLE_URL $DETECTED_CATTLE_AGENT_IP"\n'
        'echo "$CATTLE_REGISTRATION_ACCESS_KEY $CATTLE_REGISTRATION_SECRET_KEY"\n',
        capture_output=True,
        text=True,
        check=True,
    )
    where, who = shell.stdout.splitlines()
    assert where == f"{fake.url}/v1 203.0.113.7"
    assert who == f"registrationToken {url.rpartition('/')[2]}"
    assert requests.get(url + "x", timeout=5).json()["status"] == 404
    fake.change("1c1", state="inactive")
    assert requests.get(url, timeout=5).status_code == 404


def test_api_host_moves_the_registration_url(fake):
    fake.add_token(state="active")
    setting = f"{fake.url}/v2-beta/settings/api.host"
    assert requests.get(setting, timeout=5).json()["value"] is None
    requests.put(setting, json={"value": "http://rancher.example.test:8080"}, timeout=5)
    url = get(fake, TOKENS).json()["data"][0]["registrationUrl"]
    assert url.startswith("http://rancher.example.test:8080/v1/scripts/")


def test_hosts_appear_become_active_and_keep_labels(fake):
    fake.add_host("node1", appears=5, active=5)
    assert get(fake, HOSTS).json()["data"] == []
    fake.advance(5)
    assert get(fake, HOSTS).json()["data"][0]["state"] == "registering"
    fake.advance(5)
    assert get(fake, HOSTS).json()["data"][0]["state"] == "active"
    requests.put(f"{fake.url}{HOSTS}/1h1", json={"labels": {"a": "b"}}, timeout=5)
    assert get(fake, f"{HOSTS}/1h1").json()["labels"] == {"a": "b"}
    assert requests.put(f"{fake.url}/v2-beta/hosts/1h1", json={}, timeout=5).status_code == 405


def test_the_same_machine_registers_as_the_same_host(fake):
    fake.configure(access_control=True)
    fake.add_token(state="active")
    text = fake.world.token_text(fake.world.tokens["1c1"])
    me = ("registrationToken", text)
    fields = {"key": "machine-1", "hostname": "node1", "agentIpAddress": "192.0.2.20"}
    for _ in range(2):
        assert post(fake, "/v1/register", fields, auth=me).json()["secretKey"]
    assert len(get(fake, "/v1/register?key=machine-1", auth=me).json()["data"]) == 1
    fake.advance(5)
    assert [(host["hostname"], host["state"]) for host in fake.show()["hosts"]] == [
        ("node1", "active")
    ]
    assert post(fake, "/v1/register", fields, auth=("registrationToken", "x")).status_code == 401


def test_slow_start_in_real_time():
    with FakeRancher() as fake:
        fake.slow_start([["refuse", 0.15], ["close", 0.15], ["502", 0.15]])
        seen = []
        end = time.monotonic() + 5
        while time.monotonic() < end and "pong\n" not in seen:
            try:
                answer = get(fake, "/ping")
                what = answer.text or str(answer.status_code)
            except requests.ConnectionError as exc:
                what = "refused" if "refused" in str(exc) else "closed"
            if what not in seen:
                seen.append(what)
            time.sleep(0.01)
        assert seen == ["refused", "closed", "502", "pong\n"]


def test_faults_come_and_go(fake):
    fake.fail("409", times=2, path="hosts")
    assert [get(fake, HOSTS).status_code for _ in range(3)] == [409, 409, 200]
    fake.fail("500")
    assert get(fake, "/v2-beta").json()["code"] == "Internal Server Error"
    fake.heal()
    assert get(fake, "/v2-beta").status_code == 200


# From outside: as the guests use it.


def control(url, **fields):
    with urllib.request.urlopen(url, data=json.dumps(fields).encode(), timeout=5) as answer:
        return json.load(answer)


def test_the_control_port(fake):
    control(f"{fake.control_url}/add_host", hostname="node1", ip="172.17.0.1")
    assert get(fake, HOSTS).json()["data"][0]["agentIpAddress"] == "172.17.0.1"
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(f"{fake.control_url}/explode")
    assert "there is no knob 'explode'" in caught.value.read().decode()
    with pytest.raises(urllib.error.HTTPError):
        control(f"{fake.control_url}/configure", nonsense=1)
    with urllib.request.urlopen(f"{fake.control_url}/show", timeout=5) as answer:
        assert json.load(answer)["requests"] == [f"GET {HOSTS} 200"]


def test_it_runs_by_itself(tmp_path):
    authority = tmp_path / "ca.pem"
    process = subprocess.Popen(
        [sys.executable, "-m", "fake_rancher", "--host", "127.0.0.1", "--port", "0"]
        + ["--control-port", "0", "--tls", str(authority), "--key", "access", "secret"]
        + ["--api-host", "https://localhost:8443"],
        cwd=ROOT / "tests",
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        words = process.stdout.readline().replace(",", "").split()
        url, port = words[2], words[-1]
        token = f"{url}{TOKENS}"
        options = {"auth": ("access", "secret"), "verify": str(authority), "timeout": 5}
        assert requests.get(token, verify=str(authority), timeout=5).status_code == 401
        requests.post(token, **options)
        control(f"{port}/advance", seconds=2)
        answer = requests.get(token, **options).json()["data"][0]
        assert answer["registrationUrl"].startswith("https://localhost:8443/v1/scripts/")
    finally:
        process.terminate()
        process.wait()


def test_the_clock_runs_only_when_told():
    assert Clock().now() == 0
    running = Clock(running=True)
    before = running.now()
    time.sleep(0.01)
    assert running.now() > before
