"""Parses the targets that `timers` builds. It is a module of its own because pulls do not need it."""

from dataclasses import dataclass

from chalicelib.domain.digests import Digest


@dataclass(frozen=True, slots=True)
class ManifestTarget:
    """A manifest of a repository."""

    repository_id: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """A link from a repository to a blob."""

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
    """A former S3 key of a blob."""

    digest: Digest
    s3_key: str


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """An upload."""

    upload_id: str


@dataclass(frozen=True, slots=True)
class NamespaceTarget:
    """A namespace with all its repositories."""

    namespace_id: str


@dataclass(frozen=True, slots=True)
class RepositoryTarget:
    """A repository."""

    repository_id: str


@dataclass(frozen=True, slots=True)
class HourTarget:
    """A repository's pulls in the hour that begins at the second `hour`."""

    repository_id: str
    hour: int


Target = (
    ManifestTarget
    | LinkTarget
    | TagTarget
    | BytesTarget
    | KeyTarget
    | UploadTarget
    | NamespaceTarget
    | RepositoryTarget
    | HourTarget
)


def read_target(target: str) -> Target:
    """Parses the target of a timer. Raises ValueError for any other text."""
    parsed: Target
    match target.split("#"):
        case ["R", repository_id, "MAN", digest]:
            parsed = ManifestTarget(repository_id, Digest.parse(digest))
        case ["R", repository_id, "BLOB", digest]:
            parsed = LinkTarget(repository_id, Digest.parse(digest))
        case ["R", repository_id, "TAG", name, life]:
            parsed = TagTarget(repository_id, name, life)
        case ["BLOB", digest]:
            parsed = BytesTarget(Digest.parse(digest))
        case ["KEY", digest, s3_key]:
            parsed = KeyTarget(Digest.parse(digest), s3_key)
        case ["N", namespace_id]:
            parsed = NamespaceTarget(namespace_id)
        case ["R", repository_id]:
            parsed = RepositoryTarget(repository_id)
        case ["R", repository_id, "HOUR", hour] if hour.isdecimal():
            parsed = HourTarget(repository_id, int(hour))
        case ["UP", upload_id]:
            parsed = UploadTarget(upload_id)
        case _:
            raise ValueError(f"no timer is for {target}")
    return parsed
