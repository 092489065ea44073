"""Looks that no whole run of test_rancher_agent shows."""

import pytest
from agent_kit import Kit
from fake_rancher import FakeRancher
from rancher_kit import ACCESS, SECRET

import _rancher_agent_look


@pytest.fixture
def fake():
    with FakeRancher() as fake:
        fake.configure(per_request=0.5, access_control=True)
        yield fake


def test_a_member_without_keys_under_another_address_was_refused(fake, tmp_path, monkeypatch):
    """Its server's setting api.host takes keys to read; "could not look" was taken for "not set"."""
    kit = Kit(fake, tmp_path, monkeypatch)
    kit.registered()
    kit.docker.add_agent("http://rancher.example.test:8080/v1")
    ret = kit.run()
    assert (ret["result"], ret["changes"]) == (True, {}), ret["comment"]
    assert "Its agent reports to http://rancher.example.test:8080, not to" in ret["comment"]


def test_one_observation_is_one_conversation(fake, tmp_path, monkeypatch):
    """Each helper looked for the project anew: five lists of projects for one look at a member."""
    fake.add_key(ACCESS, SECRET)
    kit = Kit(fake, tmp_path, monkeypatch, {"access_key": ACCESS, "secret_key": SECRET})
    kit.registered()
    assert kit.run(test=True)["changes"] == {}
    asked = [seen.path for seen in fake.journal]
    assert asked == ["/v2-beta/projects", "/v2-beta/projects/1a5/hosts"]


@pytest.mark.parametrize(
    ("absent", "test", "seconds"),
    [(True, True, 10), (False, True, 10), (True, False, 600), (False, False, 60)],
)
def test_patience(absent, test, seconds):
    assert _rancher_agent_look._patience({"timeout": 600}, absent, test) == seconds
