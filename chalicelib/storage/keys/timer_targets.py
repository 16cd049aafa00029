"""What the text of a timer says that it is for; `timers` writes them. A pull loads none of this."""

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
    """A repository's pulls of the hour that begins at a second."""

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
    """What a timer is for. Raises ValueError for what no timer is for."""
    found: Target
    match target.split("#"):
        case ["R", repository_id, "MAN", digest]:
            found = ManifestTarget(repository_id, Digest.parse(digest))
        case ["R", repository_id, "BLOB", digest]:
            found = LinkTarget(repository_id, Digest.parse(digest))
        case ["R", repository_id, "TAG", name, life]:
            found = TagTarget(repository_id, name, life)
        case ["BLOB", digest]:
            found = BytesTarget(Digest.parse(digest))
        case ["KEY", digest, s3_key]:
            found = KeyTarget(Digest.parse(digest), s3_key)
        case ["N", namespace_id]:
            found = NamespaceTarget(namespace_id)
        case ["R", repository_id]:
            found = RepositoryTarget(repository_id)
        case ["R", repository_id, "HOUR", hour] if hour.isdecimal():
            found = HourTarget(repository_id, int(hour))
        case ["UP", upload_id]:
            found = UploadTarget(upload_id)
        case _:
            raise ValueError(f"no timer is for {target}")
    return found
