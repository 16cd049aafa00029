"""A digest is served only for bytes that S3 or the registry has verified, however the ways to upload are mixed."""

import contextlib
import os
from typing import Any

import pytest
import requests

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown, RegistryError
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.uploads import LARGEST_PUT, SMALLEST_PART
from chalicelib.services.registry.presigned_uploads import BlobSize, PresignedUploads
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.rows import rows_like
from tests.support.uploading import Client, pulled

NAME = RepositoryName.parse("admin/app")
GOOD, EVIL = os.urandom(SMALLEST_PART), os.urandom(SMALLEST_PART)


def put_presigned(client: Client, digest: Digest, size: int, content: bytes) -> list[tuple[int, str]]:
    """Puts content as the first part, as a pusher without the relay key does; returns its number and ETag."""
    presigned: Any = client.backend.services.registry.presigned_uploads.presign(
        client.actor, client.name, client.token, BlobSize(digest, size), 1
    )
    part = presigned["parts"][0]
    return [(part["number"], requests.put(part["address"], data=content, timeout=10).headers["ETag"])]


def assert_unserved_or_verified(backend: Backend, digest: Digest) -> None:
    with contextlib.suppress(BlobUnknown):
        assert digest.matches(pulled(backend, digest)), "other bytes are served under this digest"
    assert [row for row in rows_like(backend, "BLOB#", "META") if row["size"] == 0] == []
    invariants.check(backend)


@pytest.mark.parametrize(
    ("algorithm", "size"), [("sha512", 10), ("sha512", SMALLEST_PART), ("sha256", LARGEST_PUT + 1)]
)
def test_an_upload_whose_bytes_are_not_hashed_yet_cannot_be_closed_by_a_put(
    backend: Backend, algorithm: str, size: int
) -> None:
    """`complete` writes the digest before it has hashed: a PUT of the digest must not take that as verified."""
    client, digest = Client(backend), Digest.of(GOOD, algorithm)
    parts = put_presigned(client, digest, size, EVIL)
    services = backend.services
    without_time = PresignedUploads(
        services.stores,
        services.registry.uploads,
        services.security.upload_tokens,
        services.registry.blobs,
        hashing_s=0.0,
    )
    with contextlib.suppress(RegistryError):
        without_time.complete(client.actor, client.name, client.token, BlobSize(digest, size), parts)

    with contextlib.suppress(RegistryError):
        client.close(digest)

    assert_unserved_or_verified(backend, digest)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_part_that_was_hashed_is_not_replaced_through_a_presigned_address(backend: Backend, algorithm: str) -> None:
    client, digest = Client(backend), Digest.of(GOOD)
    client.append(GOOD)
    with contextlib.suppress(RegistryError, KeyError):
        put_presigned(client, Digest.of(GOOD, "sha512"), SMALLEST_PART, EVIL)

    with contextlib.suppress(RegistryError):
        client.close(digest)

    assert_unserved_or_verified(backend, digest)
