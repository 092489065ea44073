"""Images as a registry keeps them: layers, a configuration, a manifest. Nothing runs here."""

import dataclasses
import gzip
import hashlib
import io
import json
import tarfile

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclasses.dataclass(frozen=True)
class Blob:
    """Bytes that the registry knows by their digest."""

    data: bytes

    @property
    def digest(self):
        return digest(self.data)


@dataclasses.dataclass(frozen=True)
class Layer:
    """A packed tar archive."""

    packed: Blob

    @property
    def content(self):
        """Digest of the archive itself."""
        return digest(gzip.decompress(self.packed.data))


def pack(tar):
    return gzip.compress(tar, 6, mtime=0)


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def archive(tree):
    """
    A tar archive that depends on nothing but its content.

    tree: {path: bytes of a file, or (bytes, mode), or None for a directory, or the str that
    a symbolic link points to}.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(tree):
            member, data = _member(path, tree[path])
            tar.addfile(member, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def _member(path, what):
    member = tarfile.TarInfo(path)
    if what is None:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        return member, None
    if isinstance(what, str):
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, what, 0o777
        return member, None
    data, member.mode = what if isinstance(what, tuple) else (what, 0o644)
    member.size = len(data)
    return member, data


def configuration(layers, **settings):
    """The image's configuration; ``settings`` are docker's: Entrypoint, Env, Volumes, ..."""
    return Blob(
        _json(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": "2020-05-05T08:00:00Z",
                "config": settings,
                "rootfs": {"type": "layers", "diff_ids": [layer.content for layer in layers]},
                "history": [{"created": "2020-05-05T08:00:00Z"} for _ in layers],
            }
        )
    )


def manifest(config, layers):
    """What a tag points to."""

    def entry(kind, blob):
        return {"mediaType": kind, "size": len(blob.data), "digest": blob.digest}

    return Blob(
        _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": entry(CONFIG, config),
                "layers": [entry(LAYER, layer.packed) for layer in layers],
            }
        )
    )


def _json(document):
    return json.dumps(document, sort_keys=True).encode()
