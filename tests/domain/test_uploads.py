"""Upload tokens, ranges of chunks, and sizes of parts."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.domain.errors import BlobUploadInvalid, BlobUploadUnknown, OutOfOrder, SizeInvalid
from chalicelib.domain.ids import ulid
from chalicelib.domain.uploads import (
    LARGEST_PUT,
    MANY,
    MEBIBYTE,
    ONE,
    SMALLEST_PART,
    Chunk,
    UploadBody,
    UploadToken,
    part_size,
)

KEY, OTHER = b"k" * 32, b"o" * 32
NOW = 1_800_000_000.0
TOKEN = UploadToken(ulid(NOW), ulid(NOW), int(NOW) + 60)
SIGNED = TOKEN.signed(KEY)


def signed(fields: str) -> str:
    """Returns a token of such fields with a valid signature."""
    signature = hmac.new(KEY, b"upload." + fields.encode(), hashlib.sha256).digest()
    return f"{fields}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("kind", [ONE, MANY])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_token_parses_back_as_it_was_signed(algorithm: str, kind: str) -> None:
    token = UploadToken(TOKEN.upload_id, TOKEN.repository_id, TOKEN.expires_at, algorithm, kind)

    assert UploadToken.verify(token.signed(KEY), [KEY], NOW) == token


@pytest.mark.parametrize("most", [None, 0, 900, 2**63])
def test_a_token_says_how_many_bytes_the_edge_may_take(most: int | None) -> None:
    token = UploadToken(TOKEN.upload_id, TOKEN.repository_id, TOKEN.expires_at, most=most)

    assert UploadToken.verify(token.signed(KEY), [KEY], NOW) == token


@pytest.mark.parametrize("offset", [0, 900, 2**63])
def test_a_token_for_chunks_says_where_they_continue(offset: int) -> None:
    token = UploadToken(TOKEN.upload_id, TOKEN.repository_id, TOKEN.expires_at, kind=MANY, offset=offset)

    assert UploadToken.verify(token.signed(KEY), [KEY], NOW) == token


def test_bytes_without_a_range_belong_where_their_location_was_issued() -> None:
    UploadBody(b"more").check(5, 5)
    UploadBody(b"").check(5, 0)
    UploadBody(b"more", Chunk(5, 8)).check(5, 0)
    for offset, location_offset in ((5, 0), (0, 5)):
        with pytest.raises(OutOfOrder) as raised:
            UploadBody(b"more").check(offset, location_offset)
        assert raised.value.offset == offset


def test_a_token_needs_no_escaping_in_a_path() -> None:
    assert all(character.isalnum() or character in "-_." for character in SIGNED)


def test_a_token_signed_with_an_earlier_key_is_still_valid() -> None:
    assert UploadToken.verify(TOKEN.signed(OTHER), [KEY, OTHER], NOW) == TOKEN


def test_a_token_ends_exactly_at_its_end() -> None:
    UploadToken.verify(SIGNED, [KEY], TOKEN.expires_at - 0.1)

    with pytest.raises(BlobUploadUnknown):
        UploadToken.verify(SIGNED, [KEY], TOKEN.expires_at)


@pytest.mark.parametrize("keys", [[], [OTHER]])
def test_a_token_signed_with_another_key_is_unknown(keys: list[bytes]) -> None:
    with pytest.raises(BlobUploadUnknown):
        UploadToken.verify(SIGNED, keys, NOW)


@given(st.integers(0, len(SIGNED) - 1), st.characters())
@example(len(SIGNED) - 1, "\u00e9")
@example(0, "\ud800")
def test_a_token_with_any_changed_character_is_unknown(place: int, character: str) -> None:
    forged = SIGNED[:place] + character + SIGNED[place + 1 :]
    if forged != SIGNED:
        with pytest.raises(BlobUploadUnknown):
            UploadToken.verify(forged, [KEY], NOW)


@given(st.text())
def test_no_random_text_is_a_token(text: str) -> None:
    with pytest.raises(BlobUploadUnknown):
        UploadToken.verify(text, [KEY], NOW)


@pytest.mark.parametrize("length", range(0, len(SIGNED), 7))
def test_a_truncated_token_is_unknown(length: int) -> None:
    with pytest.raises(BlobUploadUnknown):
        UploadToken.verify(SIGNED[:length], [KEY], NOW)


def test_the_fields_of_one_token_with_the_signature_of_another_are_unknown() -> None:
    longer = UploadToken(TOKEN.upload_id, TOKEN.repository_id, TOKEN.expires_at + 9999).signed(KEY)
    fields, signature = longer.rpartition(".")[0], SIGNED.rpartition(".")[2]

    with pytest.raises(BlobUploadUnknown):
        UploadToken.verify(f"{fields}.{signature}", [KEY], NOW)


@pytest.mark.parametrize(
    "fields",
    ["", "a.b.c.d.e", f"{ulid()}.{ulid()}.9999999999.sha256", f"../x.{ulid()}.9999999999.a.b"],
    ids=["nothing", "no ULIDs", "too few", "a path"],
)
def test_malformed_fields_with_a_valid_signature_are_unknown(fields: str) -> None:
    with pytest.raises(BlobUploadUnknown):
        UploadToken.verify(signed(fields), [KEY], NOW)


def test_the_signature_is_plain_hmac_so_that_the_upload_edge_can_check_it() -> None:
    assert signed(SIGNED.rpartition(".")[0]) == SIGNED


@pytest.mark.parametrize(
    ("text", "first", "last"), [("0-0", 0, 0), ("0-4194303", 0, 4194303), (" 5-9 ", 5, 9), ("07-9", 7, 9)]
)
def test_a_chunk_is_its_first_and_last_byte(text: str, first: int, last: int) -> None:
    assert Chunk.parse(text) == Chunk(first, last)


@given(st.integers(0, 10**17), st.integers(1, 10**10))
def test_a_chunk_has_as_many_bytes_as_lie_between_its_ends(first: int, size: int) -> None:
    assert Chunk.parse(f"{first}-{first + size - 1}").size == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "0",
        "0-",
        "-5",
        "5-4",
        "bytes 0-5",
        "bytes=0-5",
        "0-5/6",
        "bytes 0-5/6",
        "0 - 5",
        "0--5",
        "a-b",
        "0x0-0x5",
        "0-5,7-9",
        "0-" + "9" * 19,
        "\u0660-\u0665",
        "0-5\x00",
    ],
)
def test_a_text_that_is_not_a_range_of_the_specification_is_refused(text: str) -> None:
    with pytest.raises(BlobUploadInvalid, match="use FIRST-LAST, both inclusive, without a unit"):
        Chunk.parse(text)


@given(st.text(alphabet="0123456789- b/", max_size=12))
def test_any_text_is_either_a_chunk_that_parses_back_or_refused(text: str) -> None:
    try:
        chunk = Chunk.parse(text)
    except BlobUploadInvalid:
        return

    assert chunk.size >= 1
    assert Chunk.parse(f"{chunk.first}-{chunk.last}") == chunk


def test_a_chunk_must_follow_the_upload_and_have_the_received_bytes() -> None:
    chunk = Chunk.parse("5-9")
    chunk.check(5, 5)
    with pytest.raises(OutOfOrder):
        chunk.check(4, 5)
    with pytest.raises(SizeInvalid):
        chunk.check(5, 6)


def test_parts_grow_so_that_s3s_ten_thousand_hold_500_gb() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""
    offset = parts = 0
    while offset < 500 * 10**9:
        size = part_size(offset)

        assert SMALLEST_PART < size <= LARGEST_PUT
        assert size % MEBIBYTE == 0
        offset, parts = offset + size, parts + 1
    assert parts <= 10_000


def test_the_first_parts_are_eight_mebibytes() -> None:
    assert part_size(0) == part_size(8 * MEBIBYTE) == 8 * MEBIBYTE
