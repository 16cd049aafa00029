"""A body takes the route of its request."""

from __future__ import annotations

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.uploads import LARGEST_BODY, LARGEST_PUT, MANY, ONE, UploadToken
from infra.local.upload_routes import UploadRequest, UploadRoute

KEY = b"k" * 32
BEGIN = "/v2/admin/app/blobs/uploads/"
SHA256, SHA512 = (Digest.of(b"", algorithm) for algorithm in ("sha256", "sha512"))
ULID = "01ARYZ6S41TSV4RRFFQ69G5FAV"


def upload(kind: str = ONE) -> str:
    return BEGIN + UploadToken(ULID, ULID, 9_999_999_999, kind=kind).signed(KEY)


def route(method: str, path: str, size: int | None, query: str = "", content_range: str = "") -> UploadRoute:
    return UploadRequest.of(method, path, query, content_range).route(size)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/v2/", BEGIN, upload(), upload(MANY), "/v2/admin/app/manifests/v1"])
def test_a_body_that_fits_the_app_goes_to_the_app(method: str, path: str) -> None:
    for size in (0, 1, LARGEST_BODY):
        assert route(method, path, size, f"digest={SHA256}") is UploadRoute.APP


def test_one_put_of_a_whole_blob_goes_to_the_edge() -> None:
    for size in (LARGEST_BODY + 1, LARGEST_PUT):
        assert route("PUT", upload(), size, f"digest={SHA256}") is UploadRoute.EDGE
        assert route("PUT", upload() + "/", size, f"digest=sha256%3A{SHA256.hex}") is UploadRoute.EDGE
        assert route("PUT", upload(), size, f"digest={SHA256}", f"0-{size - 1}") is UploadRoute.EDGE


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
def test_a_put_that_s3_cannot_check_goes_to_the_relay(
    size: int | None, query: str, content_range: str, kind: str
) -> None:
    assert route("PUT", upload(kind), size, query, content_range) is UploadRoute.RELAY


@pytest.mark.parametrize("size", [None, LARGEST_BODY + 1, LARGEST_PUT + 1])
def test_large_chunks_and_chunks_without_a_length_go_to_the_relay(size: int | None) -> None:
    assert route("PATCH", upload(), size) is UploadRoute.RELAY
    assert route("PATCH", upload(MANY), size) is UploadRoute.RELAY


@pytest.mark.parametrize("size", [None, LARGEST_BODY + 1])
def test_a_large_blob_in_one_post_goes_to_the_relay_and_has_no_route_without_a_digest(size: int | None) -> None:
    assert route("POST", BEGIN, size, f"digest={SHA256}") is UploadRoute.RELAY
    assert route("POST", BEGIN, size) is UploadRoute.NONE


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
def test_large_bodies_of_other_requests_have_no_route(method: str, path: str) -> None:
    assert route(method, path, LARGEST_BODY + 1) is UploadRoute.NONE


def test_a_target_is_parsed_from_path_and_query() -> None:
    target = UploadRequest.of("PUT", "/v2/a/b/c/blobs/uploads/t.o.k", "x=1&digest=first&digest=sha256%3Aabc", "0-5")

    assert target == UploadRequest("PUT", "a/b/c", "t.o.k", "sha256:abc", "0-5")


def test_the_repository_is_parsed_as_the_router_parses_it() -> None:
    """Otherwise a body could go into an upload that the app does not know."""
    from app import app

    for path in ("/v2/a/blobs/uploads/t", "/v2/a/blobs/uploads/b/blobs/uploads/t", "/v2/a/blobs/uploads/"):
        _, values = app.router.match(path)
        target = UploadRequest.of("PUT", path, "")

        assert (target.repository, target.upload) == (values["repository"], values.get("upload", ""))
