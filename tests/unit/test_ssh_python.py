"""
What etc/master gives to the shell of each host over ssh, in the very lines that salt-ssh sends:
an old Python ends in one line, before Salt's own libraries end in a traceback on it.
"""

import shutil
import subprocess

import pytest
import salt.client.ssh as salt_ssh
import yaml
from fakes import ROOT

MASTER = yaml.safe_load((ROOT / "etc/master").read_text())
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
SHIMS = ["SSH_SH_SHIM", "SSH_SH_SHIM_RELENV"]
GOOD = ["Python 3.10.0", "Python 3.11.2", "Python 3.14.0rc2+"]
OLD = ["Python 2.7.5", "Python 3.6.8", "Python 3.8.18", "Python 3.9.25", "Python 3.1.5"]


def sent(shim="SSH_SH_SHIM"):
    """The beginning of what salt-ssh sends, with the default of etc/master, and then PATH."""
    lines = getattr(salt_ssh, shim).strip().splitlines()
    (begin,) = [i for i, line in enumerate(lines) if line.startswith("SET_PATH=")]
    end = next(i for i in range(begin, len(lines)) if lines[i].endswith("fi"))
    text = "\n".join(["set -e", "set -u", *lines[begin : end + 1]])
    for name in ("{{SET_PATH}}", "{SET_PATH}"):
        text = text.replace(name, MASTER["roster_defaults"]["set_path"])
    return f'{text}\necho "PATH is $PATH"\n'


@pytest.fixture
def host(tmp_path):
    """Run that on a host whose python3 says `version`; None: it has none."""

    def run(version, shell="dash", shim="SSH_SH_SHIM", folder="bin", code=0):
        own = tmp_path / folder
        own.mkdir()
        if version is not None:
            # Python 2 answers on its error output.
            out = "&2" if version.startswith("Python 2") else "&1"
            text = f"#!/bin/sh\n[ $1 = -V ] || exit 9\necho '{version}' >{out}\nexit {code}\n"
            (own / "python3").write_text(text)
            (own / "python3").chmod(0o755)
        path = f"{own}:{tmp_path}"
        argv = [shutil.which(shell), *(["sh"] if shell == "busybox" else [])]
        ended = subprocess.run(
            argv, input=sent(shim), env={"PATH": path}, capture_output=True, text=True, timeout=30
        )
        return ended, path

    return run


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("version", GOOD)
def test_a_new_python_leaves_the_path_as_it_is(host, version, shell):
    ended, path = host(version, shell, folder="with space")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"PATH is {path}\n"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("version", OLD)
def test_an_old_python_was_a_traceback_of_a_library(host, version, shell):
    ended, _ = host(version, shell)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"python3 of this host is {version}, and Python 3.10 or newer is needed")


@pytest.mark.parametrize("shell", SHELLS)
def test_no_python_is_the_same_line(host, shell):
    ended, _ = host(None, shell)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("python3 of this host is not there, and")


def test_a_wrapper_without_a_python_behind_it_is_the_same_line(host):
    """pyenv has a `python3` for every version that it could run, and says so in four lines."""
    ended, _ = host("pyenv: python3: command not found", code=127)
    assert ended.stderr.startswith("python3 of this host is not there, and")


@pytest.mark.skipif(not hasattr(salt_ssh, SHIMS[1]), reason="this line of Salt has no --relenv")
def test_with_relenv_the_line_names_the_way(host):
    ended, _ = host("Python 3.6.8", shim=SHIMS[1])
    assert "use --relenv and set_path /usr/bin:/bin" in ended.stderr


def test_what_the_line_refers_to_is_there():
    assert "\n## Onto a bare host\n" in (ROOT / "README.md").read_text()
