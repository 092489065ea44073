"""The real SDK, its signatures or before a daemon that lies; a real one is in tests/functional."""

import builtins
import json
import time

import docker
import pytest
import requests
import urllib3
from fake_docker import api_error, client, pong
from lying_docker import LIES, LyingDocker
from salt.exceptions import CommandExecutionError

import _docker_engine


@pytest.fixture
def engine(monkeypatch):
    """The module, and the client that it will be given."""

    def make(**methods):
        api = client(**methods)
        made = []
        monkeypatch.setattr(docker, "APIClient", lambda **options: made.append(options) or api)
        monkeypatch.setattr(_docker_engine, "made", made, raising=False)
        monkeypatch.setattr(_docker_engine, "api", api, raising=False)
        return _docker_engine

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return make


def test_which_daemon(engine, monkeypatch):
    module = engine(volumes={"Volumes": None})
    assert module.volumes() == []
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    module.volumes()
    # The minion's own option wins, as long as the face runs.
    with module.at({"docker.url": "unix:///run/own.sock"}):
        module.volumes()
    module.volumes()
    # Each twice: to ask for the version, then to speak it.
    assert [made["base_url"] for made in module.made] == [
        *[module.SOCKET] * 2,
        *["unix:///run/other.sock"] * 2,
        *["unix:///run/own.sock"] * 2,
        *["unix:///run/other.sock"] * 2,
    ]


@pytest.mark.parametrize(("told", "spoken"), [("1.30", "1.30"), (None, "auto")])
def test_the_version_is_asked_for_by_a_ping(engine, told, spoken):
    # /version makes the daemon start two programs; it was half of all questions of a run.
    module = engine(volumes={"Volumes": None}, get=pong(told))
    module.volumes()
    assert [made["version"] for made in module.made] == ["1.24", spoken]
    module.api.get.assert_called_once_with("http+docker://localhost/_ping", timeout=60)


def test_no_answer_to_the_ping_is_no_daemon(engine):
    module = engine(get=requests.exceptions.ConnectionError("refused\nbadly"))
    with pytest.raises(CommandExecutionError, match="no daemon answers at unix:.*refused badly"):
        module.volumes()


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
        {"Id": "1", "Names": ["/dns"], "Ports": [{"PublicPort": 8080, "Type": "udp"}]},
        {"Id": "2", "Names": ["/silent"], "Ports": None},
        {
            "Id": "3",
            "Names": ["/web"],
            "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}],
        },
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


CONTAINER = {
    "Id": "c1",
    "Created": "2020-05-05T08:00:00Z",
    "Image": "sha256:a1",
    "Config": {"Image": "web:1", "Env": ["A=b"], "Cmd": None, "Labels": {}},
    "HostConfig": {"PortBindings": {}, "RestartPolicy": {"Name": "always"}},
    "Mounts": [],
    "State": {"Status": "running", "Running": True, "StartedAt": "2020-05-05T08:00:00Z"},
}
LISTED = {"Id": "c1", "Names": ["/web"], "Ports": [], "Labels": {}, "Command": "x", "Status": "Up"}
TRUTH = {
    "/version": {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"},
    "/containers/json": [LISTED],
    "/containers/web/json": CONTAINER,
    "/images/web/json": {"Id": "sha256:a1"},
    "/volumes": {"Volumes": [{"Name": "data"}]},
    "/info": {"ServerVersion": "20.10.24", "CgroupDriver": "systemd", "CgroupVersion": "2"},
}
# What is asked, what it is asked of the daemon, and what is true.
ASKED = {
    "/_ping": (lambda module: module.answers(), True),
    "/version": (lambda module: module.volumes(), ["data"]),
    "/containers/json": (lambda module: module.containers(), [LISTED]),
    "/containers/web/json": (lambda module: module.container("web"), CONTAINER),
    "/images/web/json": (lambda module: module.image("web"), {"Id": "sha256:a1"}),
    "/volumes": (lambda module: module.volumes(), ["data"]),
    "/info": (lambda module: module.info(), TRUTH["/info"]),
}


@pytest.fixture
def lying(tmp_path, monkeypatch):
    """The module before a daemon of its own, with little patience."""

    def truth(method, path, body):
        plain = path.partition("?")[0]
        if plain == "/_ping":
            return 200, b"OK"
        if plain in TRUTH:
            return 200, json.dumps(TRUTH[plain]).encode()
        return 404, b'{"message": "No such thing"}'

    with LyingDocker(tmp_path / "docker.sock", truth) as daemon:
        module, real = _docker_engine, _docker_engine.client
        monkeypatch.setenv("DOCKER_HOST", daemon.url)
        monkeypatch.setattr(module, "client", lambda doing, timeout=60: real(doing, 0.4))
        monkeypatch.setattr(module, "daemon", daemon, raising=False)
        yield module


@pytest.mark.parametrize("about", ASKED)
def test_a_daemon_that_lies_is_not_one_without_containers(lying, about):
    ask, true = ASKED[about]
    lying.daemon.version = None if about == "/version" else "1.41"
    assert ask(lying) == true and f"GET {about}" in lying.daemon.asked
    lying.daemon.about = about
    for lie in LIES:
        lying.daemon.lie = lie
        began = time.monotonic()
        with pytest.raises(CommandExecutionError, match="^Docker could not ") as caught:
            ask(lying)
        assert str(caught.value).isprintable(), "one line, without control characters"
        assert time.monotonic() - began < 60, lie
    lying.daemon.lie = None
    assert ask(lying) == true


@pytest.mark.parametrize("version", ["", "nonsense", "1.0", "1..41", "9" * 5000, "1.41\x1b[31m"])
def test_a_version_of_nonsense_is_an_error(lying, version):
    lying.daemon.version = version or " "
    with pytest.raises(CommandExecutionError, match="^Docker could not list its volumes") as caught:
        lying.volumes()
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600


def test_a_log_of_nonsense_is_lines_or_an_error(lying):
    lying.daemon.about = "/containers/web/json"
    for lie in LIES:
        lying.daemon.lie = lie
        with pytest.raises(CommandExecutionError, match="^Docker could not give the log of"):
            lying.logs("web")


def test_nobody_listens_is_no_daemon_and_a_sick_one_is_an_error(lying, tmp_path, monkeypatch):
    assert lying.answers() is True
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert lying.answers() is False
    (tmp_path / "none.sock").write_text("")
    assert lying.answers() is False
    for url in ("tcp://127.0.0.1:1", "http://127.0.0.1:1"):
        monkeypatch.setenv("DOCKER_HOST", url)
        assert lying.answers() is False
