"""Builds and reads every key of the bucket. No other file spells one.

in/<repository>/<attempt>                        bytes that the registry wrote, one key for each attempt
in/<repository>/<algorithm>/<hex>/<upload>       bytes that came over the upload edge or a presigned URL
staging/<repository>/<algorithm>/<hex>/<upload>  the same, while their digest is not verified
bodies/<repository>/<ulid>                       manifests that are too long for an item
exports/<sha256>                                 exported usage logs, by the hash of the secret in their URL

A key has letters, digits, `-`, `.`, `_` and `/`, which no client and no signature escapes; a colon "might require
special handling" (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
infra/terraform/edge spells the second and third kind too; tests/infra/edge/vectors.json holds both to one grammar.
"""

import re

from chalicelib.domain.digests import Digest

# The prefix of all bytes of blobs, and the prefix of those whose digest is not verified yet.
INCOMING, STAGING = "in/", "staging/"
# The prefix of manifests that are too long for an item.
BODIES = "bodies/"
# An empty prefix, as no repository has this id. The health check lists it.
NOWHERE = INCOMING + "none/"
ATTEMPT, BODY = re.compile(r"in/[^/]+/[^/]+"), re.compile(r"bodies/([^/]+)/[^/]+")
EDGE_KEY = re.compile(r"in/[^/]+/(sha256)/([0-9a-f]{64})/[^/]+")


def incoming(repository_id: str, attempt: str) -> str:
    """Returns the S3 key of a blob's bytes that the registry writes; each attempt has its own, never used twice."""
    return f"{INCOMING}{repository_id}/{attempt}"


def edge_prefix(repository_id: str, digest: Digest) -> str:
    """Returns the prefix of the keys under which the upload edge writes the bytes of a digest."""
    return f"{INCOMING}{repository_id}/{digest.algorithm}/{digest.hex}/"


def staging_prefix(repository_id: str, digest: Digest) -> str:
    """Returns the prefix of keys for bytes of a claimed digest that S3 cannot verify itself."""
    return f"{STAGING}{repository_id}/{digest.algorithm}/{digest.hex}/"


def out_of_staging(s3_key: str) -> str:
    """Returns the key to which the bytes of a staged key are copied once their digest is verified."""
    return INCOMING + s3_key.removeprefix(STAGING)


def edge_digest(s3_key: str) -> Digest | None:
    """Returns the digest in a key of the upload edge or of a presigned URL; None for any other key."""
    match = EDGE_KEY.fullmatch(s3_key)
    return Digest.parse(f"{match[1]}:{match[2]}") if match else None


def manifest_body(repository_id: str, ulid: str) -> str:
    """Returns the S3 key of a manifest that is too long for an item."""
    return f"{BODIES}{repository_id}/{ulid}"


def body_owner(s3_key: str) -> str | None:
    """Returns the repository's id in the key of a manifest's bytes; None for any other key."""
    match = BODY.fullmatch(s3_key)
    return match[1] if match else None


def is_attempt(s3_key: str) -> bool:
    """Whether the registry itself wrote bytes of a blob under a key."""
    return ATTEMPT.fullmatch(s3_key) is not None


def export(sha256: str) -> str:
    """Returns the S3 key of an exported usage log."""
    return f"exports/{sha256}"
