"""Domain errors in OCI's dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain import errors
from chalicelib.edge.registry.errors import to_reply


def refusal(error: Exception) -> tuple[int, dict[str, Any], dict[str, Any]]:
    reply = to_reply(error, None)
    (entry,) = json.loads(reply.body)["errors"]
    return reply.status_code, entry, reply.headers


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NameInvalid("A", "why"), 400, "NAME_INVALID"),
        (errors.TagInvalid("-"), 400, "MANIFEST_INVALID"),
        (errors.DigestInvalid("x", "why"), 400, "DIGEST_INVALID"),
        (errors.SizeInvalid(1, 2), 400, "SIZE_INVALID"),
        (errors.ManifestBlobUnknown(["x"]), 400, "MANIFEST_BLOB_UNKNOWN"),
        (errors.OutOfOrder(5), 416, "BLOB_UPLOAD_INVALID"),
        (errors.NameUnknown("a/b"), 404, "NAME_UNKNOWN"),
        (errors.ManifestUnknown("a/b", "v1"), 404, "MANIFEST_UNKNOWN"),
        (errors.BlobUploadUnknown(), 404, "BLOB_UPLOAD_UNKNOWN"),
        (errors.RouteUnknown("/x"), 404, "UNSUPPORTED"),
        (errors.Unauthenticated(), 401, "UNAUTHORIZED"),
        (errors.Denied("a/b", "push"), 403, "DENIED"),
        (errors.ManifestTooLarge(1), 413, "SIZE_INVALID"),
        (errors.NameTaken("x"), 409, "DENIED"),
        (errors.BlobInUse("x", "y"), 405, "UNSUPPORTED"),
        (errors.ManifestInUse("x", "y"), 405, "UNSUPPORTED"),
        (errors.Unavailable(), 503, "UNAVAILABLE"),
    ],
)
def test_an_error_has_its_status_and_code(error: errors.RegistryError, status: int, code: str) -> None:
    actual_status, entry, headers = refusal(error)

    assert (actual_status, entry["code"], entry["message"]) == (status, code, str(error))
    assert entry.get("detail", {}) == error.detail
    assert headers["Content-Type"] == "application/json"
    assert headers["Docker-Distribution-API-Version"] == "registry/2.0"


def test_an_error_without_a_row_uses_its_ancestor_s() -> None:
    class TagFrozen(errors.Conflict):
        """An error without a row in the table."""

    try:
        assert refusal(TagFrozen("frozen"))[:2] == (409, {"code": "DENIED", "message": "frozen"})
    finally:
        del TagFrozen


def test_a_chunk_out_of_order_gets_the_range_that_is_stored() -> None:
    assert refusal(errors.OutOfOrder(5))[2]["Range"] == "0-4"
    assert "Range" not in refusal(errors.OutOfOrder(0))[2]


def test_an_error_that_may_be_retried_says_when() -> None:
    assert refusal(errors.Unavailable())[2]["Retry-After"] == "1"


@pytest.mark.parametrize("error", [errors.Unauthenticated("x", "insufficient_scope"), errors.Denied("a/b", "push")])
def test_a_caller_without_a_right_is_challenged(error: errors.RegistryError) -> None:
    headers = refusal(error)[2]

    assert headers["WWW-Authenticate"].endswith('error="insufficient_scope"')
    assert headers["WWW-Authenticate"] == headers["Registry-Challenge"]


def test_a_bug_gives_no_details() -> None:
    status, entry, _ = refusal(KeyError("secret"))

    assert status == 500
    assert "secret" not in json.dumps(entry)
