"""Digests of the layers and the configuration in an archive that a client saved."""

import hashlib
import json
import tarfile
from pathlib import Path

from tests.clients.images import Descriptor, Layout, content_of


def saved_content(path: Path) -> tuple[str, list[str]]:
    """Returns the digests of the configuration and of each unpacked layer in a docker archive."""
    with tarfile.open(path) as archive:
        (image,) = json.load(_member(archive, "manifest.json"))
        config, *layers = (_digest(archive, name) for name in [image["Config"], *image["Layers"]])
    return config, layers


def pushed_content(layout: Layout, image: Descriptor) -> tuple[str, list[str]]:
    """Returns the same digests of an image in a layout."""
    config = content_of(layout, image)[0]
    return config["digest"], json.loads(layout.read(config))["rootfs"]["diff_ids"]


def _digest(archive: tarfile.TarFile, name: str) -> str:
    return f"sha256:{hashlib.file_digest(_member(archive, name), 'sha256').hexdigest()}"


def _member(archive: tarfile.TarFile, name: str) -> tarfile.ExFileObject:
    file = archive.extractfile(name)
    assert isinstance(file, tarfile.ExFileObject), f"{name} is no file in {archive.name!r}"
    return file
