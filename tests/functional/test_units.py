"""
What systemd runs of a unit, its drop-ins and its files of variables is what the tree reads of them:
a stand-in for dockerd writes down the words that it is given by a real systemd.
"""

import json

import pytest

import _docker_unit

from . import hosts

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(hosts.missing()), reason=f"no hosts here: {hosts.missing()}"),
]
DAEMON = """#!/usr/bin/python3
import json, sys
with open("/run/words", "a") as out:
    out.write(json.dumps(sys.argv) + "\\n")
"""
UNIT = "/lib/systemd/system/docker.service"
ETC = "/etc/systemd/system/docker.service"
ONESHOT = "[Service]\nType=oneshot\n"
DEBIAN = (
    f"{ONESHOT}EnvironmentFile=-/etc/default/docker\n"
    "ExecStart=/usr/bin/dockerd -H fd:// $DOCKER_OPTS\n"
)
# Files; `uname` stands for the host's own name.
CASES = {
    "specifiers": {
        UNIT: f"{ONESHOT}ExecStart=/usr/bin/dockerd --label %n %N %p %P %i%I. %j %J %f %t %E %S %C %L"
        " %T %V %h %u %U %g %G %% %%n a%pb\n"
    },
    "specifiers in variables and paths": {
        UNIT: f"{ONESHOT}EnvironmentFile=%E/%p/%N.env\nEnvironment=A=%S/%p 'B=100%%'\n"
        "ExecStart=/usr/bin/dockerd -g ${A} $B $C\n",
        "/etc/docker/docker.env": "C='%p %% x'\n",
    },
    "a comment with a semicolon, and a backslash, within a continued line": {
        UNIT: f"{ONESHOT}ExecStart=/usr/bin/dockerd -H fd:// \\\n; --debug \\\n  # -s vfs\n\t-s  overlay2 \\\n"
        "\n-D\nExecStart=/usr/bin/dockerd second\n"
    },
    "quotes and escapes": {
        UNIT: f"{ONESHOT}ExecStart=/usr/bin/dockerd --label='a b' \"--label=c\\td\" --x\\x20y 'it''s' a\\\\b"
        ' \\u00e9 "q\'q" \'\' a"b c"d #no ;no\n'
    },
    "a semicolon of its own, and one that is escaped": {
        UNIT: f"{ONESHOT}ExecStart=/usr/bin/dockerd a ; /usr/bin/dockerd b \\; c\n"
    },
    "prefixes": {
        UNIT: f"{ONESHOT}Environment=A=1\nExecStart=-/usr/bin/dockerd $A\nExecStart=:/usr/bin/dockerd $A ${{A}}\n"
        "ExecStart=+-/usr/bin/dockerd $$A\n"
    },
    "a variable in the middle of a word": {
        UNIT: f"{ONESHOT}Environment=\"A=x 'y z'\" B=\nExecStart=/usr/bin/dockerd a$A ${{A}}b $A $B ${{B}} $NO ${{NO}} $A,\n"
    },
    "drop-ins by name, over all folders": {
        UNIT: DEBIAN,
        f"{ETC}.d/20.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd twenty\n",
        "/run/systemd/system/docker.service.d/30.conf": "[Service]\nEnvironment=DOCKER_OPTS=run\n",
        f"{ETC}.d/10.conf": "[Service]\nExecStart=/usr/bin/dockerd ten\nEnvironment=DOCKER_OPTS=etc\n",
        f"{ETC}.d/30.conf": "[Service]\nEnvironment=OTHER=1\n",
        "/etc/systemd/system/service.d/25.conf": "[Service]\nExecStart=/usr/bin/dockerd all $OTHER $DOCKER_OPTS\n",
        f"{ETC}.d/.40.conf": "[Service]\nExecStart=/usr/bin/dockerd hidden\n",
        f"{ETC}.d/50.conf.old": "[Service]\nExecStart=/usr/bin/dockerd old\n",
    },
    "files of variables: the later one, and the same one again": {
        UNIT: f"{ONESHOT}EnvironmentFile=/etc/a.env\nEnvironmentFile=/etc/b.env\nEnvironment=A=unit D=unit\n"
        "ExecStart=/usr/bin/dockerd $A $B $C $D\n",
        "/etc/a.env": "A=a\nB=a # b\nexport C=a\n",
        "/etc/b.env": "A=b\nC='b \"c\"'\n",
        f"{ETC}.d/a.conf": "[Service]\nEnvironmentFile=-/etc/none.env\nEnvironmentFile=/etc/a.env\n",
    },
    "a pattern of files": {
        UNIT: f"{ONESHOT}EnvironmentFile=-/etc/d*/[!x]*.env\nEnvironmentFile=-/etc/e.env\nExecStart=/usr/bin/dockerd $A $B $C\n",
        "/etc/docker/a.env": "A=a",
        "/etc/docker/x.env": "A=x",
        "/etc/docker/.b.env": "B=b",
        "/etc/docker/deep/c.env": "C=c",
    },
    "a path that is no path": {
        UNIT: f'{ONESHOT}EnvironmentFile="/etc/a.env"\nEnvironmentFile=- /etc/a.env\nEnvironmentFile=etc/a.env\n'
        "ExecStart=/usr/bin/dockerd $A.\nExecStart=/usr/bin/dockerd $A\n",
        "/etc/a.env": "A=a",
    },
    "variables that are taken away": {
        UNIT: f"{ONESHOT}Environment=A=1 B=2 C=3\nUnsetEnvironment=A B=2 C=4\nExecStart=/usr/bin/dockerd $A $B $C\n"
    },
    "variables that are taken away, and that again": {
        UNIT: f"{ONESHOT}Environment=A=1 B=2\nUnsetEnvironment=A\nExecStart=/usr/bin/dockerd $A $B\n",
        f"{ETC}.d/a.conf": "[Service]\nUnsetEnvironment=\nEnvironment=B=3\n",
    },
    "values over several lines": {
        UNIT: f"{ONESHOT}EnvironmentFile=/etc/a.env\nExecStart=/usr/bin/dockerd $A ${{B}} $C $D\n",
        "/etc/a.env": 'A="a\nb" \\\n  c\nB=x\\\n  y # z \n;C=1\n  C = \'2\' 3 \nD="q\\"r\\$s\\t"\n',
    },
    "spaces around the sign, and other sections": {
        UNIT: "[Unit]\nExecStart=/usr/bin/dockerd unit\n[X-Mine]\nExecStart=/usr/bin/dockerd mine\n"
        " [Service] \nType = oneshot\n  ExecStart = /usr/bin/dockerd  mine \n[Install]\nExecStart=/bin/no\n"
    },
    "a byte order mark and other line ends": {
        UNIT: "\ufeff[Service]\r\nType=oneshot\r\nExecStart=/usr/bin/dockerd a \\\r\n b\r\n"
    },
    "the name of the host": {UNIT: f"{ONESHOT}ExecStart=/usr/bin/dockerd --label=%H.%l %v\n"},
}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    with hosts.Network(folder) as network, hosts.Host(folder / "host", network) as made:
        made.write("/usr/bin/dockerd", DAEMON)
        made.path("/usr/bin/dockerd").chmod(0o755)
        yield made


def given(host, files):
    """The words that the daemon got from systemd."""
    for path, text in files.items():
        host.path(path).parent.mkdir(parents=True, exist_ok=True)
        host.path(path).write_bytes(text.encode())
    host.run(["rm", "-f", "/run/words"])
    host.must(["systemctl", "daemon-reload"])
    host.must(["systemctl", "start", "docker.service"])
    words = [json.loads(line) for line in host.path("/run/words").read_text().splitlines()]
    for path in files:
        host.path(path).unlink()
    return [word for argv in words for word in argv]


@pytest.mark.parametrize("name", CASES)
def test_systemd_runs_what_is_read(host, name, monkeypatch):
    nodename, release = host.must(["uname", "-n", "-r"]).split()
    real = _docker_unit.os.uname()
    uname = type("Uname", (), {"nodename": nodename, "release": release})
    files = CASES[name]
    # Of a folder only what a glob finds there is read.
    seen = {path: text for path, text in files.items() if not path.endswith((".40.conf", ".old"))}
    monkeypatch.setattr(_docker_unit.os, "uname", lambda: uname)
    ours = [word for word, _ in _docker_unit.compose(seen)["words"]]
    monkeypatch.setattr(_docker_unit.os, "uname", lambda: real)
    assert ours == given(host, files)
