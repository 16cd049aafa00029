"""Makes the content of pushes: random bytes, so that two runs never share any, and images of them."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MEBIBYTE = 1024 * 1024
MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000
# The largest body and manifest that the registry's own function accepts (chalicelib/domain/uploads.py, manifests.py).
LARGEST_BODY = 4 * MEBIBYTE
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(content: bytes) -> str:
    """Returns the digest of bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Image:
    """The bytes of a manifest, and the blobs that it names."""

    manifest: bytes
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """Returns the manifest's digest."""
        return digest_of(self.manifest)


def an_image(layer_size: int = 1000) -> Image:
    """Makes an OCI image with one random layer."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "created_by": os.urandom(8).hex()}).encode()
    layer = os.urandom(layer_size)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(config, CONFIG),
        "layers": [_descriptor(layer, LAYER)],
    }
    return Image(json.dumps(document).encode(), (config, layer))


def padded(image: Image, size: int) -> bytes:
    """Returns the image's manifest, extended to `size` bytes by an annotation."""
    document = json.loads(image.manifest)
    document["annotations"] = {"org.example.padding": ""}
    document["annotations"]["org.example.padding"] = "x" * (size - len(json.dumps(document)))
    return json.dumps(document).encode()


def _descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


class RandomStream:
    """`size` bytes that need little memory, since they repeat one random block."""

    def __init__(self, size: int) -> None:
        self.size, self._block = size, os.urandom(MEBIBYTE)

    def pieces(self) -> Iterator[bytes]:
        """Yields all bytes, from the beginning for each caller."""
        for start in range(0, self.size, MEBIBYTE):
            yield self._block[: min(MEBIBYTE, self.size - start)]

    def digest(self) -> str:
        """Returns the digest of all bytes, which takes about a second for a gigabyte."""
        hasher = hashlib.sha256()
        for piece in self.pieces():
            hasher.update(piece)
        return f"sha256:{hasher.hexdigest()}"
