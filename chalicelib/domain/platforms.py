"""The images of an index by their architectures (https://github.com/opencontainers/image-spec/blob/main/image-index.md)."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest

# BuildKit's attestations name the image that they are about, and their own platform is unknown.
ABOUT, UNKNOWN = "vnd.docker.reference.digest", "unknown"


def children_for(index: Manifest, architectures: Collection[str]) -> set[Digest]:
    """Returns the children of an index that are for some architectures, with the attestations about them.

    A child that names no architecture is for all. Without architectures, all children are returned.
    """
    if not architectures:
        return {child.digest for child in index.children}
    entries = {str(entry.get("digest")): entry for entry in json.loads(index.content).get("manifests", ())}
    images = {digest for digest, entry in entries.items() if architecture_of(entry) in (None, *architectures)}
    about = {digest for digest, entry in entries.items() if _annotation(entry, ABOUT) in images}
    others = {digest for digest, entry in entries.items() if _annotation(entry, ABOUT) not in (None, *images)}
    return {child.digest for child in index.children if str(child.digest) in (images | about) - others}


def has_image(index: Manifest, children: Collection[Digest]) -> bool:
    """Whether some of an index's children are images, or it has none at all."""
    entries = json.loads(index.content).get("manifests", ())
    images = {str(entry.get("digest")) for entry in entries if _annotation(entry, ABOUT) is None}
    return not images or any(str(child) in images for child in children)


def architecture_of(entry: Mapping[str, Any]) -> str | None:
    """Returns the architecture of an entry of an index; None if it names none."""
    platform = entry.get("platform")
    architecture = platform.get("architecture") if isinstance(platform, Mapping) else None
    is_known = isinstance(architecture, str) and architecture != UNKNOWN
    return architecture if is_known else None


def architecture_in(config: bytes) -> str | None:
    """Returns the architecture in an image's config; None if it names none."""
    try:
        document = json.loads(config)
    except (ValueError, RecursionError):
        return None
    return architecture_of({"platform": document}) if isinstance(document, dict) else None


def _annotation(entry: Mapping[str, Any], name: str) -> str | None:
    annotations = entry.get("annotations")
    value = annotations.get(name) if isinstance(annotations, Mapping) else None
    return value if isinstance(value, str) else None
