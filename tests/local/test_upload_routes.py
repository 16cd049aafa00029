"""Which way a body takes."""

from __future__ import annotations

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.uploads import LARGEST_BODY, LARGEST_PUT, MANY, ONE, UploadToken
from infra.local.ways import Target, Way

KEY = b"k" * 32
BEGIN = "/v2/admin/app/blobs/uploads/"
SHA256, SHA512 = (Digest.of(b"", algorithm) for algorithm in ("sha256", "sha512"))
ULID = "01ARYZ6S41TSV4RRFFQ69G5FAV"


def upload(kind: str = ONE) -> str:
    return BEGIN + UploadToken(ULID, ULID, 9_999_999_999, kind=kind).signed(KEY)


def way(method: str, path: str, size: int | None, query: str = "", content_range: str = "") -> Way:
    return Target.of(method, path, query, content_range).way(size)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/v2/", BEGIN, upload(), upload(MANY), "/v2/admin/app/manifests/v1"])
def test_what_fits_the_app_goes_there(method: str, path: str) -> None:
    for size in (0, 1, LARGEST_BODY):
        assert way(method, path, size, f"digest={SHA256}") is Way.APP


def test_one_put_of_a_whole_blob_goes_past_the_app_to_s3() -> None:
    for size in (LARGEST_BODY + 1, LARGEST_PUT):
        assert way("PUT", upload(), size, f"digest={SHA256}") is Way.EDGE
        assert way("PUT", upload() + "/", size, f"digest=sha256%3A{SHA256.hex}") is Way.EDGE
        assert way("PUT", upload(), size, f"digest={SHA256}", f"0-{size - 1}") is Way.EDGE


@pytest.mark.parametrize(
    ("size", "query", "content_range", "kind"),
    [
        (LARGEST_PUT + 1, f"digest={SHA256}", "", ONE),
        (LARGEST_BODY + 1, f"digest={SHA512}", "", ONE),
        (LARGEST_BODY + 1, f"digest={SHA256}", "", MANY),
        (LARGEST_BODY + 1, f"digest={SHA256}", "5-9", ONE),
        (LARGEST_BODY + 1, "digest=sha256:abc", "", ONE),
        (LARGEST_BODY + 1, "", "", ONE),
        (None, f"digest={SHA256}", "", ONE),
    ],
    ids=["over 5 GB", "sha512", "after chunks", "not from the start", "no digest", "none", "chunked"],
)
def test_a_put_that_s3_cannot_check_at_once_goes_through_the_relay(
    size: int | None, query: str, content_range: str, kind: str
) -> None:
    assert way("PUT", upload(kind), size, query, content_range) is Way.RELAY


@pytest.mark.parametrize("size", [None, LARGEST_BODY + 1, LARGEST_PUT + 1])
def test_large_and_endless_chunks_go_through_the_relay(size: int | None) -> None:
    assert way("PATCH", upload(), size) is Way.RELAY
    assert way("PATCH", upload(MANY), size) is Way.RELAY


@pytest.mark.parametrize("size", [None, LARGEST_BODY + 1])
def test_a_large_blob_in_one_post_goes_through_the_relay_and_without_digest_nowhere(size: int | None) -> None:
    assert way("POST", BEGIN, size, f"digest={SHA256}") is Way.RELAY
    assert way("POST", BEGIN, size) is Way.NONE


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v2/admin/app/manifests/v1"),
        ("POST", "/v2/auth"),
        ("PUT", BEGIN),
        ("GET", upload()),
        ("DELETE", upload()),
        ("POST", upload() + "/parts"),
        ("PATCH", "/v2/blobs/uploads/x"),
    ],
)
def test_large_bodies_of_anything_else_have_no_way(method: str, path: str) -> None:
    assert way(method, path, LARGEST_BODY + 1) is Way.NONE


def test_a_target_is_read_from_path_and_query() -> None:
    target = Target.of("PUT", "/v2/a/b/c/blobs/uploads/t.o.k", "x=1&digest=first&digest=sha256%3Aabc", "0-5")

    assert target == Target("PUT", "a/b/c", "t.o.k", "sha256:abc", "0-5")


def test_the_repository_is_read_as_the_router_reads_it() -> None:
    """Were they of two minds, a body could go into an upload that the app never heard of."""
    from app import app

    for path in ("/v2/a/blobs/uploads/t", "/v2/a/blobs/uploads/b/blobs/uploads/t", "/v2/a/blobs/uploads/"):
        _, values = app.router.match(path)
        target = Target.of("PUT", path, "")

        assert (target.repository, target.upload) == (values["repository"], values.get("upload", ""))
