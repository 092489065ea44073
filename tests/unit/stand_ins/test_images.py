"""Images depend on nothing but their content, and hang together by digests."""

import gzip
import hashlib
import io
import json
import tarfile

from stand_ins import build, images

TREE = {
    "bin/tool": (b"#!/bin/sh\n", 0o755),
    "bin": None,
    "bin/alias": "tool",
    "etc/name": b"x",
    "etc": None,
}


def test_an_archive_is_the_same_every_time_and_parents_come_first():
    tar = images.archive(TREE)
    assert tar == images.archive(dict(reversed(TREE.items())))
    with tarfile.open(fileobj=io.BytesIO(tar)) as read:
        members = read.getmembers()
        assert read.extractfile("bin/tool").read() == b"#!/bin/sh\n"
    assert [each.name for each in members] == ["bin", "bin/alias", "bin/tool", "etc", "etc/name"]
    by_name = {each.name: each for each in members}
    assert by_name["bin"].isdir() and by_name["bin/alias"].linkname == "tool"
    assert (by_name["bin/tool"].mode, by_name["etc/name"].mode) == (0o755, 0o644)
    assert {(each.mtime, each.uid, each.gid) for each in members} == {(0, 0, 0)}


def test_the_manifest_names_configuration_and_layers_by_digest():
    tar = images.archive(TREE)
    layer = images.Layer(images.Blob(images.pack(tar)))
    config = images.configuration([layer], Entrypoint=["/bin/tool"])
    manifest = json.loads(images.manifest(config, [layer]).data)
    packed = layer.packed.data
    assert gzip.decompress(packed) == tar
    assert manifest["layers"][0]["digest"] == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert manifest["layers"][0]["size"] == len(packed)
    assert manifest["config"]["digest"] == config.digest
    inside = json.loads(config.data)
    assert inside["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(tar).hexdigest()}"]
    assert inside["config"] == {"Entrypoint": ["/bin/tool"]}


def test_a_server_is_told_its_version_and_keeps_its_data_in_volumes():
    settings = build.settings("rancher/server", "v1.6.29")
    assert "CATTLE_RANCHER_SERVER_VERSION=v1.6.29" in settings["Env"]
    assert set(settings["Volumes"]) == {"/var/lib/mysql", "/var/log/mysql", "/var/lib/cattle"}
    agent = build.settings("rancher/agent", "v1.2.11")
    assert (agent["Volumes"], agent["Entrypoint"]) == ({}, ["/run.sh"])
    assert build.program("rancher/agent")["run.sh"][1] == 0o755


def test_each_program_brings_what_it_imports():
    server, agent = build.program("rancher/server"), build.program("rancher/agent")
    for name in ("server.py", "store.py", "fake_rancher/api.py", "pymysql/connections.py"):
        assert f"srv/stand_in/{name}" in server
    for name in ("agent.py", "bootstrap.py", "docker_socket.py"):
        assert f"srv/stand_in/{name}" in agent
    assert "srv/stand_in/agent.py" not in server
    for tree in (server, agent):
        parents = {name.rpartition("/")[0] for name in tree} - {""}
        assert all(tree.get(parent, "missing") is None for parent in parents)
