"""Builds the targets of timers; `timer_targets` reads them."""

from chalicelib.domain.digests import Digest


def blob_target(repository_id: str, digest: Digest) -> str:
    """The target of a garbage timer for a link to a blob."""
    return f"R#{repository_id}#BLOB#{digest}"


def manifest_target(repository_id: str, digest: Digest) -> str:
    """The target of a garbage timer for a manifest."""
    return f"R#{repository_id}#MAN#{digest}"


def tag_target(repository_id: str, name: str, life: str) -> str:
    """The target of the timer that ends a tag."""
    return f"R#{repository_id}#TAG#{name}#{life}"


def bytes_target(digest: Digest) -> str:
    """The target of a garbage timer for a blob that lost a link."""
    return f"BLOB#{digest}"


def key_target(digest: Digest, s3_key: str) -> str:
    """The target of the timer that deletes an S3 key."""
    return f"KEY#{digest}#{s3_key}"


def upload_target(upload_id: str) -> str:
    """The target of the timer that ends an upload."""
    return f"UP#{upload_id}"


def namespace_target(namespace_id: str) -> str:
    """The target of a timer that applies a namespace's policies."""
    return f"N#{namespace_id}"


def repository_target(repository_id: str) -> str:
    """The target of a timer that applies a repository's policies."""
    return f"R#{repository_id}"


def hour_target(repository_id: str, hour: int) -> str:
    """The target of a timer that counts a repository's pulls of an hour."""
    return f"R#{repository_id}#HOUR#{hour}"
