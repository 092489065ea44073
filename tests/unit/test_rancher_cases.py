"""
The double against answers of the real server: `cases/rancher_api.yaml` says where each was seen.

The client is held against the same answers, served by `rancher_replay` and not by the double, so
the two cannot agree with each other alone.
"""

import re

import pytest
import requests
import yaml
from fake_rancher import FakeRancher
from fakes import ROOT
from rancher_kit import Kit
from rancher_replay import based, replay
from salt.exceptions import CommandExecutionError

import _rancher_agent_script
import _rancher_api
import _rancher_registration

CASES = yaml.safe_load((ROOT / "tests/unit/cases/rancher_api.yaml").read_text())["cases"]


def asked(fake, case):
    """The double's answer, in the situation of the case."""
    for knob, fields in case.get("world", []):
        getattr(fake, knob)(**fields)
    method, path = case["ask"].split()
    tokens = [fake.world.token_text(row) for row in fake.world.tokens.values()]
    path = path.replace("TOKEN", tokens[0] if tokens else "0:0:0")
    answer = requests.request(
        method,
        fake.url + path,
        json=case.get("sent"),
        headers={"Accept-Encoding": "identity", **case.get("send", {})},
        auth=(case["as"], "KEY") if "as" in case else None,
        timeout=5,
    )
    return answer, tokens


def at(body, path):
    for word in path.split("."):
        body = body[int(word) if word.isdecimal() else word]
    return body


def documents(body):
    return body["data"] if body.get("type") == "collection" else [body]


def differences(body, case, url):
    """Where the double's body is another than the recorded one."""
    want, found = based(case["body"], url), []
    for path in case.get("same", []):
        if at(body, path) != at(want, path):
            found.append(f"{path}: {at(body, path)!r} instead of {at(want, path)!r}")
    for mine, original in zip(documents(body), documents(want), strict=False):
        found += [f"it lacks {name}" for name in original if name not in mine]
        for names in ("actions", "links"):
            lacking = set(original.get(names) or ()) - set(mine.get(names) or ())
            found += [f"it lacks {name} among {names}" for name in sorted(lacking)]
        found += [f"it has {name}" for name in case.get("never", []) if name in mine]
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_double_answers_like_the_original(name, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    case = CASES[name]
    with FakeRancher() as fake:
        answer, tokens = asked(fake, case)
        assert answer.status_code == case["status"], answer.text
        for header, value in case.get("headers", {}).items():
            assert answer.headers.get(header) == based(value, fake.url), header
        if "text" in case:
            text = answer.text.replace(tokens[0], "TOKEN") if tokens else answer.text
            assert text == based(case["text"], fake.url)
        if "body" in case:
            assert differences(answer.json(), case, fake.url) == []


def test_every_case_says_where_it_was_seen():
    for name, case in CASES.items():
        assert case["seen"] in ("recorded", "watched") or case.get("where"), name
        assert "client" not in case or "gives" in case or "fails" in case, name


# The client, at the recorded answers.

KEYS = {"access_key": "KEY", "secret_key": "KEY"}


def script(url, case):
    path = case["ask"].split()[1]
    return _rancher_agent_script.server(_rancher_agent_script.fetch(url + path, timeout=2))


def address(url, _, keys):
    return _rancher_registration.host(Kit(keys).connect(url))


READERS = {
    "ready": lambda url, case, keys: Kit(keys).rancher.ready(url),
    "project": lambda url, case, keys: Kit(keys).rancher.project(url, timeout=2),
    "hosts": lambda url, case, keys: Kit(keys).rancher.hosts(url, timeout=2),
    "registration": lambda url, case, keys: Kit(keys).rancher.registration(url, timeout=2),
    "registration, only look": lambda url, case, keys: Kit(keys).rancher.registration(
        url, create=False
    ),
    "evacuation": lambda url, case, keys: {
        key: names
        for key, names in Kit(keys).host.containers(url, "1h1").items()
        if key != "others"
    },
    "registration address": address,
    "script": lambda url, case, keys: script(url, case),
}
# What of an answer is not the same at each replay: it stands for a server's long time.
PATIENT = "waited 2 s for "


@pytest.mark.parametrize("name", [name for name in CASES if "client" in CASES[name]])
def test_the_client_reads_what_the_original_says(name, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(_rancher_agent_script, "is_loopback", lambda url: False)
    monkeypatch.setattr(_rancher_agent_script, "PAUSE", 5)
    case = CASES[name]
    reader = case["client"].removesuffix(" v1")
    if reader != case["client"]:
        monkeypatch.setattr(_rancher_api, "VERSIONS", ("v1",))
    served = [case, *(CASES[other] for other in case.get("with", []))]
    with replay(served) as (url, journal):

        def look():
            return READERS[reader](url, case, KEYS if "as" in case else None)

        if "fails" in case:
            with pytest.raises(CommandExecutionError, match=re.escape(case["fails"])) as caught:
                look()
            assert "\n" not in str(caught.value)
        else:
            assert look() == based(case["gives"], url)
        assert case["ask"] in journal


def test_each_request_that_the_tree_sends_has_a_case():
    """What is in the modules: paths by name, links that a document offers, actions."""
    sent = {
        "GET /ping",
        "GET /v2-beta/projects",
        "GET /v2-beta/projects?all=true",
        "GET /v1/projects",
        "GET /v2-beta/projects/1a5/hosts",
        "GET /v2-beta/projects/1a5/hosts/1h1/instances",
        "GET /v2-beta/projects/1a5/registrationtokens",
        "POST /v2-beta/projects/1a5/registrationtokens",
        "GET /v1/settings/api.host",
        "GET /v2-beta/projects/1a5/scripts/TOKEN",
    }
    sent |= {
        f"POST /v2-beta/projects/1a5/hosts/1h1/?action={action}"
        for action in ("deactivate", "activate", "remove", "evacuate")
    }
    assert sent <= {case["ask"] for case in CASES.values()}
    sources = "".join(
        path.read_text() for path in sorted((ROOT / "salt/_modules").glob("_rancher*.py"))
    )
    paths = set(re.findall(r"/(?:v1|v2-beta)/[a-z.]+(?:/[a-z.]+)?|/ping", sources))
    assert paths <= {"/ping", "/v1/settings/api.host", "/v2-beta/projects", "/v1/scripts"}, paths
    assert set(re.findall(r"\.link\([\w.]+, \"(\w+)\"\)", sources)) == {
        "hosts",
        "instances",
        "registrationTokens",
    }
    assert set(re.findall(r"collection\(\"([^\"]+)\"\)", sources)) == {
        "projects",
        "projects?all=true",
    }
