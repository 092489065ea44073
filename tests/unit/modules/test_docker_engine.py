"""The real SDK's signatures, without a daemon; the daemon is in tests/functional."""

import builtins

import docker
import pytest
import requests
import urllib3
from fake_docker import api_error, client
from fakes import load
from salt.exceptions import CommandExecutionError


@pytest.fixture
def engine(monkeypatch):
    """The module, and the client that it will be given."""

    def make(opts=None, **methods):
        api = client(**methods)
        made = []
        monkeypatch.setattr(docker, "APIClient", lambda **options: made.append(options) or api)
        module = load("docker_engine", __opts__=opts or {})
        module.made, module.api = made, api
        return module

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return make


def test_which_daemon(engine, monkeypatch):
    module = engine(ping=True)
    assert module.answers() is True
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    module.answers()
    own = engine({"docker.url": "unix:///run/own.sock"}, ping=True)
    own.answers()
    assert [made["base_url"] for made in module.made] == [module.SOCKET, "unix:///run/other.sock"]
    assert own.made[0]["base_url"] == "unix:///run/own.sock"
    assert module.made[0]["version"] == "auto"


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (
            api_error(500, "driver failed\nprogramming"),
            "Docker could not do it: driver failed prog",
        ),
        (docker.errors.DockerException("no such file"), "no daemon answers at unix:///var/run"),
        (requests.exceptions.ReadTimeout("x"), "no answer within 7 s, or the connection broke"),
        (urllib3.exceptions.ProtocolError("x"), "the connection broke (ProtocolError)"),
    ],
)
def test_every_error_is_one_line(engine, problem, words):
    module = engine()
    with pytest.raises(CommandExecutionError) as caught, module.client("do it", timeout=7):
        raise problem
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert module.api.close.called


def test_a_salt_without_the_sdk(engine, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name in ("docker", "pymysql"):
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    module = engine()
    assert module.available() is True
    monkeypatch.setattr(builtins, "__import__", without)
    assert module.available() is False and module.answers() is False
    with pytest.raises(CommandExecutionError, match=r"no Docker SDK \(docker\); apply docker.sdk"):
        module.container("x")


def test_nothing_there_is_none_and_could_not_look_raises(engine):
    module = engine(
        inspect_container=api_error(404, "No such container"),
        inspect_image=api_error(404, "No such image"),
    )
    assert module.container("x") is None and module.image("x") is None
    module = engine(inspect_container=api_error(500, "sick"))
    with pytest.raises(CommandExecutionError, match="could not look at container x: sick"):
        module.container("x")


def test_who_publishes_a_port(engine):
    rows = [
        {"Names": ["/dns"], "Ports": [{"PublicPort": 8080, "Type": "udp"}]},
        {"Names": ["/silent"], "Ports": None},
        {"Names": ["/web"], "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}]},
    ]
    module = engine(containers=rows)
    assert module.publisher(8080) == "web"
    assert module.publisher(80) is None


def test_a_log_is_plain_lines(engine):
    raw = "\x1b[31mERROR\x1b[0m one\r\n\n  two\x07bell\nü \xff".encode() + b"\xff"
    module = engine(logs=raw)
    assert module.logs("x", since=1.5, tail=9) == ["ERROR one", "two bell", "ü ÿ\ufffd"]
    assert module.api.logs.call_args.kwargs == {
        "stdout": True,
        "stderr": True,
        "since": 1.5,
        "tail": 9,
    }


def test_a_request_without_a_limit_gets_one(engine):
    # The SDK pulls with timeout=None: a silent daemon would hold the run for ever.
    module = engine(send=lambda request, **options: options["timeout"])
    with module.client("pull", timeout=9) as api:
        assert api.send("request", timeout=None) == 9
        assert api.send("request", timeout=3) == 3
