"""What there is to push: manifests with their content, children before who names them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import RegistryError
from chalicelib.domain.media_types import INDEXES, OCI_INDEX, OCI_MANIFEST, is_foreign
from chalicelib.domain.names import parse_tag
from relay.archives import Archive, small
from relay.errors import RelayError
from relay.slices import Slice

Document = dict[str, Any]
REF_NAME = "org.opencontainers.image.ref.name"
# An index within an index within an index; what is deeper is a circle.
DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, its blobs by digest, and the manifests that it names."""

    content: bytes
    media_type: str
    digest: str
    blobs: dict[str, Slice] = field(default_factory=dict)
    children: tuple["Manifest", ...] = ()

    @classmethod
    def of(cls, content: bytes, media_type: str, blobs: dict[str, Slice]) -> "Manifest":
        """One that is made here."""
        return cls(content, media_type, str(Digest.of(content)), blobs)

    def bottom_up(self) -> Iterator["Manifest"]:
        """Children first, this one last."""
        for child in self.children:
            yield from child.bottom_up()
        yield self


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest and the tags that its archive gives it."""

    manifest: Manifest
    tags: tuple[str, ...]


def from_layout(archive: Archive) -> list[Image]:
    """The images of an OCI layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md)."""
    archive.file("oci-layout")
    try:
        return _images(archive)
    except (KeyError, TypeError, AttributeError) as error:
        raise RelayError(f"{archive.path} names its content in a way that cannot be read: {error!r}") from error


def _images(archive: Archive) -> list[Image]:
    index = _json(archive.document("index.json"), f"index.json in {archive.path}")
    tags: dict[str, list[str]] = {}
    roots: dict[str, Manifest] = {}
    for descriptor in index.get("manifests", []):
        manifest = _manifest(archive, descriptor, 0)
        roots[manifest.digest] = manifest
        tags.setdefault(manifest.digest, []).extend(tag_of((descriptor.get("annotations") or {}).get(REF_NAME)))
    return [Image(manifest, tuple(dict.fromkeys(tags[digest]))) for digest, manifest in roots.items()]


def _manifest(archive: Archive, descriptor: Document, depth: int) -> Manifest:
    digest = str(descriptor.get("digest"))
    if depth > DEEPEST:
        raise RelayError(f"{archive.path} has indexes {DEEPEST} deep, down to {digest}: push its images one by one")
    content = small(_blob(archive, digest), f"{digest} in {archive.path}")
    if not Digest.parse(digest).matches(content):
        raise RelayError(f"{digest} in {archive.path} has other bytes than its name says: write the layout anew")
    document = _json(content, f"{digest} in {archive.path}")
    kind = document.get("mediaType") or descriptor.get("mediaType")
    if kind in INDEXES or "manifests" in document:
        children = tuple(_manifest(archive, child, depth + 1) for child in document.get("manifests", []))
        return Manifest(content, str(kind or OCI_INDEX), digest, {}, children)
    named = [document["config"], *document.get("layers", [])] if "config" in document else document.get("blobs", [])
    blobs = {str(one["digest"]): _blob(archive, str(one["digest"])) for one in named if not _is_elsewhere(one)}
    return Manifest(content, str(kind or OCI_MANIFEST), digest, blobs)


def _is_elsewhere(descriptor: Document) -> bool:
    return is_foreign(str(descriptor.get("mediaType", "")))


def _blob(archive: Archive, digest: str) -> Slice:
    try:
        parsed = Digest.parse(digest)
    except RegistryError as error:
        raise RelayError(f"{archive.path}: {error}") from error
    return archive.file(f"blobs/{parsed.algorithm}/{parsed.hex}")


def tag_of(name: Any) -> list[str]:
    """The tag of a name: `1.0`, or the end of `registry.example/app:1.0`; none where there is none."""
    if not name:
        return []
    text = str(name).partition("@")[0]
    _, colon, tail = text.rpartition(":")
    word = tail if colon and "/" not in tail else "" if "/" in text else text
    try:
        return [parse_tag(word)] if word else []
    except RegistryError as error:
        raise RelayError(str(error)) from error


def _json(content: bytes, name: str) -> Document:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise RelayError(f"{name} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise RelayError(f"{name} is no JSON object")
    return document
