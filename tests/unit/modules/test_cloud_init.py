"""Whoever cloud-init listens to after us is found, and nobody else."""

import os

import pytest
import yaml
from fakes import ROOT

import _cloud_init

CASES = yaml.safe_load((ROOT / "tests/unit/cases/cloud_init.yaml").read_text())["overruled"]
WANTED = {"preserve_hostname": True, "manage_etc_hosts": False}


@pytest.fixture
def on(tmp_path, monkeypatch):
    """The module on a directory that holds these files."""
    read = _cloud_init._host.read

    def made(files):
        for path, text in files.items():
            os.makedirs(os.path.dirname(f"{tmp_path}{path}"), exist_ok=True)
            raw = text.encode("utf-8", "surrogateescape")
            (tmp_path / path.lstrip("/")).write_bytes(raw)
        monkeypatch.setattr(_cloud_init, "os", Os(tmp_path))
        monkeypatch.setattr(_cloud_init._host, "read", lambda path: read(f"{tmp_path}{path}"))
        return _cloud_init

    return made


class Os:
    """The part of `os` that is asked, in a directory."""

    def __init__(self, root):
        self.root = root
        self.path = self

    def listdir(self, path):
        return os.listdir(f"{self.root}{path}")

    def isdir(self, path):
        return os.path.isdir(f"{self.root}{path}")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_later_file_or_the_user_data_took_the_name_back_at_boot(on, case):
    found = on(case["files"]).overruled("99-ours.cfg", WANTED)
    assert [[it["file"], it["key"], it["value"]] for it in found] == case["by"]
