"""Projects and the address for agents, from the double."""

import pytest
from fake_rancher import FakeRancher
from fakes import Salt, load
from rancher_kit import ACCESS, SECRET, Kit
from salt.exceptions import CommandExecutionError


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with FakeRancher() as fake:
        fake.configure(per_request=0.5)
        yield fake


def site(agent=None):
    return load("_rancher_agent_site", Salt({"_rancher_api.connect": Kit(agent).api.connect}))


def test_projects(fake):
    fake.add_project("Other")
    assert site().projects(fake.url) == [
        {"id": "1a5", "name": "Default"},
        {"id": "1a6", "name": "Other"},
    ]


def test_registration_host(fake):
    assert site().registration_host(fake.url) is None
    fake.configure(api_host="http://rancher.example.test")
    assert site().registration_host(fake.url) == "http://rancher.example.test"
    fake.configure(versions=("v1",))
    assert site().registration_host(fake.url) == "http://rancher.example.test"


@pytest.mark.parametrize("kind", ["403", "404", "html"])
def test_a_setting_that_these_keys_may_not_read(fake, kind):
    fake.fail(kind, path="settings")
    assert site().registration_host(fake.url) is None


def test_a_server_that_gives_no_answer(fake):
    fake.fail("500", path="settings")
    with pytest.raises(CommandExecutionError, match="the server failed inside"):
        site().registration_host(fake.url)


def test_keys_are_of_the_pillar(fake):
    fake.configure(access_control=True)
    fake.add_key(ACCESS, SECRET)
    keys = {"access_key": ACCESS, "secret_key": SECRET}
    assert site(keys).projects(fake.url)[0]["id"] == "1a5"
    with pytest.raises(CommandExecutionError, match="wants API keys"):
        site().projects(fake.url)
