import hashlib

import pytest
from fakes import imported

HASH = f"sha256={hashlib.sha256(b'new').hexdigest()}"
ctop = imported("_states/ctop")
SOURCE = "http://files.example.test/ctop"


class Host:
    def __init__(self, path, works=True):
        self.path, self.works, self.calls = path, works, 0

    def managed(self, name, source, source_hash, mode):
        self.calls += 1
        if self.works:
            self.path.write_bytes(b"new")
            self.path.chmod(int(mode, 8))
        return {"name": name, "result": self.works, "changes": {}, "comment": "404 Not Found"}

    def installed(self, test=False, source=SOURCE):
        salt = {
            "file.file_exists": lambda name: self.path.is_file(),
            "file.get_hash": lambda name, form: hashlib.new(
                form, self.path.read_bytes()
            ).hexdigest(),
            "file.get_mode": lambda name: f"0{self.path.stat().st_mode & 0o777:o}",
        }
        ctop.__salt__.update(salt)
        ctop.__states__["file.managed"] = self.managed
        ctop.__opts__["test"] = test
        return ctop.installed(str(self.path), source, HASH, "0.7.7")


@pytest.fixture
def configure_loader_modules():
    return {ctop: {"__salt__": {}, "__states__": {}, "__opts__": {}}}


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path / "ctop")


def test_the_dry_run_says_what_the_run_then_reports(host):
    dry, done, again = host.installed(test=True), host.installed(), host.installed()
    assert (dry["result"], host.calls) == (None, 1)
    assert dry["changes"] == {
        "ctop": {"old": None, "new": HASH},
        "mode": {"old": None, "new": "0755"},
    }
    assert (done["result"], done["changes"]) == (True, dry["changes"])
    assert (again["result"], again["changes"]) == (True, {})
    assert again["comment"] == "ctop 0.7.7 is already correct"


@pytest.mark.parametrize("test", [True, False])
def test_only_what_differs_is_a_change(host, test):
    host.path.write_bytes(b"new")
    host.path.chmod(0o644)
    assert host.installed(test)["changes"] == {"mode": {"old": "0644", "new": "0755"}}


def test_a_binary_that_does_not_come_is_a_failure(host):
    host.works = False
    ret = host.installed()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "404 Not Found" in ret["comment"]


def test_without_a_source_nothing_is_looked_at(host):
    ret = ctop.installed("/usr/local/bin/ctop")
    assert (ret["result"], ret["changes"]) == (True, {})
