"""Presigned uploads by a pusher without the relay key."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, BlobUploadUnknown, DigestInvalid, SizeInvalid
from chalicelib.domain.uploads import LARGEST_OBJECT
from chalicelib.services.registry.presigned_uploads import BlobSize, PresignedUploads
from tests.support.backends import Backend


def begun(backend: Backend, algorithm: str = "sha256") -> Any:
    """Begins an upload; returns the actor, the repository's name and the upload's token."""
    actor, name = backend.owner()
    return actor, name, backend.services.registry.uploads.begin(actor, name, algorithm).token


def put_parts(presigned: Mapping[str, Any], content: bytes) -> list[tuple[int, str]]:
    """Puts content as the first part; returns its number and ETag."""
    part = presigned["parts"][0]
    return [(part["number"], requests.put(part["address"], data=content, timeout=10).headers["ETag"])]


def test_a_blob_put_under_a_presigned_address_is_visible_once_completed(backend: Backend) -> None:
    actor, name, token = begun(backend)
    content = os.urandom(5000)
    digest = Digest.of(content)
    presigned: Any = backend.services.registry.presigned_uploads.presign(
        actor, name, token, BlobSize(digest, len(content)), 1
    )
    answer = requests.put(presigned["address"], data=content, headers=presigned["headers"], timeout=10)

    assert answer.status_code == 200
    assert (
        backend.services.registry.presigned_uploads.complete(actor, name, token, BlobSize(digest, len(content)), [])
        is None
    )
    assert backend.services.registry.blobs.find(actor, name, digest).size == 5000


def test_s3_refuses_other_bytes_than_those_the_address_was_signed_for(backend: Backend) -> None:
    actor, name, token = begun(backend)
    presigned: Any = backend.services.registry.presigned_uploads.presign(
        actor, name, token, BlobSize(Digest.of(b"these"), 5), 1
    )

    assert (
        requests.put(presigned["address"], data=b"those", headers=presigned["headers"], timeout=10).status_code == 400
    )
    with pytest.raises(BlobUploadInvalid, match="nothing"):
        backend.services.registry.presigned_uploads.complete(actor, name, token, BlobSize(Digest.of(b"these"), 5), [])


def test_the_pusher_does_not_choose_the_type_of_what_is_put_under_a_presigned_address(backend: Backend) -> None:
    actor, name, token = begun(backend)
    presigned: Any = backend.services.registry.presigned_uploads.presign(
        actor, name, token, BlobSize(Digest.of(b"<html>"), 6), 1
    )
    script = {**presigned["headers"], "Content-Type": "text/html"}

    assert "content-type" in parse_qs(urlsplit(presigned["address"]).query)["X-Amz-SignedHeaders"][0]
    assert requests.put(presigned["address"], data=b"<html>", headers=script, timeout=10).status_code == 403
    assert requests.put(presigned["address"], data=b"<html>", headers=presigned["headers"], timeout=10).ok


def test_a_blob_that_s3_cannot_verify_is_hashed_before_it_is_visible(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    content = os.urandom(9_000_000)
    digest = Digest.of(content, "sha512")
    parts = put_parts(
        backend.services.registry.presigned_uploads.presign(actor, name, token, BlobSize(digest, len(content)), 1),
        content,
    )

    assert (
        backend.services.registry.presigned_uploads.complete(actor, name, token, BlobSize(digest, len(content)), parts)
        is None
    )
    assert backend.services.registry.blobs.find(actor, name, digest).size == len(content)


def test_hashing_continues_where_the_last_request_stopped(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    content = os.urandom(20_000_000)
    digest = Digest.of(content, "sha512")
    services = backend.services
    ticks = iter(range(1000))
    impatient = PresignedUploads(
        backend.stores_at(lambda: float(next(ticks))),
        services.registry.uploads,
        services.security.upload_tokens,
        services.registry.blobs,
        hashing_s=1.5,
    )
    parts = put_parts(impatient.presign(actor, name, token, BlobSize(digest, len(content)), 1), content)

    reached = [impatient.complete(actor, name, token, BlobSize(digest, len(content)), parts)]
    while reached[-1] is not None:
        reached.append(impatient.complete(actor, name, token, BlobSize(digest, len(content)), parts))

    assert reached[:-1] == sorted(reached[:-1])
    assert len(reached) > 2
    assert services.registry.blobs.find(actor, name, digest).size == len(content)


def test_bytes_with_another_digest_are_never_visible_and_cancel_the_upload(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    digest = Digest.of(b"these", "sha512")
    parts = put_parts(
        backend.services.registry.presigned_uploads.presign(actor, name, token, BlobSize(digest, 5), 1), b"those"
    )

    with pytest.raises(DigestInvalid, match="sha512:"):
        backend.services.registry.presigned_uploads.complete(actor, name, token, BlobSize(digest, 5), parts)
    with pytest.raises(BlobUploadUnknown):
        backend.services.registry.presigned_uploads.complete(actor, name, token, BlobSize(digest, 5), parts)


def test_bytes_of_another_size_are_refused(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    digest = Digest.of(b"these", "sha512")
    parts = put_parts(
        backend.services.registry.presigned_uploads.presign(actor, name, token, BlobSize(digest, 5), 1), b"these"
    )

    with pytest.raises(SizeInvalid):
        backend.services.registry.presigned_uploads.complete(actor, name, token, BlobSize(digest, 6), parts)


def test_completing_twice_succeeds_twice(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    digest = Digest.of(b"these", "sha512")
    parts = put_parts(
        backend.services.registry.presigned_uploads.presign(actor, name, token, BlobSize(digest, 5), 1), b"these"
    )

    for _ in range(2):
        assert (
            backend.services.registry.presigned_uploads.complete(actor, name, token, BlobSize(digest, 5), parts) is None
        )


def test_a_closed_upload_gets_no_addresses(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    digest = Digest.of(b"these", "sha512")
    parts = put_parts(
        backend.services.registry.presigned_uploads.presign(actor, name, token, BlobSize(digest, 5), 1), b"these"
    )
    backend.services.registry.presigned_uploads.complete(actor, name, token, BlobSize(digest, 5), parts)

    with pytest.raises(BlobUploadUnknown):
        backend.services.registry.presigned_uploads.presign(actor, name, token, BlobSize(digest, 5), 1)


def test_a_blob_above_5_gb_gets_no_more_parts_than_s3_can_join(backend: Backend) -> None:
    actor, name, token = begun(backend)
    size = 40 * 1024**4
    presigned: Any = backend.services.registry.presigned_uploads.presign(
        actor, name, token, BlobSize(Digest.of(b"x"), size), 8990
    )

    assert presigned["way"] == "parts"
    assert presigned["part_size"] * 9000 >= size
    assert presigned["parts"][0]["number"] == 8990
    assert presigned["parts"][-1]["number"] <= 9000


def test_a_blob_larger_than_an_object_in_s3_is_refused(backend: Backend) -> None:
    actor, name, token = begun(backend)

    with pytest.raises(BlobUploadInvalid, match="size"):
        backend.services.registry.presigned_uploads.presign(
            actor, name, token, BlobSize(Digest.of(b"x"), LARGEST_OBJECT + 1), 1
        )
