"""What is left of a package manager that was interrupted, and how it is completed."""

import fcntl
import subprocess
import sys

import pytest

import _host
import _packages_unfinished

HALF = "installed adduser 3.1\nhalf-installed lvm2 2.03\nunpacked gdisk \nconfig-files old 1\n"


class Host:
    def __init__(self, monkeypatch, folder, journal=("0000", "tmp.i"), half=HALF):
        self.folder, self.half, self.ran = folder, half, []
        (folder / "updates").mkdir()
        for name in journal:
            (folder / "updates" / name).touch()
        monkeypatch.setattr(_host, "run", self.run)
        monkeypatch.setattr(_packages_unfinished, "_DPKG", str(folder))

    def run(self, argv, timeout=60, accept=(0,)):
        if argv[0] == "dpkg-query":
            return {"retcode": 0, "stdout": self.half, "stderr": ""}
        self.ran.append([word for word in argv if word not in _packages_unfinished._APT])
        return {"retcode": 0, "stdout": "", "stderr": ""}


def test_names_and_versions_of_what_is_in_the_middle(monkeypatch, tmp_path):
    Host(monkeypatch, tmp_path)
    assert _packages_unfinished.packages() == {"lvm2": "2.03", "gdisk": ""}


@pytest.mark.parametrize("journal", [(), ("tmp.i",)])
def test_without_a_journal_nothing_was_interrupted_and_nothing_is_asked(
    monkeypatch, tmp_path, journal
):
    Host(monkeypatch, tmp_path, journal)
    monkeypatch.setattr(_host, "run", None)
    assert _packages_unfinished.packages() is None


def test_no_dpkg_no_journal(monkeypatch, tmp_path):
    monkeypatch.setattr(_packages_unfinished, "_DPKG", str(tmp_path / "none"))
    assert _packages_unfinished.packages() is None


def test_unpacked_packages_are_configured(monkeypatch, tmp_path):
    host = Host(monkeypatch, tmp_path, half="installed lvm2 2.03\n")
    _packages_unfinished.finish()
    assert host.ran == [["dpkg", "--force-confold", "--force-confdef", "--configure", "-a"]]


def test_what_is_not_whole_is_fetched_again_at_its_version(monkeypatch, tmp_path):
    host = Host(monkeypatch, tmp_path)
    _packages_unfinished.finish()
    assert host.ran[1][0] == "apt-get" and host.ran[1][-3:] == ["install", "lvm2=2.03", "gdisk"]


def test_a_package_manager_at_work_is_waited_for(monkeypatch, tmp_path):
    Host(monkeypatch, tmp_path)
    (tmp_path / "lock-frontend").touch()
    code = (
        f"import fcntl, time; f = open({str(tmp_path / 'lock-frontend')!r}, 'r+b')\n"
        "fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(0.3)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        _packages_unfinished.finish()
        with open(tmp_path / "lock-frontend", "r+b") as handle:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
