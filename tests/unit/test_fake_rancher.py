"""The double itself, seen with clients that we did not write."""

import json
import subprocess
import sys
import threading
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
    return requests.get(fake.url + path, timeout=30, **options)


def post(fake, path, body=None, **options):
    return requests.post(fake.url + path, json=body, timeout=30, **options)


# With Rancher's own Python client.


def test_gdapi_creates_awaits_and_cancels_a_token(fake, gdapi):
    client = gdapi.Client(url=f"{fake.url}/v2-beta/projects/1a5")
    token = client.create_registration_token()
    assert (token.state, token.transitioning, token.command) == ("registering", "yes", None)
    fake.advance(2)
    token = client.reload(token)
    assert token.state == "active" and token.registrationUrl in token.command
    assert requests.get(token.registrationUrl, timeout=30).text.startswith("#!/bin/sh\n")
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
    answer = requests.get(other, timeout=30, proxies={"http": fake.url})
    assert answer.json()["links"]["self"] == other


def test_the_root_is_a_version_and_other_paths_are_web_pages(fake):
    root = get(fake, "/").json()
    assert (root["type"], root["links"]["self"]) == ("apiVersion", f"{fake.url}/v1")
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


@pytest.mark.parametrize("role", ["readonly", "restricted"])
def test_a_reader_knows_no_tokens_and_no_actions(fake, role):
    fake.configure(access_control=True)
    fake.add_token(state="active")
    fake.add_key("reader", "key", role=role, projects=["1a5"])
    asked = {"auth": ("reader", "key")}
    assert get(fake, TOKENS, **asked).status_code == 404
    assert get(fake, f"{TOKENS}/1c1", **asked).status_code == 404
    assert post(fake, TOKENS, **asked).status_code == 404
    fake.add_host("node1")
    assert get(fake, HOSTS, **asked).json()["data"][0]["actions"] == {}
    answer = post(fake, f"{HOSTS}/1h1/?action=deactivate", **asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "InvalidAction")


def test_an_expired_key_is_no_key(fake):
    fake.configure(access_control=True)
    fake.add_key("old", "key", active=False)
    assert get(fake, "/v2-beta/projects", auth=("old", "key")).status_code == 401


def test_projects_of_others_only_when_all_are_asked_for(fake):
    fake.add_project("Theirs", foreign=True)

    fake.add_key("boss", "key")

    def ids(query=""):
        rows = get(fake, f"/v2-beta/projects{query}", auth=("boss", "key")).json()["data"]
        return [row["name"] for row in rows]

    # With access control and without.
    for enforced in (False, True):
        fake.configure(access_control=enforced)
        assert ids() == ["Default"]
        assert ids("?all=true") == ["Default", "Theirs"]
        assert ids("?name=theirs") == []
        assert ids("?id=1a6") == ["Theirs"]


def test_an_inactive_project_is_closed(fake):
    fake.add_host("node1")
    fake.change("1a5", state="inactive")
    assert get(fake, "/v2-beta/projects").json()["data"][0]["state"] == "inactive"
    assert get(fake, HOSTS).status_code == 403
    fake.configure(access_control=True)
    fake.add_key("own", "key", project="1a5")
    assert get(fake, "/v2-beta/projects", auth=("own", "key")).status_code == 401


def test_evacuation_removes_everything_but_ranchers_own(fake):
    fake.add_host("node1")
    fake.add_host("node2")
    fake.add_instance("1h1", "web-1", service="1s3")
    fake.add_instance("1h1", "ipsec-1", system=True, service="1s1")
    fake.add_instance("1h1", "plain")
    fake.add_instance("1h1", "by-hand", native=True)
    own = {"io.rancher.container.system": "rancher-agent"}
    fake.add_instance("1h1", "rancher-agent", native=True, labels=own)
    fake.add_instance("1h1", "exited_bootstrap", native=True, labels=own)

    def there(host):
        rows = get(fake, f"{HOSTS}/{host}/instances").json()["data"]
        return [row["name"] for row in rows]

    answer = post(fake, f"{HOSTS}/1h1/?action=evacuate")
    assert (answer.status_code, answer.json()["state"]) == (200, "active")
    assert get(fake, f"{HOSTS}/1h1").json()["state"] == "deactivating"
    assert len(there("1h1")) == 6
    fake.advance(3)
    assert get(fake, f"{HOSTS}/1h1").json()["state"] == "inactive"
    assert there("1h1") == ["ipsec-1", "rancher-agent"]
    # Only what belongs to a service comes back.
    assert there("1h2") == ["web-1"]


def test_containers_come_in_pages(fake):
    fake.add_host("node1")
    for number in range(130):
        fake.add_instance("1h1", f"c{number}")
    first = get(fake, f"{HOSTS}/1h1/instances").json()
    assert len(first["data"]) == 100
    last = requests.get(first["pagination"]["next"], timeout=30).json()
    assert [row["name"] for row in last["data"]] == [f"c{number}" for number in range(100, 130)]


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
    answer = requests.post(fake.url + TOKENS, data="{", timeout=30)
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
    assert {requests.get(url, timeout=30).status_code for url in urls} == {200}


def test_the_script_is_a_script(fake):
    fake.add_token(state="active")
    url = get(fake, TOKENS).json()["data"][0]["registrationUrl"]
    fake.configure(access_control=True)
    answer = requests.get(url, headers={"X-Forwarded-For": "203.0.113.7, 10.0.0.1"}, timeout=30)
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
    assert where == f"{fake.url}/v2-beta 203.0.113.7"
    assert who == f"registrationToken {url.rpartition('/')[2]}"
    assert requests.get(url + "x", timeout=30).json()["status"] == 404
    fake.change("1c1", state="inactive")
    assert requests.get(url, timeout=30).status_code == 404


def test_api_host_moves_the_registration_url(fake):
    fake.add_token(state="active")
    setting = f"{fake.url}/v2-beta/settings/api.host"
    assert requests.get(setting, timeout=30).json()["value"] is None
    requests.put(setting, json={"value": "http://rancher.example.test:8080"}, timeout=30)
    url = get(fake, TOKENS).json()["data"][0]["registrationUrl"]
    assert url.startswith("http://rancher.example.test:8080/v1/scripts/")


def test_hosts_appear_become_active_and_keep_labels(fake):
    fake.add_host("node1", appears=5, active=5)
    assert get(fake, HOSTS).json()["data"] == []
    fake.advance(5)
    assert get(fake, HOSTS).json()["data"][0]["state"] == "registering"
    fake.advance(5)
    assert get(fake, HOSTS).json()["data"][0]["state"] == "active"
    requests.put(f"{fake.url}{HOSTS}/1h1", json={"labels": {"a": "b"}}, timeout=30)
    assert get(fake, f"{HOSTS}/1h1").json()["labels"] == {"a": "b"}
    assert requests.put(f"{fake.url}/v2-beta/hosts/1h1", json={}, timeout=30).status_code == 405


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


def registered(fake, key="machine-1", **fields):
    text = fake.world.token_text(fake.world.tokens["1c1"])
    fields = {"key": key, "hostname": "node1", **fields}
    return post(fake, "/v1/register", fields, auth=("registrationToken", text)).json()


def test_a_removed_host_comes_back_as_a_new_one(fake):
    fake.add_token(state="active")
    old = registered(fake)
    fake.advance(5)
    fake.change("1h1", state="removed")
    new = registered(fake)
    fake.advance(5)
    assert (old["id"], new["id"]) == ("1r1", "1r2")
    assert old["secretKey"] != new["secretKey"]
    assert [row["id"] for row in get(fake, HOSTS).json()["data"]] == ["1h2"]


def test_a_copied_state_directory_takes_the_row_over(fake):
    fake.add_token(state="active")
    fake.configure(address_seconds=0)
    registered(fake, labels={"zone": "a"}, agentIpAddress="192.0.2.1")
    fake.advance(5)
    registered(fake, labels={"zone": "b"}, agentIpAddress="192.0.2.2", hostname="node2")
    (row,) = get(fake, HOSTS).json()["data"]
    assert (row["hostname"], row["agentIpAddress"]) == ("node2", "192.0.2.2")
    assert row["labels"]["zone"] == "a"


def test_a_fresh_host_has_neither_address_nor_state_of_its_agent(fake):
    fake.add_token(state="active")
    registered(fake, agentIpAddress="192.0.2.1")
    seen = []
    for seconds in (3, 26, 26):
        fake.advance(seconds)
        (row,) = get(fake, HOSTS).json()["data"]
        seen.append((row["state"], row["agentState"], row["agentIpAddress"]))
    assert seen == [("active", None, None)] * 2 + [("active", None, "192.0.2.1")]


def test_an_agent_that_is_lost_and_comes_back(fake):
    fake.add_token(state="active")
    fake.configure(liveness=True, address_seconds=0)
    keys = registered(fake)
    agent = {"auth": (keys["accessKey"], keys["secretKey"])}
    seen = []

    def look():
        (row,) = get(fake, HOSTS).json()["data"]
        (old,) = get(fake, "/v1/projects/1a5/hosts").json()["data"]
        seen.append((row["state"], row["agentState"], old["state"]))

    post(fake, "/v1/subscribe", {}, **agent)
    for seconds in (5, 40, 15, 180, 20):
        fake.advance(seconds)
        look()
    post(fake, "/v1/subscribe", {}, **agent)
    look()
    assert seen == [
        ("active", None, "active"),
        ("active", None, "active"),
        ("reconnecting", "reconnecting", "active"),
        ("reconnecting", "reconnecting", "active"),
        ("disconnected", "disconnected", "active"),
        ("active", "active", "active"),
    ]


def test_a_slow_start_stage_by_stage(monkeypatch):
    seen, waited, next_one = [], [], threading.Semaphore(0)

    def wait(seconds):
        waited.append(seconds)
        return not next_one.acquire(timeout=60)

    with FakeRancher() as fake:
        # A stage is over when it was seen, however long that takes.
        monkeypatch.setattr(fake.stopping, "wait", wait)
        fake.slow_start([["refuse", 1], ["close", 2], ["502", 3]])
        end = time.monotonic() + 60
        while time.monotonic() < end and "pong\n" not in seen:
            try:
                answer = get(fake, "/ping")
                what = answer.text or str(answer.status_code)
            except requests.ConnectionError as exc:
                what = "refused" if "refused" in str(exc) else "closed"
            if what not in seen:
                seen.append(what)
                next_one.release()
            time.sleep(0.01)
        assert (seen, waited) == (["refused", "closed", "502", "pong\n"], [1, 2, 3])


def test_faults_come_and_go(fake):
    fake.fail("409", times=2, path="hosts")
    assert [get(fake, HOSTS).status_code for _ in range(3)] == [409, 409, 200]
    fake.fail("500")
    assert get(fake, "/v2-beta").json()["code"] == "Internal Server Error"
    fake.heal()
    assert get(fake, "/v2-beta").status_code == 200


# From outside: as the guests use it.


def control(url, **fields):
    with urllib.request.urlopen(url, data=json.dumps(fields).encode(), timeout=30) as answer:
        return json.load(answer)


def test_the_control_port(fake):
    control(f"{fake.control_url}/add_host", hostname="node1", ip="172.17.0.1")
    assert get(fake, HOSTS).json()["data"][0]["agentIpAddress"] == "172.17.0.1"
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(f"{fake.control_url}/explode")
    assert "there is no knob 'explode'" in caught.value.read().decode()
    with pytest.raises(urllib.error.HTTPError):
        control(f"{fake.control_url}/configure", nonsense=1)
    with urllib.request.urlopen(f"{fake.control_url}/show", timeout=30) as answer:
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
        assert requests.get(token, verify=str(authority), timeout=30).status_code == 401
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
