import json
import os
import shutil
import subprocess

import pytest
from salt.exceptions import CommandExecutionError

import _docker_data
import _docker_fit as docker
import _host

SEEN = {
    "root": "/data/docker",
    "point": "/data",
    "type": "xfs",
    "options": ["rw", "noquota"],
    "ftype": True,
    "used": False,
    "base": None,
}


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("10G", 10 << 30),
        ("10gb", 10 << 30),
        ("1.5GiB", 3 << 29),
        ("512 m", 512 << 20),
        ("7", 7),
        ("", None),
        ("10X", None),
        ("-1G", None),
    ],
)
def test_a_size_as_docker_reads_it(text, bytes_):
    assert docker.size(text) == bytes_


@pytest.mark.parametrize(
    ("driver", "opts", "change", "said"),
    [
        ("overlay2", [], {}, None),
        ("overlay2", [], {"ftype": False}, "made with ftype=0, on which overlay2 loses files"),
        ("overlay2", [], {"ftype": False, "used": True}, None),
        ("devicemapper", [], {"ftype": False}, None),
        ("overlay2", ["overlay2.size=10G"], {}, "lies on /data (xfs) without project quotas"),
        ("overlay2", ["overlay2.size=10G"], {"options": ["rw", "prjquota"]}, None),
        ("overlay2", ["overlay2.size=10G"], {"type": "ext4", "options": ["prjquota"]}, "(ext4)"),
        ("devicemapper", ["dm.basesize=5G"], {"base": 10 << 30}, "have 10240M, below which"),
        ("devicemapper", ["dm.basesize=10G"], {"base": 10 << 30}, None),
        ("devicemapper", ["dm.basesize=20G"], {"base": 10 << 30}, None),
        ("devicemapper", ["dm.basesize=5G"], {}, None),
        # As Docker reads an option: case and blanks are nothing to it.
        ("overlay2", [" Overlay2.Size = 10G "], {}, "lies on /data (xfs) without project quotas"),
        ("devicemapper", ["DM.BaseSize =5G"], {"base": 10 << 30}, "have 10240M, below which"),
        ("overlay2", [], {"type": "nfs4"}, "(nfs4), which overlay2 cannot use"),
        ("overlay", [], {"type": "ecryptfs"}, "(ecryptfs), which overlay cannot use"),
        ("devicemapper", [], {"type": "nfs4"}, None),
        ("overlay2", [], {"type": "overlay"}, None),
    ],
)
def test_storage_that_cannot_do_what_is_asked(driver, opts, change, said):
    found = docker.refusal({"storage-driver": driver, "storage-opts": opts}, {**SEEN, **change})
    assert (said in found and "nothing was changed" in found) if said else found is None


@pytest.mark.parametrize(
    ("remap", "folder", "namespaces", "said"),
    [
        (None, None, "0", None),
        ("default", None, "15000", None),
        ("default", None, "", None),
        ("default", "1.1", "0", "this kernel allows no user namespaces"),
        ("ann", None, "15000", "userns-remap is ann, which has no range in /etc/subuid"),
        ("ann", "1.1", "15000", None),
    ],
)
def test_a_mapping_that_cannot_work(remap, folder, namespaces, said):
    found = docker.mapping_refusal(remap, folder, namespaces)
    assert (said in found and "nothing was changed" in found) if said else found is None


def test_what_is_wanted_to_be_known():
    seen = {**SEEN, "ftype": False, "used": True}
    assert docker.notes({}, SEEN) == [] and docker.notes({}, None) == []
    assert "overlay2 loses files" in docker.notes({}, seen)[0]
    assert "privileged containers" in docker.notes({"userns-remap": "default"}, None)[0]


@pytest.mark.parametrize(
    ("options", "kept"), [("-m crc=0 -n ftype=0", False), ("-m crc=0 -n ftype=1", True), ("", True)]
)
def test_a_real_xfs(options, kept, tmp_path):
    if not shutil.which("mkfs.xfs"):
        pytest.skip("no mkfs.xfs")
    image = tmp_path / "xfs"
    with open(image, "wb") as file:
        file.truncate(400 << 20)
    argv = ["mkfs.xfs", "-q", *options.split(), str(image)]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"mkfs.xfs does not make this any more: {done.stderr.decode()[:80]}")
    assert docker._ftype_of(str(image)) is kept
    assert docker._ftype_of(str(tmp_path / "none")) is None


def test_no_xfs_is_not_judged():
    assert docker.ftype(b"\0" * 512) is None and docker.ftype(b"XFSB") is None


def test_the_mount_on_top_counts(replace, tmp_path):
    text = f"/dev/a / ext4 rw 0 0\n/dev/b {tmp_path}\\040 xfs rw 0 0\n/dev/c {tmp_path} xfs rw,prjquota 0 0\n"
    replace(_host, read=lambda path: text if path == "/proc/self/mounts" else None)
    assert docker._mount(f"{tmp_path}/docker") == (
        str(tmp_path),
        "/dev/c",
        "xfs",
        ["rw", "prjquota"],
    )
    assert docker._mount(f"{tmp_path} /docker")[1] == "/dev/b"
    assert docker._mount("/elsewhere")[1] == "/dev/a"


def test_a_real_host(tmp_path):
    folder = tmp_path / "devicemapper/metadata"
    folder.mkdir(parents=True)
    (folder / "base").write_text(json.dumps({"device_id": 1, "size": 10 << 30}))
    seen = docker.look(str(tmp_path), "devicemapper")
    assert seen["base"] == 10 << 30 and os.path.ismount(seen["point"]) and seen["type"]


def test_a_disk_that_is_yet_to_be_mounted_is_not_judged(replace, tmp_path):
    will = {"root": f"{tmp_path}/docker", "remap": None}
    wanted = {"config": {"storage-driver": "overlay2"}, "will": will}
    replace(docker, look=lambda root, driver: {**SEEN, "ftype": False})
    with pytest.raises(CommandExecutionError, match="ftype=0"):
        docker.check(wanted, {"device": None, "mount_point": str(tmp_path)})
    assert docker.check(wanted, {"device": "/dev/vdb", "mount_point": str(tmp_path)}) == []
    # A mapping is judged in any case.
    will["remap"] = "ann"
    replace(_docker_data, mapped=lambda remap: None)
    with pytest.raises(CommandExecutionError, match="no range"):
        docker.check(wanted, {"device": "/dev/vdb", "mount_point": str(tmp_path)})
