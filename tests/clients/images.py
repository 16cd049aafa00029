"""Images made of nothing: layouts, archives, indexes and artifacts, the same bytes for the same seed.

Every builder adds to an OCI image layout on disk (https://github.com/opencontainers/image-spec/blob/main/image-layout.md)
and returns the descriptor of what it added. Layers are real tars of noise that no compressor makes smaller.
"""

import gzip
import hashlib
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

Descriptor = dict[str, Any]

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
INDEXES = (OCI_INDEX, DOCKER_LIST)

MIB = 1 << 20
SMALL = (64 * 1024, 100_000)


class Noise:
    """A readable file of `size` pseudo-random bytes, the same for the same seed."""

    def __init__(self, seed: str, size: int) -> None:
        self._random = random.Random(seed)
        self._left = size

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return self._random.randbytes(size)


class HashingWriter:
    """Passes what is written on to another file, and knows its digest and size."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._target.write(data)

    def flush(self) -> None:
        self._target.flush()


@dataclass(frozen=True)
class Layout:
    """An OCI image layout: a directory of blobs, and an index of the names in it."""

    directory: Path

    def __post_init__(self) -> None:
        (self.directory / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        if not self._index.exists():
            self._write_index([])

    @property
    def _index(self) -> Path:
        return self.directory / "index.json"

    def _write_index(self, manifests: list[Descriptor]) -> None:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        self._index.write_text(json.dumps(index))

    def path(self, digest: str) -> Path:
        """The file that holds the blob or manifest of that digest."""
        return self.directory / "blobs" / digest.replace(":", "/")

    def read(self, descriptor: Descriptor) -> bytes:
        return self.path(descriptor["digest"]).read_bytes()

    def add(self, data: bytes, media_type: str) -> Descriptor:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.path(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def add_json(self, content: dict[str, Any]) -> Descriptor:
        """A manifest, oddly spaced: whoever encodes it again is found out by its digest."""
        return self.add(json.dumps(content, indent=3).encode(), content["mediaType"])

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Give a manifest a name in this layout, in OCI's words and in containerd's; a name moves."""
        annotations = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
        manifests = json.loads(self._index.read_text())["manifests"]
        others = [each for each in manifests if each["annotations"] != annotations]
        self._write_index([*others, {**descriptor, "annotations": annotations}])


def a_layer(layout: Layout, seed: str, size: int, media_type: str = OCI_LAYER) -> tuple[Descriptor, str]:
    """A gzipped tar with one file of `size` bytes of noise, and the digest of the tar (its diff id).

    Stored, not deflated: noise does not shrink, and the largest layers are made in seconds.
    """
    unfinished = layout.directory / f"{hashlib.sha256(seed.encode()).hexdigest()}.part"
    with unfinished.open("wb") as file:
        packed = HashingWriter(file)
        with gzip.GzipFile("", "wb", compresslevel=0, fileobj=packed, mtime=0) as zipped:
            tar = HashingWriter(zipped)  # type: ignore[arg-type]
            with tarfile.open(fileobj=tar, mode="w|", copybufsize=MIB) as archive:  # type: ignore[call-overload]
                info = tarfile.TarInfo(f"noise/{seed}.bin")
                info.size, info.mode = size, 0o644
                archive.addfile(info, Noise(seed, size))
    unfinished.rename(layout.path(packed.digest))
    return {"mediaType": media_type, "digest": packed.digest, "size": packed.size}, tar.digest


def an_image(
    layout: Layout,
    seed: str = "image",
    layers: Sequence[int] = SMALL,
    architecture: str = "amd64",
    *,
    docker: bool = False,
    labels: Mapping[str, str] | None = None,
) -> Descriptor:
    """An image of layers of the given sizes in bytes; docker's schema 2 instead of OCI's when asked."""
    layer_type = DOCKER_LAYER if docker else OCI_LAYER
    made = [a_layer(layout, f"{seed}-{architecture}-{n}", size, layer_type) for n, size in enumerate(layers)]
    config = {
        "created": "2024-01-01T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/true"], "Labels": {"seed": seed, **(labels or {})}},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in made]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": f"noise {size}"} for size in layers],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
        "config": layout.add(json.dumps(config).encode(), DOCKER_CONFIG if docker else OCI_CONFIG),
        "layers": [descriptor for descriptor, _ in made],
    }
    return layout.add_json(manifest)


def an_index(layout: Layout, seed: str = "index", architectures: Sequence[str] = ("amd64", "arm64")) -> Descriptor:
    """A multi-architecture index of one small image for each architecture."""
    children = [
        {**an_image(layout, seed, (20_000,), architecture), "platform": {"os": "linux", "architecture": architecture}}
        for architecture in architectures
    ]
    return layout.add_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})


def an_artifact(layout: Layout, subject: Descriptor, artifact_type: str = "application/vnd.example.note") -> Descriptor:
    """An artifact about another manifest: it refers to its subject, nothing refers to it."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": layout.add(b"{}", OCI_EMPTY),
        "layers": [layout.add(b"all is well with " + subject["digest"].encode(), "text/plain")],
        "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
        "annotations": {"org.example.note": "signed by nobody"},
    }
    return layout.add_json(manifest)


def content_of(layout: Layout, manifest: Descriptor) -> list[Descriptor]:
    """The descriptors of all that a manifest names: children first for an index, else config and layers."""
    body = json.loads(layout.read(manifest))
    if manifest["mediaType"] in INDEXES:
        return list(body["manifests"])
    return [body["config"], *body["layers"]]


def write_oci_archive(layout: Layout, path: Path) -> Path:
    """The layout as one tar, as `ctr images import` and `podman load` read it."""
    with tarfile.open(path, "w") as archive:
        for entry in ("oci-layout", "index.json", "blobs"):
            archive.add(layout.directory / entry, entry)
    return path


def write_docker_archive(layout: Layout, image: Descriptor, name: str, path: Path) -> Path:
    """The image as `docker load` reads it: its config, its layers unpacked to plain tars, and the name to give it."""
    config, *layers = content_of(layout, image)
    members = [f"{layer['digest'].removeprefix('sha256:')}.tar" for layer in layers]
    listing = [{"Config": "config.json", "RepoTags": [name], "Layers": members}]
    with tarfile.open(path, "w") as archive:
        archive.add(layout.path(config["digest"]), "config.json")
        for layer, member in zip(layers, members, strict=True):
            _add_unpacked(archive, layout.path(layer["digest"]), member)
        manifest = path.with_suffix(".json")
        manifest.write_text(json.dumps(listing))
        archive.add(manifest, "manifest.json")
    return path


def _add_unpacked(archive: tarfile.TarFile, packed: Path, member: str) -> None:
    """Add a gzipped file to an archive, unpacked; read twice, since a tar names the size first."""
    info = tarfile.TarInfo(member)
    with gzip.open(packed) as file:
        info.size = file.seek(0, 2)
        file.seek(0)
        archive.addfile(info, file)


def write_directory(layout: Layout, image: Descriptor, path: Path) -> Path:
    """The image as skopeo's `dir:` transport reads it, which also takes docker's schema 2 as it stands."""
    path.mkdir()
    (path / "version").write_text("Directory Transport Version: 1.1\n")
    (path / "manifest.json").write_bytes(layout.read(image))
    for descriptor in content_of(layout, image):
        (path / descriptor["digest"].removeprefix("sha256:")).hardlink_to(layout.path(descriptor["digest"]))
    return path


def digest_of(path: Path) -> str:
    """The sha256 digest of a file of any size."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
