import shutil
import subprocess

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
    replace(docker, _foreign=lambda: {})
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
        "pkg.refresh_db": lambda **options: told.append(options),
    }
    grains = {"os_family": "RedHat"}
    changes = docker.plan(OFFICIAL, docker.status(salt, grains, OFFICIAL))
    assert changes == {"gpgcheck": {"old": "0", "new": "1"}}
    docker.configure(salt, grains, OFFICIAL, changes)
    ours = {"disablerepo": "*", "enablerepo": "docker-ce-stable"}
    assert told == [("docker-ce-stable", docker.rpm_options(OFFICIAL)), ours]


@pytest.mark.parametrize(
    "answer",
    [
        CommandExecutionError("E: Conflicting values set for option Signed-By"),
        {"https://mirrors.aliyun.com/docker-ce/linux/debian bookworm InRelease": False},
    ],
    ids=["apt fails", "apt goes on without ours"],
)
@pytest.mark.parametrize("before", [None, "deb http://old ./\n"], ids=["new", "changed"])
def test_a_repository_that_cannot_be_read_is_taken_back(answer, before, tmp_path, monkeypatch):
    # The file stayed, and the next run found it right.
    monkeypatch.setattr(docker, "_LIST", str(tmp_path / "docker.list"))
    monkeypatch.setattr(docker, "_KEYRING", str(tmp_path / "docker.asc"))
    if before:
        (tmp_path / "docker.list").write_text(before)

    def refresh():
        assert "aliyun" in (tmp_path / "docker.list").read_text()
        if isinstance(answer, Exception):
            raise answer
        return answer

    salt = {"cp.get_url": lambda url, dest: KEY, "pkg.refresh_db": refresh}
    changes = docker.plan(ALIYUN, docker.status(salt, DEBIAN, ALIYUN))
    with pytest.raises(
        CommandExecutionError, match="could not be read, so the repository was taken"
    ):
        docker.configure(salt, DEBIAN, ALIYUN, changes)
    assert _host.read(str(tmp_path / "docker.list")) == before
    assert not (tmp_path / "docker.asc").exists()
    assert docker.plan(ALIYUN, docker.status(salt, DEBIAN, ALIYUN)) == changes


def test_another_repository_out_of_order_is_no_reason(host):
    host.refresh = lambda: {"http://deb.example.org bookworm InRelease": False}
    assert sorted(host.run(ALIYUN)) == [LIST, "key"]


@pytest.mark.parametrize("before", [{}, {"baseurl": "http://old"}], ids=["new", "changed"])
def test_yum_takes_back_what_it_cannot_read(before):
    told = []
    salt = {
        "pkg.get_repo": lambda repo: before,
        "pkg.mod_repo": lambda repo, **options: told.append(options),
        "pkg.del_repo": lambda repo: told.append("deleted"),
        "pkg.refresh_db": lambda **options: False,
    }
    with pytest.raises(CommandExecutionError, match="taken back"):
        docker.configure(salt, {"os_family": "RedHat"}, OFFICIAL, {"baseurl": {}})
    assert told == [docker.rpm_options(OFFICIAL), before or "deleted"]


FOREIGN = """Types: deb
URIs: https://download.docker.com/linux/debian
Suites: bookworm trixie
Components: stable
Signed-By: /etc/apt/keyrings/docker.asc
"""


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("a.list", "deb http://a b c\n", [("http://a", "b", "")]),
        ("a.list", "# deb http://a b c\n", []),
        (
            "a.list",
            " deb [ arch=amd64 signed-by=/K.asc ] http://a ./\ndeb-src [Signed-By=/k]http://b c d",
            [("http://a", "./", "/K.asc"), ("http://b", "c", "/k")],
        ),
        (
            "a.sources",
            FOREIGN,
            [
                ("https://download.docker.com/linux/debian", "bookworm", KEYRING),
                ("https://download.docker.com/linux/debian", "trixie", KEYRING),
            ],
        ),
        ("a.sources", f"Enabled: no\n{FOREIGN}", []),
        (
            "a.sources",
            "URIs: http://a\n  http://b\nSuites: s\nSigned-By:\n -----BEGIN\n .\n x\n\n# x\nUris: http://c\nsuites: t",
            [
                ("http://a", "s", "-----BEGIN . x"),
                ("http://b", "s", "-----BEGIN . x"),
                ("http://c", "t", ""),
            ],
        ),
    ],
    ids=["plain", "comment", "options", "deb822", "switched off", "folded"],
)
def test_sources_of_both_forms(path, text, found):
    assert docker.sources(path, text) == found


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("docker.sources", FOREIGN, "with /etc/apt/keyrings/docker.asc instead of /etc/own.asc"),
        ("x.list", "deb https://download.docker.com/linux/debian/ bookworm stable", "no key named"),
        ("x.list", "deb https://download.docker.com/linux/debian buster stable", None),
        (
            "x.list",
            "deb [signed-by=/etc/own.asc] https://download.docker.com/linux/debian bookworm x",
            None,
        ),
    ],
    ids=["another key", "no key, a slash more", "another suite", "the same key"],
)
def test_a_source_that_would_stop_apt_is_refused_before(path, text, said):
    # "Conflicting values set for option Signed-By": apt then reads no source of the host.
    repository = {"baseurl": "https://download.docker.com/linux/debian", "gpgkey": "/etc/own.asc"}
    reason = docker.contradiction(repository, "bookworm", {path: text})
    assert (said in reason and path in reason and "\n" not in reason) if said else reason is None
    seen = {"want": {"a": "b"}, "have": {}, "key": None, "contradiction": reason}
    if said:
        with pytest.raises(CommandExecutionError, match="nothing was changed. Take that entry out"):
            docker.plan(repository, seen)
    else:
        assert docker.plan(repository, seen)


LINES = {
    "one line": "deb [{key}] {uri} {suite} stable\n",
    "with tabs and options": "deb\t[ arch=amd64  {key} ]\t{uri}\t{suite}\tmain\n",
    "of sources": "deb-src [{key}] {uri} {suite} stable\n",
    "in quotes": "deb [ {quoted} ] {uri} {suite} stable\n",
    "after a comment": "# x\n\n  deb [{key}] {uri} {suite} stable # y\n",
    "a comment": "# deb [{key}] {uri} {suite} stable\n",
    "without a key": "deb {uri} {suite} stable\n",
}
STANZAS = {
    "a stanza": "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: stable\nSigned-By: {path}\n",
    "folded, other letters": "types: deb\nuris:\n http://x\n {uri}\nSUITES: a {suite}\n"
    "Components: c\nsigned-by:\n {path}\n",
    "switched off": "Enabled: no\nTypes: deb\nURIs: {uri}\nSuites: {suite}\nComponents: c\n"
    "Signed-By: {path}\n",
    "the second one": "Types: deb\nURIs: http://x\nSuites: y\nComponents: z\n\n# c\nTypes: deb\n"
    "URIs: {uri}\nSuites: {suite}\nComponents: c\nSigned-By: {path}\n",
}
FORMS = {**dict.fromkeys(LINES, "list"), **dict.fromkeys(STANZAS, "sources")}


@pytest.mark.parametrize("name", ["before", "later"])
@pytest.mark.parametrize("form", FORMS)
def test_apt_itself_refuses_the_same_pairs(name, form, tmp_path):
    if not shutil.which("apt-get"):
        pytest.skip("no apt-get")
    name, form = f"{name}.{FORMS[form]}", {**LINES, **STANZAS}[form]
    repository = {"baseurl": "https://d.example.com/debian", "gpgkey": "/etc/own.asc"}
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "docker.list").write_text(docker.apt_line(repository, "bookworm", "amd64"))
    argv = ["apt-get", "indextargets", "-o", "Dir::Etc::sourcelist=/dev/null"]
    argv += ["-o", f"Dir::Etc::sourceparts={parts}", "-o", f"Dir::State={tmp_path}"]
    tried = [("own", "/", "bookworm"), ("other", "/", "bookworm"), ("other", "", "trixie")]
    for key, slash, suite in tried:
        path = f"/etc/{key}.asc"
        fields = {"key": f"signed-by={path}", "quoted": f'signed-by="{path}"', "path": path}
        text = form.format(uri=f"https://d.example.com/debian{slash}", suite=suite, **fields)
        (parts / name).write_text(text)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        theirs = "Conflicting values set for option Signed-By" in done.stderr
        ours = docker.contradiction(repository, "bookworm", {name: text})
        assert theirs is bool(ours), (text, done.stderr)


def test_a_file_that_apt_passes_over_was_a_contradiction(tmp_path, monkeypatch):
    for name in ("a b.list", "a+b.list", "a:b.list", "a.b-c_1.list", "a.list.save"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(docker, "_SOURCES", (f"{tmp_path}/*.list",))
    assert [*docker._foreign().values()] == ["a.b-c_1.list", "a:b.list"]
