"""Signature tags: a manifest's signatures, attestations and SBOMs are stored under tags named after its digest.

cosign adds an ending to the name. Clients of registries without a list of referrers use the name without an ending
for an index of the referrers (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema).
"""

import re

from chalicelib.domain.digests import HEX_LENGTH, Digest

# A tag has at most 128 characters, so that longer digests are cut.
DIGITS = 64
SIGNATURE_TAG = re.compile(rf"((?:{'|'.join(HEX_LENGTH)})-[0-9a-f]{{{DIGITS}}})(?:\.(?:sig|att|sbom))?")


def stem(subject: Digest) -> str:
    """Returns the beginning of the names of a manifest's signature tags."""
    return f"{subject.algorithm}-{subject.hex[:DIGITS]}"


def is_signature_tag(tag: str, digest: Digest) -> bool:
    """Whether a tag that names the manifest `digest` is named after another manifest.

    A tag with the digest of the very manifest that it names is an ordinary one.
    """
    match = SIGNATURE_TAG.fullmatch(tag)
    return match is not None and match[1] != stem(digest)


def is_signature_tag_of(subject: Digest, tag: str, digest: Digest) -> bool:
    """Whether a tag that names the manifest `digest` is a signature tag of the manifest `subject`."""
    return is_signature_tag(tag, digest) and tag.startswith(stem(subject))
