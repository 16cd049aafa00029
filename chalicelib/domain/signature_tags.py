"""Siblings: tags that hold what was signed or said of a manifest, under its digest, as cosign writes them."""

import re

SIGNATURE_TAG = re.compile(r"sha256-[0-9a-f]{64}\.(sig|att|sbom)")


def is_signature_tag(tag: str) -> bool:
    """Whether a tag is there for the sake of a manifest that its name tells."""
    return SIGNATURE_TAG.fullmatch(tag) is not None
