"""Siblings: tags that hold what was signed or said of a manifest, under its digest, as cosign writes them."""

import re

SIBLING = re.compile(r"sha256-[0-9a-f]{64}\.(sig|att|sbom)")


def is_sibling(tag: str) -> bool:
    """Whether a tag is there for the sake of a manifest that its name tells."""
    return SIBLING.fullmatch(tag) is not None
