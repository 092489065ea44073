"""The uploader against a registry that we did not write."""

import shutil
import socket

import pytest
from lab.services import Registry
from stand_ins import images, upload


@pytest.fixture
def registry(tmp_path, monkeypatch):
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed: `make setup` does it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setattr("stand_ins.push", lambda url: None)
    registry = Registry(tmp_path, port=port)
    registry.start()
    yield upload.Registry(registry.url)
    registry.stop()


def image(text):
    layer = images.Layer(images.Blob(images.pack(images.archive({"file": text}))))
    config = images.configuration([layer])
    return images.manifest(config, [layer]), [layer.packed, config]


def test_what_was_pushed_is_there_and_other_content_is_not(registry):
    manifest, blobs = image(b"one")
    other, other_blobs = image(b"two")
    assert not registry.has("rancher/test", "v1", manifest)
    registry.push("rancher/test", "v1", manifest, blobs)
    assert registry.has("rancher/test", "v1", manifest)
    assert not registry.has("rancher/test", "v1", other)
    registry.push("rancher/test", "v1", other, other_blobs)
    assert registry.has("rancher/test", "v1", other)


def test_a_manifest_without_its_parts_is_refused(registry):
    manifest, blobs = image(b"one")
    with pytest.raises(OSError, match="the registry answered 40[04] to PUT"):
        registry.push("rancher/test", "v1", manifest, blobs[:1])
