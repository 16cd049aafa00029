"""Siblings: tags that hold what was signed or said of a manifest, under its digest, as cosign writes them."""

import re

from chalicelib.domain.digests import Digest

ENDINGS = ("sig", "att", "sbom")
SIBLING = re.compile(r"sha256-([0-9a-f]{64})\.(sig|att|sbom)")


def is_sibling(tag: str) -> bool:
    """Whether a tag is there for the sake of a manifest that its name tells."""
    return SIBLING.fullmatch(tag) is not None


def siblings(subject: Digest) -> list[str]:
    """The tags that may be there for the sake of a manifest; a longer digest does not fit into a tag."""
    return [f"sha256-{subject.hex}.{ending}" for ending in ENDINGS] if subject.algorithm == "sha256" else []
