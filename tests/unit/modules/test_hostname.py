import os

import pytest
import yaml
from salt.exceptions import SaltInvocationError

import _host
import _hostname

NAME = "node1.example.com"
SEEN = {
    "static": NAME,
    "running": NAME,
    "hosts": None,
    "address": "127.0.1.1",
    "cloud": False,
    "cloud_text": None,
    "overruled": [],
}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (None, None),
        ("", None),
        ("# made by the installer\n\n", None),
        ("node1\n", "node1"),
        ("# comment\n  node1.example.com  \nother\n", NAME),
    ],
)
def test_the_stored_name(monkeypatch, text, name):
    assert Host(**{"/etc/hostname": text}).module(monkeypatch).status(NAME)["static"] == name


@pytest.mark.parametrize(
    ("seen", "changes"),
    [
        ({}, {}),
        ({"static": None}, {"static": {"old": None, "new": NAME}}),
        ({"running": "localhost"}, {"running": {"old": "localhost", "new": NAME}}),
        ({"cloud": True, "cloud_text": _hostname.CLOUD_TEXT}, {}),
        (
            {"cloud": True},
            {
                "cloud-init": {
                    "old": None,
                    "new": "preserve_hostname: true; manage_etc_hosts: false",
                }
            },
        ),
        (
            {"cloud": True, "cloud_text": "# no\npreserve_hostname: false\n"},
            {
                "cloud-init": {
                    "old": "preserve_hostname: false",
                    "new": "preserve_hostname: true; manage_etc_hosts: false",
                }
            },
        ),
        (
            {
                "hosts": {"old": "127.0.1.1 old", "new": f"127.0.1.1 {NAME} node1", "text": ""},
                "static": "old",
                "running": "old",
            },
            {
                "/etc/hosts": {"old": "127.0.1.1 old", "new": f"127.0.1.1 {NAME} node1"},
                "static": {"old": "old", "new": NAME},
                "running": {"old": "old", "new": NAME},
            },
        ),
    ],
)
def test_plan(seen, changes):
    assert _hostname.plan(NAME, {**SEEN, **seen}) == changes


@pytest.mark.parametrize("name", ["", "a b", "-a", "a..b", "NODE", "node1.", "a;reboot", "x" * 65])
def test_a_name_that_no_host_can_have(name):
    with pytest.raises(SaltInvocationError, match="is no host name"):
        _hostname.plan(name, SEEN)


class Host:
    """Files as texts, commands noted in their order."""

    def __init__(self, paths=(), **files):
        self.files, self.paths, self.done = files, paths, []

    def module(self, monkeypatch):
        monkeypatch.setattr(os.path, "exists", lambda path: path in self.paths)
        monkeypatch.setattr(os.path, "isdir", lambda path: path in self.paths)
        monkeypatch.setattr(_host, "read", self.read)
        monkeypatch.setattr(_host, "write", self.write)
        monkeypatch.setattr(_host, "run", self.run)
        return _hostname

    def read(self, path):
        return self.files.get(path)

    def write(self, path, text, mode="0644"):
        self.done.append((path, mode))
        self.files[path] = text

    def run(self, argv, timeout=60, accept=(0,)):
        self.done.append(" ".join(argv))


def test_status_of_a_bare_host(monkeypatch):
    files = {"/etc/hostname": "old\n", "/proc/sys/kernel/hostname": "old\n"}
    files["/etc/hosts"] = "127.0.0.1 localhost\n127.0.1.1 old\n"
    new = f"127.0.1.1 {NAME} node1"
    assert Host(**files).module(monkeypatch).status(NAME) == {
        "static": "old",
        "running": "old",
        "address": None,
        "hosts": {"old": "127.0.1.1 old", "new": new, "text": f"127.0.0.1 localhost\n{new}\n"},
        "cloud": False,
        "cloud_text": None,
        "overruled": [],
    }


def test_status_where_nothing_is(monkeypatch):
    seen = Host(["/etc/cloud"]).module(monkeypatch).status(NAME)
    assert (seen["static"], seen["running"], seen["cloud"]) == (None, None, True)
    own = f"127.0.1.1 {NAME} node1"
    assert seen["hosts"]["text"] == f"127.0.0.1 localhost\n{own}\n::1 localhost\n"


def test_status_of_a_host_that_is_named_already(monkeypatch):
    seen = Host(**{"/etc/hosts": f"10.0.0.5 {NAME}\n"}).module(monkeypatch).status(NAME)
    assert (seen["address"], seen["hosts"]) == ("10.0.0.5", None)


ALL = {"/etc/hosts": {}, "cloud-init": {}, "static": {}, "running": {}}


def test_what_resolves_the_name_comes_before_the_name(monkeypatch):
    host = Host(["/run/systemd/system", "/run/dbus/system_bus_socket"])
    host.module(monkeypatch).apply(NAME, {**SEEN, "hosts": {"text": "new text"}}, ALL)
    assert host.done == [
        ("/etc/hosts", None),
        (_hostname.CLOUD_FILE, "0644"),
        f"hostnamectl set-hostname {NAME}",
    ]
    assert host.files["/etc/hosts"] == "new text"


@pytest.mark.parametrize("paths", [[], ["/run/systemd/system"]])
def test_without_a_systemd_that_answers(monkeypatch, paths):
    host = Host(paths)
    host.module(monkeypatch).apply(NAME, SEEN, {"running": {}})
    assert host.done == [("/etc/hostname", None), f"hostname {NAME}"]
    assert host.files["/etc/hostname"] == f"{NAME}\n"


def test_only_what_is_wrong_is_touched(monkeypatch):
    host = Host()
    host.module(monkeypatch).apply(NAME, SEEN, {"cloud-init": {}})
    assert host.done == [(_hostname.CLOUD_FILE, "0644")]


def test_cloud_init_understands_what_we_write():
    assert yaml.safe_load(_hostname.CLOUD_TEXT) == {
        "preserve_hostname": True,
        "manage_etc_hosts": False,
    }


CONF = {"conf_file": "/etc/salt/minion", "id": "old"}


@pytest.mark.parametrize(
    ("opts", "files", "paths", "noted"),
    [
        ({**CONF}, {}, [], True),
        ({**CONF, "minion_id_caching": False}, {}, ["/etc/salt/minion_id"], True),
        ({**CONF}, {}, ["/etc/salt/minion_id"], False),
        ({**CONF}, {"/etc/salt/minion": "id: old\n"}, [], False),
        ({**CONF}, {"/etc/salt/minion": "# id: old\n"}, [], True),
        ({**CONF, "id": NAME}, {}, [], False),
        ({"id": "roster"}, {}, [], False),
    ],
)
def test_a_minion_id_that_would_follow_is_noted(monkeypatch, opts, files, paths, noted):
    module = Host(paths, **files).module(monkeypatch)
    notes = module.notes({"root_dir": "/", **opts}, {}, NAME, SEEN)
    assert any("The minion id old is stored nowhere" in note for note in notes) is noted


def test_an_id_in_an_included_file(monkeypatch, tmp_path):
    (tmp_path / "minion.d").mkdir()
    (tmp_path / "minion.d" / "id.conf").touch()
    host = Host(**{str(tmp_path / "minion.d" / "id.conf"): "id: old\n"})
    opts = {"root_dir": "/", "conf_file": str(tmp_path / "minion"), "id": "old"}
    assert host.module(monkeypatch).notes(opts, {}, NAME, SEEN) == []


@pytest.mark.parametrize(
    ("address", "noted"),
    [
        ("10.0.0.5", False),
        ("fd00::5", False),
        ("127.0.1.1", False),
        (None, False),
        ("10.0.0.7", True),
    ],
)
def test_a_foreign_address_is_noted(monkeypatch, address, noted):
    grains = {"ipv4": ["127.0.0.1", "10.0.0.5"], "ipv6": ["::1", "fd00::5"]}
    notes = _hostname.notes({"id": NAME}, grains, NAME, {**SEEN, "address": address})
    wanted = f"/etc/hosts gives {NAME} the address 10.0.0.7, which this host does not have"
    assert notes == ([wanted] if noted else [])
