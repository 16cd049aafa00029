"""A digest is served only over bytes that S3 or our own code has proven, however the ways into an upload are mixed."""

import contextlib
import os
from typing import Any

import pytest
import requests

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown, RegistryError
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.uploads import LARGEST_PUT, SMALLEST_PART
from chalicelib.services.registry.presigned_uploads import PresignedUploads
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.rows import rows_like
from tests.support.uploading import Client, pulled

NAME = RepositoryName.parse("admin/app")
GOOD, EVIL = os.urandom(SMALLEST_PART), os.urandom(SMALLEST_PART)


def put_granted(client: Client, digest: Digest, size: int, content: bytes) -> list[tuple[int, str]]:
    """Puts content as the first part that a pusher without a key is granted."""
    granted: Any = client.backend.services.registry.presigned_uploads.grant(
        client.actor, client.name, client.token, digest, size, 1
    )
    part = granted["parts"][0]
    return [(part["number"], requests.put(part["address"], data=content, timeout=10).headers["ETag"])]


def assert_unserved_or_proven(backend: Backend, digest: Digest) -> None:
    with contextlib.suppress(BlobUnknown):
        assert digest.matches(pulled(backend, digest)), "other bytes are served under this digest"
    assert [row for row in rows_like(backend, "BLOB#", "META") if row["size"] == 0] == []
    invariants.check(backend)


@pytest.mark.parametrize(
    ("algorithm", "size"), [("sha512", 10), ("sha512", SMALLEST_PART), ("sha256", LARGEST_PUT + 1)]
)
def test_an_upload_whose_granted_bytes_are_still_to_be_hashed_is_not_closed_past_the_hashing(
    backend: Backend, algorithm: str, size: int
) -> None:
    """`complete` writes digest and close before it has hashed: a PUT of the digest must not take that for proof."""
    client, digest = Client(backend), Digest.of(GOOD, algorithm)
    parts = put_granted(client, digest, size, EVIL)
    services = backend.services
    without_time = PresignedUploads(
        services.stores,
        services.registry.uploads,
        services.security.upload_tokens,
        services.registry.blobs,
        hashing_s=0.0,
    )
    with contextlib.suppress(RegistryError):
        without_time.complete(client.actor, client.name, client.token, digest, size, parts)

    with contextlib.suppress(RegistryError):
        client.close(digest)

    assert_unserved_or_proven(backend, digest)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_part_that_we_hashed_is_not_replaced_under_a_granted_address(backend: Backend, algorithm: str) -> None:
    client, digest = Client(backend), Digest.of(GOOD)
    client.append(GOOD)
    with contextlib.suppress(RegistryError, KeyError):
        put_granted(client, Digest.of(GOOD, "sha512"), SMALLEST_PART, EVIL)

    with contextlib.suppress(RegistryError):
        client.close(digest)

    assert_unserved_or_proven(backend, digest)
