import pytest
import yaml
from fakes import ROOT, state_over
from salt.exceptions import CommandExecutionError

import _cloud_init
import _host
import _hostname
import hostname as face

NAME = "node1.example.com"
REPORTS = yaml.safe_load((ROOT / "tests/unit/cases/public_reports.yaml").read_text())
USER_DATA = "/var/lib/cloud/instance/user-data.txt"


class Host:
    """/etc and the running name in memory; `systemd` as well as a host without it."""

    def __init__(self, static="old", running="old", hosts="127.0.0.1 localhost\n127.0.1.1 old\n"):
        self.files = {"/etc/hostname": f"{static}\n", "/etc/hosts": hosts}
        self.running = running
        self.cloud = True
        self.systemd = True
        self.writes = 0
        self.breaks_at = None

    def state(self, test, hostname=NAME):
        return state_over(face, test).configured("hostname", hostname)

    # What the module asks of `os`.

    @property
    def path(self):
        return self

    def isdir(self, path):
        return path in ("/etc/cloud", _cloud_init.FOLDER) and self.cloud

    def listdir(self, path):
        return [name.rpartition("/")[2] for name in self.files if name.startswith(path)]

    def exists(self, _path):
        return self.systemd

    # What it asks of `host`.

    def read(self, path):
        return f"{self.running}\n" if path.startswith("/proc") else self.files.get(path)

    def write(self, path, text, mode="0644"):
        self._step(path)
        self.files[path] = text
        return True

    def run(self, argv, timeout=60, accept=(0,)):
        self._step(argv[0])
        self.running = argv[-1]
        if argv[0] == "hostnamectl":
            self.files["/etc/hostname"] = f"{argv[-1]}\n"

    def _step(self, name):
        if name == self.breaks_at:
            raise CommandExecutionError(f"{name} failed")
        self.writes += 1


@pytest.fixture
def configure_loader_modules():
    return {face: {"__grains__": {}, "__opts__": {"id": "minion-7"}}}


@pytest.fixture
def host(monkeypatch):
    host = Host()
    monkeypatch.setattr(_hostname, "os", host)
    monkeypatch.setattr(_cloud_init, "os", host)
    for function in ("read", "write", "run"):
        monkeypatch.setattr(_host, function, getattr(host, function))
    return host


def converges(host, keys):
    before = (dict(host.files), host.running)
    predicted = host.state(test=True)
    assert (predicted["result"], list(predicted["changes"])) == (None, keys)
    assert ((host.files, host.running), host.writes) == (before, 0)
    actual = host.state(test=False)
    assert (actual["result"], actual["changes"]) == (True, predicted["changes"])
    assert (host.files["/etc/hostname"], host.running) == (f"{NAME}\n", NAME)
    assert f"127.0.1.1 {NAME} node1\n" in host.files["/etc/hosts"]
    for test in (True, False):
        again = host.state(test)
        assert (again["result"], again["changes"]) == (True, {})
        assert again["comment"] == f"Host name {NAME} is already correct"


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize(
    ("path", "text", "taken"),
    [
        (USER_DATA, REPORTS["08-user-data.yaml"], "/etc/hosts"),
        (f"{_cloud_init.FOLDER}/99_provider.cfg", "manage_etc_hosts: true\n", "/etc/hosts"),
        (f"{_cloud_init.FOLDER}/99_x.cfg", "preserve_hostname: false\n", "the host's name"),
    ],
)
def test_cloud_init_took_the_name_back_at_the_next_boot_without_a_word(
    host, test, path, text, taken
):
    host.files[path] = text
    for _ in range(2):
        comment = host.state(test)["comment"]
        assert f"{path} sets " in comment
        assert f"or cloud-init takes {taken} back at the next boot" in comment
    host.files["/etc/cloud/cloud-init.disabled"] = ""
    assert "cloud-init takes" not in host.state(test)["comment"]


@pytest.mark.parametrize("systemd", [True, False])
def test_a_new_name(host, systemd):
    host.systemd = systemd
    converges(host, ["/etc/hosts", "cloud-init", "static", "running"])


def test_without_a_cloud(host):
    host.cloud = False
    converges(host, ["/etc/hosts", "static", "running"])
    assert not any("cloud" in path for path in host.files)


def test_only_the_running_name_is_another(host):
    host.state(test=False)
    host.running, host.writes = "given-by-dhcp", 0
    converges(host, ["running"])


@pytest.mark.parametrize("test", [True, False])
def test_null_leaves_everything_alone(host, test):
    ret = host.state(test, hostname=None)
    assert (ret["result"], ret["changes"], host.writes) == (True, {}, 0)
    assert ret["comment"] == "No host name is configured, so it stays as it is"


@pytest.mark.parametrize("test", [True, False])
def test_a_name_that_no_host_can_have(host, test):
    ret = host.state(test, hostname="$(reboot)")
    assert (ret["result"], ret["changes"], host.writes) == (False, {}, 0)


@pytest.mark.parametrize(
    "breaks_at", ["/etc/hosts", "/etc/cloud/cloud.cfg.d/99-preserve-hostname.cfg"]
)
def test_the_name_stays_while_it_would_not_resolve(host, breaks_at):
    host.breaks_at = breaks_at
    ret = host.state(test=False)
    assert ret["result"] is False
    assert f"{breaks_at} failed" in ret["comment"]
    assert (host.files["/etc/hostname"], host.running) == ("old\n", "old")


@pytest.mark.parametrize("systemd", [True, False])
@pytest.mark.parametrize(
    "breaks_at",
    ["/etc/hosts", "/etc/cloud/cloud.cfg.d/99-preserve-hostname.cfg", "hostnamectl", "hostname"],
)
def test_interrupted_anywhere_it_converges(host, systemd, breaks_at):
    host.systemd, host.breaks_at = systemd, breaks_at
    host.state(test=False)
    host.breaks_at = None
    predicted = host.state(test=True)
    actual = host.state(test=False)
    assert (actual["result"], actual["changes"]) == (True, predicted["changes"])
    assert (host.files["/etc/hostname"], host.running) == (f"{NAME}\n", NAME)
    assert host.state(test=False)["changes"] == {}
