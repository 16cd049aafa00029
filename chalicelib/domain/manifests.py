"""Manifests: what a pushed document names, and whether it is acceptable."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DigestInvalid, ManifestInvalid, ManifestTooLarge
from chalicelib.domain.nesting import DEEPEST, is_too_deep

MAXIMUM_BYTES = 4 * 1024 * 1024
# Each descriptor costs reads and a write when its manifest is pushed.
MOST_DESCRIPTORS = 10_000
# What the clients' int64 holds: each of them would read a number beyond it differently.
INT64, LONGEST_INT64 = range(-(2**63), 2**63), len(str(-(2**63)))
TOO_DEEP = f"nested too deeply: at most {DEEPEST} levels"
# Lone surrogates: JSON can escape them, UTF-8 cannot encode them.
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to content in a manifest (https://github.com/opencontainers/image-spec/blob/main/descriptor.md).

    `size` is in bytes, None if it is not written.
    """

    media_type: str
    digest: Digest
    size: int | None

    @property
    def is_manifest(self) -> bool:
        """Whether it is a manifest by its type. Content of any other type may be one too, or a blob."""
        return self.media_type in media_types.MANIFESTS


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest with its exact bytes.

    `blobs` are its config and layers, `foreign` its non-distributable layers, which need not be in the repository.
    """

    content: bytes
    digest: Digest
    media_type: str
    blobs: tuple[Descriptor, ...]
    foreign: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]
    config: Descriptor | None
    subject: Digest | None
    artifact_type: str | None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The size of the document itself, in bytes."""
        return len(self.content)

    @property
    def possible_blobs(self) -> tuple[Descriptor, ...]:
        """The entries of an index that are blobs unless manifests have their digests.

        BuildKit's registry cache is an index of layers. The type alone does not tell, since artifacts have any type.
        """
        return tuple(child for child in self.children if not child.is_manifest)

    @property
    def kept_blobs(self) -> tuple[Descriptor, ...]:
        """All that the manifest keeps if the repository has it as a blob: each has an edge."""
        return (*self.blobs, *self.foreign, *self.possible_blobs)

    @property
    def layers_size(self) -> int | None:
        """The size of an image's layers, which are compressed, in bytes; None if the manifest is no image."""
        if self.media_type not in media_types.IMAGES or self.config is None:
            return None
        return sum(blob.size or 0 for blob in (*self.blobs, *self.foreign) if blob != self.config)


def parse_pushed(content: bytes, content_type: str, algorithm: str = "sha256") -> Manifest:
    """Parses a manifest that is pushed, as `parse_manifest` does, and refuses what is not stored any more.

    Raises ManifestInvalid also for more than 10,000 descriptors, for whole numbers beyond 64 bits, and for what some
    clients read as an image and others as an index.
    """
    manifest = _parsed(content, content_type, algorithm, _pushed_object)
    if manifest.media_type in media_types.INDEXES and (manifest.blobs or manifest.foreign):
        raise ManifestInvalid(f"an index ({manifest.media_type}) has only 'manifests', and no 'config' or layers")
    return manifest


def parse_manifest(content: bytes, content_type: str, algorithm: str = "sha256") -> Manifest:
    """Parses a stored manifest. Unknown fields are kept, since the exact bytes are stored.

    `content_type` is the header, or an empty text. Raises ManifestTooLarge over 4 MiB, ManifestInvalid if the content
    is not a valid manifest in JSON, DigestInvalid if a digest in it is malformed.
    """
    return _parsed(content, content_type, algorithm, _object)


def _pushed_object(content: bytes) -> dict[str, object]:
    document = _object(content, parse_int=_int64)
    if isinstance(document.get("schemaVersion"), float):
        raise ManifestInvalid("'schemaVersion' is not a whole number")
    _check_number(document)
    _check_kind(document)
    return document


def _check_number(document: Mapping[str, object]) -> None:
    lists = [document.get(name) for name in ("layers", "blobs", "manifests")]
    number = sum(len(entries) for entries in lists if isinstance(entries, list))
    number += sum(document.get(name) is not None for name in ("config", "subject"))
    if number > MOST_DESCRIPTORS:
        raise ManifestInvalid(
            f"it has {number} descriptors and may have {MOST_DESCRIPTORS}: split it into several manifests"
        )


def _check_kind(document: Mapping[str, object]) -> None:
    """Refuses a document that is an image and an index at once.

    https://github.com/opencontainers/image-spec/blob/main/manifest.md#image-manifest
    """
    others = [name for name in ("config", "layers", "blobs") if document.get(name) is not None]
    if others and document.get("manifests") is not None:
        raise ManifestInvalid(
            f"it has both 'manifests' and '{others[0]}', so that it is an index to some clients and an image to"
            " others: push an index and an image instead"
        )


def check_sizes(manifest: Manifest, sizes: Mapping[Digest, int]) -> None:
    """Raises ManifestInvalid if a descriptor has another size than what it names; `sizes` has those that are known."""
    for named in (*manifest.blobs, *manifest.foreign, *manifest.children):
        size = sizes.get(named.digest)
        if None not in (named.size, size) and named.size != size:
            raise ManifestInvalid(f"'size' of {named.digest} is {named.size}, but it has {size} bytes")


def _parsed(content: bytes, content_type: str, algorithm: str, parse: Callable[[bytes], dict[str, object]]) -> Manifest:
    if len(content) > MAXIMUM_BYTES:
        raise ManifestTooLarge(MAXIMUM_BYTES)
    document = parse(content)
    media_type = _media_type(document, media_types.bare(content_type))
    annotations = document.get("annotations") or {}
    if not isinstance(annotations, dict) or not all(isinstance(value, str) for value in annotations.values()):
        raise ManifestInvalid("'annotations' maps strings to strings")
    if any(SURROGATE.search(text) for pair in annotations.items() for text in pair):
        raise ManifestInvalid("'annotations' holds a lone surrogate, which UTF-8 cannot encode")
    config = _descriptor(document.get("config"), "config")
    if config is None and media_type in media_types.IMAGES:
        raise ManifestInvalid(f"'config' is missing, which {media_type} requires")
    layers = _descriptors(document, "layers") + _descriptors(document, "blobs")
    blobs = (*([config] if config else []), *layers)
    subject = _descriptor(document.get("subject"), "subject")
    return Manifest(
        content=content,
        digest=Digest.of(content, algorithm),
        media_type=media_type,
        blobs=tuple(blob for blob in blobs if not media_types.is_foreign(blob.media_type)),
        foreign=tuple(blob for blob in blobs if media_types.is_foreign(blob.media_type)),
        children=_descriptors(document, "manifests"),
        config=config,
        subject=subject.digest if subject else None,
        artifact_type=_artifact_type(document, media_type, config),
        annotations=annotations,
    )


def _object(content: bytes, parse_int: Callable[[str], int] = int) -> dict[str, object]:
    try:
        document = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=parse_int
        )
    except ValueError as error:
        raise ManifestInvalid(f"not JSON in UTF-8: {error}") from error
    except RecursionError as error:
        raise ManifestInvalid(TOO_DEEP) from error
    if is_too_deep(document):
        raise ManifestInvalid(TOO_DEEP)
    if not isinstance(document, dict):
        raise ManifestInvalid("not a JSON object")
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Builds an object and refuses duplicate keys, since parsers disagree on which of two counts."""
    document: dict[str, object] = {}
    for key, value in pairs:
        if key in document:
            raise ManifestInvalid(f"duplicate key {key[:80]!r}")
        document[key] = value
    return document


def _int64(text: str) -> int:
    if len(text) <= LONGEST_INT64 and (number := int(text)) in INT64:
        return number
    raise ManifestInvalid(f"the number {text[:40]} does not fit into 64 bits")


def _no_constant(text: str) -> object:
    raise ManifestInvalid(f"{text} is not JSON")


def _media_type(document: Mapping[str, object], content_type: str) -> str:
    written = document.get("mediaType")
    if written is not None and (not isinstance(written, str) or not written):
        raise ManifestInvalid("'mediaType' is not a string")
    if document.get("schemaVersion") == 1 or written in media_types.DOCKER_SCHEMA_1:
        raise ManifestInvalid("docker schema 1 is not supported: push with a client newer than docker 1.10")
    # curl and old scripts send generic types, which do not tell a manifest's type.
    header = "" if content_type in ("application/json", "application/octet-stream", "text/plain") else content_type
    if written and header and written != header:
        raise ManifestInvalid(f"'mediaType' is {written!r} but Content-Type is {header!r}")
    media_type = _grammatical(written or header or _guess(document), "mediaType")
    if media_types.is_shown(media_type):
        raise ManifestInvalid(
            f"'mediaType' is {media_type[:80]!r}, which browsers show or run: use a manifest's own, such as "
            f"{media_types.OCI_MANIFEST}, and say in 'artifactType' what it describes"
        )
    if media_type in media_types.VERSIONED and document.get("schemaVersion") != 2:
        raise ManifestInvalid(f"'schemaVersion' of {media_type} must be 2")
    return media_type


def _guess(document: Mapping[str, object]) -> str:
    if "manifests" in document:
        return media_types.OCI_INDEX
    if "config" in document or "layers" in document:
        return media_types.OCI_MANIFEST
    raise ManifestInvalid("neither 'mediaType' nor Content-Type names its type")


def _artifact_type(document: Mapping[str, object], media_type: str, config: Descriptor | None) -> str | None:
    """Returns the artifact type that referrers are listed with.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
    """
    written = document.get("artifactType")
    if written is not None and not isinstance(written, str):
        raise ManifestInvalid("'artifactType' is not a string")
    artifact_type = written if written or media_type in media_types.INDEXES else config.media_type if config else None
    return _grammatical(artifact_type, "artifactType") if artifact_type else None


def _grammatical(media_type: str, name: str) -> str:
    if not media_types.GRAMMAR.fullmatch(media_type):
        raise ManifestInvalid(f"'{name}' is not a media type: {media_type[:80]!r}")
    return media_type


def _descriptors(document: Mapping[str, object], name: str) -> tuple[Descriptor, ...]:
    entries = document.get(name)
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise ManifestInvalid(f"'{name}' is not a list")
    return tuple(_present(entries, name))


def _present(entries: list[object], name: str) -> Iterator[Descriptor]:
    for index, entry in enumerate(entries):
        descriptor = _descriptor(entry, f"{name}[{index}]")
        if descriptor is None:
            raise ManifestInvalid(f"'{name}[{index}]' is not a descriptor")
        yield descriptor


def _descriptor(value: object, name: str) -> Descriptor | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ManifestInvalid(f"'{name}' is not a descriptor")
    media_type, digest, size = value.get("mediaType", ""), value.get("digest"), value.get("size")
    if not isinstance(media_type, str) or not isinstance(digest, str):
        raise ManifestInvalid(f"'{name}' lacks a mediaType or digest")
    if "size" in value and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise ManifestInvalid(f"'{name}.size' is not a number of bytes")
    return Descriptor(media_type, Digest.parse(digest), size)


def children_of(index: bytes) -> list[Descriptor]:
    """Returns what a stored index lists as `manifests`, in order and without duplicates of digests."""
    entries: dict[Digest, Descriptor] = {}
    for entry in _descriptors(json.loads(index), "manifests"):
        entries.setdefault(entry.digest, entry)
    return list(entries.values())


def check_digest(manifest: Manifest, digest: Digest) -> None:
    """Raises DigestInvalid if a manifest that is pushed by digest has another digest."""
    if manifest.digest != digest:
        raise DigestInvalid(str(digest), f"the manifest that came has {manifest.digest}")
