"""What is left of a package manager that was interrupted, and how it is completed."""

import fcntl
import subprocess
import sys

import pytest
from fakes import Salt, load

HALF = "installed adduser 3.1\nhalf-installed lvm2 2.03\nunpacked gdisk \nconfig-files old 1\n"


class Host:
    def __init__(self, folder, journal=("0000", "tmp.i"), half=HALF):
        self.folder, self.half, self.ran = folder, half, []
        (folder / "updates").mkdir()
        for name in journal:
            (folder / "updates" / name).touch()
        context = {"pkg.list_pkgs": {"adduser": "3.1"}}
        self.module = load(
            "_packages_unfinished", Salt({"_host.run": self.run}), __context__=context
        )
        self.module._DPKG = str(folder)

    def run(self, argv, timeout=60, accept=(0,)):
        if argv[0] == "dpkg-query":
            return {"retcode": 0, "stdout": self.half, "stderr": ""}
        self.ran.append([word for word in argv if word not in self.module._APT])
        return {"retcode": 0, "stdout": "", "stderr": ""}


def test_names_and_versions_of_what_is_in_the_middle(tmp_path):
    assert Host(tmp_path).module.packages() == {"lvm2": "2.03", "gdisk": ""}


@pytest.mark.parametrize("journal", [(), ("tmp.i",)])
def test_without_a_journal_nothing_was_interrupted_and_nothing_is_asked(tmp_path, journal):
    host = Host(tmp_path, journal)
    host.module.__salt__ = Salt({})
    assert host.module.packages() is None


def test_no_dpkg_no_journal(tmp_path):
    host = Host(tmp_path)
    host.module._DPKG = str(tmp_path / "none")
    assert host.module.packages() is None


def test_unpacked_packages_are_configured(tmp_path):
    host = Host(tmp_path, half="installed lvm2 2.03\n")
    host.module.finish()
    assert host.ran == [["dpkg", "--force-confold", "--force-confdef", "--configure", "-a"]]
    assert "pkg.list_pkgs" not in host.module.__context__


def test_what_is_not_whole_is_fetched_again_at_its_version(tmp_path):
    host = Host(tmp_path)
    host.module.finish()
    assert host.ran[1][0] == "apt-get" and host.ran[1][-3:] == ["install", "lvm2=2.03", "gdisk"]


def test_a_package_manager_at_work_is_waited_for(tmp_path):
    host = Host(tmp_path)
    (tmp_path / "lock-frontend").touch()
    code = (
        f"import fcntl, time; f = open({str(tmp_path / 'lock-frontend')!r}, 'r+b')\n"
        "fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(1)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        host.module.finish()
        with open(tmp_path / "lock-frontend", "r+b") as handle:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
