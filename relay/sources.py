"""The images that `relay push` can read: OCI layouts, and the archives of `docker save`, as a directory or a plain tar.

Files are read in place, as ranges of the directory's files or of the tar.
"""

import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import RegistryError
from chalicelib.domain.media_types import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFESTS,
    OCI_INDEX,
    OCI_MANIFEST,
    is_foreign,
)
from chalicelib.domain.names import Tag
from relay.errors import RelayError
from relay.slices import FileSlice, SliceReader

Document = dict[str, Any]
REF_NAME = "org.opencontainers.image.ref.name"
# The deepest nesting of indexes that is followed; a deeper one is probably circular.
MAX_DEPTH = 8
COMPRESSED = {b"\x1f\x8b": "gunzip", b"\x28\xb5": "unzstd", b"BZ": "bunzip2", b"\xfd7": "unxz"}
# The largest size of a manifest or index in bytes.
LARGEST_DOCUMENT = 16 * 1024 * 1024
# The manifest is of Docker's schema 2, whose config may have more than OCI's, such as a health check.
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
GZIP = b"\x1f\x8b"


class Archive:
    """The files of a directory or tar by name."""

    def __init__(self, path: Path) -> None:
        """Raises RelayError if `path` is neither a directory nor a plain tar."""
        self.path = path
        if not path.exists():
            raise RelayError(f"there is no {path}")
        self._members = None if path.is_dir() else _members(path)

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def file(self, name: str) -> FileSlice:
        """Returns the range of a file. Raises RelayError if it is missing."""
        found = self._find(name)
        if found is None:
            raise RelayError(f"{self.path} lacks {name}: check that it is complete and of the kind that you named")
        return found

    def document(self, name: str) -> bytes:
        """Returns the content of a small file."""
        return read_document(self.file(name), f"{name} in {self.path}")

    def _find(self, name: str) -> FileSlice | None:
        if self._members is not None:
            return self._members.get(_normal(name))
        path = self.path / _normal(name)
        return FileSlice(path, 0, path.stat().st_size) if path.is_file() else None


def read_document(slice_: FileSlice, name: str) -> bytes:
    """Returns the content of a manifest or index. Raises RelayError if it is too large."""
    if slice_.size > LARGEST_DOCUMENT:
        raise RelayError(f"{name} has {slice_.size} bytes, which is too large for a manifest")
    return slice_.read()


def _members(path: Path) -> dict[str, FileSlice]:
    with path.open("rb") as file:
        if tool := COMPRESSED.get(file.read(2)):
            raise RelayError(f"{path} is compressed, and layers are read in place: {tool} it first")
    try:
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
    except (tarfile.TarError, OSError) as error:
        raise RelayError(f"{path} is no tar that can be read: {error}") from error
    found = {_normal(member.name): _member_slice(path, member) for member in members if member.isreg()}
    # Older versions of docker store a layer that two images share as a link.
    for member in members:
        if member.islnk() or member.issym():
            base = PurePosixPath(member.name).parent if member.issym() else PurePosixPath()
            if target := found.get(_normal(str(base / member.linkname))):
                found[_normal(member.name)] = target
    return found


def _member_slice(path: Path, member: tarfile.TarInfo) -> FileSlice:
    if member.issparse():
        raise RelayError(f"{member.name} in {path} is stored sparse: write the tar without --sparse")
    return FileSlice(path, member.offset_data, member.size)


def _normal(name: str) -> str:
    """Returns a name without `.` and `..`, so that it cannot lead out of the archive."""
    words: list[str] = []
    for tag in name.split("/"):
        if tag == "..":
            words = words[:-1]
        elif tag not in ("", "."):
            words.append(tag)
    return "/".join(words)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, its blobs by digest, and the manifests that it references."""

    content: bytes
    media_type: str
    digest: str
    blobs: dict[str, FileSlice] = field(default_factory=dict)
    children: tuple["Manifest", ...] = ()

    @classmethod
    def of(cls, content: bytes, media_type: str, blobs: dict[str, FileSlice]) -> "Manifest":
        """Makes a manifest of new content."""
        return cls(content, media_type, str(Digest.of(content)), blobs)

    def bottom_up(self) -> Iterator["Manifest"]:
        """Yields all children before their parents; the last one is this manifest."""
        for child in self.children:
            yield from child.bottom_up()
        yield self


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest and its tags in the archive."""

    manifest: Manifest
    tags: tuple[str, ...]


def from_layout(archive: Archive) -> list[Image]:
    """Returns the images of an OCI layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md)."""
    archive.file("oci-layout")
    try:
        return _images(archive)
    except (KeyError, TypeError, AttributeError) as error:
        raise RelayError(f"{archive.path} cannot be read as an OCI layout: {error!r}") from error


def _images(archive: Archive) -> list[Image]:
    index = _json(archive.document("index.json"), f"index.json in {archive.path}")
    tags: dict[str, list[str]] = {}
    roots: dict[str, Manifest] = {}
    for descriptor in index.get("manifests", []):
        manifest = _manifest(archive, descriptor, 0)
        roots[manifest.digest] = manifest
        tags.setdefault(manifest.digest, []).extend(tags_in((descriptor.get("annotations") or {}).get(REF_NAME)))
    return [Image(manifest, tuple(dict.fromkeys(tags[digest]))) for digest, manifest in roots.items()]


def _manifest(archive: Archive, descriptor: Document, depth: int) -> Manifest:
    digest = str(descriptor.get("digest"))
    if depth > MAX_DEPTH:
        raise RelayError(f"{archive.path} has indexes {MAX_DEPTH} deep, down to {digest}: push its images one by one")
    content = read_document(_blob(archive, digest), f"{digest} in {archive.path}")
    if not Digest.parse(digest).matches(content):
        raise RelayError(f"{digest} in {archive.path} does not match its digest: write the layout again")
    document = _json(content, f"{digest} in {archive.path}")
    media_type = document.get("mediaType") or descriptor.get("mediaType")
    if media_type in INDEXES or "manifests" in document:
        blobs = _blobs(archive, (entry for entry in document.get("manifests", []) if _is_blob(archive, entry)))
        others = (entry for entry in document.get("manifests", []) if str(entry.get("digest")) not in blobs)
        children = tuple(_manifest(archive, child, depth + 1) for child in others)
        return Manifest(content, str(media_type or OCI_INDEX), digest, blobs, children)
    descriptors = (
        [document["config"], *document.get("layers", [])] if "config" in document else document.get("blobs", [])
    )
    blobs = _blobs(archive, (descriptor for descriptor in descriptors if not _is_foreign(descriptor)))
    return Manifest(content, str(media_type or OCI_MANIFEST), digest, blobs)


def _blobs(archive: Archive, descriptors: Iterable[Document]) -> dict[str, FileSlice]:
    digests = (str(descriptor["digest"]) for descriptor in descriptors)
    return {digest: _blob(archive, digest) for digest in digests}


def _is_blob(archive: Archive, entry: Document) -> bool:
    """Whether an index lists a blob, as BuildKit's cache does. A manifest of another type repeats its type inside."""
    media_type = entry.get("mediaType")
    if not media_type or media_type in MANIFESTS:
        return False
    file = _blob(archive, str(entry["digest"]))
    try:
        document = json.loads(file.read()) if file.size <= LARGEST_DOCUMENT else None
    except ValueError:
        return True
    return not isinstance(document, dict) or document.get("mediaType") != media_type


def _is_foreign(descriptor: Document) -> bool:
    return is_foreign(str(descriptor.get("mediaType", "")))


def _blob(archive: Archive, digest: str) -> FileSlice:
    try:
        parsed = Digest.parse(digest)
    except RegistryError as error:
        raise RelayError(f"{archive.path}: {error}") from error
    return archive.file(f"blobs/{parsed.algorithm}/{parsed.hex}")


def tags_in(name: Any) -> list[str]:
    """Returns the tag of `1.0` or `registry.example/app:1.0`, or nothing if the name has no tag."""
    if not name:
        return []
    text = str(name).partition("@")[0]
    _, colon, tail = text.rpartition(":")
    tag = tail if colon and "/" not in tail else "" if "/" in text else text
    try:
        return [Tag.parse(tag)] if tag else []
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


def from_docker_archive(archive: Archive, on_bytes: Callable[[int], None]) -> list[Image]:
    """Returns the images of a `docker save` archive with their tags, and makes their manifests.

    Layers are pushed as they are stored. `on_bytes` gets the number of bytes of each block hashed.
    """
    try:
        listing = json.loads(archive.document("manifest.json"))
        return [_image(archive, entry, on_bytes) for entry in listing]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RelayError(f"manifest.json in {archive.path} cannot be read: {error!r}") from error


def _image(archive: Archive, entry: dict[str, Any], on_bytes: Callable[[int], None]) -> Image:
    config = archive.file(entry["Config"])
    layers = [archive.file(name) for name in entry["Layers"] or []]
    descriptors = [
        _descriptor(config, DOCKER_CONFIG, on_bytes),
        *(_descriptor(layer, _layer_type(layer), on_bytes) for layer in layers),
    ]
    document = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": descriptors[0], "layers": descriptors[1:]}
    blobs = {str(descriptor["digest"]): layer for descriptor, layer in zip(descriptors, [config, *layers], strict=True)}
    tags = [tag for name in entry.get("RepoTags") or [] for tag in tags_in(name)]
    return Image(Manifest.of(json.dumps(document).encode(), DOCKER_MANIFEST, blobs), tuple(dict.fromkeys(tags)))


def _descriptor(content: FileSlice, media_type: str, on_bytes: Callable[[int], None]) -> dict[str, Any]:
    return {"mediaType": media_type, "size": content.size, "digest": content.digest("sha256", on_bytes)}


def _layer_type(layer: FileSlice) -> str:
    with SliceReader(layer) as reader:
        return f"{LAYER}.gzip" if reader.read(2) == GZIP else LAYER
