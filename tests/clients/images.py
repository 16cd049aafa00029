"""Makes images: layouts, archives, indexes and artifacts, with the same bytes for the same seed.

Every builder adds to an OCI image layout on disk (https://github.com/opencontainers/image-spec/blob/main/image-layout.md)
and returns the descriptor of what it added. Layers are real tars of incompressible noise.
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
    """A readable file of `size` pseudo-random bytes, which depend on the seed."""

    def __init__(self, seed: str, size: int) -> None:
        self._random = random.Random(seed)
        self._left = size

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return self._random.randbytes(size)


class HashingWriter:
    """Writes to another file, and has the digest and size of what was written."""

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
    """An OCI image layout: a directory of blobs, and an index of names."""

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
        """Returns the file of a blob or manifest."""
        return self.directory / "blobs" / digest.replace(":", "/")

    def read(self, descriptor: Descriptor) -> bytes:
        return self.path(descriptor["digest"]).read_bytes()

    def add(self, data: bytes, media_type: str) -> Descriptor:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.path(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def add_json(self, content: dict[str, Any]) -> Descriptor:
        """Adds a manifest with unusual spaces: a client that encodes it again changes its digest."""
        return self.add(json.dumps(content, indent=3).encode(), content["mediaType"])

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Gives a manifest a name in this layout, by OCI's annotation and containerd's; moves an existing name."""
        annotations = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
        manifests = json.loads(self._index.read_text())["manifests"]
        others = [each for each in manifests if each["annotations"] != annotations]
        self._write_index([*others, {**descriptor, "annotations": annotations}])


def a_layer(layout: Layout, seed: str, size: int, media_type: str = OCI_LAYER) -> tuple[Descriptor, str]:
    """Adds a gzipped tar with one file of `size` bytes of noise; returns also the digest of the tar (its diff id).

    It is stored, not deflated: noise does not shrink, and so the largest layers are made in seconds.
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
    """Adds an image with layers of these sizes in bytes, in OCI's format or docker's schema 2."""
    layer_type = DOCKER_LAYER if docker else OCI_LAYER
    blobs = [a_layer(layout, f"{seed}-{architecture}-{n}", size, layer_type) for n, size in enumerate(layers)]
    config = {
        "created": "2024-01-01T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/true"], "Labels": {"seed": seed, **(labels or {})}},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in blobs]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": f"noise {size}"} for size in layers],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
        "config": layout.add(json.dumps(config).encode(), DOCKER_CONFIG if docker else OCI_CONFIG),
        "layers": [descriptor for descriptor, _ in blobs],
    }
    return layout.add_json(manifest)


def an_index(layout: Layout, seed: str = "index", architectures: Sequence[str] = ("amd64", "arm64")) -> Descriptor:
    """Adds an index with one small image for each architecture."""
    children = [
        {**an_image(layout, seed, (20_000,), architecture), "platform": {"os": "linux", "architecture": architecture}}
        for architecture in architectures
    ]
    return layout.add_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})


def an_artifact(layout: Layout, subject: Descriptor, artifact_type: str = "application/vnd.example.note") -> Descriptor:
    """Adds an artifact that refers to another manifest."""
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
    """Returns the descriptors that a manifest names: an index's manifests, or config and layers."""
    body = json.loads(layout.read(manifest))
    if manifest["mediaType"] in INDEXES:
        return list(body["manifests"])
    return [body["config"], *body["layers"]]


def write_oci_archive(layout: Layout, path: Path) -> Path:
    """Writes the layout as one tar, as `ctr images import` and `podman load` read it."""
    with tarfile.open(path, "w") as archive:
        for entry in ("oci-layout", "index.json", "blobs"):
            archive.add(layout.directory / entry, entry)
    return path


def write_docker_archive(layout: Layout, image: Descriptor, name: str, path: Path) -> Path:
    """Writes the image as `docker load` reads it: its config, its unpacked layers, and its name."""
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
    """Adds a gzipped file to an archive, unpacked; reads it twice, since a tar has the size first."""
    info = tarfile.TarInfo(member)
    with gzip.open(packed) as file:
        info.size = file.seek(0, 2)
        file.seek(0)
        archive.addfile(info, file)


def write_directory(layout: Layout, image: Descriptor, path: Path) -> Path:
    """Writes the image as skopeo's `dir:` transport reads it, which also keeps docker's schema 2."""
    path.mkdir()
    (path / "version").write_text("Directory Transport Version: 1.1\n")
    (path / "manifest.json").write_bytes(layout.read(image))
    for descriptor in content_of(layout, image):
        (path / descriptor["digest"].removeprefix("sha256:")).hardlink_to(layout.path(descriptor["digest"]))
    return path


def digest_of(path: Path) -> str:
    """Returns the sha256 digest of a file of any size."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
