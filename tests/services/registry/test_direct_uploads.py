"""Direct uploads are verified unless S3 did it, and removed if no blob has them."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.states import State
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.registry.blobs import BlobRow, FenceRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_direct_upload, a_repository, token_actor
from tests.support.crashes import before_calls, crash_everywhere

NAME = RepositoryName.parse("admin/app")
CONTENT = b"a layer that was uploaded directly"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def staging(new_backend: Callable[..., Backend]) -> Backend:
    """A backend whose upload edge cannot let S3 verify what it writes."""
    return new_backend(edge="staging")


def staged(backend: Backend, content: bytes, digest: Digest = DIGEST) -> str:
    """Writes bytes as such an upload edge does, even if they are wrong; returns their key."""
    key = bucket_keys.staging_prefix(a_repository(backend).id, digest) + ulid()
    backend.services.stores.objects.client.put_object(Bucket=backend.settings.bucket, Key=key, Body=content)
    return key


def found(backend: Backend) -> str | None:
    """Returns the key of the blob that a pusher's HEAD finds, or None."""
    actor = token_actor(backend, "admin", "admin/app")
    try:
        return backend.services.registry.blobs.find(actor, NAME, DIGEST).s3_key
    except BlobUnknown:
        return None


def test_staged_bytes_are_copied_to_the_prefix_of_blobs_and_removed_from_staging(staging: Backend) -> None:
    key = staged(staging, CONTENT)

    assert found(staging) == bucket_keys.out_of_staging(key)
    assert staging.services.stores.objects.get(bucket_keys.out_of_staging(key)) == CONTENT
    assert not staging.services.stores.objects.exists(key)
    invariants.check(staging)


def test_staged_bytes_of_another_digest_never_become_a_blob(staging: Backend) -> None:
    key = staged(staging, b"something else")

    assert found(staging) is None
    assert not staging.services.stores.objects.exists(key)
    assert not staging.services.stores.objects.exists(bucket_keys.out_of_staging(key))
    assert get(FenceRow, keys.fence(bucket_keys.out_of_staging(key))) is not None


def test_a_refused_upload_can_be_followed_by_a_valid_one(staging: Backend) -> None:
    staged(staging, b"something else")
    assert found(staging) is None

    key = staged(staging, CONTENT)

    assert found(staging) == bucket_keys.out_of_staging(key)


def test_bytes_that_replace_staged_ones_later_do_not_change_the_blob(staging: Backend) -> None:
    key = staged(staging, CONTENT)
    kept = found(staging)

    staging.services.stores.objects.client.put_object(Bucket=staging.settings.bucket, Key=key, Body=b"replaced")

    assert found(staging) == kept
    assert staging.services.stores.objects.get(kept or "") == CONTENT


def test_bytes_that_s3_verified_are_not_read_again(staging: Backend) -> None:
    key = a_direct_upload(staging, CONTENT)
    staging.calls.take()

    assert found(staging) == key
    assert "GetObject" not in staging.calls.take()


def test_after_a_crash_between_staging_and_link_the_next_request_completes_the_adoption(staging: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        content = f"layer {number}".encode()
        digest = Digest.of(content)
        repository = a_repository(staging)
        staged(staging, content, digest)

        def operation() -> None:
            assert staging.services.registry.blobs.adopt(token_actor(staging, "admin", "admin/app"), repository, digest)

        return operation

    assert crash_everywhere(staging, prepare) >= 3


def test_a_key_that_no_blob_has_is_fenced_and_removed(backend: Backend) -> None:
    key = a_direct_upload(backend, CONTENT)

    assert backend.services.registry.direct_uploads.remove_unnamed({key: DIGEST}) == [key]
    assert not backend.services.stores.objects.exists(key)
    fence = get(FenceRow, keys.fence(key))
    assert fence is not None
    assert fence.expires_at == pytest.approx(backend.clock() + 2 * backend.settings.settled_s, abs=5)


def test_a_blob_keeps_its_key_and_its_copy_is_removed(backend: Backend) -> None:
    kept = a_direct_upload(backend, CONTENT)
    assert found(backend) == kept
    copy = a_direct_upload(backend, CONTENT)

    assert backend.services.registry.direct_uploads.remove_unnamed({kept: DIGEST, copy: DIGEST}) == [copy]
    assert backend.services.stores.objects.get(kept) == CONTENT
    assert get(FenceRow, keys.fence(kept)) is None
    invariants.check(backend)


def test_a_blob_being_collected_keeps_its_key_for_its_collector(backend: Backend) -> None:
    a_blob(backend, CONTENT)
    row = get(BlobRow, keys.blob(DIGEST))
    row.state = State.DELETING
    row.save()

    assert backend.services.registry.direct_uploads.remove_unnamed({row.s3_key: DIGEST}) == []


@pytest.mark.parametrize("call", range(1, 7))
def test_an_adoption_and_a_removal_at_once_leave_no_link_without_bytes(backend: Backend, call: int) -> None:
    key = a_direct_upload(backend, CONTENT)
    calls: list[object] = []

    def interrupt(*_: object, **__: object) -> None:
        calls.append(None)
        if len(calls) == call:
            backend.services.registry.blobs.adopt(
                token_actor(backend, "admin", "admin/app"), a_repository(backend), DIGEST
            )

    with before_calls(backend, interrupt):
        backend.services.registry.direct_uploads.remove_unnamed({key: DIGEST})

    invariants.check(backend)
    assert (found(backend) is None) == (not backend.services.stores.objects.exists(key))


def test_after_a_crash_in_a_removal_the_next_one_completes_it(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        content = f"unnamed {number} {uuid4()}".encode()
        key = a_direct_upload(backend, content)

        def operation() -> None:
            backend.services.registry.direct_uploads.remove_unnamed({key: Digest.of(content)})

        return operation

    assert crash_everywhere(backend, prepare) == 2
