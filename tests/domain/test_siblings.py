"""Siblings: tags named after what they are about."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.siblings import is_sibling, siblings

SUBJECT = Digest.of(b"subject")


@pytest.mark.parametrize("tag", siblings(SUBJECT))
def test_what_is_named_after_a_manifest_is_its_sibling(tag: str) -> None:
    assert is_sibling(tag)
    assert tag.startswith(f"sha256-{SUBJECT.hex}.")


@pytest.mark.parametrize(
    "tag", ["v1.sig", f"sha256-{SUBJECT.hex}", f"sha256-{SUBJECT.hex}.txt", f"sha256-{SUBJECT.hex[:-1]}.sig", "x.sbom"]
)
def test_another_tag_is_none(tag: str) -> None:
    assert not is_sibling(tag)


def test_a_digest_that_is_too_long_for_a_tag_has_none() -> None:
    assert siblings(Digest.of(b"subject", "sha512")) == []
