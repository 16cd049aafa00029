"""What `docker save` writes: a tar of configs and unpacked layers, for which the manifests are made here."""

import json
from collections.abc import Callable
from typing import Any

from chalicelib.domain.media_types import DOCKER_CONFIG, DOCKER_MANIFEST
from relay.archives import Archive
from relay.errors import RelayError
from relay.images import Image, Manifest, tag_of
from relay.slices import Slice, Window

# Docker's schema 2, which keeps what OCI's leaves out of a config, such as a health check; layers go as they are.
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
GZIP = b"\x1f\x8b"


def from_docker_archive(archive: Archive, watch: Callable[[int], None]) -> list[Image]:
    """The images of an archive, with the tags of their names. `watch` is told how many bytes were hashed."""
    try:
        listing = json.loads(archive.document("manifest.json"))
        return [_image(archive, entry, watch) for entry in listing]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RelayError(f"manifest.json in {archive.path} cannot be read: {error!r}") from error


def _image(archive: Archive, entry: dict[str, Any], watch: Callable[[int], None]) -> Image:
    config = archive.file(entry["Config"])
    layers = [archive.file(name) for name in entry["Layers"] or []]
    named = [_descriptor(config, DOCKER_CONFIG, watch), *(_descriptor(each, _kind(each), watch) for each in layers)]
    document = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": named[0], "layers": named[1:]}
    blobs = {str(one["digest"]): each for one, each in zip(named, [config, *layers], strict=True)}
    tags = [tag for name in entry.get("RepoTags") or [] for tag in tag_of(name)]
    return Image(Manifest.of(json.dumps(document).encode(), DOCKER_MANIFEST, blobs), tuple(dict.fromkeys(tags)))


def _descriptor(content: Slice, media_type: str, watch: Callable[[int], None]) -> dict[str, Any]:
    return {"mediaType": media_type, "size": content.size, "digest": content.digest("sha256", watch)}


def _kind(layer: Slice) -> str:
    with Window(layer) as window:
        return f"{LAYER}.gzip" if window.read(2) == GZIP else LAYER
