"""What timers are for: texts that name what is to be looked at, and what they say."""

from dataclasses import dataclass

from chalicelib.domain.digests import Digest


@dataclass(frozen=True, slots=True)
class ManifestTarget:
    """A manifest of a repository."""

    repository_id: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """A repository's link to a blob."""

    repository_id: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class TagTarget:
    """One life of a tag; `name` is the tag's."""

    repository_id: str
    name: str
    life: str


@dataclass(frozen=True, slots=True)
class BytesTarget:
    """A blob over all repositories."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class KeyTarget:
    """A key of the bucket that was a blob's."""

    digest: Digest
    s3_key: str


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """An upload."""

    upload_id: str


Target = ManifestTarget | LinkTarget | TagTarget | BytesTarget | KeyTarget | UploadTarget


def blob_target(repository_id: str, digest: Digest) -> str:
    """What a garbage timer for a blob link is for."""
    return f"R#{repository_id}#BLOB#{digest}"


def manifest_target(repository_id: str, digest: Digest) -> str:
    """What a garbage timer for a manifest is for."""
    return f"R#{repository_id}#MAN#{digest}"


def tag_target(repository_id: str, name: str, life: str) -> str:
    """What the timer of a tag's end is for."""
    return f"R#{repository_id}#TAG#{name}#{life}"


def bytes_target(digest: Digest) -> str:
    """What a garbage timer for a blob that lost a link is for."""
    return f"BLOB#{digest}"


def key_target(digest: Digest, s3_key: str) -> str:
    """What the timer of a key that is to be deleted is for."""
    return f"KEY#{digest}#{s3_key}"


def upload_target(upload_id: str) -> str:
    """What the timer of an upload's end is for."""
    return f"UP#{upload_id}"


def read_target(target: str) -> Target:
    """What a timer is for. Raises ValueError for what no timer is for."""
    match target.split("#"):
        case ["R", repository_id, "MAN", digest]:
            return ManifestTarget(repository_id, Digest.parse(digest))
        case ["R", repository_id, "BLOB", digest]:
            return LinkTarget(repository_id, Digest.parse(digest))
        case ["R", repository_id, "TAG", name, life]:
            return TagTarget(repository_id, name, life)
        case ["BLOB", digest]:
            return BytesTarget(Digest.parse(digest))
        case ["KEY", digest, s3_key]:
            return KeyTarget(Digest.parse(digest), s3_key)
        case ["UP", upload_id]:
            return UploadTarget(upload_id)
    raise ValueError(f"no timer is for {target}")
