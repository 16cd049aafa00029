"""Digests: their grammar and their computation."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.digests import HEX_LENGTH, Digest, parse_algorithm
from chalicelib.domain.errors import DigestInvalid

HEX = "0123456789abcdef"
VALID = "sha256:" + "a" * 64


@pytest.mark.parametrize(("algorithm", "length"), HEX_LENGTH.items())
def test_a_digest_parses_back_as_it_was_written(algorithm: str, length: int) -> None:
    text = f"{algorithm}:{HEX * (length // 16)}"

    assert str(Digest.parse(text)) == text


@given(st.binary(max_size=300), st.sampled_from(sorted(HEX_LENGTH)))
def test_the_digest_of_content_equals_hashlibs(content: bytes, algorithm: str) -> None:
    digest = Digest.of(content, algorithm)

    assert digest.hex == hashlib.new(algorithm, content).hexdigest()
    assert Digest.parse(str(digest)) == digest
    assert digest.matches(content)
    assert not digest.matches(content + b"\0")
    assert base64.b64decode(digest.base64) == hashlib.new(algorithm, content).digest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        "a" * 64,
        ":" + "a" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "SHA256:" + "a" * 64,
        "sha256:" + "g" * 64,
        "sha512:" + "a" * 64,
        "sha256:" + "a" * 128,
        "sha256 :" + "a" * 64,
        " " + VALID,
        VALID + "\n",
        VALID + ":" + "a" * 64,
        "sha256:" + "\u0661" * 64,
        "sha256:../../" + "a" * 58,
        "sha256+b64:" + "a" * 64,
    ],
)
def test_a_text_that_is_not_a_digest_is_refused(text: str) -> None:
    with pytest.raises(DigestInvalid):
        Digest.parse(text)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha384", "blake3", "sha3-256"])
def test_an_unsupported_algorithm_is_refused_and_the_supported_ones_are_named(algorithm: str) -> None:
    with pytest.raises(DigestInvalid, match="use sha256 or sha512"):
        Digest.parse(f"{algorithm}:{'a' * 64}")
    with pytest.raises(DigestInvalid, match="use sha256 or sha512"):
        parse_algorithm(algorithm)


def test_a_digest_of_the_wrong_length_is_refused_and_the_right_length_is_named() -> None:
    with pytest.raises(DigestInvalid, match="sha512 has 128 lower-case hexadecimal digits"):
        Digest.parse("sha512:abc")


@given(st.text())
def test_any_text_is_either_an_unaltered_digest_or_refused(text: str) -> None:
    try:
        digest = Digest.parse(text)
    except DigestInvalid:
        return

    assert str(digest) == text


@given(st.integers(0, len(VALID) - 1), st.characters())
def test_a_digest_with_one_changed_character_is_another_digest_or_refused(place: int, character: str) -> None:
    text = VALID[:place] + character + VALID[place + 1 :]
    try:
        found = str(Digest.parse(text))
    except DigestInvalid:
        found = ""

    assert found in ("", text)
