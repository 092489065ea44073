"""
`salt-run fleet.export` whole: a real master of both Salt lines with its own pillar, the double of
Rancher with the recorded environment, and what `kubectl` and a strict reader say of the result.
"""

import collections
import json
import subprocess
import sys

import pytest
import yaml
from export_kit import received
from fake_rancher import FakeRancher, environment
from fakes import ROOT
from fleet_kit import Fleet
from kube_discovery import Discovery
from lab.process import wait_until

from .test_fleet import ACCESS, SECRET, files_with

# In place of the recorded REPLACED, so that it can be searched for.
PASSWORD = "onlyOneFileMayHoldThisPassword"


@pytest.fixture
def rancher(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with FakeRancher() as fake:
        fake.add_key(ACCESS, SECRET)
        fake.configure(access_control=True)
        text = json.dumps(environment.recorded())
        assert text.count("REPLACED") == 2
        fake.world.collections = json.loads(text.replace("REPLACED", PASSWORD))
        yield fake


def bytes_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_recorded_environment_from_the_command_line(salt_factories, rancher, tmp_path):
    own = {"access_key": ACCESS, "secret_key": SECRET, "server_url": rancher.url}
    pillars = {"s1": {}, "MASTER": {"rancher": {"agent": own}}}
    out = tmp_path / "out"
    with Fleet(salt_factories, ["s1"], pillars) as it:
        it.orchestrate("orch.sync")
        with it.listening() as events:
            answer, code = it.runner("fleet.export", str(out))
            assert code == 0, answer
            done = answer["done"]
            assert (done["stacks"], done["services"], done["containers"]) == (10, 30, 40)
            before = bytes_of(out)
            assert it.runner("fleet.export", str(out))[0]["done"]["written"] == 0
            assert bytes_of(out) == before
            wrong, code = it.runner("fleet.export", str(out), "project=Nobody")
            assert code == 1 and "shows no project 'Nobody'" in wrong["failed"]["all"]
            # Of the last one of the three.
            wait_until(lambda: "Nobody" in events.read_text(), timeout=60, what="the events")
            heard = events.read_text()
            assert "fleet.export" in heard
            for secret in (PASSWORD, SECRET):
                assert secret not in heard
                assert secret not in repr((answer, wrong))
                assert files_with(it.home / "cache/jobs", secret) == []
                for log in it.folder.glob("*/logs/*"):
                    assert secret not in log.read_text()
        assert files_with(it.home / "cache", PASSWORD) == []
    assert files_with(out, PASSWORD) == [f"{out}/default/shop/secrets.yaml"]
    assert files_with(out, SECRET) == []
    modes = {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_file()}
    assert modes == {0o600}
    folders = {path.stat().st_mode & 0o777 for path in [out, *out.rglob("*")] if path.is_dir()}
    assert folders == {0o700}


def export(fake, folder, code="", **collections):
    """The export in a process of its own; gives what it prints."""
    program = (
        "import json, re, sys, time\n"
        "import _export_project, _export_write, _rancher_api\n"
        "began = time.monotonic()\n"
        "keys = {'rancher': {'agent': {'access_key': sys.argv[3], 'secret_key': sys.argv[4]}}}\n"
        "api = _rancher_api.connect(keys, sys.argv[1], timeout=600)\n"
        "with _export_write.alone(sys.argv[2]) as path:\n"
        "    done = _export_project.export(api, path)\n"
        # Not ru_maxrss: that begins at the size of whoever started the process.
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024\n"
        "print(json.dumps({**done, 'seconds': time.monotonic() - began, 'peak MiB': peak}))\n"
    )
    path = ":".join(str(ROOT / one) for one in ("salt/_modules", "salt/_runners"))
    run = subprocess.run(
        [sys.executable, "-c", program, fake.url, str(folder), ACCESS, SECRET],
        env={"PYTHONPATH": path, "no_proxy": "*", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_kubectl_takes_every_manifest_and_reads_what_was_meant(rancher, tmp_path):
    """With its own reader of YAML, not with that of Python."""
    odd = dict.fromkeys(("FLOAT", "y", "NULL", "OCTAL", "TILDE", "ON"))
    odd = {**odd, **dict(zip(odd, ("1e3", "y", "null", "0400", "~", "on"), strict=True))}
    odd |= {"MULTI": "a\nb\n", "UNI": "é\u2028☃\U0001f600", "PRICE": "$5", "TWICE": "$$(PRICE)"}
    odd |= {"TIME": "12:30:45", "UNDER": "1_000", "HEX": "0x1f", "SPACES": "  x ", "TAB": "a\tb"}
    odd |= {"INDENTED": "\n  a\n\n b ", "QUOTES": "'\" \\n", "DB_PASSWORD": "0400\n"}
    services = rancher.world.collections["services"]
    next(one for one in services if one["name"] == "job")["launchConfig"]["environment"] = odd
    export(rancher, tmp_path / "out")
    folders = sorted((tmp_path / "out/default").glob("*/kubernetes"))
    secrets = sorted((tmp_path / "out/default").glob("*/secrets.yaml"))
    with Discovery(tmp_path) as there:
        found = there.apply(*folders, *secrets)
    written = [
        one
        for path in [*(tmp_path / "out/default").rglob("kubernetes/*.yaml"), *secrets]
        for one in yaml.safe_load_all(path.read_text())
    ]
    kinds = collections.Counter(one["kind"] for one in found)
    assert kinds == collections.Counter(one["kind"] for one in written)
    (job,) = (one for one in found if one["kind"] == "Job" and one["metadata"]["name"] == "job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    kept = [one for one in found if one["kind"] == "Secret"]
    assert received(container, kept) == odd


def test_a_large_environment_in_bounded_memory(rancher, tmp_path):
    """200 stacks, 2,000 services, 10,000 containers; it took 32 s and 78 MiB when it was written."""
    rancher.world.collections = environment.large()
    done = export(rancher, tmp_path / "out")
    assert (done["stacks"], done["services"], done["containers"]) == (200, 2000, 10000)
    assert done["peak MiB"] < 160
    assert done["seconds"] < 600
    assert len(list((tmp_path / "out").rglob("service-*.yaml"))) == 2000
