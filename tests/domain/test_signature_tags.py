"""Signature tags: tags named after the manifest that they belong to."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.signature_tags import is_signature_tag, is_signature_tag_of

HEX = "0f" * 32
SIGNATURE = Digest.of(b"signature")


@pytest.mark.parametrize("ending", ["", ".sig", ".att", ".sbom"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_tag_named_after_another_manifest_is_a_signature_tag(algorithm: str, ending: str) -> None:
    assert is_signature_tag(f"{algorithm}-{HEX}{ending}", SIGNATURE)


@pytest.mark.parametrize(
    "tag",
    [
        "v1.sig",
        f"sha256-{HEX}.txt",
        f"sha256-{HEX[:-1]}",
        f"sha256-{HEX[:-1]}.sig",
        f"sha256-{HEX}0",
        f"sha256-{HEX.upper()}",
        f"sha1-{HEX}",
        f"{HEX}",
        f"my-sha256-{HEX}",
        "x.sbom",
        f"sha256-{HEX}.sig.sig",
        f"sha256-{HEX}.",
    ],
)
def test_any_other_tag_is_no_signature_tag(tag: str) -> None:
    assert not is_signature_tag(tag, SIGNATURE)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("ending", ["", ".sig"])
def test_a_tag_that_is_named_after_the_manifest_that_it_names_is_an_ordinary_one(algorithm: str, ending: str) -> None:
    digest = Digest.of(b"image", algorithm)

    assert not is_signature_tag(f"{algorithm}-{digest.hex[:64]}{ending}", digest)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_signature_tag_has_64_digits_of_its_subject_and_none_of_another(algorithm: str) -> None:
    subject, other = Digest.of(b"image", algorithm), Digest.of(b"other", algorithm)
    tag = f"{algorithm}-{subject.hex[:64]}"

    assert is_signature_tag_of(subject, tag, SIGNATURE)
    assert is_signature_tag_of(subject, tag + ".sig", SIGNATURE)
    assert not is_signature_tag_of(other, tag, SIGNATURE)
    assert not is_signature_tag_of(subject, tag + ".txt", SIGNATURE)
    assert not is_signature_tag_of(subject, tag, subject)
