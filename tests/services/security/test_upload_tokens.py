"""Tests how upload tokens are issued."""

from typing import Any

import pytest

from chalicelib.domain.errors import BlobUploadUnknown
from chalicelib.domain.ids import ulid
from chalicelib.domain.uploads import MANY, ONE
from chalicelib.services.security.upload_tokens import UploadTokens
from tests.support.backends import Clock

REPOSITORY = ulid(0)
HOUR, DAY = 3600, 86_400


def tokens(clock: Clock, *keys: bytes) -> UploadTokens:
    return UploadTokens(keys or (b"key",), HOUR, DAY, clock)


def test_a_new_upload_may_be_one_put_within_its_lifetime() -> None:
    clock = Clock()
    given = tokens(clock)
    text, upload_id = given.begin(REPOSITORY, "sha512")
    token = given.verify(text)

    assert (token.upload_id, token.repository_id, token.algorithm) == (upload_id, REPOSITORY, "sha512")
    assert token.kind == ONE
    assert token.expires_at == pytest.approx(clock() + HOUR, abs=2)
    clock.ahead_s += HOUR + 1
    with pytest.raises(BlobUploadUnknown):
        given.verify(text)


@pytest.mark.parametrize(("renew", "life_s"), [(UploadTokens.following, HOUR), (UploadTokens.presigned, DAY)])
def test_a_renewed_token_is_for_chunks_and_lives_on_from_now(renew: Any, life_s: int) -> None:
    clock = Clock()
    given = tokens(clock)
    first = given.verify(given.begin(REPOSITORY, "sha256")[0])
    clock.ahead_s += HOUR - 10
    token = given.verify(renew(given, first, 7))

    assert (token.upload_id, token.kind, token.offset) == (first.upload_id, MANY, 7)
    assert token.expires_at == pytest.approx(clock() + life_s, abs=2)


def test_no_token_outlives_the_longest_lifetime() -> None:
    clock = Clock()
    given = tokens(clock)
    text, _ = given.begin(REPOSITORY, "sha256")
    clock.ahead_s += HOUR - 1
    last = given.verify(given.presigned(given.verify(text), 0))

    assert last.expires_at <= clock() - (HOUR - 1) + given.longest_s + 1


def test_a_rotated_key_still_verifies_but_no_longer_signs() -> None:
    clock = Clock()
    text, upload_id = tokens(clock, b"old").begin(REPOSITORY, "sha256")
    rotated = tokens(clock, b"new", b"old")

    assert rotated.verify(text).upload_id == upload_id
    with pytest.raises(BlobUploadUnknown):
        tokens(clock, b"old").verify(rotated.following(rotated.verify(text), 0))
