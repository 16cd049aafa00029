"""Signature tags: cosign stores a manifest's signature, attestation or SBOM under a tag named after its digest."""

import re

SIGNATURE_TAG = re.compile(r"sha256-[0-9a-f]{64}\.(sig|att|sbom)")


def is_signature_tag(tag: str) -> bool:
    """Whether a tag is named after a manifest in cosign's way."""
    return SIGNATURE_TAG.fullmatch(tag) is not None
