import pytest
from salt.exceptions import CommandExecutionError, MinionError, SaltInvocationError

import _docker_repository as docker
import _host

OFFICIAL = {
    "baseurl": "https://download.docker.com/linux/centos/7/$basearch/stable",
    "gpgkey": "https://download.docker.com/linux/centos/gpg",
}
ALIYUN = {
    "baseurl": "https://mirrors.aliyun.com/docker-ce/linux/debian",
    "gpgkey": "https://mirrors.aliyun.com/docker-ce/linux/debian/gpg",
    "distribution": "bookworm",
    "components": ["stable"],
}
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n..."
LIST = "/etc/apt/sources.list.d/docker.list"
KEYRING = "/etc/apt/keyrings/docker.asc"
DEBIAN = {"os_family": "Debian", "oscodename": "bookworm", "osarch": "amd64"}


@pytest.mark.parametrize(
    "repository",
    [OFFICIAL, ALIYUN, {"baseurl": "file:///srv/repo", "gpgkey": "/etc/pki/key.asc"}],
    ids=["official", "mirror", "local"],
)
def test_a_good_repository(repository):
    assert docker.checked(repository) == repository


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gpgcheck": False}, "rancher:docker:repository:gpgcheck is not a setting"),
        ({"gpgkey": None}, 'gpgkey is "None"; allowed: an https URL'),
        ({"gpgkey": "http://mirror/gpg"}, 'gpgkey is "http://mirror/gpg"; allowed: an https URL'),
        ({"baseurl": "https://a b"}, "baseurl is"),
        ({"baseurl": "https://user:hunter2@mirror"}, "baseurl is a URL with credentials"),
        ({"baseurl": 5}, 'baseurl is "5"; allowed: an http, https or file URL'),
        ({"distribution": "a b"}, "distribution is"),
        ({"components": "stable"}, "components is 'stable'; allowed: a list of names"),
        ({"components": ["a]"]}, "components is"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_bad_one_is_named(change, words):
    with pytest.raises(SaltInvocationError) as caught:
        docker.checked({**OFFICIAL, **change})
    assert words in str(caught.value) and "hunter2" not in str(caught.value)


def test_yum_checks_signatures_always():
    options = docker.rpm_options(OFFICIAL)
    assert options["gpgcheck"] == "1" and options["gpgkey"] == OFFICIAL["gpgkey"]
    assert docker.rpm_options({**OFFICIAL, "gpgkey": "/etc/key"})["gpgkey"] == "file:///etc/key"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, f"deb [arch=amd64 signed-by={KEYRING}] {ALIYUN['baseurl']} bookworm stable\n"),
        (
            {"gpgkey": "/etc/own.asc"},
            f"deb [arch=amd64 signed-by=/etc/own.asc] {ALIYUN['baseurl']} bookworm stable\n",
        ),
        (
            {"distribution": "./"},
            f"deb [arch=amd64 signed-by={KEYRING}] {ALIYUN['baseurl']} ./\n",
        ),
        (
            {"distribution": None, "components": ["stable", "test"]},
            f"deb [arch=amd64 signed-by={KEYRING}] {ALIYUN['baseurl']} trixie stable test\n",
        ),
    ],
    ids=["fetched key", "own key", "flat", "the host's release"],
)
def test_the_line_of_apt(change, line):
    text = docker.apt_line({**ALIYUN, **change}, "trixie", "amd64")
    assert text.partition("\n")[2] == line


class Host:
    """apt's files, and a server with a key."""

    def __init__(self):
        self.files, self.key, self.asked, self.refreshed = {}, KEY, [], 0

    def fetch(self, url, dest):
        self.asked.append(url)
        if isinstance(self.key, Exception):
            raise self.key
        return self.key

    def refresh(self):
        self.refreshed += 1

    def write(self, path, text, mode="0644"):
        self.files[path] = text

    def run(self, repository):
        salt = {"cp.get_url": self.fetch, "pkg.refresh_db": self.refresh}
        changes = docker.plan(repository, docker.status(salt, DEBIAN, repository))
        if changes:
            docker.configure(salt, DEBIAN, repository, changes)
        return changes


@pytest.fixture
def host(replace):
    host = Host()
    replace(_host, read=lambda path: host.files.get(path), write=host.write)
    return host


def test_apt_gets_the_key_once(host):
    assert sorted(host.run(ALIYUN)) == [LIST, "key"]
    assert host.files[KEYRING] == KEY and host.refreshed == 1
    assert host.run(ALIYUN) == {} and len(host.asked) == 1


def test_another_key_in_the_settings_is_fetched(host):
    host.run(ALIYUN)
    changes = host.run({**ALIYUN, "gpgkey": "https://example.com/other"})
    assert changes["key"] == {"old": "present", "new": "https://example.com/other"}
    assert host.asked[-1] == "https://example.com/other"


def test_a_lost_key_is_fetched_again(host):
    host.run(ALIYUN)
    del host.files[KEYRING]
    assert host.run(ALIYUN) == {"key": {"old": None, "new": ALIYUN["gpgkey"]}}


def test_a_local_key_is_used_where_it_is(host):
    assert list(host.run({**ALIYUN, "gpgkey": "/etc/own.asc"})) == [LIST]
    assert host.asked == []


@pytest.mark.parametrize("key", ["<html>", None, MinionError("no route")])
def test_no_key_no_repository(key, host):
    host.key = key
    with pytest.raises(CommandExecutionError, match="gpg"):
        host.run(ALIYUN)
    assert host.files == {}


def test_yum_is_told_only_what_differs():
    have, told = {**docker.rpm_options(OFFICIAL), "gpgcheck": "0", "priority": "5"}, []
    salt = {
        "pkg.get_repo": lambda repo: have,
        "pkg.mod_repo": lambda repo, **options: told.append((repo, options)),
        "pkg.refresh_db": lambda: True,
    }
    grains = {"os_family": "RedHat"}
    changes = docker.plan(OFFICIAL, docker.status(salt, grains, OFFICIAL))
    assert changes == {"gpgcheck": {"old": "0", "new": "1"}}
    docker.configure(salt, grains, OFFICIAL, changes)
    assert told == [("docker-ce-stable", docker.rpm_options(OFFICIAL))]
