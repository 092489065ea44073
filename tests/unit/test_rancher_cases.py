"""
The double against answers of the real server: `cases/rancher_api.yaml` says where each was seen.

The client is held against the same answers, served by `rancher_replay` and not by the double, so
the two cannot agree with each other alone.
"""

import pytest
import requests
import yaml
from fake_rancher import FakeRancher
from fakes import ROOT
from rancher_replay import based

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
