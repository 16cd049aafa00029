"""Signed paths of downloads through the edge."""

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


def test_a_path_says_which_blob_lies_where() -> None:
    assert Download.verify(PATH, [KEY], NOW) == DOWNLOAD


def test_a_key_with_slashes_and_colons_comes_back_whole() -> None:
    download = Download.until(DIGEST, f"in/01R/{DIGEST}/01U", NOW, 900)

    assert Download.verify(download.path(KEY), [KEY], NOW) == download


def test_a_path_under_a_key_that_was_current_before_is_still_good() -> None:
    assert Download.verify(DOWNLOAD.path(OTHER), [KEY, OTHER], NOW) == DOWNLOAD


@given(st.floats(0, 4e9), st.integers(1, 100_000))
def test_a_path_lasts_as_long_as_promised_and_one_round_more_at_most(now: float, seconds: int) -> None:
    left = Download.until(DIGEST, "in/a/b", now, seconds).expires_at - int(now)

    assert seconds <= left < seconds + ROUND_S


def test_the_same_blob_has_the_same_path_for_a_while() -> None:
    paths = {Download.until(DIGEST, "in/a/b", NOW + second, 900).path(KEY) for second in range(0, ROUND_S, 50)}

    assert len(paths) <= 2


def test_a_path_ends_at_its_very_second() -> None:
    Download.verify(PATH, [KEY], DOWNLOAD.expires_at - 0.1)

    with pytest.raises(RouteUnknown):
        Download.verify(PATH, [KEY], DOWNLOAD.expires_at)


def test_a_path_signed_with_another_key_leads_nowhere() -> None:
    with pytest.raises(RouteUnknown):
        Download.verify(PATH, [OTHER], NOW)


def test_the_signature_of_one_place_end_or_digest_is_none_for_another() -> None:
    other = Digest.of(b"other")
    for fields in ((DIGEST, "in/01R/01V", 900), (other, "in/01R/01U", 900), (DIGEST, "in/01R/01U", 9000)):
        digest, s3_key, seconds = fields
        end, _, _ = Download.until(digest, s3_key, NOW, seconds).path(OTHER).partition(".")
        signature = PATH.partition(".")[2].partition("/")[0]

        with pytest.raises(RouteUnknown):
            Download.verify(f"{end}.{signature}/{digest}/{s3_key}", [KEY], NOW)


@given(st.integers(0, len(PATH) - 1), st.characters())
def test_a_path_with_any_other_character_leads_nowhere(place: int, character: str) -> None:
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
def test_what_is_no_path_of_ours_leads_nowhere(path: str) -> None:
    with pytest.raises(RouteUnknown):
        Download.verify(path, [KEY], NOW)
