"""What timers are for, as texts; `targets` reads them."""

from chalicelib.domain.digests import Digest


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


def namespace_target(namespace_id: str) -> str:
    """What a timer is for that looks after a namespace's policies."""
    return f"N#{namespace_id}"


def repository_target(repository_id: str) -> str:
    """What a timer is for that looks after a repository's policies."""
    return f"R#{repository_id}"


def hour_target(repository_id: str, hour: int) -> str:
    """What a timer is for that adds a repository's pulls of an hour up."""
    return f"R#{repository_id}#HOUR#{hour}"
