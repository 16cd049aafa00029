"""Tests that nothing makes bytes count, or keeps them, for an actor who lost the right since their token was issued."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown, BlobUploadInvalid, Denied
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.repositories import Mode
from chalicelib.domain.uploads import UploadBody
from chalicelib.services.registry.presigned_uploads import BlobSize
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.registry.blobs import BlobLinkRow
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_direct_upload,
    a_manifest,
    a_repository,
    an_actor_with_role,
    push_manifest,
    token_actor,
)
from tests.support.rows import all_rows, repository_of

NAME = RepositoryName.parse("admin/app")
CONTENT = b"bytes of somebody who may not write any more"
DIGEST = Digest.of(CONTENT)
Lose = Callable[[Backend], object]


def lower_to_read(backend: Backend) -> None:
    an_actor_with_role(backend, "bob", Role.READ)


def make_read_only(backend: Backend) -> None:
    backend.services.registry.repositories.change_mode(backend.signed_in("admin"), NAME, Mode.READ_ONLY)


LOSSES = pytest.mark.parametrize("lose", [lower_to_read, make_read_only])


@pytest.fixture
def bob(backend: Backend) -> Actor:
    """A pusher's access token, which stays the same when bob loses the right."""
    backend.user("bob")
    a_repository(backend)
    return an_actor_with_role(backend, "bob", Role.WRITE)


@LOSSES
def test_a_head_adopts_no_direct_upload(backend: Backend, bob: Actor, lose: Lose) -> None:
    a_direct_upload(backend, CONTENT)
    lose(backend)
    before = all_rows(backend)

    with pytest.raises(BlobUnknown):
        backend.services.registry.blobs.find(bob, NAME, DIGEST, promise=True)

    assert all_rows(backend) == before


@LOSSES
def test_a_head_renews_no_lease_and_still_answers(backend: Backend, bob: Actor, lose: Lose) -> None:
    digest = a_blob(backend, CONTENT)
    manifest = push_manifest(backend, a_manifest())
    repository = repository_of(backend)
    lose(backend)
    backend.clock.ahead_s = backend.settings.lease_s * 0.9
    before = all_rows(backend)

    assert backend.services.registry.blobs.find(bob, NAME, digest, promise=True).digest == digest
    assert backend.services.registry.manifests.find(bob, NAME, manifest.digest).digest == manifest.digest

    assert all_rows(backend) == before
    make_writable(backend)
    again = token_actor(backend, "admin", "admin/app")
    links: list[Any] = [
        get(BlobLinkRow, keys.blob_link(repository.id, digest)),
        get(ManifestRow, keys.manifest(repository.id, manifest.digest)),
    ]
    backend.services.registry.blobs.find(again, NAME, digest, promise=True)
    backend.services.registry.manifests.find(again, NAME, manifest.digest)
    renewed: list[Any] = [
        get(BlobLinkRow, keys.blob_link(repository.id, digest)),
        get(ManifestRow, keys.manifest(repository.id, manifest.digest)),
    ]
    assert all(new.leased_until > old.leased_until for new, old in zip(renewed, links, strict=True))


def make_writable(backend: Backend) -> None:
    backend.services.registry.repositories.change_mode(backend.signed_in("admin"), NAME, Mode.NORMAL)


@LOSSES
def test_an_upload_that_was_begun_takes_no_bytes(backend: Backend, bob: Actor, lose: Lose) -> None:
    uploads = backend.services.registry.uploads
    fresh, begun = uploads.begin(bob, NAME), uploads.begin(bob, NAME)
    begun = uploads.append(bob, NAME, begun.token, UploadBody(CONTENT))
    lose(backend)
    before = all_rows(backend)

    for write in (
        lambda: uploads.append(bob, NAME, fresh.token, UploadBody(CONTENT)),
        lambda: uploads.append(bob, NAME, begun.token, UploadBody(CONTENT)),
        lambda: uploads.close(bob, NAME, begun.token, DIGEST, UploadBody()),
        lambda: uploads.cancel(bob, NAME, begun.token),
        lambda: backend.services.registry.relays.presign_first(bob, NAME, fresh.token, 2),
        lambda: backend.services.registry.presigned_uploads.presign(bob, NAME, fresh.token, BlobSize(DIGEST, 5), 1),
    ):
        with pytest.raises(Denied):
            write()

    assert all_rows(backend) == before


@pytest.mark.parametrize("puts_first", [True, False])
def test_a_presigned_upload_whose_completion_was_refused_is_never_adopted(
    backend: Backend, bob: Actor, puts_first: bool
) -> None:
    registry, size = backend.services.registry, BlobSize(DIGEST, len(CONTENT))
    begun = registry.uploads.begin(bob, NAME)
    registry.presigned_uploads.presign(bob, NAME, begun.token, size, 1)
    key = bucket_keys.edge_prefix(repository_of(backend).id, DIGEST) + begun.upload_id
    put = lambda: backend.services.stores.objects.put(key, CONTENT, DIGEST)  # noqa: E731
    if puts_first:
        put()
    lower_to_read(backend)
    with pytest.raises(Denied):
        registry.presigned_uploads.complete(bob, NAME, begun.token, size, [])
    put()

    pusher = an_actor_with_role(backend, "bob", Role.WRITE)
    for actor in (pusher, token_actor(backend, "admin", "admin/app")):
        with pytest.raises(BlobUnknown):
            registry.blobs.find(actor, NAME, DIGEST, promise=True)
    with pytest.raises(BlobUploadInvalid):
        registry.presigned_uploads.complete(pusher, NAME, begun.token, size, [])
    a_direct_upload(backend, CONTENT, backend.clock() + 1)
    assert registry.blobs.find(pusher, NAME, DIGEST).digest == DIGEST


def test_a_chunk_costs_no_more_calls_than_its_row_and_its_bytes(backend: Backend, bob: Actor) -> None:
    uploads = backend.services.registry.uploads
    begun = uploads.begin(bob, NAME)
    backend.calls.take()

    uploads.append(bob, NAME, begun.token, UploadBody(CONTENT))

    assert backend.calls.take() == ["BatchGetItem", "PutObject", "TransactWriteItems"]
