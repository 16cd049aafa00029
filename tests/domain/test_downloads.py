"""Signed paths of downloads through the download edge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.digests import Digest
from chalicelib.domain.downloads import PREFIX, ROUND_S, Download
from chalicelib.domain.errors import RouteUnknown

KEY, OTHER = b"k" * 32, b"o" * 32
DIGEST = Digest.of(b"content")
NOW = 1_800_000_000.0
DOWNLOAD = Download.until(DIGEST, "in/01R/01U", NOW, 900)
PATH = DOWNLOAD.path(KEY)


def test_a_path_names_the_blob_and_its_s3_key() -> None:
    assert Download.verify(PATH, [KEY], NOW) == DOWNLOAD


def test_an_s3_key_with_slashes_and_colons_parses_back_unchanged() -> None:
    download = Download.until(DIGEST, f"in/01R/{DIGEST}/01U", NOW, 900)

    assert Download.verify(download.path(KEY), [KEY], NOW) == download


def test_a_path_signed_with_an_earlier_key_is_still_valid() -> None:
    assert Download.verify(DOWNLOAD.path(OTHER), [KEY, OTHER], NOW) == DOWNLOAD


@given(st.floats(0, 4e9), st.integers(1, 100_000))
def test_a_path_lasts_at_least_the_given_seconds_and_at_most_one_rounding_more(now: float, seconds: int) -> None:
    left = Download.until(DIGEST, "in/a/b", now, seconds).expires_at - int(now)

    assert seconds <= left < seconds + ROUND_S


def test_the_same_blob_has_the_same_path_for_a_while() -> None:
    paths = {Download.until(DIGEST, "in/a/b", NOW + second, 900).path(KEY) for second in range(0, ROUND_S, 50)}

    assert len(paths) <= 2


def test_a_path_ends_exactly_at_its_end() -> None:
    Download.verify(PATH, [KEY], DOWNLOAD.expires_at - 0.1)

    with pytest.raises(RouteUnknown):
        Download.verify(PATH, [KEY], DOWNLOAD.expires_at)


def test_a_path_signed_with_another_key_is_refused() -> None:
    with pytest.raises(RouteUnknown):
        Download.verify(PATH, [OTHER], NOW)


def test_a_signature_is_valid_for_one_s3_key_end_and_digest_only() -> None:
    other = Digest.of(b"other")
    for fields in ((DIGEST, "in/01R/01V", 900), (other, "in/01R/01U", 900), (DIGEST, "in/01R/01U", 9000)):
        digest, s3_key, seconds = fields
        end, _, _ = Download.until(digest, s3_key, NOW, seconds).path(OTHER).partition(".")
        signature = PATH.partition(".")[2].partition("/")[0]

        with pytest.raises(RouteUnknown):
            Download.verify(f"{end}.{signature}/{digest}/{s3_key}", [KEY], NOW)


@given(st.integers(0, len(PATH) - 1), st.characters())
def test_a_path_with_any_changed_character_is_refused(place: int, character: str) -> None:
    forged = PATH[:place] + character + PATH[place + 1 :]
    if forged != PATH:
        with pytest.raises(RouteUnknown):
            Download.verify(forged, [KEY], NOW)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        PREFIX,
        "/v2/",
        PREFIX + "/" * 10,
        PATH.removeprefix(PREFIX),
        PREFIX + "9999999999.x",
        PREFIX + "9999999999.x/y/z",
        PREFIX + "\u00b2.x/" + str(DIGEST) + "/in/a/b",
        PREFIX + "9999999999.\u00e9/" + str(DIGEST) + "/in/a/b",
        PREFIX + "9" * 5000 + ".x/" + str(DIGEST) + "/in/a/b",
        PREFIX + "-1.x/" + str(DIGEST) + "/in/a/b",
    ],
)
def test_a_text_that_is_not_a_signed_path_is_refused(path: str) -> None:
    with pytest.raises(RouteUnknown):
        Download.verify(path, [KEY], NOW)
