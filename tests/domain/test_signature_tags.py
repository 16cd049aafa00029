"""Signature tags: tags named after the manifest that they belong to."""

import pytest

from chalicelib.domain.signature_tags import is_signature_tag

HEX = "0f" * 32


@pytest.mark.parametrize("ending", ["sig", "att", "sbom"])
def test_a_tag_named_after_a_manifest_is_a_signature_tag(ending: str) -> None:
    assert is_signature_tag(f"sha256-{HEX}.{ending}")


@pytest.mark.parametrize(
    "tag", ["v1.sig", f"sha256-{HEX}", f"sha256-{HEX}.txt", f"sha256-{HEX[:-1]}.sig", "x.sbom", f"sha256-{HEX}.sig.sig"]
)
def test_any_other_tag_is_no_signature_tag(tag: str) -> None:
    assert not is_signature_tag(tag)
