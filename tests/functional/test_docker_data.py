"""What is counted as Docker's data, beside what real daemons have and see."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from salt.exceptions import CommandExecutionError

import _docker_data
import _host
from functional import rancher_host
from functional.rancher_host import dockerd, make_image

pytestmark = pytest.mark.root

NEEDED = [name for name in ("dockerd", "containerd", "busybox", "ip") if not shutil.which(name)]
if NEEDED:
    pytest.skip(f"not installed: {', '.join(NEEDED)}", allow_module_level=True)

# As dockerd, with a user mapping of its own that this machine does not keep.
MAPPED = """#!/bin/sh
exec unshare --mount sh -c '
  echo nobody:231072:65536 > {0}/subuid; echo nobody:300000:65536 > {0}/subgid
  mount --bind {0}/subuid /etc/subuid; mount --bind {0}/subgid /etc/subgid
  exec {1} --userns-remap=nobody:nogroup "$@"' dockerd "$@"
"""


def fill(client):
    """A container, a volume and an image; gives what the daemon itself lists."""
    image = make_image(client, "v1")
    client.create_volume("kept")
    client.create_container(image, name="one", volumes=["/anonymous"], command=["true"])
    return listed(client)


def listed(client):
    return {
        "containers": {each["Id"] for each in client.containers(all=True)},
        "volumes": {each["Name"] for each in client.volumes()["Volumes"] or []},
        "images": {each["Id"].partition(":")[2] for each in client.images(all=True)},
    }


def place(root, driver):
    return {"base": str(root), "root": str(root), "driver": driver, "remap": None}


@pytest.fixture
def daemon(monkeypatch):
    """Daemons whose containers stay when they end."""
    monkeypatch.setattr(rancher_host.docker.APIClient, "remove_container", lambda *_, **__: None)
    return dockerd


def test_what_a_daemon_has_is_counted_and_a_copy_is_enough(daemon, tmp_path):
    with daemon(tmp_path) as client:
        made, driver = fill(client), client.info()["Driver"]
    old, new = tmp_path / "data", tmp_path / "new/data"
    counted = _docker_data._visible(_docker_data.contents(str(old)), driver)
    assert counted == made
    was, will = place(old, driver), place(new, driver)
    before = digest(old)
    with pytest.raises(CommandExecutionError, match="1 container, 3 volumes and 1 image would not"):
        _docker_data.check(was, will)
    assert digest(old) == before and not new.exists()
    # The way out of the message.
    new.parent.mkdir()
    subprocess.run(["cp", "-a", f"{old}/.", str(new)], check=True, timeout=120)
    _docker_data.check(was, will)
    with daemon(new.parent) as client:
        assert listed(client) == made


def test_another_driver_would_not_see_it(daemon, tmp_path):
    with daemon(tmp_path, "--storage-driver=vfs") as client:
        made = fill(client)
    root = tmp_path / "data"
    with pytest.raises(CommandExecutionError, match=r"driver vfs.*\{storage-driver: vfs\}"):
        _docker_data.check(place(root, "vfs"), place(root, "overlay2"))
    seen = _docker_data._visible(_docker_data.contents(str(root)), "overlay2")
    with daemon(tmp_path, "--storage-driver=overlay2") as client:
        now = listed(client)
    assert now == {**seen, "volumes": made["volumes"]} != made


@pytest.fixture
def open_path():
    """A folder that everybody may pass, all the way: the mapped root has to."""
    with tempfile.TemporaryDirectory(prefix="rs-test-") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def test_a_user_mapping_keeps_its_data_below_its_numbers(daemon, open_path, monkeypatch):
    tmp_path = open_path
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dockerd").write_text(MAPPED.format(tmp_path, shutil.which("dockerd")))
    (tmp_path / "bin/dockerd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with daemon(tmp_path) as client:
        driver = client.info()["Driver"]
        client.create_volume("kept")
    read = _host.read
    files = {"/etc/subuid": tmp_path / "subuid", "/etc/subgid": tmp_path / "subgid"}
    monkeypatch.setattr(_host, "read", lambda path: read(str(files.get(path, path))))
    config = {"data-root": str(tmp_path / "data"), "storage-driver": driver}
    mapped = _docker_data.place(
        {**config, "userns-remap": "nobody:nogroup"}, [], _docker_data.mapped
    )
    assert mapped["root"] == f"{tmp_path}/data/231072.300000"
    assert _docker_data.contents(mapped["root"])["volumes"] == {"kept"}
    with pytest.raises(CommandExecutionError, match="1 volume would not be seen"):
        _docker_data.check(mapped, _docker_data.place(config, [], _docker_data.mapped))


def digest(folder):
    """Every name and content below a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(json.dumps([str(path), path.lstat().st_mode]).encode())
        if path.is_file() and not path.is_symlink():
            found.update(path.read_bytes())
    return found.hexdigest()
