"""Uploads in more than one request: streamed, chunked, resumed, cancelled."""

from __future__ import annotations

import pytest

from tests.protocol.blobs import MIB, assert_absent, assert_pushed, chunks
from tests.protocol.content import a_blob
from tests.protocol.registry import Repository, assert_refused

# Streamed


@pytest.mark.parametrize("size", [1000, 5 * MIB, 12 * MIB], ids=lambda size: f"{size}-bytes")
def test_one_patch_of_unknown_length(repository: Repository, size: int) -> None:
    blob = a_blob(size)
    upload = repository.start_upload()
    answer = upload.patch(iter([blob.content[at : at + 65536] for at in range(0, size, 65536)]))

    assert answer.status_code == 202, answer.text
    assert answer.headers["Range"] == f"0-{size - 1}"
    assert_pushed(repository, upload.put(blob.digest), blob)


@pytest.mark.parametrize("size", [1000, 5 * MIB], ids=lambda size: f"{size}-bytes")
def test_one_patch_with_a_length_and_no_range(repository: Repository, size: int) -> None:
    blob = a_blob(size)
    upload = repository.start_upload()
    answer = upload.patch(blob.content)

    assert (answer.status_code, answer.headers["Range"]) == (202, f"0-{size - 1}")
    assert_pushed(repository, upload.put(blob.digest), blob)


def test_a_stream_that_does_not_match_its_digest_is_refused_at_the_close(repository: Repository) -> None:
    blob = a_blob()
    upload = repository.start_upload()
    assert upload.patch(b"something else").status_code == 202

    assert_refused(upload.put(blob.digest), 400, "DIGEST_INVALID")
    assert_absent(repository, blob)


# Chunked


@pytest.mark.parametrize("last_by_put", [False, True], ids=["closed-empty", "last-chunk-in-put"])
def test_chunks_in_order(repository: Repository, last_by_put: bool) -> None:
    blob = a_blob(9 * MIB + 17)
    upload = repository.start_upload()
    size = int(upload.started.headers["OCI-Chunk-Min-Length"])
    parts = chunks(blob, size)
    for at, part in parts[:-1] if last_by_put else parts:
        answer = upload.patch(part, at)
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"]
        assert answer.headers["Range"] == f"0-{at + len(part) - 1}"

    closed = upload.put(blob.digest, parts[-1][1], parts[-1][0]) if last_by_put else upload.put(blob.digest)
    assert_pushed(repository, closed, blob)


def test_chunks_below_the_least_length_are_accepted(repository: Repository) -> None:
    """The length is a SHOULD for clients; the conformance suite sends 1024 bytes to registries that name none."""
    blob = a_blob(3000)
    upload = repository.start_upload()
    for at, part in chunks(blob, 1024):
        assert upload.patch(part, at).status_code == 202

    assert_pushed(repository, upload.put(blob.digest), blob)


@pytest.mark.parametrize("start", [500, 2000], ids=["again", "ahead"])
def test_a_chunk_out_of_order_is_416_and_changes_nothing(repository: Repository, start: int) -> None:
    blob = a_blob(3000)
    upload = repository.start_upload()
    upload.patch(blob.content[:1000], 0)

    assert_refused(upload.patch(blob.content[start : start + 500], start), 416)
    status = upload.status()
    assert (status.status_code, status.headers["Range"]) == (204, "0-999")
    assert upload.patch(blob.content[1000:], 1000).status_code == 202
    assert_pushed(repository, upload.put(blob.digest), blob)


def test_a_first_chunk_that_does_not_begin_at_0_is_416(repository: Repository) -> None:
    assert_refused(repository.start_upload().patch(b"x" * 10, 10), 416)


def test_a_last_chunk_out_of_order_in_the_put_is_416(repository: Repository) -> None:
    blob = a_blob(2000)
    upload = repository.start_upload()
    upload.patch(blob.content[:1000], 0)

    assert_refused(upload.put(blob.digest, blob.content[1200:], 1200), 416)
    assert upload.status().headers["Range"] == "0-999"
    assert_pushed(repository, upload.put(blob.digest, blob.content[1000:], 1000), blob)


@pytest.mark.parametrize("given", ["0-10", "0-2000"], ids=["short", "long"])
def test_a_chunk_whose_length_differs_from_its_range_is_refused(repository: Repository, given: str) -> None:
    upload = repository.start_upload()

    assert_refused(upload.patch(b"x" * 1000, None, **{"Content-Range": given}), (400, 416), "SIZE_INVALID")
    assert upload.status().headers["Range"] == "0-0"


@pytest.mark.parametrize("given", ["bytes 0-999/1000", "0-", "-999", "a-b", "999-0", "0-999/1000"])
def test_a_malformed_content_range_is_refused(repository: Repository, given: str) -> None:
    upload = repository.start_upload()

    assert_refused(upload.patch(b"x" * 1000, None, **{"Content-Range": given}), (400, 416))
    assert upload.status().headers["Range"] == "0-0"


def test_chunks_that_do_not_match_the_digest_are_refused_at_the_close(repository: Repository) -> None:
    blob = a_blob(2000)
    upload = repository.start_upload()
    upload.patch(b"x" * 1000, 0)

    assert_refused(upload.put(blob.digest, blob.content[1000:], 1000), 400, "DIGEST_INVALID")
    assert_absent(repository, blob)


# Status, resuming, cancelling


def test_the_status_has_the_received_range_and_the_location(repository: Repository) -> None:
    upload = repository.start_upload()
    fresh = upload.status()
    assert (fresh.status_code, fresh.headers["Range"]) == (204, "0-0")
    upload.patch(b"x" * 1000)

    status = upload.status()
    assert (status.status_code, status.content) == (204, b"")
    assert status.headers["Range"] == "0-999"
    assert status.headers["Location"]


def test_a_client_with_only_the_first_location_can_resume(repository: Repository) -> None:
    blob = a_blob(3000)
    upload = repository.start_upload()
    first = upload.location
    upload.patch(blob.content[:1000], 0)
    upload.location = first
    reached = int(upload.status().headers["Range"].removeprefix("0-")) + 1

    assert upload.patch(blob.content[reached:], reached).status_code == 202
    assert_pushed(repository, upload.put(blob.digest), blob)


def test_no_partial_blob_is_ever_visible(repository: Repository) -> None:
    blob = a_blob(3000)
    upload = repository.start_upload()
    upload.patch(blob.content)

    assert_absent(repository, blob)
    upload.put(blob.digest)
    assert repository.head_blob(blob.digest).status_code == 200


def test_a_cancelled_upload_is_gone(repository: Repository) -> None:
    blob = a_blob()
    upload = repository.start_upload()
    upload.patch(blob.content)

    assert upload.cancel().status_code == 204
    assert_refused(upload.status(), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_refused(upload.patch(b"more"), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_refused(upload.put(blob.digest), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_absent(repository, blob)


def test_an_untouched_upload_can_be_cancelled(repository: Repository) -> None:
    assert repository.start_upload().cancel().status_code == 204


def test_the_closing_put_may_have_all_the_rest(repository: Repository) -> None:
    """The rest is too large for a function and goes to the first location: it must continue the same upload."""
    blob = a_blob(1000 + 5 * MIB)
    upload = repository.start_upload()
    first = upload.location
    assert upload.patch(blob.content[:1000], 0).status_code == 202
    upload.location = first
    assert upload.status().headers["Range"] == "0-999"

    assert_pushed(repository, upload.put(blob.digest, blob.content[1000:], 1000), blob)
