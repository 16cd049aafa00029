"""Content to push: blobs, manifests, indexes and artifacts, valid unless a test says otherwise.

Bytes are random, so that no test finds a blob that another test has uploaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SBOM = "application/vnd.example.sbom.v1+json"
SIGNATURE = "application/vnd.example.signature.v1+json"

Document = dict[str, Any]


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@dataclass(frozen=True)
class Blob:
    """Bytes and the media type of their descriptor."""

    content: bytes
    media_type: str = OCI_LAYER_GZIP
    algorithm: str = "sha256"

    @property
    def digest(self) -> str:
        return digest_of(self.content, self.algorithm)

    def descriptor(self, **fields: Any) -> Document:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content), **fields}


class Manifest(Blob):
    """A manifest or an index as the bytes that are pushed; its descriptor is the one that an index has of it."""


@dataclass(frozen=True)
class Image:
    """A manifest with the blobs it names."""

    manifest: Manifest
    config: Blob
    layers: list[Blob] = field(default_factory=list)

    @property
    def blobs(self) -> list[Blob]:
        return [self.config, *self.layers]


EMPTY = Blob(b"{}", OCI_EMPTY)


def a_blob(size: int = 1000, media_type: str = OCI_LAYER_GZIP, algorithm: str = "sha256") -> Blob:
    return Blob(os.urandom(size), media_type, algorithm)


def a_config(media_type: str = OCI_CONFIG, algorithm: str = "sha256", **fields: Any) -> Blob:
    document = {"architecture": "amd64", "os": "linux", "created_by": os.urandom(8).hex(), **fields}
    return Blob(encoded(document), media_type, algorithm)


def a_manifest(
    config: Blob, layers: list[Blob], /, *, media_type: str = OCI_MANIFEST, algorithm: str = "sha256", **fields: Any
) -> Manifest:
    """Returns an image manifest of these blobs. A field given as None is left out."""
    document: Document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    return as_manifest(document | fields, media_type, algorithm)


def an_image(layers: int = 1, layer_size: int = 1000, **fields: Any) -> Image:
    """Returns an OCI image of new random layers; other fields go into its manifest."""
    blobs = [a_blob(layer_size) for _ in range(layers)]
    config = a_config()
    return Image(a_manifest(config, blobs, **fields), config, blobs)


def a_docker_image(layers: int = 1, layer_size: int = 1000) -> Image:
    blobs = [a_blob(layer_size, DOCKER_LAYER) for _ in range(layers)]
    config = a_config(DOCKER_CONFIG)
    return Image(a_manifest(config, blobs, media_type=DOCKER_MANIFEST), config, blobs)


def an_index(*children: Manifest, media_type: str = OCI_INDEX, algorithm: str = "sha256", **fields: Any) -> Manifest:
    document: Document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [child.descriptor(platform={"architecture": "amd64", "os": "linux"}) for child in children],
        "annotations": {"org.example.unique": os.urandom(8).hex()},
    }
    return as_manifest(document | fields, media_type, algorithm)


def an_artifact(subject: Blob | None = None, artifact_type: str | None = SBOM, **fields: Any) -> Image:
    """Returns an artifact with the empty config, one layer and, if given, a subject."""
    layer = a_blob(200, artifact_type or SBOM)
    manifest = a_manifest(
        EMPTY,
        [layer],
        artifactType=artifact_type,
        subject=subject.descriptor() if subject else None,
        **fields,
    )
    return Image(manifest, EMPTY, [layer])


def as_manifest(document: Document, media_type: str = OCI_MANIFEST, algorithm: str = "sha256") -> Manifest:
    present = {name: value for name, value in document.items() if value is not None}
    return Manifest(encoded(present), media_type, algorithm)


def encoded(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
