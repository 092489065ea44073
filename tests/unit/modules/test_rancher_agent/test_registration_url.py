"""agent_registered without the API, its certificates, and where its token must not be."""

import logging

import pytest
from agent_kit import IMAGE, Kit
from fake_rancher import FakeRancher
from fake_rancher.certificates import Authority, self_signed

import _rancher_agent_script

from .checks import JOINED, joins, refuses, script_url

ALONE = {"agent": JOINED["agent"]}


def test_a_registration_url_needs_no_api(make, fake):
    kit = make({"registration_url": script_url(fake)}, server_url=None)
    comment = joins(kit, ALONE)
    assert "Not checked, as that takes API keys" in comment
    asked = {seen.path.rpartition("/")[0] for seen in fake.journal}
    assert asked == {"/v1/scripts", "/v1"}, "the script, and what the bootstrap asks"
    count = len(fake.journal)
    kit.run()
    assert len(fake.journal) == count, "a member's agent that runs asks nobody"


@pytest.mark.parametrize("test", [True, False])
def test_a_member_without_keys_whose_server_wants_some(make, fake, test):
    # Deployed by its master, which alone has the keys: every later run must leave it alone.
    kit = make()
    kit.registered()
    fake.add_key("A", "B")
    fake.configure(access_control=True)
    ret = kit.run(test=test)
    assert (ret["result"], ret["changes"]) == (True, {}), ret["comment"]
    assert "Not checked, as that takes API keys" in ret["comment"]
    kit.docker.containers["rancher-agent"]["State"]["Running"] = False
    ret = kit.run(test=test)
    assert ret["changes"] == {"agent": {"old": "stopped", "new": "running"}}, ret["comment"]


def test_the_default_image_of_a_registration_url(make, fake):
    kit = make({"registration_url": script_url(fake)})
    kit.docker.images.clear()
    assert kit.run()["result"] is True
    assert ("pull", IMAGE) in kit.docker.calls


def test_a_token_that_is_not_active(make, fake):
    kit = make({"registration_url": script_url(fake, state="inactive")})
    refuses(kit, "knows no such registration token (HTTP 404)", "Add Host")


def test_a_registration_url_that_the_agent_would_refuse(make, fake):
    fake.configure(api_host="http://rancher.example.test:8080")
    kit = make({"registration_url": script_url(fake)})
    refuses(kit, "Host Registration URL is http://rancher.example.test:8080/v1", "agree")


def test_a_registration_url_of_another_server(make, fake):
    kit = make({"registration_url": script_url(fake)})
    kit.docker.add_agent("http://old.example.test:8080/v1")
    refuses(kit, "belongs to the server http://old.example.test:8080; it is not moved")


def test_stale_keys_with_a_registration_url(make, fake):
    kit = make({"registration_url": script_url(fake)})
    kit.docker.add_agent(f"{fake.url}/v1", says=["ERROR: Please re-register this agent"])
    refuses(kit, "the server does not know this agent any more")


def test_no_registration_script(make, fake):
    fake.fail("html", path="scripts")
    kit = make({"registration_url": script_url(fake)})
    refuses(kit, "gives no registration script but html")


# certificates


@pytest.mark.parametrize(
    ("issued", "words"),
    [
        (lambda authority: self_signed(["127.0.0.1"]), "not trusted"),
        (lambda authority: authority.issue(["other.example.test"]), "has other names"),
        (lambda authority: authority.issue(["127.0.0.1"], days=(-20, -10)), "expired"),
    ],
    ids=["self-signed", "wrong name", "expired"],
)
@pytest.mark.parametrize("alone", [True, False])
def test_tls(tmp_path, monkeypatch, issued, words, alone):
    authority = Authority()
    with FakeRancher(tls=issued(authority)) as fake:
        agent = {"ca_certificate": authority.pem}
        if alone:
            agent["registration_url"] = script_url(fake)
        kit = Kit(fake, tmp_path, monkeypatch, agent)
        refuses(kit, words)


def test_a_balancer_that_does_not_tell_of_its_tls(tmp_path, monkeypatch):
    authority = Authority()
    with FakeRancher(tls=authority.issue(["127.0.0.1"]), link_scheme="http") as fake:
        fake.add_token(state="active")
        kit = Kit(fake, tmp_path, monkeypatch, {"ca_certificate": authority.pem})
        # One look: a second one would tell the same.
        monkeypatch.setattr(_rancher_agent_script, "PAUSE", 100)
        refuses(kit, "The server gives out http for its https", "X-Forwarded-Proto")


# secrets


@pytest.mark.parametrize("alone", [True, False])
def test_the_token_is_nowhere(make, fake, caplog, alone):
    caplog.set_level(logging.DEBUG)
    url = script_url(fake)
    kit = make({"registration_url": url} if alone else None)
    kit.docker.images.clear()
    told = [kit.run(test=True), kit.run(), kit.run()]
    kit.docker.says, kit.docker.exit_code = [f"ERROR: {url}", f'SECRET_KEY="{url[-30:]}"'], 1
    del kit.docker.containers["rancher-agent"]
    told.append(kit.run())
    assert told[-1]["result"] is False
    fake.fail("redirect", path="scripts", value="http://another.example.test:8080/some/where")
    told.append(kit.run())
    assert "redirects to another server" in told[-1]["comment"]
    fake.heal()
    fake.fail("close", path="scripts")
    kit.given["timeout"] = 0.2
    told.append(kit.run())
    token = url.rpartition("/")[2]
    text = repr(told) + caplog.text
    for secret in (token, token[:30], token[-27:], "agentsecret", "AGENTACCESS"):
        assert secret not in text
