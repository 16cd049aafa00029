"""Bytes that a pusher without a key of ours brings to S3 by themselves."""

import os
from typing import Any

import pytest
import requests

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, BlobUploadUnknown, DigestInvalid, SizeInvalid
from chalicelib.domain.uploads import LARGEST_OBJECT
from chalicelib.services.registry.presigned_uploads import PresignedUploads
from tests.support.backends import Backend


def begun(backend: Backend, algorithm: str = "sha256") -> Any:
    """An upload of the admin's, and who asks."""
    actor, name = backend.owner()
    return actor, name, backend.services.registry.uploads.begin(actor, name, algorithm).token


def put_parts(granted: Any, content: bytes) -> list[tuple[int, str]]:
    """Puts content in one part, as a pusher does."""
    part = granted["parts"][0]
    return [(part["number"], requests.put(part["address"], data=content, timeout=10).headers["ETag"])]


def test_a_blob_put_under_a_granted_address_is_visible_once_completed(backend: Backend) -> None:
    actor, name, token = begun(backend)
    content = os.urandom(5000)
    digest = Digest.of(content)
    granted: Any = backend.services.registry.presigned_uploads.grant(actor, name, token, digest, len(content), 1)
    answer = requests.put(granted["address"], data=content, headers=granted["headers"], timeout=10)

    assert answer.status_code == 200
    assert backend.services.registry.presigned_uploads.complete(actor, name, token, digest, len(content), []) is None
    assert backend.services.registry.blobs.find(actor, name, digest).size == 5000


def test_s3_refuses_other_bytes_than_those_that_the_address_was_granted_for(backend: Backend) -> None:
    actor, name, token = begun(backend)
    granted: Any = backend.services.registry.presigned_uploads.grant(actor, name, token, Digest.of(b"these"), 5, 1)

    assert requests.put(granted["address"], data=b"those", headers=granted["headers"], timeout=10).status_code == 400
    with pytest.raises(BlobUploadInvalid, match="nothing"):
        backend.services.registry.presigned_uploads.complete(actor, name, token, Digest.of(b"these"), 5, [])


def test_what_s3_cannot_check_is_hashed_before_it_is_visible(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    content = os.urandom(9_000_000)
    digest = Digest.of(content, "sha512")
    parts = put_parts(
        backend.services.registry.presigned_uploads.grant(actor, name, token, digest, len(content), 1), content
    )

    assert backend.services.registry.presigned_uploads.complete(actor, name, token, digest, len(content), parts) is None
    assert backend.services.registry.blobs.find(actor, name, digest).size == len(content)


def test_hashing_goes_on_where_the_last_request_stopped(backend: Backend) -> None:
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
    parts = put_parts(impatient.grant(actor, name, token, digest, len(content), 1), content)

    reached = [impatient.complete(actor, name, token, digest, len(content), parts)]
    while reached[-1] is not None:
        reached.append(impatient.complete(actor, name, token, digest, len(content), parts))

    assert reached[:-1] == sorted(reached[:-1])
    assert len(reached) > 2
    assert services.registry.blobs.find(actor, name, digest).size == len(content)


def test_other_bytes_than_were_named_are_never_visible_and_end_the_upload(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    digest = Digest.of(b"these", "sha512")
    parts = put_parts(backend.services.registry.presigned_uploads.grant(actor, name, token, digest, 5, 1), b"those")

    with pytest.raises(DigestInvalid, match="sha512:"):
        backend.services.registry.presigned_uploads.complete(actor, name, token, digest, 5, parts)
    with pytest.raises(BlobUploadUnknown):
        backend.services.registry.presigned_uploads.complete(actor, name, token, digest, 5, parts)


def test_another_size_than_was_named_is_refused(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    digest = Digest.of(b"these", "sha512")
    parts = put_parts(backend.services.registry.presigned_uploads.grant(actor, name, token, digest, 5, 1), b"these")

    with pytest.raises(SizeInvalid):
        backend.services.registry.presigned_uploads.complete(actor, name, token, digest, 6, parts)


def test_completing_twice_succeeds_twice(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    digest = Digest.of(b"these", "sha512")
    parts = put_parts(backend.services.registry.presigned_uploads.grant(actor, name, token, digest, 5, 1), b"these")

    for _ in range(2):
        assert backend.services.registry.presigned_uploads.complete(actor, name, token, digest, 5, parts) is None


def test_a_closed_upload_gets_no_grant(backend: Backend) -> None:
    actor, name, token = begun(backend, "sha512")
    digest = Digest.of(b"these", "sha512")
    parts = put_parts(backend.services.registry.presigned_uploads.grant(actor, name, token, digest, 5, 1), b"these")
    backend.services.registry.presigned_uploads.complete(actor, name, token, digest, 5, parts)

    with pytest.raises(BlobUploadUnknown):
        backend.services.registry.presigned_uploads.grant(actor, name, token, digest, 5, 1)


def test_a_blob_above_5_gb_is_granted_in_parts_whose_number_s3_can_join(backend: Backend) -> None:
    actor, name, token = begun(backend)
    size = 40 * 1024**4
    granted: Any = backend.services.registry.presigned_uploads.grant(actor, name, token, Digest.of(b"x"), size, 8990)

    assert granted["way"] == "parts"
    assert granted["part_size"] * 9000 >= size
    assert granted["parts"][0]["number"] == 8990
    assert granted["parts"][-1]["number"] <= 9000


def test_more_than_s3_keeps_in_one_object_is_refused(backend: Backend) -> None:
    actor, name, token = begun(backend)

    with pytest.raises(BlobUploadInvalid, match="size"):
        backend.services.registry.presigned_uploads.grant(actor, name, token, Digest.of(b"x"), LARGEST_OBJECT + 1, 1)
