"""Every key of the bucket. No other file spells one.

in/<repository>/<attempt>                bytes that we wrote: a key for every attempt
in/<repository>/<digest>/<upload>        bytes that the upload edge or a presigned upload wrote
staging/<repository>/<digest>/<upload>   the same, not proven yet
bodies/<repository>/<ulid>               manifests that do not fit into an item
exports/<sha256>                         files of the usage log, by the hash of what opens them
"""

import re

from chalicelib.domain.digests import Digest

# Where all bytes of blobs lie, and where those wait that nobody has proven.
INCOMING, STAGING = "in/", "staging/"
# Where manifests lie that do not fit into an item.
BODIES = "bodies/"
# Where nothing lies, as no repository has this id: listed to see whether the bucket answers.
NOWHERE = INCOMING + "none/"
ATTEMPT, BODY = re.compile(r"in/[^/]+/[^/]+"), re.compile(r"bodies/([^/]+)/[^/]+")
EDGE_KEY = re.compile(r"in/[^/]+/(sha256:[0-9a-f]{64})/[^/]+")


def incoming(repository_id: str, attempt: str) -> str:
    """The S3 key of a blob's bytes that we write: one for every attempt, never used twice."""
    return f"{INCOMING}{repository_id}/{attempt}"


def edge_prefix(repository_id: str, digest: Digest) -> str:
    """Where the upload edge writes the bytes of a digest."""
    return f"{INCOMING}{repository_id}/{digest}/"


def staging_prefix(repository_id: str, digest: Digest) -> str:
    """Where the upload edge writes what it says are the bytes of a digest, when S3 cannot prove it."""
    return f"{STAGING}{repository_id}/{digest}/"


def out_of_staging(s3_key: str) -> str:
    """Where the bytes of a staged key go once they are proven."""
    return INCOMING + s3_key.removeprefix(STAGING)


def edge_digest(s3_key: str) -> Digest | None:
    """The digest that the upload edge, or a presigned upload, wrote a key for; None for any other key."""
    match = EDGE_KEY.fullmatch(s3_key)
    return Digest.parse(match[1]) if match else None


def manifest_body(repository_id: str, ulid: str) -> str:
    """The S3 key of a manifest's bytes that do not fit into an item."""
    return f"{BODIES}{repository_id}/{ulid}"


def body_owner(s3_key: str) -> str | None:
    """The repository whose manifest's bytes a key is for; None for any other key."""
    match = BODY.fullmatch(s3_key)
    return match[1] if match else None


def is_attempt(s3_key: str) -> bool:
    """Whether a key is one that we wrote bytes of a blob under."""
    return ATTEMPT.fullmatch(s3_key) is not None


def export(sha256: str) -> str:
    """The S3 key of a file of the usage log."""
    return f"exports/{sha256}"
