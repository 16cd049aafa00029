from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.protocol.content import Blob, a_blob
from tests.protocol.registry import Registry, Repository, assert_refused
from tests.protocol.wire import Wire
from tests.support.stack import Stack

SIZE = 2048


@pytest.fixture
def blob(repository: Repository) -> Any:
    blob = a_blob(SIZE)
    repository.push_blob(blob)
    return blob


def test_a_blob_is_pulled_unchanged(repository: Repository, blob: Blob) -> None:
    answer = repository.get_blob(blob.digest)

    assert (answer.status_code, answer.content) == (200, blob.content)
    assert answer.headers["Content-Length"] == str(SIZE)


def test_head_has_the_length_and_no_body(repository: Repository, blob: Blob) -> None:
    answer = repository.head_blob(blob.digest)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(SIZE)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_registrys_own_answer_has_the_digest(repository: Repository, blob: Blob, method: str) -> None:
    """This includes a redirect, since the answer from a presigned address cannot have the header."""
    answer = repository.send(method, f"blobs/{blob.digest}")

    assert answer.status_code in (200, 307)
    assert answer.headers["Docker-Content-Digest"] == blob.digest


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_redirect_is_temporary_and_needs_no_token(repository: Repository, blob: Blob, method: str) -> None:
    """Clients drop their token when the host changes, and S3 refuses two kinds of authorization in one request."""
    answer = repository.send(method, f"blobs/{blob.digest}")
    assert answer.status_code == 307

    followed = requests.request(method, answer.headers["Location"], timeout=60)
    assert followed.status_code == 200
    assert followed.content == (blob.content if method == "GET" else b"")
    assert followed.headers["Content-Length"] == str(SIZE)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_redirect_to_s3_needs_no_token(redirecting_stack: Stack, method: str) -> None:
    registry = Registry(redirecting_stack.url, redirecting_stack.admin, redirecting_stack.password)
    repository, blob = registry.repository(f"{redirecting_stack.admin}/redirected"), a_blob(SIZE)
    repository.push_blob(blob)
    answer = repository.send(method, f"blobs/{blob.digest}")
    followed = requests.request(method, answer.headers["Location"], timeout=60)

    assert answer.status_code == 307
    assert urlsplit(answer.headers["Location"]).netloc != redirecting_stack.host
    assert (followed.status_code, followed.content) == (200, blob.content if method == "GET" else b"")


def test_head_sends_no_body_on_a_connection_that_is_kept(stack: Stack, repository: Repository, blob: Blob) -> None:
    target = f"/v2/{repository.name}/blobs/{blob.digest}"
    headers = [("Host", stack.host), *repository.authorization().items()]
    with Wire(stack.url) as wire:
        first = wire.exchange("HEAD", target, headers)
        second = wire.exchange("HEAD", target, headers)

    assert (first.status, second.status) == (307, 307)


@pytest.mark.parametrize(
    ("requested", "first", "last"),
    [("500-1499", 500, 1499), ("500-", 500, 2047), ("-500", 1548, 2047), ("2000-5000", 2000, 2047), ("0-0", 0, 0)],
)
def test_a_range_gives_just_these_bytes(
    repository: Repository, blob: Blob, requested: str, first: int, last: int
) -> None:
    answer = repository.get_blob(blob.digest, Range=f"bytes={requested}")

    assert answer.status_code == 206
    assert answer.content == blob.content[first : last + 1]
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.headers["Content-Range"] in (f"bytes {first}-{last}/{SIZE}", f"bytes {first}-{last}/*")


@pytest.mark.parametrize("requested", ["5000-10000", "2048-"])
def test_a_range_beyond_the_end_is_416(repository: Repository, blob: Blob, requested: str) -> None:
    assert repository.get_blob(blob.digest, Range=f"bytes={requested}").status_code == 416


@pytest.mark.parametrize("requested", ["bytes=500-0", "bytes=a-b", "lines=1-2", "bytes=", "500-600"])
def test_an_invalid_range_is_ignored_or_416(repository: Repository, blob: Blob, requested: str) -> None:
    """RFC 9110, 14.2: an invalid Range is ignored or refused as not satisfiable; it never selects a part."""
    answer = repository.get_blob(blob.digest, Range=requested)

    assert answer.status_code in (200, 416)
    assert answer.status_code == 416 or answer.content == blob.content


def test_the_full_answer_offers_ranges(repository: Repository, blob: Blob) -> None:
    """oras seeks in a blob only if the answer has this header."""
    assert repository.get_blob(blob.digest).headers["Accept-Ranges"] == "bytes"


def test_an_interrupted_pull_is_resumed_by_range(repository: Repository, blob: Blob) -> None:
    begun = blob.content[:700]
    rest = repository.get_blob(blob.digest, Range=f"bytes={len(begun)}-")

    assert begun + rest.content == blob.content


def test_a_blob_is_never_compressed_in_transit(repository: Repository) -> None:
    """containerd accepts zstd, gzip and deflate, and would decompress the answer."""
    blob = Blob(b"so easy to compress " * 1000)
    repository.push_blob(blob)
    answer = repository.send(
        "GET", f"blobs/{blob.digest}", headers={"Accept-Encoding": "zstd, gzip, deflate"}, allow_redirects=True
    )

    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Content-Length"] == str(len(blob.content))
    assert answer.content == blob.content


def test_the_empty_blob_is_pulled(repository: Repository) -> None:
    empty = Blob(b"")
    repository.push_blob(empty)

    for answer in (repository.get_blob(empty.digest), repository.head_blob(empty.digest)):
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["Content-Length"] == "0"


def test_a_sha512_blob_is_pulled_under_its_digest(repository: Repository) -> None:
    blob = a_blob(SIZE, algorithm="sha512")
    repository.push_blob(blob)

    assert repository.get_blob(blob.digest).content == blob.content
    assert repository.send("HEAD", f"blobs/{blob.digest}").headers["Docker-Content-Digest"] == blob.digest


def test_an_unknown_blob_is_not_found(repository: Repository, blob: Blob) -> None:
    absent = a_blob().digest

    assert_refused(repository.get_blob(absent), 404, "BLOB_UNKNOWN")
    assert repository.head_blob(absent).status_code == 404


def test_a_blob_in_an_unknown_repository_is_not_found(repository: Repository) -> None:
    absent = a_blob().digest

    assert_refused(repository.get_blob(absent), 404, "NAME_UNKNOWN", "BLOB_UNKNOWN")
    assert repository.head_blob(absent).status_code == 404


def test_a_blob_of_another_repository_is_not_found_here(
    repository: Repository, another_repository: Repository, blob: Blob
) -> None:
    another_repository.push_blob(a_blob())

    assert_refused(another_repository.get_blob(blob.digest), 404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("digest", ["sha256:short", "sha256:" + "G" * 64, "md5:" + "a" * 32, "nodigest"])
def test_an_invalid_digest_is_refused(repository: Repository, blob: Blob, digest: str) -> None:
    assert_refused(repository.get_blob(digest), (400, 404), "DIGEST_INVALID", "BLOB_UNKNOWN")
